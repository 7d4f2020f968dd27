// Package cast turns values of one type into values of another, as CAST and implicit conversions do.
//
// Purpose: one table of which types can be turned into which, with the texts, roundings and overflows of Java.
//
// Callers and callees: expressions compile casts; functions use Text. It calls row, decimal and java.
//
// Owner and locks: a Func has no state and is safe from any goroutine.
//
// Format: text of a TIMESTAMP is "2018-03-04T10:20:30.500", of an ARRAY "[1, 2]", of a MAP "{a=1}", of a STRUCT "Struct{A=1,B=x}".
//
// Not here: which conversions happen by themselves (expr), literals, which convert more freely.
package cast

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// ErrUnsupported: there is no such cast.
var ErrUnsupported = errors.New("is not supported")

// A Func turns a value that is not null into one of another type. Its error says why this value has none.
type Func func(row.Value) (row.Value, error)

// Compile returns the cast between two types, nil if values stay as they are. from may be nil, the type of NULL. The error wraps
// ErrUnsupported.
func Compile(from, to *row.Type) (Func, error) {
	if from == nil || from.Equal(to) {
		return nil, nil
	}
	if f := pick(from, to); f != nil {
		return f, nil
	}
	if from.Kind == to.Kind && from.Kind.IsNested() {
		return nested(from, to)
	}
	//lint:ignore ST1005 users and tools know this sentence
	return nil, fmt.Errorf("Cast of %s to %s %w", from, to, ErrUnsupported)
}

// pick finds the casts between types without parts.
func pick(from, to *row.Type) Func {
	switch to.Kind {
	case row.KindString:
		if from.Kind == row.KindBytes {
			return nil
		}
		return func(v row.Value) (row.Value, error) { return row.NewString(Text(v, from)), nil }
	case row.KindBoolean:
		if from.Kind == row.KindString {
			return func(v row.Value) (row.Value, error) {
				b, _ := Boolean(v.Text())
				return row.NewBoolean(b), nil
			}
		}
	case row.KindInt:
		return toInt[from.Kind]
	case row.KindBigint:
		return toBigint[from.Kind]
	case row.KindDouble:
		return toDouble[from.Kind]
	case row.KindDecimal:
		return toDecimal(from, to)
	case row.KindDate, row.KindTime, row.KindTimestamp:
		return temporal[[2]row.Kind{from.Kind, to.Kind}]
	}
	return nil
}

// Boolean reads true, false, yes or no, or the start of one of them. ok is false for other texts.
func Boolean(text string) (value, ok bool) {
	text = strings.ToLower(java.Trim(text))
	for _, word := range []string{"true", "yes", "false", "no"} {
		if text != "" && strings.HasPrefix(word, text) {
			return word == "true" || word == "yes", true
		}
	}
	return false, false
}

var toInt = map[row.Kind]Func{
	row.KindBigint:  func(v row.Value) (row.Value, error) { return row.NewInt(int32(v.Int64())), nil },
	row.KindDouble:  func(v row.Value) (row.Value, error) { return row.NewInt(java.ToInt32(v.Double())), nil },
	row.KindDecimal: func(v row.Value) (row.Value, error) { return row.NewInt(int32(decimal.Int64(v.Decimal()))), nil },
	row.KindString: func(v row.Value) (row.Value, error) {
		n, err := strconv.ParseInt(java.Trim(v.Text()), 10, 32)
		if err != nil {
			return row.Null, invalid("INTEGER", v.Text())
		}
		return row.NewInt(int32(n)), nil
	},
}

var toBigint = map[row.Kind]Func{
	row.KindInt:     func(v row.Value) (row.Value, error) { return row.NewBigint(v.Int64()), nil },
	row.KindDouble:  func(v row.Value) (row.Value, error) { return row.NewBigint(java.ToInt64(v.Double())), nil },
	row.KindDecimal: func(v row.Value) (row.Value, error) { return row.NewBigint(decimal.Int64(v.Decimal())), nil },
	row.KindString: func(v row.Value) (row.Value, error) {
		n, err := strconv.ParseInt(java.Trim(v.Text()), 10, 64)
		if err != nil {
			return row.Null, invalid("BIGINT", v.Text())
		}
		return row.NewBigint(n), nil
	},
}

var toDouble = map[row.Kind]Func{
	row.KindInt:     func(v row.Value) (row.Value, error) { return row.NewDouble(float64(v.Int64())), nil },
	row.KindBigint:  func(v row.Value) (row.Value, error) { return row.NewDouble(float64(v.Int64())), nil },
	row.KindDecimal: func(v row.Value) (row.Value, error) { return row.NewDouble(v.Decimal().Float64()), nil },
	row.KindString: func(v row.Value) (row.Value, error) {
		f, err := java.ParseDouble(v.Text())
		if err != nil {
			return row.Null, invalid("DOUBLE", v.Text())
		}
		return row.NewDouble(f), nil
	},
}

