package operator

import (
	"reflect"

	"github.com/mainstemio/mainstem/serde"
)

// A type can hold null if it is a pointer or []byte, or has a method IsNull() bool. NullTest returns the test for such a type,
// nil for all others.
func NullTest[T any]() func(T) bool {
	if bytes, ok := any(isNilBytes).(func(T) bool); ok {
		return bytes
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
