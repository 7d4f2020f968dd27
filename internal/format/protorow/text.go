package protorow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// DefaultName is the name of messages that nobody named: Kafka Connect's, which counts the inner ones from 2.
const DefaultName = "ConnectDefault1"

// A Nullable says how fields of scalars tell null from zero.
type Nullable string

// The representations of null. Without one, null is zero.
const (
	Zeros    Nullable = ""
	Optional Nullable = "optional"
	Wrapper  Nullable = "wrapper"
)

// Text returns the file that Kafka Connect would register for columns under a full name.
func Text(columns row.Schema, fullName string, nullable Nullable) (string, error) {
	return (&writer{nullable: nullable}).file(columns, fullName)
}

// EntriesText is Text under the default name with maps as lists of messages of a key and a value, which are the same bytes: so ksqlDB's
// HTTP interface describes its rows.
func EntriesText(columns row.Schema) (string, error) {
	return (&writer{nullable: Zeros, entries: true}).file(columns, DefaultName)
}

func (w *writer) file(columns row.Schema, fullName string) (string, error) {
	dot := strings.LastIndexByte(fullName, '.')
	w.imports, w.count = map[string]bool{}, 1
	if err := w.message(fullName[dot+1:], columns.Struct().Fields, "", 0); err != nil {
		return "", err
	}
	head := "syntax = \"proto3\";\n"
	if dot > 0 {
		head += "package " + fullName[:dot] + ";\n"
	}
	head += "\n"
	for _, name := range slices.Sorted(maps.Keys(w.imports)) {
		head += "import \"" + name + "\";\n"
	}
	if len(w.imports) > 0 {
		head += "\n"
	}
	return head + w.b.String(), nil
}

// A writer writes messages.
type writer struct {
	b        strings.Builder
	nullable Nullable
	entries  bool // maps are lists of messages
	imports  map[string]bool
	count    int // of messages, for their names
}

// An inner is a struct's message, which stands within the one that uses it.
type inner struct {
	name   string
	fields []row.Field
}

func (w *writer) message(name string, fields []row.Field, indent string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("PROTOBUF: more than %d levels of structs", maxDepth)
	}
	w.b.WriteString(indent + "message " + name + " {\n")
	var inners []inner
	for i, f := range fields {
		if err := checkName(f.Name); err != nil {
			return err
		}
		label, t := "", f.Type
		var text string
		var err error
		switch {
		case t.Kind == row.KindArray:
			label, t = "repeated ", t.Elem
			text, err = w.value(t, f.Name, &inners, false)
		case t.Kind == row.KindMap:
			if w.entries {
				label = "repeated "
			}
			text, err = w.mapping(t, f.Name, &inners)
		default:
			if w.nullable == Optional && scalarText[t.Kind] != "" {
				label = "optional "
			}
			text, err = w.value(t, f.Name, &inners, w.nullable == Wrapper)
		}
		if err != nil {
			return err
		}
		w.b.WriteString(indent + "  " + label + text + " " + f.Name + " = " + strconv.Itoa(i+1) + w.options(t) + ";\n")
	}
	for _, in := range inners {
		w.b.WriteByte('\n')
		if err := w.message(in.name, in.fields, indent+"  ", depth+1); err != nil {
			return err
		}
	}
	w.b.WriteString(indent + "}\n")
	return nil
}

func (w *writer) mapping(t *row.Type, field string, inners *[]inner) (string, error) {
	if !t.Key.Is(row.KindString) {
		return "", fmt.Errorf("PROTOBUF format only supports MAP types with STRING keys")
	}
	if t.Elem.Kind == row.KindArray || t.Elem.Kind == row.KindMap {
		return "", fmt.Errorf("PROTOBUF does not support %s within a MAP: column %s", t.Elem.Kind, row.Quote(field))
	}
	if w.entries {
		w.count++
		name := "ConnectDefault" + strconv.Itoa(w.count) + "Entry"
		*inners = append(*inners, inner{name, []row.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}}})
		return name, nil
	}
	value, err := w.value(t.Elem, field, inners, false)
	return "map<string, " + value + ">", err
}

var scalarText = map[row.Kind]string{
	row.KindBoolean: "bool", row.KindInt: "int32", row.KindBigint: "int64", row.KindDouble: "double", row.KindString: "string",
	row.KindBytes: "bytes",
}

var wrapperText = map[row.Kind]string{
	row.KindBoolean: "BoolValue", row.KindInt: "Int32Value", row.KindBigint: "Int64Value", row.KindDouble: "DoubleValue",
	row.KindString: "StringValue", row.KindBytes: "BytesValue",
}

var messageText = map[row.Kind]struct{ name, file string }{
	row.KindDecimal:   {decimalMessage, "confluent/type/decimal.proto"},
	row.KindDate:      {dateMessage, "google/type/date.proto"},
	row.KindTime:      {timeMessage, "google/type/timeofday.proto"},
	row.KindTimestamp: {timestampMessage, "google/protobuf/timestamp.proto"},
}

// value returns the type of one value, and notes the message that it needs.
func (w *writer) value(t *row.Type, field string, inners *[]inner, wrapped bool) (string, error) {
	if wrapped && wrapperText[t.Kind] != "" {
		w.imports["google/protobuf/wrappers.proto"] = true
		return "google.protobuf." + wrapperText[t.Kind], nil
	}
	if text := scalarText[t.Kind]; text != "" {
		return text, nil
	}
	if m, ok := messageText[t.Kind]; ok {
		w.imports[m.file] = true
		return m.name, nil
	}
	switch t.Kind {
	case row.KindStruct:
		w.count++
		name := "ConnectDefault" + strconv.Itoa(w.count)
		*inners = append(*inners, inner{name, t.Fields})
		return name, nil
	case row.KindArray:
		return "", fmt.Errorf("PROTOBUF does not support nested ARRAY types: column %s", row.Quote(field))
	}
	return "", fmt.Errorf("PROTOBUF does not support %s here: column %s", t.Kind, row.Quote(field))
}

// options are the parameters of a decimal's field.
func (w *writer) options(t *row.Type) string {
	if t.Kind != row.KindDecimal {
		return ""
	}
	w.imports["confluent/meta.proto"] = true
	return ` [(confluent.field_meta) = {
    params: [
      { key: "precision", value: "` + strconv.Itoa(t.Precision) + `" },
      { key: "scale", value: "` + strconv.Itoa(t.Scale) + `" }
    ]
  }]`
}

// checkName refuses names that Protobuf does not have.
func checkName(name string) error {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("PROTOBUF does not support the name %s: it must be letters, digits and underscores", row.Quote(name))
		}
	}
	if name == "" {
		return fmt.Errorf("PROTOBUF does not support a column without a name")
	}
	return nil
}
