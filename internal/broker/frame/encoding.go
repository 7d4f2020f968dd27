package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrShort marks a frame or checkpoint body that ends too early or holds an impossible count.
var ErrShort = errors.New("encoded value is cut off")

// AppendBytes appends b behind its uvarint length.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// AppendString appends s behind its uvarint length.
func AppendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendBool appends one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// A Decoder reads what the append functions wrote. After the first error it yields zero values; the caller looks at Err or End once.
type Decoder struct {
	B   []byte // what is left
	Err error  // the first error
}

// Fail makes the Decoder fail as if the value were cut off.
func (d *Decoder) Fail() {
	d.B, d.Err = nil, ErrShort
}

// Uvarint, Varint, Bytes, String and Bool read what their append functions wrote. Bytes alias the input.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.B)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.B = d.B[n:]
	return v
}

func (d *Decoder) Varint() int64 {
	v, n := binary.Varint(d.B)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.B = d.B[n:]
	return v
}

// Take returns the next n bytes; they alias the input.
func (d *Decoder) Take(n uint64) []byte {
	if n > uint64(len(d.B)) {
		d.Fail()
		return nil
	}
	out := d.B[:n:n]
	d.B = d.B[n:]
	return out
}

func (d *Decoder) Bytes() []byte  { return d.Take(d.Uvarint()) }
func (d *Decoder) String() string { return string(d.Bytes()) }

func (d *Decoder) Bool() bool {
	b := d.Take(1)
	return len(b) == 1 && b[0] != 0
}

// Count reads the length of a list whose elements take at least one byte each, so that a damaged length allocates nothing.
func (d *Decoder) Count() int {
	n := d.Uvarint()
	if n > uint64(len(d.B)) {
		d.Fail()
		return 0
	}
	return int(n)
}

// End returns the error of the whole, including bytes left over.
func (d *Decoder) End(what string) error {
	if d.Err == nil && len(d.B) > 0 {
		d.Err = fmt.Errorf("%d bytes are left over", len(d.B))
	}
	if d.Err != nil {
		return fmt.Errorf("decode %s: %w", what, d.Err)
	}
	return nil
}
