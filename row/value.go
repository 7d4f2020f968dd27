package row

import (
	"cmp"
	"math"
	"strings"
)

// A Value is one value of any kind; the zero Value is null. Values are comparable: two of the same kind are == when they are encoded the
// same, decimals with their scale, maps in order of their keys, doubles by their bits.
type Value struct {
	kind  Kind
	neg   bool   // of a decimal
	scale uint16 // of a decimal
	n     uint64 // numbers, bool and times; a decimal's coefficient
	s     string // text, bytes, a long decimal's digits, the Row of a nested value's parts
}

// Null is the null of every type.
var Null Value

// NewBoolean returns a BOOLEAN.
func NewBoolean(b bool) Value {
	if b {
		return Value{kind: KindBoolean, n: 1}
	}
	return Value{kind: KindBoolean}
}

// NewInt returns an INTEGER.
func NewInt(i int32) Value { return Value{kind: KindInt, n: uint64(int64(i))} }

// NewBigint returns a BIGINT.
func NewBigint(i int64) Value { return Value{kind: KindBigint, n: uint64(i)} }

// NewDouble returns a DOUBLE.
func NewDouble(f float64) Value { return Value{kind: KindDouble, n: math.Float64bits(f)} }

// FromDecimal returns a DECIMAL.
func FromDecimal(d Decimal) Value {
	return Value{kind: KindDecimal, neg: d.neg, scale: d.scale, n: d.coef, s: d.long}
}

// NewString returns a STRING.
func NewString(s string) Value { return Value{kind: KindString, s: s} }

// NewBytes returns BYTES; they are held in a string because values never change.
func NewBytes(b string) Value { return Value{kind: KindBytes, s: b} }

// NewDate returns a DATE, days since 1970-01-01.
func NewDate(days int64) Value { return Value{kind: KindDate, n: uint64(days)} }

// NewTime returns a TIME, ms since midnight.
func NewTime(ms int64) Value { return Value{kind: KindTime, n: uint64(ms)} }

// NewTimestamp returns a TIMESTAMP, ms since 1970-01-01T00:00:00Z.
func NewTimestamp(ms int64) Value { return Value{kind: KindTimestamp, n: uint64(ms)} }

// NewArray returns an ARRAY of the elements.
func NewArray(elems ...Value) Value { return nested(KindArray, elems) }

// NewStruct returns a STRUCT of its fields, in the order of the type.
func NewStruct(fields ...Value) Value { return nested(KindStruct, fields) }

func nested(k Kind, parts []Value) Value { return Value{kind: k, s: string(NewRow(parts...))} }

// An Entry is a key of a map and what belongs to it.
type Entry struct{ Key, Value Value }

// NewMap returns a MAP of the entries, which it orders by their keys. Of several with the same key the last counts. entries are changed.
func NewMap(entries ...Entry) Value {
	sortEntries(entries)
	parts := make([]Value, 0, 2*len(entries))
	for i, e := range entries {
		if i+1 < len(entries) && entries[i+1].Key == e.Key {
			continue
		}
		parts = append(parts, e.Key, e.Value)
	}
	return nested(KindMap, parts)
}

// FromRow returns a nested value whose parts are those of r: the elements of an array, the fields of a struct, the keys and values of a
// map by turns, in order of the keys.
func FromRow(k Kind, r Row) Value { return Value{kind: k, s: string(r)} }

// Kind returns the value's kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Boolean is a BOOLEAN's value; of null it is false.
func (v Value) Boolean() bool { return v.n != 0 && v.kind == KindBoolean }

// Int64 is the number in an INTEGER, BIGINT, DATE, TIME or TIMESTAMP.
func (v Value) Int64() int64 { return int64(v.n) }

// Double is a DOUBLE's value.
func (v Value) Double() float64 { return math.Float64frombits(v.n) }

// Decimal is a DECIMAL's value.
func (v Value) Decimal() Decimal {
	return Decimal{neg: v.neg, scale: v.scale, coef: v.n, long: v.s}
}

// Text is the text of a STRING, the bytes of BYTES.
func (v Value) Text() string { return v.s }

// Row has the parts of a nested value; see FromRow.
func (v Value) Row() Row { return Row(v.s) }

// Len is the number of an array's elements, a struct's fields or a map's entries.
func (v Value) Len() int {
	n := Row(v.s).Len()
	if v.kind == KindMap {
		n /= 2
	}
	return n
}

// Compare orders two values of one kind, or two numbers of any kinds. ok is false for null, nested values, and kinds that have no order
// between them. NaN is above all other numbers, as in Java.
func Compare(a, b Value) (order int, ok bool) {
	if a.kind == b.kind {
		return compareSame(a, b)
	}
	if !a.kind.IsNumber() || !b.kind.IsNumber() {
		return 0, false
	}
	switch {
	case a.kind == KindDouble || b.kind == KindDouble:
		return compareDoubles(a.AsDouble(), b.AsDouble()), true
	case a.kind == KindDecimal || b.kind == KindDecimal:
		return a.AsDecimal().Cmp(b.AsDecimal()), true
	default:
		return cmp.Compare(a.Int64(), b.Int64()), true
	}
}

func compareSame(a, b Value) (int, bool) {
	switch a.kind {
	case KindBoolean, KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		return cmp.Compare(a.Int64(), b.Int64()), true
	case KindDouble:
		return compareDoubles(a.Double(), b.Double()), true
	case KindDecimal:
		return a.Decimal().Cmp(b.Decimal()), true
	case KindString, KindBytes:
		return strings.Compare(a.s, b.s), true
	default:
		return 0, false
	}
}

// compareDoubles has -0 below 0, as Double.compare of Java.
func compareDoubles(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	x, y := math.Float64bits(a), math.Float64bits(b)
	if a != a {
		x = math.Float64bits(math.NaN())
	}
	if b != b {
		y = math.Float64bits(math.NaN())
	}
	return cmp.Compare(int64(x), int64(y))
}

// AsDouble is a number of any kind as a double.
func (v Value) AsDouble() float64 {
	switch v.kind {
	case KindDouble:
		return v.Double()
	case KindDecimal:
		return v.Decimal().Float64()
	default:
		return float64(v.Int64())
	}
}

// AsDecimal is an INTEGER, BIGINT or DECIMAL as a decimal.
func (v Value) AsDecimal() Decimal {
	if v.kind == KindDecimal {
		return v.Decimal()
	}
	return NewDecimal(v.Int64(), 0)
}
