// Package column holds what the formats with schemas share about columns: how fields of a record meet them, how values become theirs, and
// how errors name them.
//
// Callers: the packages of the formats with schemas. It calls row.
//
// Owner and locks: functions without state.
//
// Format: none.
//
// Not here: bytes of any format.
package column

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/row"
)

// An Error says which column could not be read or written and why. It never quotes data.
type Error struct {
	Column string // with the fields below it: A->B; empty: the record
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Column == "" {
		return e.Reason
	}
	return "column " + e.Column + ": " + e.Reason
}

// Errorf is an error of the record or of the value at hand.
func Errorf(format string, args ...any) error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// At puts a column or a field in front of where an error happened.
func At(name string, err error) error {
	e := &Error{Reason: err.Error()}
	var inner *Error
	if errors.As(err, &inner) {
		*e = *inner
	}
	if e.Column != "" {
		name += "->" + e.Column
	}
	e.Column = name
	return e
}

// Is tells whether a column may be read from a field: from one with its name, or one whose name in upper case it is.
func Is(column, field string) bool { return field == column || strings.ToUpper(field) == column }

// An Index finds the fields of a record by the names of columns. It has looked at each field once, however many are looked for.
type Index struct{ exact, upper map[string]int }

// NewIndex returns that of n fields.
func NewIndex(n int, name func(int) string) Index {
	x := Index{exact: make(map[string]int, n), upper: make(map[string]int, n)}
	for i := range n {
		s := name(i)
		first(x.exact, s, i)
		first(x.upper, strings.ToUpper(s), i)
	}
	return x
}

func first(index map[string]int, name string, i int) {
	if _, known := index[name]; !known {
		index[name] = i
	}
}

// Named returns the first field of a name, -1: there is none.
func (x Index) Named(field string) int {
	if i, ok := x.exact[field]; ok {
		return i
	}
	return -1
}

// Find returns the field that a column is read from: the one with its name, otherwise the first whose name in upper case it is. -1: there is
// none.
func (x Index) Find(column string) int {
	if i := x.Named(column); i >= 0 {
		return i
	}
	if i, ok := x.upper[column]; ok {
		return i
	}
	return -1
}

// A Convert turns a value that is not null into one of another type.
type Convert func(row.Value) (row.Value, error)

// Converter returns how values of one scalar type become those of another: numbers may widen, numbers and times may stand for each other,
// and everything but bytes can become text. A nil Convert changes nothing.
func Converter(from, to *row.Type) (Convert, error) {
	switch {
	case from == nil || to == nil:
		return nil, Errorf("a type that is not known")
	case to.Kind == row.KindDecimal && (from.Kind == row.KindDecimal || from.Kind == row.KindInt || from.Kind == row.KindBigint):
		return fit(to), nil
	case from.Kind == to.Kind:
		return nil, nil
	case to.Kind == row.KindString && from.Kind != row.KindBytes && !from.Kind.IsNested():
		return func(v row.Value) (row.Value, error) { return row.NewString(Text(v)), nil }, nil
	case to.Kind == row.KindDouble && (from.Kind == row.KindInt || from.Kind == row.KindBigint):
		return func(v row.Value) (row.Value, error) { return row.NewDouble(float64(v.Int64())), nil }, nil
	}
	if widens(from.Kind, to.Kind) {
		return func(v row.Value) (row.Value, error) { return Integer(to.Kind, v.Int64()), nil }, nil
	}
	return nil, Errorf("%s cannot be read as %s", from, to)
}

// widens tells which whole numbers may stand for which.
func widens(from, to row.Kind) bool {
	switch from {
	case row.KindInt:
		return to == row.KindBigint || to == row.KindDate || to == row.KindTime
	case row.KindBigint:
		return to == row.KindTimestamp
	case row.KindDate, row.KindTime:
		return to == row.KindInt || to == row.KindBigint
	case row.KindTimestamp:
		return to == row.KindBigint
	default:
		return false
	}
}

// fit gives a number the scale of a decimal type. What would have to be rounded, or has too many digits, does not fit.
func fit(to *row.Type) Convert {
	return func(v row.Value) (row.Value, error) {
		d, ok := v.AsDecimal().Fit(to.Precision, to.Scale)
		if !ok {
			return row.Null, Errorf("a number that does not fit into %s without rounding", to)
		}
		return row.FromDecimal(d), nil
	}
}

// Integer returns a whole number as a value of the kind.
func Integer(k row.Kind, n int64) row.Value {
	switch k {
	case row.KindInt:
		return row.NewInt(int32(n))
	case row.KindDate:
		return row.NewDate(n)
	case row.KindTime:
		return row.NewTime(n)
	case row.KindTimestamp:
		return row.NewTimestamp(n)
	default:
		return row.NewBigint(n)
	}
}

// Text is a scalar as Java prints it.
func Text(v row.Value) string {
	switch v.Kind() {
	case row.KindString:
		return v.Text()
	case row.KindBoolean:
		return strconv.FormatBool(v.Boolean())
	case row.KindDouble:
		return string(java.AppendDouble(nil, v.Double()))
	case row.KindDecimal:
		text, _ := v.Decimal().AppendText(nil)
		return string(text)
	default:
		return strconv.FormatInt(v.Int64(), 10)
	}
}
