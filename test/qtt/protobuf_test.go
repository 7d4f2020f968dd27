package qtt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A protobufCodec writes with the subject's newest schema and reads with the one that the header names. Behind the header stands which
// message of the file it is: the indexes down to it, as zigzag varints with their count in front; one zero is the first message.
type protobufCodec struct{ codecSpec }

func (c protobufCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	s, id, err := c.latest()
	if err != nil {
		return nil, err
	}
	file, err := compileProtobuf(s, c.registry)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", c.subject(), err)
	}
	of, err := messageNamed(file, c.format.Properties["fullSchemaName"])
	if err != nil {
		return nil, err
	}
	m := dynamicpb.NewMessage(of)
	if err := toProtobuf(v, m); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(appendIndexes(appendHeader(nil, id), of), m)
}

func (c protobufCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	s, payload, err := c.written(b)
	if err != nil {
		return nil, err
	}
	file, err := compileProtobuf(s, c.registry)
	if err != nil {
		return nil, fmt.Errorf("the schema of the bytes: %w", err)
	}
	of, payload, err := messageAt(file, payload)
	if err != nil {
		return nil, err
	}
	return readProtobuf(of, payload)
}

func readProtobuf(of protoreflect.MessageDescriptor, payload []byte) (any, error) {
	m := dynamicpb.NewMessage(of)
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, err
	}
	if len(m.GetUnknown()) > 0 {
		return nil, fmt.Errorf("fields that message %s does not have", of.Name())
	}
	return fromMessage(m), nil
}

// mainFile is how the compiled text is called.
const mainFile = "main.proto"

