package row

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// A Row is some values in a fixed order, as bytes: see docs/format/row.md. Reading one of them costs the same wherever it stands. The
// empty Row is no row at all (a table's deleted row); a row of no values has bytes. Rows are == when their values are.
type Row string

// ErrRow: the bytes are not a Row.
var ErrRow = errors.New("bytes are not a row")

// NewRow returns the row of the values. It costs one allocation.
func NewRow(values ...Value) Row {
	var room [16]uint32
	ends, size := room[:0], 0
	for i := range values {
		size += values[i].size()
		ends = append(ends, uint32(size))
	}
	w := width(len(ends), size)
	out := appendHead(make([]byte, 0, 1+w+w*len(ends)+size), ends, 0, w)
	for i := range values {
		if v := &values[i]; v.kind != KindNull {
			out = appendValue(out, v)
		}
	}
	return done(out)
}

// width is that of a row of so many values with so many bytes.
func width(count, size int) int {
	switch largest := max(size, count); {
	case largest < 1<<8:
		return 1
	case largest < 1<<16:
		return 2
	}
	return 4
}

// appendHead appends what stands in front of values of which the first begins at from, in a width.
func appendHead(dst []byte, ends []uint32, from uint32, w int) []byte {
	start, size := len(dst), 1+w+w*len(ends)
	dst = slices.Grow(dst, size)[:start+size]
	dst[start] = byte(w)
	switch at := dst[start+1:]; w {
	case 1:
		at[0] = byte(len(ends))
		for i, end := range ends {
			at[1+i] = byte(end - from)
		}
	case 2:
		binary.LittleEndian.PutUint16(at, uint16(len(ends)))
		for i, end := range ends {
			binary.LittleEndian.PutUint16(at[2+2*i:], uint16(end-from))
		}
	default:
		binary.LittleEndian.PutUint32(at, uint32(len(ends)))
		for i, end := range ends {
			binary.LittleEndian.PutUint32(at[4+4*i:], end-from)
		}
	}
	return dst
}

// done is the row in bytes that nobody else has.
func done(b []byte) Row { return Row(unsafe.String(unsafe.SliceData(b), len(b))) }

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
func (r Row) At(i int) (v Value) {
	from, to := r.bounds(i)
	if from == to {
		return v
	}
	switch v.kind = Kind(r[from]); v.kind {
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		n := r.unpack(from+1, to)
		v.n = n>>1 ^ -(n & 1)
	case KindBoolean, KindDouble:
		v.n = r.unpack(from+1, to)
	case KindDecimal:
		v.scale = uint16(r[from+1]) | uint16(r[from+2])<<8
		v.neg = r[from+3]&negativeDecimal != 0
		if r[from+3]&longDecimal != 0 {
			v.s = string(r[from+4 : to])
		} else {
			v.n = r.unpack(from+4, to)
		}
	default:
		v.s = string(r[from+1 : to])
	}
	return v
}

// PartAt is At for most kinds, without a Value: n is what Value.Int64 returns for whole numbers and times, text what Value.Text does for
// texts, bytes and nested values. For the other kinds neither means anything.
func (r Row) PartAt(i int) (k Kind, text string, n int64) {
	from, to := r.bounds(i)
	if from == to {
		return KindNull, "", 0
	}
	switch k = Kind(r[from]); k {
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		z := r.unpack(from+1, to)
		return k, "", int64(z>>1 ^ -(z & 1))
	default:
		return k, string(r[from+1 : to]), 0
	}
}

// IsNullAt tells whether the i-th value is null.
func (r Row) IsNullAt(i int) bool {
	from, to := r.bounds(i)
	return from == to
}