func toDecimal(from, to *row.Type) Func {
	fit := func(d row.Decimal) (row.Value, error) {
		out, err := decimal.Fit(d, to)
		if err != nil {
			return row.Null, err
		}
		return row.FromDecimal(out), nil
	}
	switch from.Kind {
	case row.KindInt, row.KindBigint, row.KindDecimal:
		return func(v row.Value) (row.Value, error) { return fit(v.AsDecimal()) }
	case row.KindDouble:
		return func(v row.Value) (row.Value, error) {
			d, err := decimal.FromDouble(v.Double())
			if err != nil {
				return row.Null, invalid("DECIMAL", java.Double(v.Double()))
			}
			return fit(d)
		}
	case row.KindString:
		return func(v row.Value) (row.Value, error) {
			d, err := row.ParseDecimal(java.Trim(v.Text()))
			if err != nil {
				return row.Null, invalid("DECIMAL", v.Text())
			}
			return fit(d)
		}
	}
	return nil
}

const msPerDay = 24 * 60 * 60 * 1000

var temporal = map[[2]row.Kind]Func{
	{row.KindString, row.KindDate}: func(v row.Value) (row.Value, error) {
		days, err := datetime.Date(v.Text())
		if err != nil { // a timestamp's text has a date, too
			ms, err2 := datetime.Instant(v.Text())
			if err2 != nil {
				return row.Null, err
			}
			days = floorDiv(ms, msPerDay)
		}
		return row.NewDate(days), nil
	},
	{row.KindString, row.KindTime}: func(v row.Value) (row.Value, error) {
		ms, err := datetime.Time(v.Text())
		return row.NewTime(ms), err
	},
	{row.KindString, row.KindTimestamp}: func(v row.Value) (row.Value, error) {
		ms, err := datetime.Instant(v.Text())
		return row.NewTimestamp(ms), err
	},
	{row.KindTimestamp, row.KindDate}: func(v row.Value) (row.Value, error) {
		return row.NewDate(floorDiv(v.Int64(), msPerDay)), nil
	},
	{row.KindTimestamp, row.KindTime}: func(v row.Value) (row.Value, error) {
		return row.NewTime(v.Int64() - floorDiv(v.Int64(), msPerDay)*msPerDay), nil
	},
	{row.KindDate, row.KindTimestamp}: func(v row.Value) (row.Value, error) {
		return row.NewTimestamp(v.Int64() * msPerDay), nil
	},
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func invalid(typ, text string) error {
	return fmt.Errorf("invalid input syntax for type %s: %q", typ, text)
}

// nested casts the parts of arrays, maps and structs.
func nested(from, to *row.Type) (Func, error) {
	if from.Kind == row.KindStruct {
		return structs(from, to)
	}
	elem, err := Compile(from.Elem, to.Elem)
	if err != nil {
		return nil, err
	}
	if from.Kind == row.KindArray {
		return func(v row.Value) (row.Value, error) {
			r := v.Row()
			out := make([]row.Value, r.Len())
			for i := range out {
				part, err := apply(elem, r.At(i))
				if err != nil {
					return row.Null, err
				}
				out[i] = part
			}
			return row.NewArray(out...), nil
		}, nil
	}
	key, err := Compile(from.Key, to.Key)
	if err != nil {
		return nil, err
	}
	return func(v row.Value) (row.Value, error) {
		r := v.Row()
		out := make([]row.Entry, v.Len())
		for i := range out {
			k, err := apply(key, r.At(2*i))
			if err != nil {
				return row.Null, err
			}
			e, err := apply(elem, r.At(2*i+1))
			if err != nil {
				return row.Null, err
			}
			out[i] = row.Entry{Key: k, Value: e}
		}
		return row.NewMap(out...), nil
	}, nil
}

// structs keeps the fields that the target has too, by their names; others of the target are null.
func structs(from, to *row.Type) (Func, error) {
	source := make([]int, len(to.Fields))
	casts := make([]Func, len(to.Fields))
	for i, f := range to.Fields {
		source[i] = from.Field(f.Name)
		if source[i] < 0 {
			continue
		}
		var err error
		if casts[i], err = Compile(from.Fields[source[i]].Type, f.Type); err != nil {
			return nil, err
		}
	}
	return func(v row.Value) (row.Value, error) {
		r := v.Row()
		out := make([]row.Value, len(source))
		for i, s := range source {
			if s < 0 {
				continue
			}
			var err error
			if out[i], err = apply(casts[i], r.At(s)); err != nil {
				return row.Null, err
			}
		}
		return row.NewStruct(out...), nil
	}, nil
}

// apply casts a value that may be null by a cast that may be none.
func apply(f Func, v row.Value) (row.Value, error) {
	if f == nil || v.IsNull() {
		return v, nil
	}
	return f(v)
}