// knownFiles are files that schemas import without a reference: the messages of types that Protobuf does not have.
var knownFiles = map[string]string{
	"confluent/type/decimal.proto": `syntax = "proto3"; package confluent.type;
		message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
	"confluent/meta.proto": `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
		message Meta { string doc = 1; map<string, string> params = 2; }
		extend google.protobuf.FileOptions { Meta file_meta = 1088; }
		extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
		extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
		extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
		extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
	"google/type/date.proto": `syntax = "proto3"; package google.type;
		message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
	"google/type/timeofday.proto": `syntax = "proto3"; package google.type;
		message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }`,
}

// compileProtobuf compiles a schema with those that it refers to.
func compileProtobuf(s Schema, registry *Registry) (protoreflect.FileDescriptor, error) {
	files := map[string]string{mainFile: s.Text}
	for name, text := range knownFiles {
		files[name] = text
	}
	if err := addReferences(s, registry, files); err != nil {
		return nil, err
	}
	resolver := &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(resolver), MaxParallelism: 1}
	compiled, err := compiler.Compile(context.Background(), mainFile)
	if err != nil {
		return nil, err
	}
	return compiled[0], nil
}

func addReferences(s Schema, registry *Registry, files map[string]string) error {
	for _, ref := range s.References {
		imported, _, ok := registry.Version(ref.Subject, ref.Version)
		if !ok {
			return fmt.Errorf("subject %s has no version %d", ref.Subject, ref.Version)
		}
		files[ref.Name] = imported.Text
		if err := addReferences(imported, registry, files); err != nil {
			return err
		}
	}
	return nil
}

// messageNamed finds a message by its name, with or without the package; no name is the first message.
func messageNamed(file protoreflect.FileDescriptor, name string) (protoreflect.MessageDescriptor, error) {
	messages := file.Messages()
	if messages.Len() == 0 {
		return nil, errors.New("the schema has no message")
	}
	if name == "" {
		return messages.Get(0), nil
	}
	for i := range messages.Len() {
		if m := messages.Get(i); string(m.FullName()) == name || string(m.Name()) == name[strings.LastIndex(name, ".")+1:] {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the schema has no message %s", name)
}

func appendIndexes(dst []byte, of protoreflect.MessageDescriptor) []byte {
	if of.Index() == 0 {
		return append(dst, 0)
	}
	return binary.AppendVarint(binary.AppendVarint(dst, 1), int64(of.Index()))
}

// messageAt reads the indexes and returns the message with the bytes behind them.
func messageAt(file protoreflect.FileDescriptor, b []byte) (protoreflect.MessageDescriptor, []byte, error) {
	next := func() (int, error) {
		i, n := binary.Varint(b)
		if n <= 0 {
			return 0, errors.New("no message indexes")
		}
		b = b[n:]
		return int(i), nil
	}
	count, err := next()
	if err != nil {
		return nil, nil, err
	}
	messages := file.Messages()
	if count == 0 && messages.Len() > 0 {
		return messages.Get(0), b, nil
	}
	var of protoreflect.MessageDescriptor
	for range count {
		i, err := next()
		if err != nil || i < 0 || i >= messages.Len() {
			return nil, nil, errors.Join(err, fmt.Errorf("the schema has no message %d", i))
		}
		of = messages.Get(i)
		messages = of.Messages()
	}
	if of == nil {
		return nil, nil, errors.New("the schema has no message")
	}
	return of, b, nil
}

// A bareProtobufCodec is PROTOBUF_NOSR's: no header, and a schema that the columns give.
type bareProtobufCodec struct {
	of protoreflect.MessageDescriptor
}

func newBareProtobufCodec(s codecSpec) (codec, error) {
	w := &protobufText{nullable: s.format.Properties["nullableRepresentation"]}
	text, err := w.file(s.columns)
	if err != nil {
		return nil, err
	}
	file, err := compileProtobuf(Schema{Type: "PROTOBUF", Text: text}, s.registry)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", s.subject(), err)
	}
	return bareProtobufCodec{file.Messages().Get(0)}, nil
}

func (c bareProtobufCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	m := dynamicpb.NewMessage(c.of)
	if err := toProtobuf(v, m); err != nil {
		return nil, err
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if b == nil {
		b = []byte{} // a message without fields is not null
	}
	return b, err
}

func (c bareProtobufCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	return readProtobuf(c.of, b)
}

// A protobufText writes the .proto text of columns.
type protobufText struct {
	nullable string // "", "optional", "wrapper"
	messages int
}

func (w *protobufText) file(columns []column) (string, error) {
	body, err := w.message(columns)
	if err != nil {
		return "", err
	}
	imports := ""
	for _, name := range []string{
		"confluent/type/decimal.proto", "google/type/date.proto", "google/type/timeofday.proto",
		"google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto",
	} {
		imports += "import \"" + name + "\";\n"
	}
	return "syntax = \"proto3\";\n" + imports + body, nil
}

// message writes a message with the messages of its structs inside.
func (w *protobufText) message(columns []column) (string, error) {
	w.messages++
	body := fmt.Sprintf("message M%d {\n", w.messages)
	for i, c := range columns {
		typ, inner, err := w.field(c.typ)
		if err != nil {
			return "", fmt.Errorf("column %s: %w", c.name, err)
		}
		body += fmt.Sprintf("%s%s %s = %d;\n", inner, typ, c.name, i+1)
	}
	return body + "}\n", nil
}

// field returns a field's type with its label, and the messages that it needs.
func (w *protobufText) field(t *sqlType) (typ, inner string, err error) {
	switch t.name {
	case "ARRAY":
		typ, inner, err = w.value(t.element)
		return "repeated " + typ, inner, err
	case "MAP":
		typ, inner, err = w.value(t.element)
		return "map<string, " + typ + ">", inner, err
	}
	typ, inner, err = w.value(t)
	scalar, wrapper := scalars[t.name], wrappers[t.name]
	switch {
	case scalar != "" && w.nullable == "optional":
		typ = "optional " + typ
	case scalar != "" && w.nullable == "wrapper":
		typ = wrapper
	}
	return typ, inner, err
}

var (
	scalars = map[string]string{
		"BOOLEAN": "bool", "INTEGER": "int32", "BIGINT": "int64", "DOUBLE": "double", "STRING": "string", "BYTES": "bytes",
	}
	wrappers = map[string]string{
		"BOOLEAN": "google.protobuf.BoolValue", "INTEGER": "google.protobuf.Int32Value", "BIGINT": "google.protobuf.Int64Value",
		"DOUBLE": "google.protobuf.DoubleValue", "STRING": "google.protobuf.StringValue", "BYTES": "google.protobuf.BytesValue",
	}
	typeMessages = map[string]string{
		"DECIMAL": "confluent.type.Decimal", "DATE": "google.type.Date", "TIME": "google.type.TimeOfDay", "TIMESTAMP": "google.protobuf.Timestamp",
	}
)

// value returns the type of one value.
func (w *protobufText) value(t *sqlType) (typ, inner string, err error) {
	if s := scalars[t.name]; s != "" {
		return s, "", nil
	}
	if m := typeMessages[t.name]; m != "" {
		return m, "", nil
	}
	if t.name != "STRUCT" {
		return "", "", fmt.Errorf("%s cannot stand in a list or map of Protobuf", t)
	}
	name := fmt.Sprintf("M%d", w.messages+1)
	inner, err = w.message(t.fields)
	return name, inner, err
}
