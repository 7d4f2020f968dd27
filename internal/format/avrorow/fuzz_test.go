package avrorow_test

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/format/avrorow"
	"github.com/mainstemio/mainstem/row"
)

// FuzzDecode reads hostile records of hostile schemas: as the columns that the schema gives, and as others. What is read is a row, and it
// can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`"int"`,
		`["null","string"]`,
		`{"type":"record","name":"R","fields":[{"name":"A","type":["null","long"]},{"name":"B","type":{"type":"array","items":"double"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"A","type":["null","R"]},{"name":"N","type":"null"}]}`,
		`{"type":"map","values":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}}`,
		`{"type":"array","items":{"type":"record","name":"E","fields":[{"name":"key","type":"string"},{"name":"value","type":["null","int","E"]}]}}`,
		`{"type":"array","items":"null"}`,
		`{"type":"record","name":"R","fields":[{"name":"E","type":{"type":"enum","name":"S","symbols":["X","Y"]}},{"name":"F","type":{"type":"fixed","name":"Z","size":3}}]}`,
	} {
		f.Add(s, []byte{2, 4, 6, 8, 0})
		f.Add(s, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	}
	columns := row.Schema{
		{Name: "A", Type: row.Bigint},
		{Name: "B", Type: row.ArrayType(row.StringType)},
		{Name: "E", Type: row.StringType},
		{Name: "M", Type: row.MapType(row.StringType, row.DecimalType(10, 3))},
		{Name: "S", Type: row.StructType(row.Field{Name: "A", Type: row.StructType(row.Field{Name: "A", Type: row.Int})})},
	}
	f.Fuzz(func(t *testing.T, text string, record []byte) {
		schema, err := avrorow.Parse(text)
		if err != nil {
			return
		}
		if d, err := avrorow.NewDecoder(schema, columns, false); err == nil {
			checkRow(t, d, record)
		}
		of, err := schema.Infer()
		if err != nil {
			return
		}
		own := row.Schema{{Name: "V", Type: of}}
		d, err := avrorow.NewDecoder(schema, own, true)
		if err != nil {
			return // an enum's or a union's name that two columns share
		}
		r := checkRow(t, d, record)
		e, err := avrorow.NewEncoder(schema, own, true)
		if err != nil || r.IsNull() {
			return
		}
		b, ok, err := e.Append(nil, r)
		if err != nil || !ok {
			return // a union's struct has no way back
		}
		if again, err := d.Decode(b); err != nil || again != r {
			t.Errorf("%v is read as %v, %v", r.Values(), again, err)
		}
	})
}

func checkRow(t *testing.T, d *avrorow.Decoder, record []byte) row.Row {
	r, err := d.Decode(record)
	if err != nil || r.IsNull() {
		return ""
	}
	if err := row.Check([]byte(r)); err != nil {
		t.Fatal(err)
	}
	return r
}
