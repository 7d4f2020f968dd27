package format_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/row"
)

func field(name string, t *row.Type) row.Field { return row.Field{Name: name, Type: t} }

func columns(fields ...row.Field) row.Schema {
	out := make(row.Schema, len(fields))
	for i, f := range fields {
		out[i] = row.Column(f)
	}
	return out
}

// A fixture is what a format makes of columns.
type fixture struct {
	name    string
	spec    format.Spec
	columns row.Schema
	values  []row.Value
	text    string // of the schema
	hex     string // of the record
}

func fixtures() []fixture {
	inner := row.StructType(field("X", row.Int))
	decimal := row.FromDecimal(row.NewDecimal(-128, 2))
	return []fixture{
		{
			"avro",
			format.Spec{Name: format.Avro},
			columns(field("A", row.Bigint), field("D", row.DecimalType(4, 2))),
			[]row.Value{row.NewBigint(3), decimal},
			`{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[` +
				`{"name":"A","type":["null","long"],"default":null},` +
				`{"name":"D","type":["null",{"type":"bytes","scale":2,"precision":4,"connect.version":1,"connect.parameters":{"scale":"2",` +
				`"connect.decimal.precision":"4"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"default":null}],` +
				`"connect.name":"io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"}`,
			"0000000001" + "0206" + "020280",
		},
		{
			"avro nested",
			format.Spec{Name: format.Avro, Props: map[string]string{format.PropFullName: "a.b.C"}},
			columns(field("S", inner), field("M", row.MapType(row.StringType, inner)), field("N", row.ArrayType(row.StringType))),
			[]row.Value{row.NewStruct(row.NewInt(-1)), row.NewMap(row.Entry{Key: row.NewString("k"), Value: row.Null}), row.Null},
			`{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"S","type":["null",{"type":"record","name":"C_S","fields":[` +
				`{"name":"X","type":["null","int"],"default":null}],"connect.name":"a.b.C_S"}],"default":null},` +
				`{"name":"M","type":["null",{"type":"array","items":{"type":"record","name":"C_M","fields":[` +
				`{"name":"key","type":["null","string"],"default":null},` +
				`{"name":"value","type":["null",{"type":"record","name":"C_M_MapValue","fields":[` +
				`{"name":"X","type":["null","int"],"default":null}],"connect.name":"a.b.C_M_MapValue"}],"default":null}],` +
				`"connect.internal.type":"MapEntry"},"connect.name":"a.b.C_M"}],"default":null},` +
				`{"name":"N","type":["null",{"type":"array","items":["null","string"]}],"default":null}],"connect.name":"a.b.C"}`,
			"0000000001" + "020201" + "0202" + "02026b" + "00" + "00" + "00",
		},
		{
			"protobuf",
			format.Spec{Name: format.Protobuf},
			columns(field("I", row.Int), field("T", inner), field("L", row.ArrayType(row.Bigint)), field("M", row.MapType(row.StringType, row.Double)),
				field("AT", row.TimestampType)),
			[]row.Value{
				row.NewInt(-2), row.NewStruct(row.NewInt(7)), row.NewArray(row.NewBigint(1), row.NewBigint(300)), row.NewMap(),
				row.NewTimestamp(1001),
			},
			"syntax = \"proto3\";\n\nimport \"google/protobuf/timestamp.proto\";\n\nmessage ConnectDefault1 {\n  int32 I = 1;\n  ConnectDefault2 T = 2;\n" +
				"  repeated int64 L = 3;\n  map<string, double> M = 4;\n  google.protobuf.Timestamp AT = 5;\n\n  message ConnectDefault2 {\n    int32 X = 1;\n  }\n}\n",
			"0000000001" + "00" + "08feffffffffffffffff01" + "12020807" + "1a0301ac02" + "2a06080110c0843d",
		},
		{
			"protobuf optional",
			format.Spec{Name: format.Protobuf, Props: map[string]string{format.PropNullable: "optional", format.PropFullName: "p.V"}},
			columns(field("S", row.StringType), field("D", row.DecimalType(4, 2))),
			[]row.Value{row.NewString(""), decimal},
			"syntax = \"proto3\";\npackage p;\n\nimport \"confluent/meta.proto\";\nimport \"confluent/type/decimal.proto\";\n\nmessage V {\n" +
				"  optional string S = 1;\n  confluent.type.Decimal D = 2 [(confluent.field_meta) = {\n    params: [\n" +
				"      { key: \"precision\", value: \"4\" },\n      { key: \"scale\", value: \"2\" }\n    ]\n  }];\n}\n",
			"0000000001" + "00" + "0a00" + "12070a018010031802",
		},
		{
			"protobuf wrapper",
			format.Spec{Name: format.Protobuf, Props: map[string]string{format.PropNullable: "wrapper"}},
			columns(field("B", row.Boolean), field("C", row.Int)),
			[]row.Value{row.NewBoolean(false), row.Null},
			"syntax = \"proto3\";\n\nimport \"google/protobuf/wrappers.proto\";\n\nmessage ConnectDefault1 {\n  google.protobuf.BoolValue B = 1;\n" +
				"  google.protobuf.Int32Value C = 2;\n}\n",
			"0000000001" + "00" + "0a00",
		},
		{
			"json",
			format.Spec{Name: format.JSONSR},
			columns(field("A", row.Int), field("M", row.MapType(row.StringType, row.DateType))),
			[]row.Value{row.Null, row.NewMap(row.Entry{Key: row.NewString("k"), Value: row.NewDate(3)})},
			`{"type":"object","properties":{"A":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int32"}]},` +
				`"M":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"array","connect.type":"map","items":{"type":"object","properties":{` +
				`"key":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"string"}]},` +
				`"value":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"integer","title":"org.apache.kafka.connect.data.Date",` +
				`"connect.version":1,"connect.type":"int32"}]}}}}]}}}`,
			"0000000001" + hex.EncodeToString([]byte(`{"A":null,"M":[{"key":"k","value":3}]}`)),
		},
	}
}

