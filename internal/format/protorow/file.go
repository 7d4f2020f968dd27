package protorow

import (
	"context"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
)

// Limits of schemas from outside.
const (
	maxTextBytes = 1 << 20
	maxFields    = 10_000
	maxDepth     = 64
)

// A File is a compiled schema.
type File struct{ descriptor protoreflect.FileDescriptor }

// Descriptor is what the file says, for those who compare files.
func (f *File) Descriptor() protoreflect.FileDescriptor { return f.descriptor }

// mainName is what the text is called to the compiler; imports cannot have a name with a space.
const mainName = "the schema"

// wellKnown are files that schemas import without a reference: the messages that Kafka Connect uses for types that Protobuf does not have.
// Numbers and names are those of Google's and Confluent's definitions.
var wellKnown = map[string]string{
	"confluent/meta.proto": `syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
`,
	"confluent/type/decimal.proto": `syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
`,
	"google/type/date.proto": `syntax = "proto3";
package google.type;
message Date {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
}
`,
	"google/type/timeofday.proto": `syntax = "proto3";
package google.type;
message TimeOfDay {
  int32 hours = 1;
  int32 minutes = 2;
  int32 seconds = 3;
  int32 nanos = 4;
}
`,
}

// Parse compiles a schema's text with the texts that it imports, by the names of the imports.
func Parse(text string, imports map[string]string) (*File, error) {
	total := len(text)
	for _, t := range imports {
		total += len(t)
	}
	if total > maxTextBytes {
		return nil, fmt.Errorf("Protobuf schema of %d bytes is longer than %d", total, maxTextBytes)
	}
	if deep(text) {
		return nil, fmt.Errorf("Protobuf schema with more than %d levels", maxDepth)
	}
	files := map[string]string{}
	for name, t := range wellKnown {
		files[name] = t
	}
	for name, t := range imports {
		if deep(t) {
			return nil, fmt.Errorf("Protobuf schema %s with more than %d levels", name, maxDepth)
		}
		files[name] = t
	}
	files[mainName] = text
	resolver := &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(resolver), MaxParallelism: 1}
	compiled, err := compiler.Compile(context.Background(), mainName)
	if err != nil {
		return nil, fmt.Errorf("Protobuf schema: %w", err)
	}
	return &File{compiled[0]}, nil
}

// deep tells texts whose brackets stand deeper in each other than messages may: the compiler recurses along them.
func deep(text string) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[', '<', '(':
			if depth++; depth > 2*maxDepth {
				return true
			}
		case '}', ']', '>', ')':
			depth--
		}
	}
	return false
}

// Message returns a message by its name, with or without the package; without a name the first one.
func (f *File) Message(name string) (protoreflect.MessageDescriptor, error) {
	messages := f.descriptor.Messages()
	if messages.Len() == 0 {
		return nil, column.Errorf("the schema has no message")
	}
	if name == "" {
		return messages.Get(0), nil
	}
	var names []string
	for i := range messages.Len() {
		m := messages.Get(i)
		if string(m.FullName()) == name || string(m.Name()) == name {
			return m, nil
		}
		names = append(names, string(m.FullName()))
	}
	return nil, column.Errorf("Schema registry schema does not contain the message %s. It has: %s", name, strings.Join(names, ", "))
}

// MessageAt returns the message of a record by its indexes.
func (f *File) MessageAt(path []int) (of protoreflect.MessageDescriptor, err error) {
	messages := f.descriptor.Messages()
	for _, i := range path {
		if i >= messages.Len() {
			return nil, column.Errorf("a message that the schema does not have")
		}
		of = messages.Get(i)
		messages = of.Messages()
	}
	return of, nil
}
