package avrorow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/mainstemio/mainstem/internal/format/avrorow"
	"github.com/mainstemio/mainstem/row"
)

func decoder(t *testing.T, text string, columns row.Schema, unwrapped bool) *avrorow.Decoder {
	t.Helper()
	schema, err := avrorow.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := avrorow.NewDecoder(schema, columns, unwrapped)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The library writes, we read.
func TestRecordsOfAnotherWriterAreRead(t *testing.T) {
	text := `{"type":"record","name":"R","fields":[
		{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},{"name":"d","type":"double"},
		{"name":"s","type":"string"},{"name":"y","type":"bytes"},{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
		{"name":"a","type":{"type":"array","items":["null","int"]}},{"name":"m","type":{"type":"map","values":"long"}},
		{"name":"u","type":["null","int","string"]},{"name":"r","type":["null","R"]}]}`
	schema := avro.MustParse(text)
	inner := map[string]any{
		"b": true, "i": int32(-1), "l": int64(1) << 40, "f": float32(1.5), "d": -2.25, "s": "ü", "y": []byte{1}, "e": "Y",
		"a": []any{int32(1), nil}, "m": map[string]any{"k": int64(3)}, "u": "text", "r": nil,
	}
	record := map[string]any{}
	for k, v := range inner {
		record[k] = v
	}
	record["r"] = inner
	b, err := schema.AppendEncode(nil, record)
	if err != nil {
		t.Fatal(err)
	}
	columns := row.Schema{
		{Name: "S", Type: row.StringType},
		{Name: "B", Type: row.Boolean},
		{Name: "I", Type: row.Bigint},
		{Name: "L", Type: row.StringType},
		{Name: "F", Type: row.Double},
		{Name: "D", Type: row.Double},
		{Name: "Y", Type: row.BytesType},
		{Name: "E", Type: row.StringType},
		{Name: "A", Type: row.ArrayType(row.StringType)},
		{Name: "M", Type: row.MapType(row.StringType, row.DecimalType(5, 1))},
		{Name: "U", Type: row.StringType},
		{Name: "R", Type: row.StructType(row.Field{Name: "D", Type: row.StringType})},
		{Name: "NONE", Type: row.Int},
	}
	got, err := decoder(t, text, columns, false).Decode(b)
	want := row.NewRow(
		row.NewString("ü"), row.NewBoolean(true), row.NewBigint(-1), row.NewString("1099511627776"), row.NewDouble(1.5), row.NewDouble(-2.25),
		row.NewBytes("\x01"), row.NewString("Y"), row.NewArray(row.NewString("1"), row.Null),
		row.NewMap(row.Entry{Key: row.NewString("k"), Value: row.FromDecimal(row.NewDecimal(30, 1))}),
		row.NewString("text"), row.NewStruct(row.NewString("-2.25")), row.Null,
	)
	if err != nil || got != want {
		t.Errorf("%v, %v", got.Values(), err)
	}
}

func TestSchemasThatOnlyJavaTakes(t *testing.T) {
	for _, text := range []string{
		`{"type":"record","name":"R","fields":[{"name":"A","type":{"type":"array","name":"list","items":"string"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"A","type":{"type":"map","name":"values","values":"string"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"A","type":{"type":"bytes","logicalType":"decimal","scale":2}}]}`,
	} {
		if _, err := avrorow.Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNumbersThatDoNotFitAreToldByColumn(t *testing.T) {
	text := `{"type":"record","name":"R","fields":[{"name":"A","type":{"type":"array","items":"int"}},{"name":"B","type":"int"}]}`
	d := decoder(t, text, row.Schema{{Name: "A", Type: row.ArrayType(row.DecimalType(2, 0))}, {Name: "B", Type: row.Int}}, false)
	for record, want := range map[string]string{
		"\x02\xd0\x0f\x00\x00":         "column A: a number that does not fit into DECIMAL(2, 0) without rounding",
		"\x00\xff\xff\xff\xff\xff\x01": "column B: a number that does not fit into 32 bits",
		"\x02":                         "column A: the record ends too early",
	} {
		if _, err := d.Decode([]byte(record)); err == nil || err.Error() != want {
			t.Errorf("%x: %v", record, err)
		}
	}
	schema, err := avrorow.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := avrorow.NewDecoder(schema, row.Schema{{Name: "B", Type: row.ArrayType(row.Int)}}, false); err == nil || !strings.HasPrefix(err.Error(), "column B: ") {
		t.Error(err)
	}
}

// Schemas whose types multiply, and records with values of no bytes, must cost no more than their size.
func TestHostileSchemasAndRecordsAreBounded(t *testing.T) {
	var doubling strings.Builder
	doubling.WriteString(`{"type":"record","name":"R0","fields":[]}`)
	text := doubling.String()
	for i := 1; i < 40; i++ {
		text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, i, text, i-1)
	}
	schema, err := avrorow.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Infer(); err == nil {
		t.Error("a type of 2^40 fields")
	}
	d := decoder(t, text, row.Schema{{Name: "X", Type: row.Int}}, false)
	if _, err := d.Decode(nil); err == nil || !strings.Contains(err.Error(), "more values") {
		t.Errorf("2^40 values of no bytes: %v", err)
	}
	nulls := decoder(t, `{"type":"array","items":"null"}`, row.Schema{{Name: "X", Type: row.ArrayType(row.Int)}}, true)
	if _, err := nulls.Decode([]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0}); err == nil {
		t.Error("an array of 2^62 nulls")
	}
	if _, err := avrorow.Parse(strings.Repeat(`{"type":"array","items":`, 5000) + `"int"` + strings.Repeat("}", 5000)); err == nil || len(err.Error()) > 1000 {
		t.Error("5,000 levels", err)
	}
	unions := `"int"`
	for i := range 20 {
		unions = fmt.Sprintf(`[%s,{"type":"record","name":"U%d","fields":[{"name":"A","type":"string"}]}]`, strings.Trim(unions, "[]"), i)
	}
	var nested row.Type = *row.Int
	of := &nested
	for range 30 {
		of = row.StructType(row.Field{Name: "A", Type: of})
	}
	schema, err = avrorow.Parse(unions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := avrorow.NewDecoder(schema, row.Schema{{Name: "V", Type: of}}, true); err == nil {
		t.Error("structs within each other are read from text")
	}
}

func BenchmarkDecode(b *testing.B) {
	columns := row.Schema{
		{Name: "ID", Type: row.Bigint},
		{Name: "NAME", Type: row.StringType},
		{Name: "AMOUNT", Type: row.Double},
		{Name: "OK", Type: row.Boolean},
		{Name: "NOTE", Type: row.StringType},
		{Name: "AT", Type: row.TimestampType},
		{Name: "N", Type: row.Int},
	}
	text, err := avrorow.Text(columns, avrorow.DefaultName, false)
	if err != nil {
		b.Fatal(err)
	}
	schema, err := avrorow.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	e, err := avrorow.NewEncoder(schema, columns, false)
	if err != nil {
		b.Fatal(err)
	}
	record, _, err := e.Append(nil, row.NewRow(row.NewBigint(1<<40), row.NewString("a name"), row.NewDouble(1.5), row.NewBoolean(true),
		row.NewString(strings.Repeat("note ", 30)), row.NewTimestamp(1<<41), row.NewInt(7)))
	if err != nil {
		b.Fatal(err)
	}
	d, err := avrorow.NewDecoder(schema, columns, false)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(record); err != nil {
			b.Fatal(err)
		}
	}
}