func TestSchemasAndRecordsAreThoseOfKafkaConnect(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			memory := registry.NewMemory()
			side := format.Side{Spec: f.spec, Schema: f.columns, Topic: "t", Schemas: memory}
			codec, err := format.New(side)
			if err != nil {
				t.Fatal(err)
			}
			want := row.NewRow(f.values...)
			b, err := codec.Append(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b); got != f.hex {
				t.Errorf("record\n%s, want\n%s", got, f.hex)
			}
			latest, err := memory.Latest("t-value")
			if err != nil || latest.Text != f.text {
				t.Errorf("schema, %v\n%s\nwant\n%s", err, latest.Text, f.text)
			}
			if got, err := codec.Decode(b); err != nil || got != want {
				t.Errorf("%v, %v", got, err)
			}
			if got, err := codec.Decode(nil); err != nil || !got.IsNull() {
				t.Errorf("null bytes: %v, %v", got, err)
			}
			if b, err := codec.Append(nil, ""); err != nil || b != nil {
				t.Errorf("null row: %x, %v", b, err)
			}
		})
	}
}

// given is a registry with one schema.
func given(t *testing.T, subject, kind, text string) *registry.Memory {
	t.Helper()
	memory := registry.NewMemory()
	if _, err := memory.Register(subject, format.Definition{Kind: kind, Text: text}); err != nil {
		t.Fatal(err)
	}
	return memory
}

