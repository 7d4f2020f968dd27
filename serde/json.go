package serde

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// MaxJSONDepth is how deep objects and arrays may be nested in JSON that is read or written; the outermost is the first.
const MaxJSONDepth = jsontext.MaxDepth

// maxSharedText is the longest input, in bytes, that the strings of a decoded value may keep alive: up to here they are
// parts of one copy of the input (one allocation a record), above they are copied one by one.
const maxSharedText = 4 << 10

// A JSONAppender is a type that writes itself as one JSON scalar without an intermediate copy.
type JSONAppender interface {
	// AppendJSON appends one valid JSON value to dst. The text of its errors is shown and must not quote the value.
	AppendJSON(dst []byte) ([]byte, error)
}

// A JSONParser is a type that reads itself from one JSON scalar.
type JSONParser interface {
	// ParseJSON reads one string (with its quotes, escapes not resolved), number, true or false; null never gets here. It must
	// not keep token or change it. The text of its errors is shown and must not quote the token.
	ParseJSON(token []byte) error
}

// JSON returns the serde for T as JSON. T is examined here, once; keep the serde. A type that JSON cannot express (a channel,
// a function, a complex number) or a wrong `serde` tag is a mistake in the program and panics.
//
// The rules are encoding/json's, field tags included, with these differences:
//   - `serde:"required"` in a field's tag makes a missing or null field an error.
//   - A Validate() error method of T or of a struct within it is called after that value was read, and its error is returned.
//   - Of a name that comes twice the last counts, and counts alone: nothing is merged with the earlier one.
//   - null for a T that is no pointer, slice, map or interface is ErrNull. If T is a pointer, nil stands for null.
//   - Nothing is escaped for HTML. Depth is limited to MaxJSONDepth, also for output.
//   - A pointer's methods are found wherever the value stands; they must not keep the pointer, which is used again for the
//     next record. JSONAppender and JSONParser go before all others.
//
// Bytes behind the value and empty input are errors. All errors but ErrNull are of type *Error and quote no value; the texts
// of other packages' methods, which might, are left out.
func JSON[T any]() Serde[T] {
	typ := reflect.TypeFor[T]()
	s := &jsonSerde[T]{plan: compile(typ), null: typ.Kind() == reflect.Pointer}
	s.frames.New = func() any { return new(frame[T]) }
	return s
}

type jsonSerde[T any] struct {
	plan   plan
	null   bool
	frames sync.Pool // of *frame[T]
}

// A frame is where one call works. It lives on the heap so that the plan may point into it, and is reused.
type frame[T any] struct {
	v   T
	dec decoder
	enc encoder
}

func (s *jsonSerde[T]) HoldsNull() bool { return s.null }

func (s *jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	f := s.frames.Get().(*frame[T])
	f.v = v
	out, err := f.enc.run(s.plan, unsafe.Pointer(&f.v), dst)
	f.release(s)
	return out, err
}

func (s *jsonSerde[T]) Decode(b []byte) (T, error) {
	var v T
	if b == nil {
		if s.null {
			return v, nil
		}
		return v, ErrNull
	}
	f := s.frames.Get().(*frame[T])
	err := f.dec.run(s.plan, unsafe.Pointer(&f.v), b)
	if err == nil {
		v = f.v
	}
	f.release(s)
	return v, err
}

// release forgets what the frame refers to and gives it back.
func (f *frame[T]) release(s *jsonSerde[T]) {
	*f = frame[T]{}
	s.frames.Put(f)
}
