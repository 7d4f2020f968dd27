// Package flat writes Go values as bytes without pointers and reads them back, so that millions of them can be kept where the
// garbage collector has nothing to look at.
//
// Callers: package store, for the resident rows. It calls nothing.
//
// Owner and locks: a Codec is immutable and may be used from any goroutine.
//
// Format: the value's memory in the order of its fields. Runs of fields without pointers are copied as they are; a string and a
// slice are a length (uvarint; a slice's is one more, 0 is nil) and their contents, a pointer is 0 (nil) or 1 and what it points
// to, a time.Time is its zone, seconds and nanoseconds. The bytes mean something in the process that wrote them only.
//
// Not here: anything durable (that is a serde's), maps, interfaces, functions and channels.
package flat

import (
	"reflect"
	"unsafe"
)

// A Codec writes and reads values of one type.
type Codec[T any] struct {
	plan   plan
	copied bool
}

// Of returns the codec of T; ok is false when a T holds what has no flat form: a map, an interface, a function, a channel, an
// unsafe pointer, a pointer in an unexported field (which may mean more than what it points to), or a type that contains itself.
func Of[T any]() (c *Codec[T], ok bool) {
	p, ok := compile(reflect.TypeFor[T]())
	return &Codec[T]{plan: p, copied: p.copied()}, ok
}

// Append appends *v to dst. It does not change or keep *v, which may share memory within itself: what is read back does not.
func (c *Codec[T]) Append(dst []byte, v *T) []byte { return c.plan.append(dst, unsafe.Pointer(v)) }

// Read sets *v, which must be zero, to the value that Append wrote as b. Strings and byte slices of *v are parts of b, which must
// not change any more, unless Copied; everything else is new.
func (c *Codec[T]) Read(b []byte, v *T) { c.plan.read(b, unsafe.Pointer(v)) }

// Copied tells that nothing that was read is a part of the bytes it was read from.
func (c *Codec[T]) Copied() bool { return c.copied }