func TestForeignSchemasGiveColumns(t *testing.T) {
	id := map[string]string{format.PropSchemaID: "1"}
	for _, tt := range []struct {
		name, kind, text string
		spec             format.Spec
		unwrapped        bool
		want             string
	}{
		{
			"avro", "AVRO", `{"type":"record","name":"n.R","fields":[{"name":"c1","type":{"type":"enum","name":"E","symbols":["A"]}},
				{"name":"f","type":"float"},{"name":"d","type":{"type":"bytes","logicalType":"decimal","scale":2}},
				{"name":"m","type":{"type":"map","values":"long"}},{"name":"u","type":["null","int","string"]},{"name":"e","type":"E"},
				{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"x","type":{"type":"fixed","name":"X","size":2}}]}`,
			format.Spec{Name: format.Avro},
			false,
			"`C1` STRING, `F` DOUBLE, `D` DECIMAL(64, 2), `M` MAP<STRING, BIGINT>, `U` STRUCT<`INT` INTEGER, `STRING` STRING>, `E` STRING, `T` TIMESTAMP, `X` BYTES",
		},
		{"avro with id", "AVRO", `{"type":"record","name":"R","fields":[{"name":"c1","type":"int"}]}`, format.Spec{Name: format.Avro, Props: id}, false, "`c1` INTEGER"},
		{"avro bare", "AVRO", `["null","string"]`, format.Spec{Name: format.Avro}, true, "`ROWVAL` STRING"},
		{
			"protobuf", "PROTOBUF", `syntax = "proto3"; enum E { Z = 0; } message A { int32 x = 1; } message B { uint32 u = 1; sint64 s = 2; E e = 3;
				oneof o { string a = 4; int32 b = 5; } map<string, A> m = 6; optional bool q = 7; }`,
			format.Spec{Name: format.Protobuf, Props: map[string]string{format.PropFullName: "B"}},
			false,
			"`U` BIGINT, `S` BIGINT, `E` STRING, `O_0` STRUCT<`A` STRING, `B` INTEGER>, `M` MAP<STRING, STRUCT<`X` INTEGER>>, `Q` BOOLEAN",
		},
		{
			"json", "JSON", `{"type":"object","definitions":{"p":{"type":"object","properties":{"n":{"type":["null","string"]}}}},
				"properties":{"b":{"connect.index":1,"$ref":"#/definitions/p"},"a":{"connect.index":0,"type":"integer"},
				"m":{"type":"object","additionalProperties":{"type":"number"}},"l":{"type":"array","items":{"type":"boolean"}}}}`,
			format.Spec{Name: format.JSONSR},
			false,
			"`A` BIGINT, `B` STRUCT<`N` STRING>, `M` MAP<STRING, DOUBLE>, `L` ARRAY<BOOLEAN>",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			side := format.Side{Spec: tt.spec, Topic: "t", Unwrapped: tt.unwrapped, Schemas: given(t, "t-value", tt.kind, tt.text)}
			got, err := format.Infer(side)
			if err != nil || got.String() != tt.want {
				t.Errorf("%s, %v, want\n%s", got, err, tt.want)
			}
		})
	}
}

func TestInferenceSaysWhatIsMissing(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 200) + `"int"` + strings.Repeat("}", 200)
	for _, tt := range []struct{ name, kind, text, want string }{
		{format.Avro, "JSON", `{}`, "You may want to set VALUE_FORMAT to 'JSON'"},
		{format.Avro, "AVRO", `"int"`, "set 'WRAP_SINGLE_VALUE=false'"},
		{format.Avro, "AVRO", `{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, "contains itself"},
		{format.Avro, "AVRO", deep, "Unable to verify"},
		{format.Avro, "AVRO", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"A","type":"int"}]}`, "two fields are called `A`"},
		{format.Protobuf, "PROTOBUF", `syntax = "proto3"; message A { A a = 1; }`, "contains itself"},
		{format.Protobuf, "PROTOBUF", `syntax = "proto3";`, "no message"},
		{format.JSONSR, "JSON", `{"type":"object","properties":{"a":{"$ref":"#"}}}`, "contains itself"},
		{format.JSONSR, "JSON", `{"oneOf":[{"type":"string"},{"type":"integer"}]}`, "several types"},
	} {
		side := format.Side{Spec: format.Spec{Name: tt.name}, Topic: "t", Schemas: given(t, "t-value", tt.kind, tt.text)}
		if _, err := format.Infer(side); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %.60s: %v", tt.name, tt.text, err)
		}
	}
	side := format.Side{Spec: format.Spec{Name: format.Avro}, Topic: "t", Key: true, Schemas: registry.NewMemory()}
	if _, err := format.Infer(side); err == nil || !strings.HasPrefix(err.Error(), "Schema for message keys on topic 't' does not exist in the Schema Registry.") {
		t.Error(err)
	}
	side.Schemas = nil
	if _, err := format.Infer(side); err == nil || !strings.Contains(err.Error(), "ksql.schema.registry.url") {
		t.Error(err)
	}
}

