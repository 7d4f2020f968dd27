package format_test

import (
	"encoding/hex"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/row"
)

var everyScalar = row.Schema{
	{Name: "B", Type: row.Boolean},
	{Name: "I", Type: row.Int},
	{Name: "L", Type: row.Bigint},
	{Name: "D", Type: row.Double},
	{Name: "S", Type: row.StringType},
	{Name: "Y", Type: row.BytesType},
	{Name: "DAY", Type: row.DateType},
	{Name: "T", Type: row.TimeType},
	{Name: "TS", Type: row.TimestampType},
	{Name: "DEC", Type: row.DecimalType(9, 2)},
}

func TestDelimitedRowsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := make([]row.Value, len(everyScalar))
		for i, c := range everyScalar {
			values[i] = anyValue(t, kindSet{}, c.Type, true)
			if k := values[i].Kind(); (k == row.KindString || k == row.KindBytes) && values[i].Text() == "" {
				values[i] = row.Null // an empty field is null
			}
		}
		delimiter := rapid.SampledFrom([]string{",", "|", "TAB", "SPACE", ";"}).Draw(t, "delimiter")
		side := format.Side{Spec: format.Spec{Name: format.Delimited}.With("delimiter", delimiter), Schema: everyScalar}
		want := row.NewRow(values...)
		if got, b := throughBytes(t, side, side, want); got != want {
			t.Fatalf("%v came back as %v from %q", want.Values(), got.Values(), b)
		}
	})
}

func TestKafkaValuesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]row.Column{everyScalar[1], everyScalar[2], everyScalar[3], everyScalar[4], everyScalar[5]}).Draw(t, "column")
		side := format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: row.Schema{c}, Unwrapped: true}
		v := anyValue(t, kindSet{}, c.Type, false)
		want := row.NewRow(v)
		if got, b := throughBytes(t, side, side, want); got != want {
			t.Fatalf("%v came back as %v from %x", want.Values(), got.Values(), b)
		}
	})
}

func decimal(text string) row.Value {
	d, err := row.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return row.FromDecimal(d)
}

