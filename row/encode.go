package row

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Row is some values in a fixed order, as bytes: see docs/format/row.md. Reading one of them costs the same wherever it stands. The
// empty Row is no row at all (a table's deleted row); a row of no values has bytes. Rows are == when their values are.
type Row string

// ErrRow: the bytes are not a Row.
var ErrRow = errors.New("bytes are not a row")

// NewRow returns the row of the values.
func NewRow(values ...Value) Row {
	var b Builder
	for _, v := range values {
		b.Add(v)
	}
	return b.Row()
}

// IsNull tells the absent row.
func (r Row) IsNull() bool { return r == "" }

// Len is the number of values.
func (r Row) Len() int {
	if r == "" {
		return 0
	}
	return int(r.number(1))
}

// number reads the number at byte i in the row's width.
func (r Row) number(i int) uint32 {
	switch r[0] {
	case 1:
		return uint32(r[i])
	case 2:
		return uint32(r[i]) | uint32(r[i+1])<<8
	default:
		return uint32(r[i]) | uint32(r[i+1])<<8 | uint32(r[i+2])<<16 | uint32(r[i+3])<<24
	}
}

// At returns the i-th value, from 0. Its text is a part of the row's bytes.
func (r Row) At(i int) Value {
	s := r.part(i)
	if len(s) == 0 {
		return Null
	}
	return read(s)
}

// part returns the bytes of the i-th value.
func (r Row) part(i int) string {
	w := int(r[0])
	base := 1 + w + w*int(r.number(1))
	from := 0
	if i > 0 {
		from = int(r.number(1 + w*i))
	}
	return string(r[base+from : base+int(r.number(1+w*(i+1)))])
}

// Values returns all values.
func (r Row) Values() []Value {
	out := make([]Value, r.Len())
	for i := range out {
		out[i] = r.At(i)
	}
	return out
}

// Check verifies bytes from outside: every other method trusts the row.
func Check(b []byte) error { return check(string(b), 0) }

// maxDepth bounds nested values in rows from outside.
const maxDepth = 200

func check(s string, depth int) error {
	if s == "" || depth > maxDepth {
		return ErrRow
	}
	w := int(s[0])
	if w != 1 && w != 2 && w != 4 || len(s) < 1+w {
		return ErrRow
	}
	r := Row(s)
	n := int64(r.number(1))
	base := 1 + int64(w) + int64(w)*n
	if base > int64(len(s)) {
		return ErrRow
	}
	end := uint32(0)
	for i := range int(n) {
		next := r.number(1 + w*(i+1))
		if next < end || base+int64(next) > int64(len(s)) {
			return ErrRow
		}
		end = next
	}
	if base+int64(end) != int64(len(s)) {
		return ErrRow
	}
	for i := range int(n) {
		if err := checkValue(r.part(i), depth); err != nil {
			return fmt.Errorf("value %d: %w", i, err)
		}
	}
	return nil
}

func checkValue(s string, depth int) error {
	if s == "" {
		return nil
	}
	size := len(s) - 1
	ok := true
	switch k := Kind(s[0]); k {
	case KindBoolean, KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		ok = size <= 8
	case KindDouble:
		ok = size == 8
	case KindDecimal:
		ok = size >= 3 && (s[3] <= negativeDecimal && size <= 11 || isLong(s[3:]))
	case KindString, KindBytes:
	case KindArray, KindMap, KindStruct:
		return check(s[1:], depth+1)
	default:
		ok = false
	}
	if !ok {
		return ErrRow
	}
	return nil
}

// isLong tells whether flags and text are those of a long decimal.
func isLong(s string) bool {
	d, err := ParseDecimal(s[1:])
	return s[0]&^negativeDecimal == longDecimal && err == nil && d.long == s[1:] && !d.neg
}

// Flags of a decimal.
const (
	negativeDecimal = 1
	longDecimal     = 2
)

