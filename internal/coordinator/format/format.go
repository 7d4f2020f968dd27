// Package format holds the fields that coordinator records are made of: varints, strings, byte strings and framed records.
//
// Packages group and txn write their records with the Append functions and read them back with a Reader.
// It owns nothing and takes no lock: a Reader is a value for one goroutine and one record.
// Numbers are varints of encoding/binary; strings and bytes carry their uvarint length in front; a frame is a record with its
// uvarint length in front. See docs/format/coordinator.md.
// It does not know what a record means, nor checksums: the journal that carries the records has those.
package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed marks bytes that no writer of this package produced.
var ErrMalformed = errors.New("malformed coordinator record")

// AppendString appends s with its length.
func AppendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendBytes appends b with its length. Nil and empty are written alike.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// Frames calls f with every framed record of b in order; the records alias b. It stops at the first error.
func Frames(b []byte, f func(rec []byte) error) error {
	r := NewReader(b)
	for i := 0; r.Len() > 0; i++ {
		rec := r.take(r.Uvarint())
		if r.err != nil {
			return fmt.Errorf("frame %d: %w", i, r.err)
		}
		if err := f(rec); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return nil
}

// A Reader takes a record apart. After the first error every method returns the zero value; look at End once.
type Reader struct {
	b   []byte
	err error
}

// NewReader returns a Reader of b, which it does not change. Strings and bytes it returns are copies.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Len is the number of bytes not read yet.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes the record malformed for a reason that only the caller can see; the first reason stays.
func (r *Reader) Fail(reason string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, reason)
	}
	r.b = nil
}

// Failed reports whether the record has turned out malformed.
func (r *Reader) Failed() bool { return r.err != nil }

// End returns the first error, which bytes left over are too.
func (r *Reader) End() error {
	if len(r.b) > 0 {
		r.Fail(fmt.Sprintf("%d bytes left over", len(r.b)))
	}
	return r.err
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail("cut off")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Uvarint reads an unsigned number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Varint reads a signed number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a signed number that must lie in [low, high].
func (r *Reader) Int(low, high int64) int64 {
	v := r.Varint()
	if v < low || v > high {
		r.Fail(fmt.Sprintf("number %d outside [%d, %d]", v, low, high))
		return 0
	}
	return v
}

// Int32 reads a signed number of 32 bits.
func (r *Reader) Int32() int32 { return int32(r.Int(math.MinInt32, math.MaxInt32)) }

// String reads a string.
func (r *Reader) String() string { return string(r.take(r.Uvarint())) }

// Bytes reads a byte string; an empty one is nil.
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.take(r.Uvarint())...) }

// Count reads how many elements follow. An element takes minSize bytes at least, so that a count can never make the caller
// reserve more than a small multiple of the record's own size.
func (r *Reader) Count(minSize int) int {
	n := r.Uvarint()
	if n > uint64(len(r.b)/minSize) {
		r.Fail(fmt.Sprintf("%d elements in %d bytes", n, len(r.b)))
		return 0
	}
	return int(n)
}

func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.Fail("cut off")
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}
