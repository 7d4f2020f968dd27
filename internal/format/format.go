// Package format turns the keys and values of topics into rows and back, by the formats that SQL names.
//
// Callers: SQL's lowering, its INSERT VALUES and the checks of its CREATE statements. It calls row and jsontext, and libraries for Avro
// and Protobuf.
//
// Owner and locks: a codec is immutable and safe for concurrent use.
//
// Format: a Codec knows the columns that it reads or writes, in the order of the Row. A record that has more fields is read all the same.
// JSON: an object by column names in any case, or the bare value of a single unwrapped column. DELIMITED: fields as in CSV. KAFKA: one
// value as Kafka's own serializers write it. NONE: nothing. AVRO, PROTOBUF and JSON_SR: a zero byte and the schema's id in 4 bytes, the
// highest first, then the record; PROTOBUF_NOSR is PROTOBUF without these. A record is read by the schema of its id. Id 0 is that of
// records that stay inside.
//
// Not here: the registry itself (see Schemas), what columns mean.
package format

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// The names of the formats.
const (
	None          = "NONE"
	Kafka         = "KAFKA"
	Delimited     = "DELIMITED"
	JSON          = "JSON"
	JSONSR        = "JSON_SR"
	Avro          = "AVRO"
	Protobuf      = "PROTOBUF"
	ProtobufNoSR  = "PROTOBUF_NOSR"
	propDelimiter = "delimiter"
)

// ksqlDB's names of properties of the formats with schemas.
const (
	PropFullName = "fullSchemaName"         // of the record or the message
	PropSchemaID = "schemaId"               // the schema in the registry that is meant, not one of the columns
	PropNullable = "nullableRepresentation" // optional, wrapper, or nothing: null is zero
	PropUnwrap   = "unwrapPrimitives"       // Protobuf's wrappers stand for their values, which they always do here
)

// A Spec names a format with what a statement says about it.
type Spec struct {
	Name string
	// Props are the format's own properties by ksqlDB's names: delimiter, fullSchemaName, schemaId, nullableRepresentation, …
	Props map[string]string
}

// String is the spec for messages.
func (s Spec) String() string { return s.Name }

