package randomsql

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/row"
)

// The types that columns have. DECIMALs have room for all that is computed with their few small values.
var (
	short    = row.DecimalType(15, 2)
	long     = row.DecimalType(20, 4)
	ints     = row.ArrayType(row.Int)
	bigints  = row.ArrayType(row.Bigint)
	texts    = row.ArrayType(row.StringType)
	numbers  = row.MapType(row.StringType, row.Int)
	names    = row.MapType(row.StringType, row.StringType)
	pair     = row.StructType(row.Field{Name: "F1", Type: row.Int}, row.Field{Name: "F2", Type: row.StringType})
	account  = row.StructType(row.Field{Name: "F1", Type: row.Bigint}, row.Field{Name: "F2", Type: row.Double}, row.Field{Name: "F3", Type: short})
	scalars  = []*row.Type{row.Int, row.Int, row.Bigint, row.Double, short, long, row.StringType, row.StringType, row.Boolean, row.BytesType, row.DateType, row.TimeType, row.TimestampType}
	nested   = []*row.Type{ints, bigints, texts, numbers, names, pair, account}
	keyTypes = []*row.Type{row.Int, row.Int, row.Bigint, row.StringType, row.StringType, short, row.Boolean, row.DateType, row.TimestampType}
)

// someText is what texts are made of. No letter has a case outside of ASCII, and none takes two UTF-16 units: there both systems count and
// change differently by definition.
var someText = []string{"", "a", "b", "ab", "Ab", "aab", "B ", " b", "12", "-7", "x,y", "漢", "a%b", "_", "it's", `q"q`, "bb漢a"}

// value returns a random value of a type from a small set, so that values meet.
func value(r *rand.Rand, t *row.Type) row.Value {
	switch t.Kind {
	case row.KindBoolean:
		return row.NewBoolean(r.IntN(2) == 0)
	case row.KindInt:
		return row.NewInt(int32(r.IntN(9) - 2))
	case row.KindBigint:
		return row.NewBigint(int64(r.IntN(12) - 3))
	case row.KindDouble:
		return row.NewDouble(float64(r.IntN(33)-12) / 4) // sums of such numbers are exact in any order
	case row.KindDecimal:
		if t.Scale == 2 {
			return row.FromDecimal(row.NewDecimal(int64(r.IntN(12)*25-75), 2))
		}
		return row.FromDecimal(row.NewDecimal(int64(r.IntN(40001)-20000), uint8(t.Scale)))
	case row.KindString:
		return row.NewString(someText[r.IntN(len(someText))])
	case row.KindBytes:
		return row.NewBytes([]string{"", "\x00", "\x01\xff", "ab", "\x80"}[r.IntN(5)])
	case row.KindDate:
		return row.NewDate(int64(r.IntN(8)*100 - 200))
	case row.KindTime:
		return row.NewTime(int64(r.IntN(6)) * 14_399_999)
	case row.KindTimestamp:
		return row.NewTimestamp(int64(r.IntN(8)-2) * 40_000_000_123)
	case row.KindArray:
		elems := make([]row.Value, r.IntN(4))
		for i := range elems {
			elems[i] = maybeNull(r, t.Elem, 6)
		}
		return row.NewArray(elems...)
	case row.KindMap:
		var entries []row.Entry
		for _, k := range []string{"a", "b", "k"} {
			if r.IntN(2) == 0 {
				entries = append(entries, row.Entry{Key: row.NewString(k), Value: maybeNull(r, t.Elem, 6)})
			}
		}
		return row.NewMap(entries...)
	}
	fields := make([]row.Value, len(t.Fields))
	for i, f := range t.Fields {
		fields[i] = maybeNull(r, f.Type, 6)
	}
	return row.NewStruct(fields...)
}

// maybeNull is null once in so many times.
func maybeNull(r *rand.Rand, t *row.Type, once int) row.Value {
	if r.IntN(once) == 0 {
		return row.Null
	}
	return value(r, t)
}

