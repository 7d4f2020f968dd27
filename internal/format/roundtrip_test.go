package format_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/row"
)

// A kindSet says what a format's columns can be.
type kindSet struct {
	nestedLists bool // lists and maps within lists and maps
	nulls       bool // null stays null, everywhere
}

// anyType draws a type of at most so many levels.
func anyType(t *rapid.T, k kindSet, levels int, inList bool) *row.Type {
	scalars := []*row.Type{
		row.Boolean, row.Int, row.Bigint, row.Double, row.StringType, row.BytesType, row.DateType, row.TimeType, row.TimestampType,
		row.DecimalType(9, 2), row.DecimalType(40, 20),
	}
	n := len(scalars)
	last := n + 2
	if levels == 0 {
		last = n - 1
	}
	i := rapid.IntRange(0, last).Draw(t, "type")
	switch {
	case i < n:
		return scalars[i]
	case i == n || inList && !k.nestedLists:
		fields := make([]row.Field, rapid.IntRange(1, 3).Draw(t, "fields"))
		for f := range fields {
			fields[f] = row.Field{Name: fmt.Sprintf("F%d", f), Type: anyType(t, k, levels-1, false)}
		}
		return row.StructType(fields...)
	case i == n+1:
		return row.ArrayType(anyType(t, k, levels-1, true))
	}
	return row.MapType(row.StringType, anyType(t, k, levels-1, true))
}

// anyValue draws a value of a type.
func anyValue(t *rapid.T, k kindSet, of *row.Type, mayBeNull bool) row.Value {
	if mayBeNull && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return row.Null
	}
	switch of.Kind {
	case row.KindBoolean:
		return row.NewBoolean(rapid.Bool().Draw(t, "bool"))
	case row.KindInt:
		return row.NewInt(rapid.Int32().Draw(t, "int"))
	case row.KindBigint:
		return row.NewBigint(rapid.Int64().Draw(t, "bigint"))
	case row.KindDouble:
		return row.NewDouble(rapid.Float64Range(-1e15, 1e15).Draw(t, "double"))
	case row.KindString:
		return row.NewString(rapid.String().Draw(t, "string"))
	case row.KindBytes:
		return row.NewBytes(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	case row.KindDate:
		return row.NewDate(int64(rapid.IntRange(-700_000, 2_900_000).Draw(t, "date")))
	case row.KindTime:
		return row.NewTime(int64(rapid.IntRange(0, 86_399_999).Draw(t, "time")))
	case row.KindTimestamp:
		return row.NewTimestamp(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "timestamp"))
	case row.KindDecimal:
		text := fmt.Sprintf("%d.%02d", rapid.Int64Range(-9_999_999, 9_999_999).Draw(t, "whole"), rapid.IntRange(0, 99).Draw(t, "part"))
		if of.Precision > 30 {
			text += strings.Repeat("7", of.Scale-2)
		}
		d, err := row.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return row.FromDecimal(d)
	case row.KindArray:
		elems := make([]row.Value, rapid.IntRange(0, 3).Draw(t, "elems"))
		for i := range elems {
			elems[i] = anyValue(t, k, of.Elem, k.nulls)
		}
		return row.NewArray(elems...)
	case row.KindMap:
		entries := make([]row.Entry, rapid.IntRange(0, 3).Draw(t, "entries"))
		for i := range entries {
			entries[i] = row.Entry{Key: row.NewString(rapid.String().Draw(t, "key")), Value: anyValue(t, k, of.Elem, k.nulls)}
		}
		return row.NewMap(entries...)
	}
	fields := make([]row.Value, len(of.Fields))
	for i, f := range of.Fields {
		list := f.Type.Kind == row.KindArray || f.Type.Kind == row.KindMap
		fields[i] = anyValue(t, k, f.Type, k.nulls || !list)
	}
	return row.NewStruct(fields...)
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	for _, tt := range []struct {
		spec format.Spec
		kindSet
	}{
		{format.Spec{Name: format.JSON}, kindSet{true, true}},
		{format.Spec{Name: format.JSONSR}, kindSet{true, true}},
		{format.Spec{Name: format.Avro}, kindSet{true, true}},
		{format.Spec{Name: format.Protobuf, Props: map[string]string{format.PropNullable: "optional"}}, kindSet{}},
		{format.Spec{Name: format.Protobuf, Props: map[string]string{format.PropNullable: "wrapper"}}, kindSet{}},
		{format.Spec{Name: format.ProtobufNoSR, Props: map[string]string{format.PropNullable: "optional"}}, kindSet{}},
	} {
		t.Run(tt.spec.Name+tt.spec.Props[format.PropNullable], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				schema := make(row.Schema, rapid.IntRange(1, 3).Draw(t, "columns"))
				values := make([]row.Value, len(schema))
				for i := range schema {
					schema[i] = row.Column{Name: fmt.Sprintf("C%d", i), Type: anyType(t, tt.kindSet, 3, false)}
					list := schema[i].Type.Kind == row.KindArray || schema[i].Type.Kind == row.KindMap
					values[i] = anyValue(t, tt.kindSet, schema[i].Type, tt.nulls || !list)
				}
				memory := registry.NewMemory()
				side := format.Side{Spec: tt.spec, Schema: schema, Topic: "t", Schemas: memory}
				want := row.NewRow(values...)
				got, b := throughBytes(t, side, side, want)
				if got != want {
					t.Fatalf("%s\n %v\n came back as\n %v\n from %x", schema, want.Values(), got.Values(), b)
				}
				if trait, _ := format.TraitOf(tt.spec.Name); trait.Infers {
					checkInferred(t, side)
				}
			})
		})
	}
}