// Equal tells whether both say the same.
func (s Spec) Equal(o Spec) bool {
	if s.Name != o.Name || len(s.Props) != len(o.Props) {
		return false
	}
	for k, v := range s.Props {
		if w, ok := o.Props[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// With returns s with another property.
func (s Spec) With(prop, value string) Spec {
	props := map[string]string{prop: value}
	for k, v := range s.Props {
		if k != prop {
			props[k] = v
		}
	}
	return Spec{Name: s.Name, Props: props}
}

// A Side is what a codec is asked for.
type Side struct {
	Spec
	Schema    row.Schema
	Key       bool
	Unwrapped bool   // a single column stands for itself, not in a structure
	Topic     string // whose schemas are registered; empty for records that stay inside
	// Reads: the topic is only read. What is written all the same, to keep it, stays inside: its schema is that of the columns.
	Reads bool
	// Columns are those of the schema that rows have, by their places in it, in this order; of the others a record is only checked. Formats
	// that Selects names take it. nil: all.
	Columns []int
	Schemas Schemas // nil: none; needed by AVRO, PROTOBUF and JSON_SR for records of others
}

// A Codec reads and writes rows; null bytes are the null row.
type Codec = serde.Serde[row.Row]

// A ColumnWriter is a Codec that writes a row also column by column, so that its values need not be made a row first.
type ColumnWriter interface {
	Codec
	// AppendColumn appends the i-th column. All columns in order give what Append gives for the row of them.
	AppendColumn(dst []byte, i int, v row.Value) []byte
	// AppendElements is AppendColumn for an array.
	AppendElements(dst []byte, i int, e row.Elements) []byte
}

// A Trait is something that a format can do.
type Trait struct {
	Infers   bool // columns can come from a schema registry
	Wraps    bool // a single column can be wrapped
	Unwraps  bool // a single column can stand for itself
	MultiKey bool // keys of several columns
}

var traits = map[string]Trait{
	None:         {},
	Kafka:        {Unwraps: true},
	Delimited:    {Unwraps: true, MultiKey: true},
	JSON:         {Wraps: true, Unwraps: true, MultiKey: true},
	JSONSR:       {Infers: true, Wraps: true, Unwraps: true, MultiKey: true},
	Avro:         {Infers: true, Wraps: true, Unwraps: true, MultiKey: true},
	Protobuf:     {Infers: true, Wraps: true, MultiKey: true},
	ProtobufNoSR: {Wraps: true, MultiKey: true},
}

// TraitOf returns what a format can do; ok is false for names that are no format.
func TraitOf(name string) (Trait, bool) {
	t, ok := traits[name]
	return t, ok
}

// New returns the codec of a side, or a sentence that says why the format can't do it.
func New(s Side) (Codec, error) {
	if _, known := traits[s.Name]; !known {
		return nil, fmt.Errorf("Unknown format: %s", s.Name)
	}
	if s.Name == None || len(s.Schema) == 0 && s.Key {
		return none{}, nil
	}
	switch s.Name {
	case Kafka:
		return newKafka(s)
	case Delimited:
		return newDelimited(s)
	case JSON:
		if err := textKeys(s.Schema.Struct()); err != nil {
			return nil, err
		}
		return newJSON(s), nil
	case ProtobufNoSR:
		return newBareProtobuf(s)
	default:
		return newRegistered(s)
	}
}

// Selects tells whether the codec of a side can be asked for some of its columns only.
func Selects(s Side) bool { return s.Name == JSON && !s.Unwrapped }

// DelimiterOf returns the delimiter that a statement names: one character, SPACE or TAB.
func DelimiterOf(text string) (byte, error) {
	const advice = "Delimiter must be a single character or TAB,SPACE"
	switch {
	case strings.EqualFold(text, "TAB"):
		return '\t', nil
	case strings.EqualFold(text, "SPACE"):
		return ' ', nil
	case strings.TrimSpace(text) == "":
		return 0, errors.New("Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please use the special values 'TAB' or 'SPACE'")
	case len(text) != 1:
		return 0, fmt.Errorf("Invalid delimiter value: '%s'. %s", text, advice)
	}
	return text[0], nil
}

// none is the format without bytes.
type none struct{}

func (none) Append([]byte, row.Row) ([]byte, error) { return nil, nil }
func (none) Decode([]byte) (row.Row, error)         { return "", nil }
func (none) HoldsNull() bool                        { return true }

// An Internal codec reads and writes rows as they are: those of changelogs and repartition topics.
type Internal struct{}

// Append implements serde.Serde.
func (Internal) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	return append(dst, r...), nil
}

// Decode implements serde.Serde.
func (Internal) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	if err := row.Check(b); err != nil {
		return "", err
	}
	return row.Row(b), nil
}

// HoldsNull implements serde.Serde.
func (Internal) HoldsNull() bool { return true }

// An Error says what of a record could not be read or written. It never quotes the record.
type Error struct {
	Format string
	Column string // empty: the whole
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Column == "" {
		return e.Format + ": " + e.Reason
	}
	return e.Format + ": column " + e.Column + ": " + e.Reason
}

// Takes tells whether a format has a property.
func Takes(name, prop string) bool {
	switch prop {
	case propDelimiter:
		return name == Delimited
	case PropFullName:
		return name == Avro || name == JSONSR || name == Protobuf
	case PropSchemaID:
		return traits[name].Infers
	case PropNullable:
		return name == Protobuf || name == ProtobufNoSR
	}
	return false
}

// Check says why a format cannot hold columns; nil: it can.
func Check(s Spec, schema row.Schema, key bool) error {
	if s.Name == None {
		if len(schema) > 0 {
			return fmt.Errorf("The 'NONE' format can only be used when no columns are defined. Got: [%s]", schema)
		}
		return nil
	}
	if len(schema) == 0 {
		return nil
	}
	trait := traits[s.Name]
	_, err := New(Side{Spec: s, Schema: schema, Key: key, Unwrapped: trait.Unwraps && len(schema) == 1 && (key || !trait.Wraps)})
	return err
}