func read(s string) Value {
	v := Value{kind: Kind(s[0])}
	switch v.kind {
	case KindBoolean:
		v.n = unpack(s[1:])
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		n := unpack(s[1:])
		v.n = n>>1 ^ -(n & 1)
	case KindDouble:
		v.n = unpack(s[1:])
	case KindDecimal:
		v.scale = uint16(s[1]) | uint16(s[2])<<8
		v.neg = s[3]&negativeDecimal != 0
		if s[3]&longDecimal != 0 {
			v.s = s[4:]
		} else {
			v.n = unpack(s[4:])
		}
	default:
		v.s = s[1:]
	}
	return v
}

// unpack reads a little-endian number without its leading zeros.
func unpack(s string) (n uint64) {
	for i := len(s) - 1; i >= 0; i-- {
		n = n<<8 | uint64(s[i])
	}
	return n
}

// A Builder makes rows. Its zero value is ready; it keeps its memory from row to row and belongs to one goroutine.
type Builder struct {
	ends []uint32
	data []byte
}

// Reset forgets what was added.
func (b *Builder) Reset() { b.ends, b.data = b.ends[:0], b.data[:0] }

// Len is the number of values added so far.
func (b *Builder) Len() int { return len(b.ends) }

func (b *Builder) end() { b.ends = append(b.ends, uint32(len(b.data))) }

// Add adds a value.
func (b *Builder) Add(v Value) {
	if v.kind != KindNull {
		b.data = appendValue(b.data, v)
	}
	b.end()
}

// AddNull adds a null.
func (b *Builder) AddNull() { b.end() }

// AddText adds a STRING or BYTES that is copied from text.
func (b *Builder) AddText(k Kind, text []byte) {
	b.data = append(append(b.data, byte(k)), text...)
	b.end()
}

// AddFrom adds the i-th value of a row as it is.
func (b *Builder) AddFrom(r Row, i int) {
	b.data = append(b.data, r.part(i)...)
	b.end()
}

// AddAll adds all values of a row.
func (b *Builder) AddAll(r Row) {
	for i := range r.Len() {
		b.AddFrom(r, i)
	}
}

func appendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case KindBoolean:
		return appendNumber(dst, v.n)
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		return appendNumber(dst, v.n<<1^uint64(int64(v.n)>>63))
	case KindDouble:
		return binary.LittleEndian.AppendUint64(dst, v.n)
	case KindDecimal:
		flags := byte(0)
		if v.neg {
			flags = negativeDecimal
		}
		if v.s != "" {
			return append(append(dst, byte(v.scale), byte(v.scale>>8), flags|longDecimal), v.s...)
		}
		return appendNumber(append(dst, byte(v.scale), byte(v.scale>>8), flags), v.n)
	default:
		return append(dst, v.s...)
	}
}

func appendNumber(dst []byte, n uint64) []byte {
	for ; n != 0; n >>= 8 {
		dst = append(dst, byte(n))
	}
	return dst
}

// Row returns the row of what was added, and resets b.
func (b *Builder) Row() Row {
	w := 4
	switch largest := max(len(b.data), len(b.ends)); {
	case largest < 1<<8:
		w = 1
	case largest < 1<<16:
		w = 2
	}
	var out strings.Builder
	out.Grow(1 + w + w*len(b.ends) + len(b.data))
	var head [64]byte
	h := appendWidth(append(head[:0], byte(w)), w, uint32(len(b.ends)))
	for _, end := range b.ends {
		if len(h)+w > len(head) {
			out.Write(h)
			h = head[:0]
		}
		h = appendWidth(h, w, end)
	}
	out.Write(h)
	out.Write(b.data)
	b.Reset()
	return Row(out.String())
}

func appendWidth(dst []byte, w int, n uint32) []byte {
	switch w {
	case 1:
		return append(dst, byte(n))
	case 2:
		return append(dst, byte(n), byte(n>>8))
	default:
		return append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
}

// sortEntries orders entries by kind and value of their keys; equal keys keep their order.
func sortEntries(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if order, ok := Compare(a.Key, b.Key); ok {
			return order
		}
		return strings.Compare(a.Key.s, b.Key.s)
	})
}