func TestRecordsAreReadByTheSchemaOfTheirID(t *testing.T) {
	memory := given(t, "t-value", "AVRO", `{"type":"record","name":"R","fields":[{"name":"gone","type":{"type":"array","items":"R"}},{"name":"a","type":"int"}]}`)
	side := format.Side{Spec: format.Spec{Name: format.Avro}, Schema: columns(field("A", row.StringType), field("NEW", row.Int)), Topic: "t", Schemas: memory}
	codec, err := format.New(side)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0, 0, 0, 0, 1, 2, 0, 4, 0, 6} // one inner R, then a = 3
	got, err := codec.Decode(b)
	if want := row.NewRow(row.NewString("3"), row.Null); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                               "AVRO: no header",
		"\x01\x00\x00\x00\x01":           "AVRO: no header",
		"\x00\x00\x00\x00\x09\x00":       "AVRO: schema 9: no such schema",
		"\x00\x00\x00\x00\x01\x02":       "AVRO: the record ends too early",
		"\x00\x00\x00\x00\x01\x00":       "AVRO: column A: the record ends too early",
		"\x00\x00\x00\x00\x01\x00\x02zz": "AVRO: bytes behind the record",
	} {
		if _, err := codec.Decode([]byte(text)); err == nil || err.Error() != want && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	var e *format.Error
	if _, err := codec.Decode([]byte("\x00\x00\x00\x00\x01\x00")); !errors.As(err, &e) || e.Column != "A" {
		t.Errorf("%#v", e)
	}
}

func TestWritersTakeTheGivenSchema(t *testing.T) {
	text := `{"type":"record","name":"R","fields":[{"name":"o","type":"string","default":"foo"},{"name":"a","type":"int","default":7},
		{"name":"n","type":["null","int"]}]}`
	memory := given(t, "other", "AVRO", text)
	spec := format.Spec{Name: format.Avro, Props: map[string]string{format.PropSchemaID: "1"}}
	side := format.Side{Spec: spec, Schema: columns(field("a", row.Int)), Topic: "t", Schemas: memory}
	if err := format.CheckGiven(side); err != nil {
		t.Error(err)
	}
	if err := format.Register(side, true); err != nil {
		t.Fatal(err)
	}
	if latest, err := memory.Latest("t-value"); err != nil || latest.ID != 1 {
		t.Errorf("%+v, %v", latest, err)
	}
	codec, err := format.New(side)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[row.Value]string{row.NewInt(1): "0000000001" + "06666f6f" + "02" + "00", row.Null: "0000000001" + "06666f6f" + "0e" + "00"} {
		if b, err := codec.Append(nil, row.NewRow(v)); err != nil || hex.EncodeToString(b) != want {
			t.Errorf("%x, %v", b, err)
		}
	}
	side.Schema = columns(field("a", row.StringType), field("b", row.Int))
	want := "The following value columns are changed, missing or reordered: [`a` STRING, `b` INTEGER]. Schema from schema registry is [`o` STRING, `a` INTEGER, `n` INTEGER]"
	if err := format.CheckGiven(side); err == nil || err.Error() != want {
		t.Error(err)
	}
	memory = given(t, "other", "AVRO", strings.Replace(text, `,"default":"foo"`, "", 1))
	side.Schema, side.Schemas = columns(field("a", row.Int)), memory
	if err := format.Register(side, true); err == nil || !strings.Contains(err.Error(), "Missing default value for required Avro field: [o]") {
		t.Error(err)
	}
}

