package protorow_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mainstemio/mainstem/internal/format/protorow"
	"github.com/mainstemio/mainstem/row"
)

const everything = `syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "confluent/type/decimal.proto";
enum E { Z = 0; Y = -1; }
message In { int32 x = 1; }
message V {
  int32 a = 1; sint32 b = 2; fixed32 c = 3; sfixed64 d = 4; uint64 e = 5; float f = 6; double g = 7; bool h = 8; string i = 9; bytes j = 10;
  E k = 11; In l = 12; repeated sint64 m = 13; repeated string n = 14; map<string, In> o = 15; optional int32 p = 16;
  google.protobuf.Timestamp q = 17; google.protobuf.StringValue r = 18; google.type.Date s = 19; google.type.TimeOfDay t = 20;
  confluent.type.Decimal u = 21; oneof w { int32 x = 22; string y = 23; } map<int32, double> z = 24;
}`

// FuzzDecode reads hostile bytes as a message of all types. What is read is a row that can be written again, and what the library refuses
// is refused, but for fields that nobody asks for.
func FuzzDecode(f *testing.F) {
	file, err := protorow.Parse(everything, nil)
	if err != nil {
		f.Fatal(err)
	}
	message, err := file.Message("V")
	if err != nil {
		f.Fatal(err)
	}
	of, err := protorow.Infer(message)
	if err != nil {
		f.Fatal(err)
	}
	columns := make(row.Schema, len(of.Fields))
	for i, field := range of.Fields {
		columns[i] = row.Column(field)
	}
	d, err := protorow.NewDecoder(message, columns)
	if err != nil {
		f.Fatal(err)
	}
	e, err := protorow.NewEncoder(message, columns)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", "\x08\x05", "\x6a\x03\x01\x02\x03", "\x62\x02\x08\x01\x62\x00", "\x7a\x05\x0a\x01k\x12\x00", "\xb0\x01\x01\xba\x01\x01a",
		"\x9a\x01\x06\x08\xe9\x0f\x10\x02\x18\x1e", "\xaa\x01\x05\x0a\x01\x80\x18\x02", "\x0a\xff\xff\xff\xff\x0f", "\x8a\x01\x04\x10\x80\x80\x01",
		"b\x02\x08\x01b\x02``", "b\x02b\x02b\x02\x08\x01", // pieces of a message, the second of one that is cut off
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := d.Decode(b)
		if err != nil {
			return
		}
		if err := proto.Unmarshal(b, dynamicpb.NewMessage(message)); err != nil && !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("the library refuses %x: %v", b, err)
		}
		if err := row.Check([]byte(r)); err != nil {
			t.Fatal(err)
		}
		again, err := e.Append(nil, r)
		if err != nil {
			return // a number of an enum without a name, a decimal of another precision
		}
		if back, err := d.Decode(again); err != nil || back != r {
			t.Errorf("%x: %v is read as %v, %v", b, r.Values(), back.Values(), err)
		}
	})
}

// FuzzParse compiles hostile schemas.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add(`syntax = "proto3"; message A { A a = 1; map<string, A> m = 2; }`)
	f.Add(`syntax = "proto2"; message A { required group G = 1 { optional int32 x = 2; } }`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := protorow.Parse(text, nil)
		if err != nil {
			return
		}
		message, err := file.Message("")
		if err != nil {
			return
		}
		of, err := protorow.Infer(message)
		if err != nil {
			return
		}
		if _, err := protorow.NewDecoder(message, row.Schema{{Name: "X", Type: of}}); err != nil {
			return
		}
	})
}

func TestAMessageOfAllTypesIsRead(t *testing.T) {
	file, err := protorow.Parse(everything, nil)
	if err != nil {
		t.Fatal(err)
	}
	message, err := file.Message("V")
	if err != nil {
		t.Fatal(err)
	}
	columns := row.Schema{
		{Name: "A", Type: row.Bigint},
		{Name: "B", Type: row.StringType},
		{Name: "C", Type: row.Bigint},
		{Name: "D", Type: row.Bigint},
		{Name: "F", Type: row.Double},
		{Name: "K", Type: row.StringType},
		{Name: "L", Type: row.StructType(row.Field{Name: "X", Type: row.Int})},
		{Name: "M", Type: row.ArrayType(row.Bigint)},
		{Name: "P", Type: row.Int},
		{Name: "S", Type: row.DateType},
		{Name: "U", Type: row.DecimalType(5, 3)},
		{Name: "W_0", Type: row.StructType(row.Field{Name: "X", Type: row.Int}, row.Field{Name: "Y", Type: row.StringType})},
		{Name: "NONE", Type: row.Int},
	}
	d, err := protorow.NewDecoder(message, columns)
	if err != nil {
		t.Fatal(err)
	}
	record := "\x08\x96\x01" + "\x10\x03" + "\x1d\xff\xff\xff\xff" + "\x21\xff\xff\xff\xff\xff\xff\xff\xff" + "\x35\x00\x00\xc0\x3f" +
		"\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + "\x62\x02\x08\x01" + "\x62\x02\x08\x02" + "\x68\x01" + "\x6a\x01\x04" +
		"\x9a\x01\x07\x08\xd0\x0f\x10\x02\x18\x1d" + "\xaa\x01\x05\x0a\x01\x80\x18\x02" + "\xb0\x01\x05" + "\xba\x01\x01y"
	got, err := d.Decode([]byte(record))
	want := row.NewRow(
		row.NewBigint(150), row.NewString("-2"), row.NewBigint(1<<32-1), row.NewBigint(-1), row.NewDouble(1.5), row.NewString("Y"),
		row.NewStruct(row.NewInt(2)), row.NewArray(row.NewBigint(-1), row.NewBigint(2)), row.Null, row.NewDate(11016),
		row.FromDecimal(row.NewDecimal(-1280, 3)), row.NewStruct(row.Null, row.NewString("y")), row.Null,
	)
	if err != nil || got != want {
		t.Errorf("%v, %v, want\n%v", got.Values(), err, want.Values())
	}
	for broken, column := range map[string]string{
		"\x9a\x01\x07\x08\xd1\x0f\x10\x02\x18\x1d": "column S: a date that does not exist", // 2001-02-29
		"\x5a\x01\x01":                     "column K: a value of another wire type",
		"\x62\x02\x0a\x00":                 "column L->X: a value of another wire type",
		"\xaa\x01\x05\x0a\x01\x81\x18\x04": "column U: a number that does not fit into DECIMAL(5, 3) without rounding",
		"\xba\x01\x01\xff":                 "column W_0: text that is not UTF-8",
		"\x08":                             "bytes that are no Protobuf message",
	} {
		if _, err := d.Decode([]byte(broken)); err == nil || err.Error() != column {
			t.Errorf("%x: %v, want %s", broken, err, column)
		}
	}
}
