package qtt

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// specFor returns what a codec of columns is made of.
func specFor(t *testing.T, format, columns string) codecSpec {
	t.Helper()
	cols, err := parseColumns(columns)
	if err != nil {
		t.Fatal(err)
	}
	return codecSpec{format: Format{Name: format}, columns: cols, topic: "t", registry: NewRegistry(), exact: true}
}

func encodeHex(t *testing.T, s codecSpec, value string) string {
	t.Helper()
	c, err := newCodec(s)
	if err != nil {
		t.Fatal(err)
	}
	v, err := parseJSON([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.encode(v)
	if err != nil {
		t.Fatalf("%s %s: %v", s.format.Name, value, err)
	}
	if b == nil {
		return "null"
	}
	got, err := c.decode(b)
	if err != nil {
		t.Fatalf("%s %s is not read: %v", s.format.Name, value, err)
	}
	if err := match(v, got, "value"); err != nil && s.format.Name != "NONE" {
		t.Errorf("%s: %v", s.format.Name, err)
	}
	return hex.EncodeToString(b)
}

func TestBytesOfFormatsWithoutSchemas(t *testing.T) {
	for _, tt := range []struct{ format, columns, value, want string }{
		{"JSON", "A INT", `{"A": 1.50, "b<": [null]}`, hex.EncodeToString([]byte(`{"A":1.50,"b<":[null]}`))},
		{"JSON", "A INT", `null`, "null"},
		{"DELIMITED", "A INT", `"1,x"`, "312c78"},
		{"KAFKA", "A INT", `-2`, "fffffffe"},
		{"KAFKA", "A BIGINT", `258`, "0000000000000102"},
		{"KAFKA", "A DOUBLE", `1.5`, "3ff8000000000000"},
		{"KAFKA", "A STRING", `"ü"`, "c3bc"},
		{"KAFKA", "A BYTES", `"AQI="`, "0102"},
		{"KAFKA", "A TIMESTAMP", `1`, "0000000000000001"},
		{"KAFKA", "A DATE", `1`, "00000001"},
		{"KAFKA", "", `"anything"`, "null"},
		{"NONE", "A INT", `1`, "null"},
		{"PROTOBUF_NOSR", "A INT, B STRING", `{"a": 5, "B": "x"}`, "0805120178"},
		{"PROTOBUF_NOSR", "A ARRAY<BIGINT>", `{"A": [1, 300]}`, "0a0301ac02"},
		{"PROTOBUF_NOSR", "A MAP<STRING, INT>", `{"A": {"k": 7}}`, "0a050a016b1007"},
		{"PROTOBUF_NOSR", "S STRUCT<X BOOLEAN>, D DECIMAL(4,2)", `{"S": {"X": true}, "D": 1.25}`, "0a02080112070a017d10031802"},
		{"PROTOBUF_NOSR", "T TIMESTAMP, D DATE, M TIME", `{"T": 1001, "D": -1, "M": 61002}`, "0a060801" + "10c0843d" + "120708b10f100c181f" + "1a081001" + "18012080897a"},
	} {
		t.Run(tt.format+" "+tt.columns, func(t *testing.T) {
			if got := encodeHex(t, specFor(t, tt.format, tt.columns), tt.value); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestBytesOfFormatsWithSchemas(t *testing.T) {
	for _, tt := range []struct{ format, typ, schema, value, want string }{
		{"AVRO", "AVRO", `"int"`, `-1`, "000000000901"},
		{"AVRO", "AVRO", `["null", "string"]`, `"ab"`, "000000000902" + "046162"},
		{
			"AVRO", "AVRO", `{"type": "record", "name": "R", "fields": [{"name": "A", "type": ["null", "long"], "default": null},
			{"name": "B", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}}]}`,
			`{"a": 3, "B": -1.28}`, "0000000009" + "0206" + "0280",
		},
		{
			"AVRO", "AVRO", `{"type": "array", "items": {"type": "record", "name": "E", "connect.internal.type": "MapEntry", "fields": [
			{"name": "key", "type": ["null", "string"]}, {"name": "value", "type": ["null", "int"]}]}}`,
			`{"k": 1}`, "0000000009" + "0202026b020200",
		},
		{"AVRO", "AVRO", `{"type": "bytes", "logicalType": "decimal", "scale": 1}`, `0.5`, "0000000009" + "0205"},
		{"AVRO", "AVRO", `{"type": "map", "values": "boolean"}`, `{"k": true}`, "0000000009" + "02026b0100"},
		{
			"JSON_SR", "JSON", `{"type": "object", "properties": {"NAME": {"oneOf": [{"type": "null"}, {"type": "string"}]},
			"X": {"type": "number", "connect.type": "float64"}, "N": {"type": "integer", "connect.type": "int32"}}}`,
			`{"name": "a", "x": 1.10, "N": null}`, "0000000009" + hex.EncodeToString([]byte(`{"NAME":"a","X":1.10,"N":null}`)),
		},
		{
			"JSON_SR", "JSON", `{"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes"}`,
			`1.10`, "0000000009" + hex.EncodeToString([]byte(`1.10`)),
		},
		{"PROTOBUF", "PROTOBUF", `syntax = "proto3"; message A { int32 X = 1; }`, `{"x": 1}`, "0000000009" + "00" + "0801"},
		{
			"PROTOBUF second", "PROTOBUF", `syntax = "proto3"; package p; message A { int32 X = 1; } message B { string X = 2; }`, `{"x": "1"}`,
			"0000000009" + "0202" + "120131",
		},
		{
			"PROTOBUF", "PROTOBUF", `syntax = "proto3"; import "google/protobuf/wrappers.proto"; enum E { P = 0; Q = 1; }
			message A { google.protobuf.Int64Value W = 1; optional bool O = 2; uint32 U = 3; E C = 4; }`,
			`{"W": 0, "O": null, "U": 9, "C": "Q"}`, "0000000009" + "00" + "0a0018092001",
		},
	} {
		t.Run(tt.format+" "+tt.schema, func(t *testing.T) {
			format, second := strings.CutSuffix(tt.format, " second")
			s := specFor(t, format, "NAME STRING, X DOUBLE, N INT")
			if second {
				s.format.Properties = map[string]string{"fullSchemaName": "p.B"}
			}
			if err := s.registry.RegisterAs("t-value", Schema{Type: tt.typ, Text: tt.schema}, 9); err != nil {
				t.Fatal(err)
			}
			if got := encodeHex(t, s, tt.value); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestSchemaProblemsAreTold(t *testing.T) {
	s := specFor(t, "AVRO", "A INT")
	c, err := newCodec(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.encode(number("1")); err == nil || !strings.Contains(err.Error(), "subject t-value has no schema") {
		t.Error(err)
	}
	for b, want := range map[string]string{
		"":                         "no header",
		"\x01\x00\x00\x00\x01\x02": "no header",
		"\x00\x00\x00\x00\x05\x02": "schema id 5 is not registered",
	} {
		if _, err := c.decode([]byte(b)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", b, err)
		}
	}
	s.registry.Register("t-value", Schema{Type: "AVRO", Text: `"int"`})
	if _, err := c.decode([]byte("\x00\x00\x00\x00\x01\x02\x02")); err == nil || !strings.Contains(err.Error(), "behind the value") {
		t.Error(err)
	}
	if _, err := newCodec(specFor(t, "KAFKA", "A INT, B INT")); err == nil {
		t.Error("two columns in KAFKA")
	}
	if _, err := newCodec(specFor(t, "XML", "A INT")); err == nil {
		t.Error("a format XML")
	}
}

func TestDecimals(t *testing.T) {
	for text, want := range map[string]struct {
		unscaled int64
		scale    int
		text     string
	}{
		"1":       {1, 0, "1"},
		"-1.50":   {-150, 2, "-1.50"},
		"0.005":   {5, 3, "0.005"},
		"-0.05":   {-5, 2, "-0.05"},
		"1.0E7":   {10, -6, "10000000"},
		"12.5e-3": {125, 4, "0.0125"},
	} {
		d, err := parseDecimal(text)
		if err != nil || !d.same(decimal{big.NewInt(want.unscaled), want.scale}) || d.String() != want.text {
			t.Errorf("%s is %v scale %d, %v", text, d, d.scale, err)
		}
	}
	for _, text := range []string{"", "x", "1.2.3", "1e", "--1"} {
		if d, err := parseDecimal(text); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
	for _, i := range []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, 1 << 40, -(1 << 40)} {
		b := twosComplement(big.NewInt(i))
		if back := fromTwosComplement(b); back.Int64() != i || len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
			t.Errorf("%d is % x, which is %d", i, b, back)
		}
	}
}

func TestMatchByWhatCameOut(t *testing.T) {
	for _, tt := range []struct {
		want string
		got  any
		same bool
	}{
		{"1", int64(1), true},
		{"2", int64(1), false},
		{"1.0", int64(1), true},
		{"1", decimal{big.NewInt(10), 1}, false},
		{"10", decimal{big.NewInt(1), -1}, true},
		{"1.0", decimal{big.NewInt(10), 1}, true},
		{"1.00", decimal{big.NewInt(10), 1}, false},
		{"1E1", decimal{big.NewInt(1), -1}, true},
		{"1.0000001", 1.0, true},
		{"1.00001", 1.0, false},
		{"1", 1.0, true},
		{"18446744073709551616", new(big.Int).Lsh(big.NewInt(1), 64), true},
		{"1", "1", false},
		{`"1.0"`, decimal{big.NewInt(10), 1}, true},
		{`"1"`, decimal{big.NewInt(10), 1}, false},
		{`"AQ=="`, []byte{1}, true},
		{`"AQ=="`, []byte{2}, false},
		{"null", []byte{}, true},
		{"null", []byte{1}, false},
		{"null", record{}, false},
		{"true", true, true},
		{"true", "true", false},
		{"{}", nil, false},
		{"[]", nil, false},
	} {
		want, err := parseJSON([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if err := match(want, tt.got, "value"); (err == nil) != tt.same {
			t.Errorf("%s and %v: %v", tt.want, show(tt.got), err)
		}
	}
}
