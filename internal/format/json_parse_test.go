package format_test

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/row"
)

func TestValuesAsClientsGiveThemAndSeeThem(t *testing.T) {
	price := row.DecimalType(5, 2)
	point := row.StructType(row.Field{Name: "X", Type: row.Int}, row.Field{Name: "Y", Type: row.StringType})
	for _, tt := range []struct {
		of       *row.Type
		in, want string // what comes back; the reason begins with !
	}{
		{row.Boolean, `true`, `true`},
		{row.Boolean, `"true"`, `!not a boolean`},
		{row.Int, `2147483647`, `2147483647`},
		{row.Int, `2147483648`, `!a number out of the range of INTEGER`},
		{row.Int, `1.0`, `!not a whole number`},
		{row.Int, `"1"`, `!not a whole number`},
		{row.Bigint, `-9223372036854775808`, `-9223372036854775808`},
		{row.Double, `1e7`, `1.0E7`},
		{row.Double, `"x"`, `!not a number`},
		{row.StringType, `"a\u0041\n"`, `"aA\n"`},
		{row.StringType, `1`, `!not text`},
		{row.BytesType, `"AQI="`, `"AQI="`},
		{row.BytesType, `"?"`, `!not text in base64`},
		{price, `1.005`, `1.01`},
		{price, `"-3"`, `-3.00`},
		{price, `99999`, `!Numeric field overflow: A field with precision 5 and scale 2 must round to an absolute value less than 10^3. Got 99999.00`},
		{row.DateType, `"2021-05-06"`, `"2021-05-06"`},
		{row.DateType, `1`, `"1970-01-02"`},
		{row.TimeType, `"10:20:30"`, `"10:20:30"`},
		{row.TimestampType, `"1999-11-30T11:00:00.000"`, `"1999-11-30T11:00:00.000"`},
		{row.TimestampType, `"noon"`, `!text does not follow the pattern: "noon" is no timestamp such as 2018-03-04T10:20:30.500`},
		{row.ArrayType(row.DateType), `["2021-05-06", null]`, `["2021-05-06",null]`},
		{row.MapType(row.StringType, price), `{"b": 2, "a": 1}`, `{"a":1.00,"b":2.00}`},
		{point, `{"y": "b", "X": 1, "Z": 2}`, `{"X":1,"Y":"b"}`},
		{point, `{"X": 1.5}`, `!field X: not a whole number`},
		{point, `null`, `null`},
		{row.Int, `1 2`, `!more than one JSON value`},
		{row.Int, `[`, `!unexpected end`},
	} {
		v, err := format.ParseJSON(tt.of, []byte(tt.in))
		got := string(format.NewJSONText(tt.of).Append(nil, v))
		if err != nil {
			got = "!" + err.Error()
		}
		if got != tt.want {
			t.Errorf("%s as %s: %s, want %s", tt.in, tt.of, got, tt.want)
		}
	}
}
