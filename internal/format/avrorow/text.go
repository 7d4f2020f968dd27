package avrorow

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/row"
)

// DefaultName is the name of the records of values whose statement gives none: ksqlDB's.
const DefaultName = Namespace + ".KsqlDataSourceSchema"

// Namespace is that of the names that are given by default.
const Namespace = "io.confluent.ksql.avro_schemas"

// Text returns the schema that Kafka Connect would register for columns under a full name. unwrapped: of the only column itself.
func Text(columns row.Schema, fullName string, unwrapped bool) (string, error) {
	t := columns.Struct()
	if unwrapped && len(columns) == 1 {
		t = columns[0].Type
	}
	dot := strings.LastIndexByte(fullName, '.')
	w := &writer{namespace: fullName[:max(dot, 0)]}
	if err := w.typ(t, fullName[dot+1:], true); err != nil {
		return "", err
	}
	return w.b.String(), nil
}

// A writer writes the text of a schema.
type writer struct {
	b         strings.Builder
	namespace string
	named     bool // the namespace is written: inner types have it from the outermost
}

func (w *writer) quote(s string) { w.b.Write(jsontext.AppendString(nil, s)) }

func (w *writer) full(name string) string {
	if w.namespace == "" {
		return name
	}
	return w.namespace + "." + name
}

var scalarText = map[row.Kind]string{
	row.KindBoolean: `"boolean"`, row.KindInt: `"int"`, row.KindBigint: `"long"`, row.KindDouble: `"double"`, row.KindString: `"string"`,
	row.KindBytes: `"bytes"`,
	row.KindDate:  `{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}`,
	row.KindTime:  `{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Time","logicalType":"time-millis"}`,
	row.KindTimestamp: `{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp",` +
		`"logicalType":"timestamp-millis"}`,
}

// typ writes a type; path is the name that a record here has. All but the root may be null.
func (w *writer) typ(t *row.Type, path string, root bool) error {
	if !root {
		w.b.WriteString(`["null",`)
		defer w.b.WriteByte(']')
	}
	switch t.Kind {
	case row.KindDecimal:
		scale, precision := strconv.Itoa(t.Scale), strconv.Itoa(t.Precision)
		w.b.WriteString(`{"type":"bytes","scale":` + scale + `,"precision":` + precision + `,"connect.version":1,"connect.parameters":{"scale":"` +
			scale + `","connect.decimal.precision":"` + precision +
			`"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`)
		return nil
	case row.KindArray:
		w.b.WriteString(`{"type":"array","items":`)
		if err := w.typ(t.Elem, path, false); err != nil {
			return err
		}
		w.b.WriteByte('}')
		return nil
	case row.KindMap:
		return w.mapping(t, path)
	case row.KindStruct:
		return w.record(t.Fields, path, `,"connect.name":`+string(jsontext.AppendString(nil, w.full(path))), path)
	}
	text, ok := scalarText[t.Kind]
	if !ok {
		return fmt.Errorf("Avro has no type for %s", t)
	}
	w.b.WriteString(text)
	return nil
}

// mapping writes a map as Kafka Connect does where keys may be null: as records of key and value.
func (w *writer) mapping(t *row.Type, path string) error {
	if !t.Key.Is(row.KindString) {
		return fmt.Errorf("Avro only supports MAPs with STRING keys")
	}
	w.b.WriteString(`{"type":"array","items":`)
	fields := []row.Field{{Name: keyField, Type: t.Key}, {Name: valueField, Type: t.Elem}}
	if err := w.record(fields, path, `,"connect.internal.type":"MapEntry"`, path+"_Map"); err != nil {
		return err
	}
	w.b.WriteString(`,"connect.name":`)
	w.quote(w.full(path))
	w.b.WriteByte('}')
	return nil
}

// record writes a record. inner is what the paths of its fields begin with.
func (w *writer) record(fields []row.Field, name, props, inner string) error {
	w.b.WriteString(`{"type":"record","name":`)
	w.quote(name)
	if w.namespace != "" && !w.named {
		w.b.WriteString(`,"namespace":`)
		w.quote(w.namespace)
	}
	w.named = true
	w.b.WriteString(`,"fields":[`)
	for i, f := range fields {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.b.WriteString(`{"name":`)
		w.quote(f.Name)
		w.b.WriteString(`,"type":`)
		path := name + "_" + f.Name
		if inner != name {
			path = inner + strings.ToUpper(f.Name[:1]) + f.Name[1:]
		}
		if err := w.typ(f.Type, path, false); err != nil {
			return err
		}
		w.b.WriteString(`,"default":null}`)
	}
	w.b.WriteString(`]` + props + `}`)
	return nil
}

// checkName refuses names that Avro does not have: they begin with a letter or an underscore, and digits may follow.
func checkName(name string) error {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		switch {
		case i == 0 && !letter:
			return fmt.Errorf("Schema is not compatible with Avro: Illegal initial character: %s", name)
		case !letter && (c < '0' || c > '9'):
			return fmt.Errorf("Schema is not compatible with Avro: Illegal character in: %s", name)
		}
	}
	if name == "" {
		return fmt.Errorf("Schema is not compatible with Avro: Empty name")
	}
	return nil
}
