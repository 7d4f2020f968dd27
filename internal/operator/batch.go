package operator

import (
	"reflect"
	"slices"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// Rows is what batches of all types have. Columns are indexed by the numbers in Sel; what else they hold is garbage. Steps that
// don't change a column hand on the same slice.
type Rows struct {
	Sel        []int32 // the rows, ascending
	Timestamps []record.Timestamp
	Headers    [][]record.Header // nil: no row has headers
	Origins    []Origin
}

// A Batch is a run of rows of a stream.
type Batch[K, V any] struct {
	Rows
	Keys       []K
	Values     []V
	KeyNulls   []bool // nil: no key is null, except those whose own type says so
	ValueNulls []bool // nil: no value is null, except those whose own type says so
	KeyBytes   Encoded[K]
	ValueBytes Encoded[V]
}

// Scratch is a value that is made when it is first needed and lasts until Rest: batches that are handed on are large, and most steps of a
// node with a thousand queries wait.
type Scratch[T any] struct{ of *T }

// Get returns the value; what it holds is as it was left.
func (s *Scratch[T]) Get() *T {
	if s.of == nil {
		s.of = new(T)
	}
	return s.of
}

// Rest gives the value up.
func (s *Scratch[T]) Rest() { s.of = nil }

// Changes is a run of updates of a table. A row that is in neither old nor new is a delete of an absent key.
type Changes[K, V any] struct {
	Rows
	Keys      []K
	New       []V
	NewAbsent []bool // nil: all are present
	HasOld    bool   // false: nothing is known about old values
	Old       []V
	OldAbsent []bool
	// Superseded marks updates of a versioned table that are older than the newest row of their key. Old is that newest row then, and
	// stays it. nil: the table is not versioned, and every update is the newest.
	Superseded []bool
	KeyBytes   Encoded[K]
	NewBytes   Encoded[V]
}

// Encoded is a column of bytes beside the column of values they were encoded from, and the serde that did it. A sink or store
// with the same serde uses them instead of encoding again. Bytes read from a topic never stand here, since decoding
// and encoding need not give the same bytes.
type Encoded[T any] struct {
	Bytes [][]byte       // nil: there are none. A nil element: null.
	By    serde.Serde[T] // from Identify
}

// From returns the column if the serde with this identity made it, else nil.
func (e Encoded[T]) From(id serde.Serde[T]) [][]byte {
	if e.Bytes == nil || id == nil || e.By != id {
		return nil
	}
	return e.Bytes
}

// FirstRows selects the rows 0 to n-1.
func FirstRows(n int) []int32 { return allRows[:n:n] }

var allRows = func() []int32 {
	rows := make([]int32, MaxRows)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}()

// Sized returns s with length n; what it holds is garbage.
func Sized[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return slices.Grow(s[:0], n)[:n]
}

// IsSet tells whether row i is marked in a column that may be nil.
func IsSet(nulls []bool, i int32) bool { return nulls != nil && nulls[i] }

// A type can hold null if it is a pointer or []byte, or has a method IsNull() bool. NullTest returns the test for such a type,
// nil for all others.
func NullTest[T any]() func(T) bool {
	if bytes, ok := any(isNilBytes).(func(T) bool); ok {
		return bytes
	}
	if rows, ok := any(row.Row.IsNull).(func(T) bool); ok {
		return rows // as an interface each would be allocated
	}
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer {
		var null T
		return func(v T) bool { return any(v) == any(null) }
	}
	if t.Implements(reflect.TypeFor[interface{ IsNull() bool }]()) {
		return func(v T) bool { return any(v).(interface{ IsNull() bool }).IsNull() }
	}
	return nil
}

func isNilBytes(b []byte) bool { return b == nil }

// Same tells whether two serdes of one type are interchangeable: equal by Go's ==. So two uses of serde.String are, and two uses
// of one variable; two serdes that were made by two calls are only if their type compares by content.
func Same[T any](a, b serde.Serde[T]) bool {
	id := Identify(a)
	return id != nil && id == Identify(b)
}

// Identify returns a serde by which others can be compared, nil when it can't be: comparing would panic. It is called once for an
// instance, == for every batch.
func Identify[T any](s serde.Serde[T]) serde.Serde[T] {
	if s == nil || !reflect.ValueOf(s).Comparable() {
		return nil
	}
	return s
}