// throughBytes writes a row and reads it with another codec.
func throughBytes(t interface{ Fatal(...any) }, out, in format.Side, r row.Row) (row.Row, []byte) {
	writer, err := format.New(out)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := format.New(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := writer.Append(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reader.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return got, b
}

// checkInferred holds the registered schema to the columns that it was made of.
func checkInferred(t *rapid.T, side format.Side) {
	columns, err := format.Infer(side)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range columns {
		want := side.Schema[i]
		if want.Type.Kind == row.KindMap && want.Type.Elem.Kind == row.KindDecimal && side.Name == format.Protobuf {
			continue // an entry's value has no place for the precision
		}
		if hasDecimalInMap(want.Type) && side.Name == format.Protobuf {
			continue
		}
		if c.Name != want.Name || !c.Type.Equal(want.Type) {
			t.Fatalf("%s %s is inferred as %s %s", want.Name, want.Type, c.Name, c.Type)
		}
	}
}

func hasDecimalInMap(t *row.Type) bool {
	if t == nil {
		return false
	}
	if t.Kind == row.KindMap && t.Elem.Kind == row.KindDecimal {
		return true
	}
	for _, f := range t.Fields {
		if hasDecimalInMap(f.Type) {
			return true
		}
	}
	return hasDecimalInMap(t.Elem)
}

func TestUnwrappedColumnsComeBack(t *testing.T) {
	for _, name := range []string{format.Avro, format.JSONSR} {
		for _, v := range []struct {
			t *row.Type
			v row.Value
		}{
			{row.Int, row.NewInt(-5)},
			{row.StringType, row.NewString("")},
			{row.Double, row.NewDouble(math.Copysign(0, -1))},
			{row.DecimalType(4, 2), row.FromDecimal(row.NewDecimal(-128, 2))},
			{row.ArrayType(row.StringType), row.NewArray(row.NewString("a"), row.Null)},
			{row.StructType(row.Field{Name: "F", Type: row.Int}), row.NewStruct(row.Null)},
		} {
			side := format.Side{
				Spec: format.Spec{Name: name}, Schema: row.Schema{{Name: "K", Type: v.t}}, Key: true, Unwrapped: true, Topic: "t",
				Schemas: registry.NewMemory(),
			}
			want := row.NewRow(v.v)
			if got, b := throughBytes(t, side, side, want); got != want {
				t.Errorf("%s %s: %v from %x", name, v.t, got.Values(), b)
			}
			columns, err := format.Infer(side)
			if err != nil || len(columns) != 1 || columns[0].Name != "ROWKEY" || !columns[0].Type.Equal(v.t) {
				t.Errorf("%s %s is inferred as %s: %v", name, v.t, columns, err)
			}
		}
	}
}

func TestProtobufHasZerosForNulls(t *testing.T) {
	inner := row.StructType(row.Field{Name: "X", Type: row.Int})
	schema := row.Schema{
		{Name: "B", Type: row.Boolean},
		{Name: "I", Type: row.Bigint},
		{Name: "S", Type: row.StringType},
		{Name: "A", Type: row.ArrayType(row.Int)},
		{Name: "M", Type: row.MapType(row.StringType, row.Int)},
		{Name: "T", Type: inner},
		{Name: "D", Type: row.DateType},
	}
	side := format.Side{Spec: format.Spec{Name: format.ProtobufNoSR}, Schema: schema}
	want := row.NewRow(row.NewBoolean(false), row.NewBigint(0), row.NewString(""), row.NewArray(), row.NewMap(), row.Null, row.Null)
	if got, b := throughBytes(t, side, side, row.NewRow(make([]row.Value, len(schema))...)); got != want || len(b) != 0 {
		t.Errorf("%v from %x", got.Values(), b)
	}
}

// TestColumnByColumn: a row that is written column by column is the one that is written at once.
func TestColumnByColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := make(row.Schema, rapid.IntRange(1, 4).Draw(t, "columns"))
		values := make([]row.Value, len(schema))
		for i := range schema {
			schema[i] = row.Column{Name: fmt.Sprintf("C%d", i), Type: anyType(t, kindSet{true, true}, 2, false)}
			values[i] = anyValue(t, kindSet{true, true}, schema[i].Type, true)
		}
		codec, err := format.New(format.Side{Spec: format.Spec{Name: format.JSON}, Schema: schema, Unwrapped: rapid.Bool().Draw(t, "unwrapped")})
		if err != nil {
			t.Fatal(err)
		}
		want, err := codec.Append([]byte("x"), row.NewRow(values...))
		if err != nil {
			t.Fatal(err)
		}
		got, w := []byte("x"), codec.(format.ColumnWriter)
		for i, v := range values {
			if schema[i].Type.Kind == row.KindArray && rapid.Bool().Draw(t, "elements") {
				got = w.AppendElements(got, i, chosen(t, v))
			} else {
				got = w.AppendColumn(got, i, v)
			}
		}
		if string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// chosen are elements that make the array: all of it, some of a longer one, or a part of each element of another one.
func chosen(t *rapid.T, array row.Value) row.Elements {
	if array.IsNull() {
		return row.Elements{}
	}
	between := append([]row.Value{row.Null}, append(array.Row().Values(), row.Null)...)
	switch rapid.IntRange(0, 2).Draw(t, "way") {
	case 0:
		return row.ElementsOf(array)
	case 1:
		return row.Elements{Of: row.NewRow(between...), From: 1, To: len(between) - 1, Part: -1}
	}
	for i, v := range between {
		if between[i] = row.NewStruct(row.NewInt(1), v); v.IsNull() && rapid.Bool().Draw(t, "null") {
			between[i] = row.Null
		}
	}
	e := row.Elements{Of: row.NewRow(between...), From: 1, To: len(between) - 1, Part: 1}
	if e.Array() != array {
		t.Fatalf("%v make %v, not %v", e, e.Array(), array)
	}
	return e
}