// bounds returns where the bytes of the i-th value stand.
func (r Row) bounds(i int) (from, to int) {
	switch r[0] {
	case 1:
		base := 2 + int(r[1])
		if i > 0 {
			from = int(r[1+i])
		}
		return base + from, base + int(r[2+i])
	case 2:
		at := 3 + 2*i
		base := 3 + 2*(int(r[1])|int(r[2])<<8)
		if i > 0 {
			from = int(r[at-2]) | int(r[at-1])<<8
		}
		return base + from, base + (int(r[at]) | int(r[at+1])<<8)
	}
	base := 5 + 4*int(r.number(1))
	if i > 0 {
		from = int(r.number(1 + 4*i))
	}
	return base + from, base + int(r.number(5+4*i))
}

// part returns the bytes of the i-th value.
func (r Row) part(i int) string {
	from, to := r.bounds(i)
	return string(r[from:to])
}

// Repeats tells whether two of the values are the same, nulls too. It compares each with each: it is meant for few.
func (r Row) Repeats() bool {
	var room [16]string
	seen := room[:0]
	for i := range r.Len() {
		part := r.part(i)
		if slices.Contains(seen, part) {
			return true
		}
		seen = append(seen, part)
	}
	return false
}

// Slice returns the row of the values from one place to another, that one not included.
func (r Row) Slice(from, to int) Row {
	if from == 0 && to == r.Len() {
		return r
	}
	b := builders.Get().(*Builder)
	defer builders.Put(b)
	b.Reset()
	return b.around(b.addEnds(r, from, to, 0), "")
}

// Append appends all values to dst.
func (r Row) Append(dst []Value) []Value {
	for i := range r.Len() {
		dst = append(dst, r.At(i))
	}
	return dst
}

// Values returns all values.
func (r Row) Values() []Value {
	return r.Append(make([]Value, 0, r.Len()))
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

// unpack reads a little-endian number without its leading zeros, of at most 8 bytes.
func (r Row) unpack(from, to int) (n uint64) {
	if from+8 <= len(r) { // what stands behind the number is cut off
		return binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(string(r)), len(r))[from:]) & (1<<(8*(to-from)) - 1)
	}
	for i := to - 1; i >= from; i-- {
		n = n<<8 | uint64(r[i])
	}
	return n
}

// size is how many bytes appendValue appends, none for null.
func (v *Value) size() int {
	switch v.kind {
	case KindNull:
		return 0
	case KindBoolean:
		return 1 + numberSize(v.n)
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		return 1 + numberSize(zigzag(v.n))
	case KindDouble:
		return 9
	case KindDecimal:
		return 4 + numberSize(v.n) + len(v.s)
	default:
		return 1 + len(v.s)
	}
}

func zigzag(n uint64) uint64 { return n<<1 ^ uint64(int64(n)>>63) }

// numberSize is how many bytes appendNumber appends.
func numberSize(n uint64) int { return (bits.Len64(n) + 7) / 8 }

func appendValue(dst []byte, v *Value) []byte {
	switch v.kind {
	case KindBoolean:
		return appendNumber(append(dst, byte(v.kind)), v.n)
	case KindInt, KindBigint, KindDate, KindTime, KindTimestamp:
		return appendNumber(append(dst, byte(v.kind)), zigzag(v.n))
	case KindDouble:
		return binary.LittleEndian.AppendUint64(append(dst, byte(v.kind)), v.n)
	case KindDecimal:
		return append(appendNumber(appendDecimalHead(dst, v), v.n), v.s...)
	default:
		return append(append(dst, byte(v.kind)), v.s...)
	}
}

// appendDecimalHead appends what stands in front of a decimal's digits.
func appendDecimalHead(dst []byte, v *Value) []byte {
	flags := byte(0)
	if v.neg {
		flags = negativeDecimal
	}
	if v.s != "" {
		flags |= longDecimal
	}
	return append(dst, byte(v.kind), byte(v.scale), byte(v.scale>>8), flags)
}

func appendNumber(dst []byte, n uint64) []byte {
	if at := len(dst); at+8 <= cap(dst) {
		binary.LittleEndian.PutUint64(dst[at:at+8], n)
		return dst[:at+numberSize(n)]
	}
	for ; n != 0; n >>= 8 {
		dst = append(dst, byte(n))
	}
	return dst
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
