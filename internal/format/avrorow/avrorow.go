// Package avrorow turns Avro into rows and back.
//
// Callers: package format. It calls row and column, and the Avro library for the text of schemas.
//
// Owner and locks: a Schema, a Decoder and an Encoder are immutable and safe for concurrent use.
//
// Format: Avro's binary encoding. A Decoder is compiled from the schema that the writer had and the columns that are wanted: fields are
// found by the names of columns, in any case if the column's is in upper case; what a record does not have is null. An Encoder is compiled
// from the schema to write with; Text gives the one that Kafka Connect would register for columns: every field may be null, structs are
// records named after the path to them, maps are arrays of records of key and value.
//
// Not here: registries, and the header of records.
package avrorow

import (
	"sync"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// The fields of the records that a map is written as.
const (
	keyField   = "key"
	valueField = "value"
)

// A read reads one value.
type read func(r *reader) (row.Value, error)

// A Decoder reads records of one schema as rows.
type Decoder struct {
	all     read
	one     bool      // the value is the only column's
	readers sync.Pool // *reader
}

// NewDecoder returns the decoder of columns from records of a schema. unwrapped: the record is the only column's value.
func NewDecoder(s *Schema, columns row.Schema, unwrapped bool) (*Decoder, error) {
	t := columns.Struct()
	one := unwrapped && len(columns) == 1
	if one {
		t = columns[0].Type
	}
	all, err := readCompiler{}.of(s.root, t)
	if err != nil {
		if one {
			err = column.At(columns[0].Name, err)
		}
		return nil, err
	}
	return &Decoder{all: all, one: one, readers: sync.Pool{New: func() any { return &reader{} }}}, nil
}

// Decode reads a record without its header. The row of a null is the null row.
func (d *Decoder) Decode(b []byte) (row.Row, error) {
	r := d.readers.Get().(*reader)
	defer d.readers.Put(r)
	r.reset(string(b))
	v, err := d.all(r)
	switch {
	case err != nil:
		return "", err
	case r.at != len(r.s):
		return "", column.Errorf("bytes behind the record")
	case v.IsNull():
		return "", nil
	case d.one:
		return row.NewRow(v), nil
	}
	return v.Row(), nil
}