// pgType is the type in PostgreSQL: maps and structs are JSON.
func pgType(t *row.Type) string {
	switch t.Kind {
	case row.KindArray:
		return pgType(t.Elem) + "[]"
	case row.KindMap, row.KindStruct:
		return "jsonb"
	case row.KindDecimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	}
	return map[row.Kind]string{
		row.KindBoolean: "boolean", row.KindInt: "int4", row.KindBigint: "int8", row.KindDouble: "float8", row.KindString: "text",
		row.KindBytes: "bytea", row.KindDate: "date", row.KindTime: "time", row.KindTimestamp: "timestamp",
	}[t.Kind]
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func clockTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05.000") }

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000") }

func day(days int64) string { return time.Unix(days*86400, 0).UTC().Format("2006-01-02") }

// pgText is a value that is not null as PostgreSQL reads it between quotes.
func pgText(v row.Value, t *row.Type) string {
	switch t.Kind {
	case row.KindBoolean:
		return strconv.FormatBool(v.Boolean())
	case row.KindDouble:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case row.KindDecimal:
		return v.Decimal().String()
	case row.KindString:
		return v.Text()
	case row.KindBytes:
		return `\x` + hex.EncodeToString([]byte(v.Text()))
	case row.KindDate:
		return day(v.Int64())
	case row.KindTime:
		return clockTime(v.Int64())
	case row.KindTimestamp:
		return instant(v.Int64())
	case row.KindMap, row.KindStruct:
		b, _ := json.Marshal(plain(v, t))
		return string(b)
	}
	return strconv.FormatInt(v.Int64(), 10)
}

// pgLiteral is a value as an expression of PostgreSQL.
func pgLiteral(v row.Value, t *row.Type) string {
	switch {
	case v.IsNull():
		return "NULL::" + pgType(t)
	case t.Kind != row.KindArray:
		return quoted(pgText(v, t)) + "::" + pgType(t)
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = "NULL"
		if e := v.Row().At(i); !e.IsNull() {
			parts[i] = quoted(pgText(e, t.Elem))
		}
	}
	return "ARRAY[" + strings.Join(parts, ",") + "]::" + pgType(t)
}

// plain is a value of a map or a struct for encoding/json.
func plain(v row.Value, t *row.Type) any {
	if v.IsNull() {
		return nil
	}
	switch t.Kind {
	case row.KindMap:
		out := map[string]any{}
		for i := 0; i < v.Row().Len(); i += 2 {
			out[v.Row().At(i).Text()] = plain(v.Row().At(i+1), t.Elem)
		}
		return out
	case row.KindStruct:
		out := map[string]any{}
		for i, f := range t.Fields {
			out[f.Name] = plain(v.Row().At(i), f.Type)
		}
		return out
	case row.KindString:
		return v.Text()
	case row.KindBoolean:
		return v.Boolean()
	}
	return json.Number(pgText(v, t))
}

// sqlLiteral is a value as an expression of ksqlDB.
func sqlLiteral(v row.Value, t *row.Type) string {
	if v.IsNull() {
		return "CAST(NULL AS " + t.String() + ")"
	}
	switch t.Kind {
	case row.KindBoolean:
		return strings.ToUpper(strconv.FormatBool(v.Boolean()))
	case row.KindInt:
		if v.Int64() < 0 {
			return "(" + strconv.FormatInt(v.Int64(), 10) + ")" // two signs would begin a comment
		}
		return strconv.FormatInt(v.Int64(), 10)
	case row.KindDouble:
		return "CAST(" + quoted(java.Double(v.Double())) + " AS DOUBLE)"
	case row.KindString:
		return quoted(v.Text())
	case row.KindBytes:
		return "TO_BYTES(" + quoted(hex.EncodeToString([]byte(v.Text()))) + ", 'hex')"
	}
	return "CAST(" + quoted(pgText(v, t)) + " AS " + t.String() + ")"
}