func TestBytesOfTheFormatsStayAsTheyAre(t *testing.T) {
	all := row.NewRow(row.NewBoolean(true), row.NewInt(-7), row.NewBigint(math.MinInt64), row.NewDouble(1e10), row.NewString("a \"b\", c"),
		row.NewBytes("\x01\x02"), row.NewDate(1), row.NewTime(2), row.NewTimestamp(3), decimal("1.50"))
	one := func(t *row.Type) row.Schema { return row.Schema{{Name: "V", Type: t}} }
	for name, tt := range map[string]struct {
		side format.Side
		row  row.Row
		want string // hexadecimal after 0x
	}{
		"JSON": {
			format.Side{Spec: format.Spec{Name: format.JSON}, Schema: everyScalar},
			all,
			`{"B":true,"I":-7,"L":-9223372036854775808,"D":1.0E10,"S":"a \"b\", c","Y":"AQI=","DAY":1,"T":2,"TS":3,"DEC":1.50}`,
		},
		"DELIMITED": {
			format.Side{Spec: format.Spec{Name: format.Delimited}, Schema: everyScalar},
			all,
			`true,-7,-9223372036854775808,1.0E10,"a ""b"", c",AQI=,1,2,3,1.50`,
		},
		"DELIMITED nulls": {format.Side{Spec: format.Spec{Name: format.Delimited}, Schema: everyScalar}, row.NewRow(make([]row.Value, 10)...), `,,,,,,,,,`},
		"JSON unwrapped":  {format.Side{Spec: format.Spec{Name: format.JSON}, Schema: one(row.StringType), Unwrapped: true}, row.NewRow(row.NewString("x")), `"x"`},
		"KAFKA INT":       {format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: one(row.Int)}, row.NewRow(row.NewInt(-2)), "0xfffffffe"},
		"KAFKA BIGINT":    {format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: one(row.Bigint)}, row.NewRow(row.NewBigint(258)), "0x0000000000000102"},
		"KAFKA DOUBLE":    {format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: one(row.Double)}, row.NewRow(row.NewDouble(1)), "0x3ff0000000000000"},
		"KAFKA STRING":    {format.Side{Spec: format.Spec{Name: format.Kafka}, Schema: one(row.StringType)}, row.NewRow(row.NewString("é")), "é"},
	} {
		t.Run(name, func(t *testing.T) {
			got, b := throughBytes(t, tt.side, tt.side, tt.row)
			text := string(b)
			if tt.want[:min(2, len(tt.want))] == "0x" {
				text = "0x" + hex.EncodeToString(b)
			}
			if text != tt.want || got != tt.row {
				t.Errorf("%s, back as %v; want %s", text, got.Values(), tt.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	schema := row.Schema{{Name: "N", Type: row.Int}, {Name: "S", Type: row.StringType}}
	for _, tt := range []struct{ format, text string }{
		{format.JSON, ``},
		{format.JSON, `{`},
		{format.JSON, `{"N":1}}`},
		{format.JSON, `[1]`},
		{format.JSON, `{"N":"x"}`},

		{format.JSON, `{"N":01}`},
		{format.JSON, `{'N':1}`},
		{format.JSON, `{"N":NaN}`},
		{format.Delimited, ``},
		{format.Delimited, `1`},
		{format.Delimited, `1,2,3`},
		{format.Delimited, `x,y`},
		{format.Delimited, `1,"y`},
		{format.Delimited, `1,"y"z`},
		{format.Delimited, `2147483648,y`},
	} {
		c, err := format.New(format.Side{Spec: format.Spec{Name: tt.format}, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := c.Decode([]byte(tt.text)); err == nil {
			t.Errorf("%s %q is read as %v", tt.format, tt.text, r.Values())
		}
	}
}

// hostile is a schema with every kind of column.
var hostile = append(everyScalar[:len(everyScalar):len(everyScalar)],
	row.Column{Name: "A", Type: row.ArrayType(row.Int)},
	row.Column{Name: "M", Type: row.MapType(row.StringType, row.Double)},
	row.Column{Name: "O", Type: row.StructType(row.Field{Name: "X", Type: row.StringType})})

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"B":true,"I":1,"D":1.5,"S":"x","Y":"AQ==","A":[1,null],"M":{"k":1},"O":{"x":"y"},"DEC":1.5}`))
	f.Add([]byte(`{"S":"\ud800","S":1e400,"s":{},"A":{},"M":[]}`))
	f.Add([]byte("{\"\xebM\":1,\"M\":{\"\xeb\":1,\"caf\u00e9\":2}}"))
	fuzz(f, format.Side{Spec: format.Spec{Name: format.JSON}, Schema: hostile})
}

func FuzzDelimited(f *testing.F) {
	f.Add([]byte("true,1,2,3.5,\"a \"\"b\"\"\",AQ==,1,2,3,4.5\r\n"))
	f.Add([]byte("\",\n,,"))
	fuzz(f, format.Side{Spec: format.Spec{Name: format.Delimited}, Schema: everyScalar})
}

// fuzz reads any bytes: what can be read is a sound row, and after it was written and read again it is the same.
func fuzz(f *testing.F, side format.Side) {
	c, err := format.New(side)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, c, b) })
}

// sound wants an error or a sound row, which is the same after it was written and read again.
func sound(t *testing.T, c format.Codec, b []byte) {
	t.Helper()
	r, err := c.Decode(b)
	if err != nil || r.IsNull() {
		return
	}
	if err := row.Check([]byte(r)); err != nil {
		t.Fatalf("%q is read as a broken row: %v", b, err)
	}
	written, err := c.Append([]byte{}, r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Decode(written)
	if err != nil || again != r {
		t.Fatalf("%q: %v, written as %q, is read as %v, %v", b, r.Values(), written, again.Values(), err)
	}
}
