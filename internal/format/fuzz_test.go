package format_test

import (
	"errors"
	"testing"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/row"
)

// FuzzKafka reads any bytes as each of the values that Kafka's own serializers write.
func FuzzKafka(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 0, 7})
	f.Add(uint8(3), []byte("text"))
	types := []*row.Type{row.Int, row.Bigint, row.Double, row.StringType, row.BytesType}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		c, err := format.New(format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: row.Schema{{Name: "V", Type: types[int(which)%len(types)]}}, Unwrapped: true})
		if err != nil {
			t.Fatal(err)
		}
		sound(t, c, b)
	})
}

// FuzzRegistered reads any bytes by any schema: of the registry for what wrote them, and of the columns that it gives.
func FuzzRegistered(f *testing.F) {
	for _, s := range []struct {
		kind uint8
		text string
		b    string
	}{
		{0, `{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]},{"name":"l","type":{"type":"array","items":"string"}}]}`, "\x02\x04\x02\x02x\x00"},
		{0, `{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, "\x02\x02\x02\x00"},
		{0, `{"type":"array","items":{"type":"array","items":"null"}}`, "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{0, `{"type":"fixed","name":"F","size":2147483647}`, "xx"},
		{0, `{"type":"bytes","logicalType":"decimal","precision":2000000000,"scale":1999999999}`, "\x02\x01"},
		{1, `syntax = "proto3"; message M { int32 a = 1; repeated string l = 2; map<string, int64> m = 3; M self = 4; }`, "\x00\x08\x01\x12\x01x"},
		{1, `syntax = "proto3"; import "google/protobuf/wrappers.proto"; message M { google.protobuf.Int32Value a = 1; oneof o { string s = 2; bytes b = 3; } }`, "\x00\x0a\x02\x08\x01"},
		{2, `{"type":"object","properties":{"a":{"type":"integer"},"l":{"type":"array","items":{"type":"string"}}}}`, `{"a":1,"l":["x",null]}`},
		{2, `{"oneOf":[{"type":"null"},{"$ref":"#"}],"properties":{"a":{"$ref":"#/properties/a"}}}`, `[[[[`},
	} {
		f.Add(s.kind, s.text, []byte(s.b))
	}
	kinds := []struct{ kind, format string }{{"AVRO", format.Avro}, {"PROTOBUF", format.Protobuf}, {"JSON", format.JSONSR}}
	f.Fuzz(func(t *testing.T, kind uint8, text string, b []byte) {
		k := kinds[int(kind)%len(kinds)]
		memory := registry.NewMemory()
		id, err := memory.Register(format.Subject("t", false), format.Definition{Kind: k.kind, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		side := format.Side{Spec: format.Spec{Name: k.format}, Topic: "t", Schemas: memory, Reads: true}
		framed := append([]byte{0, 0, 0, 0, byte(id)}, b...)
		for _, columns := range []row.Schema{inferred(t, side), hostile, everyScalar} {
			if len(columns) == 0 {
				continue
			}
			side.Schema = columns
			c, err := format.New(side)
			if err != nil {
				continue
			}
			if r, err := c.Decode(framed); err == nil && !r.IsNull() {
				if err := row.Check([]byte(r)); err != nil {
					t.Fatalf("%q by %s is read as a broken row: %v", b, text, err)
				}
			}
		}
	})
}

// inferred is the columns that a schema gives, none if it gives none.
func inferred(t *testing.T, side format.Side) row.Schema {
	t.Helper()
	columns, err := format.Infer(side)
	if err != nil && err.Error() == "" || errors.Is(err, format.ErrNoSchema) {
		t.Fatalf("the error is %v", err)
	}
	return columns
}