func TestRegisterKeepsAndReplaces(t *testing.T) {
	side := format.Side{Spec: format.Spec{Name: format.Avro}, Schema: columns(field("A", row.Int)), Topic: "t"}
	if err := format.Register(side, false); err == nil || !strings.Contains(err.Error(), "Cannot create topic 't' with format AVRO") {
		t.Error(err)
	}
	memory := given(t, "t-value", "AVRO", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`)
	side.Schemas = memory
	for _, replace := range []bool{false, true} {
		if err := format.Register(side, replace); err != nil {
			t.Fatal(err)
		}
		latest, err := memory.Latest("t-value")
		if err != nil || (latest.ID != 1) != replace {
			t.Errorf("replace %t: %+v, %v", replace, latest, err)
		}
	}
	if err := format.Register(format.Side{Spec: format.Spec{Name: format.JSON}, Schema: side.Schema}, true); err != nil {
		t.Error(err)
	}
}

// What a reader of a topic writes, to keep it, must be the same bytes whatever happens in the registry.
func TestReadersKeepRowsWithoutTheRegistry(t *testing.T) {
	for _, name := range []string{format.Avro, format.Protobuf, format.JSONSR} {
		memory := registry.NewMemory()
		side := format.Side{Spec: format.Spec{Name: name}, Schema: columns(field("A", row.Int)), Topic: "t", Reads: true, Schemas: memory}
		want := row.NewRow(row.NewInt(5))
		got, b := throughBytes(t, side, side, want)
		if got != want || !strings.HasPrefix(hex.EncodeToString(b), "0000000000") {
			t.Errorf("%s: %v from %x", name, got.Values(), b)
		}
		if _, err := memory.Latest("t-value"); !errors.Is(err, format.ErrNoSchema) {
			t.Errorf("%s: it registered a schema: %v", name, err)
		}
	}
}

func TestProtobufImportsAndMessagesByIndex(t *testing.T) {
	memory := given(t, "event.proto", "PROTOBUF", `syntax = "proto3"; message Event { int64 at = 1; }`)
	_, err := memory.Register("t-value", format.Definition{
		Kind: "PROTOBUF", Text: `syntax = "proto3"; import "event.proto"; message Other { int32 x = 1; } message V { message Inner { Event e = 3; } }`,
		References: []format.Reference{{Name: "event.proto", Subject: "event.proto", Version: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	side := format.Side{
		Spec: format.Spec{Name: format.Protobuf}, Schema: columns(field("E", row.StructType(field("AT", row.Bigint)))), Topic: "t", Schemas: memory,
	}
	codec, err := format.New(side)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.Decode([]byte("\x00\x00\x00\x00\x02" + "\x04\x02\x00" + "\x1a\x02\x08\x05"))
	if want := row.NewRow(row.NewStruct(row.NewBigint(5))); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for _, indexes := range []string{"", "\x04\x02", "\x02\x08", "\xff\xff", "\x04\x02\x02"} {
		if _, err := codec.Decode([]byte("\x00\x00\x00\x00\x02" + indexes)); err == nil {
			t.Errorf("indexes %x are taken", indexes)
		}
	}
}

func TestColumnsThatAFormatDoesNotHave(t *testing.T) {
	numbers := row.MapType(row.Int, row.Double)
	for _, tt := range []struct {
		name string
		col  row.Field
		want string
	}{
		{format.Avro, field("M", numbers), "Avro only supports MAPs with STRING keys"},
		{format.Protobuf, field("M", numbers), "PROTOBUF format only supports MAP types with STRING keys"},
		{format.JSONSR, field("M", numbers), "JSON only supports MAP types with STRING keys"},
		{format.JSON, field("A", row.ArrayType(numbers)), "JSON only supports MAP types with STRING keys"},
		{format.Avro, field("1a", row.Int), "Schema is not compatible with Avro: Illegal initial character: 1a"},
		{format.Avro, field("a b", row.Int), "Schema is not compatible with Avro: Illegal character in: a b"},
		{format.Protobuf, field("@x", row.Int), "PROTOBUF does not support the name `@x`"},
		{format.ProtobufNoSR, field("A", row.ArrayType(row.ArrayType(row.Int))), "nested ARRAY"},
	} {
		if err := format.Check(format.Spec{Name: tt.name}, columns(tt.col), false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v", tt.name, tt.col.Name, err)
		}
	}
}
