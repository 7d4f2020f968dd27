// Package jsonschema writes and reads the JSON Schemas of columns.
//
// Callers: package format. It calls row, column and jsontext.
//
// Owner and locks: functions without state.
//
// Format: JSON Schema as Kafka Connect writes it: what may be null is a oneOf with null, connect.index keeps the order of properties,
// connect.type and titles tell types that JSON does not have, maps are arrays of objects of key and value.
//
// Not here: JSON itself (package format), and checking values against a schema.
package jsonschema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// Kafka Connect's names of types that JSON does not have.
const (
	decimalTitle   = "org.apache.kafka.connect.data.Decimal"
	dateTitle      = "org.apache.kafka.connect.data.Date"
	timeTitle      = "org.apache.kafka.connect.data.Time"
	timestampTitle = "org.apache.kafka.connect.data.Timestamp"
)

// Text returns the schema that Kafka Connect would register for columns. unwrapped: of the only column itself, which may be null.
func Text(columns row.Schema, unwrapped bool) (string, error) {
	w := &writer{}
	if unwrapped && len(columns) == 1 {
		err := w.nullable(columns[0].Type, -1)
		return w.b.String(), err
	}
	w.b.WriteByte('{')
	err := w.object(columns.Struct().Fields)
	w.b.WriteByte('}')
	return w.b.String(), err
}

// A writer writes a schema.
type writer struct{ b strings.Builder }

// nullable writes the schema of a value that may be null. index is its place in an object, -1: it has none.
func (w *writer) nullable(t *row.Type, index int) error {
	w.b.WriteByte('{')
	if index >= 0 {
		w.b.WriteString(`"connect.index":` + strconv.Itoa(index) + ",")
	}
	w.b.WriteString(`"oneOf":[{"type":"null"},{`)
	if err := w.typ(t); err != nil {
		return err
	}
	w.b.WriteString(`}]}`)
	return nil
}

func (w *writer) object(fields []row.Field) error {
	w.b.WriteString(`"type":"object","properties":{`)
	for i, f := range fields {
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.b.Write(jsontext.AppendString(nil, f.Name))
		w.b.WriteByte(':')
		if err := w.nullable(f.Type, i); err != nil {
			return err
		}
	}
	w.b.WriteByte('}')
	return nil
}

var scalarText = map[row.Kind]string{
	row.KindBoolean:   `"type":"boolean"`,
	row.KindInt:       `"type":"integer","connect.type":"int32"`,
	row.KindBigint:    `"type":"integer","connect.type":"int64"`,
	row.KindDouble:    `"type":"number","connect.type":"float64"`,
	row.KindString:    `"type":"string"`,
	row.KindBytes:     `"type":"string","connect.type":"bytes"`,
	row.KindDate:      `"type":"integer","title":"` + dateTitle + `","connect.version":1,"connect.type":"int32"`,
	row.KindTime:      `"type":"integer","title":"` + timeTitle + `","connect.version":1,"connect.type":"int32"`,
	row.KindTimestamp: `"type":"integer","title":"` + timestampTitle + `","connect.version":1,"connect.type":"int64"`,
}

// typ writes the members of a schema for values that are not null.
func (w *writer) typ(t *row.Type) error {
	switch t.Kind {
	case row.KindDecimal:
		scale, precision := strconv.Itoa(t.Scale), strconv.Itoa(t.Precision)
		w.b.WriteString(`"type":"number","title":"` + decimalTitle + `","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"` +
			scale + `","connect.decimal.precision":"` + precision + `"}`)
		return nil
	case row.KindArray:
		w.b.WriteString(`"type":"array","items":`)
		return w.nullable(t.Elem, -1)
	case row.KindMap:
		if !t.Key.Is(row.KindString) {
			return fmt.Errorf("JSON only supports MAP types with STRING keys")
		}
		w.b.WriteString(`"type":"array","connect.type":"map","items":{`)
		err := w.object([]row.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}})
		w.b.WriteByte('}')
		return err
	case row.KindStruct:
		return w.object(t.Fields)
	}
	text, ok := scalarText[t.Kind]
	if !ok {
		return fmt.Errorf("JSON has no type for %s", t)
	}
	w.b.WriteString(text)
	return nil
}
