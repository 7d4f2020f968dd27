package serde

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/mainstemio/mainstem/internal/jsontext"
)

// text reads the string literal at i.
func (d *decoder) text(to *string, i int) int {
	if end := jsontext.PlainStringEnd(d.b, i); end > 0 {
		*to = d.keep(d.b[i+1 : end-1])
		return end
	}
	raw, next := d.unescaped(i)
	if next >= 0 {
		*to = d.keep(raw)
	}
	return next
}

// keep makes a string of a part of d.b or of what unescaped returned.
func (d *decoder) keep(part []byte) string {
	if d.owned {
		return unsafe.String(unsafe.SliceData(part), len(part))
	}
	return string(part)
}

// unescaped returns what the string literal at i stands for: a part of d.b, or new bytes.
func (d *decoder) unescaped(i int) (text []byte, next int) {
	end, escaped, ascii, reason := jsontext.ScanString(d.b, i+1)
	if reason != "" {
		return nil, d.fail(end, reason)
	}
	raw := d.b[i+1 : end : end]
	valid := ascii || utf8.Valid(raw)
	switch {
	case valid && !escaped:
		return raw, end + 1
	case valid && d.owned:
		return jsontext.Unescape(raw[:0], raw), end + 1
	}
	return jsontext.Unescape(make([]byte, 0, len(raw)), raw), end + 1
}

// magnitude reads the digits of a whole number at i, which is behind its sign.
func (d *decoder) magnitude(n *node, start, i int) (size uint64, next int) {
	b := d.b
	first := i
	size, i, fits := jsontext.Digits(b, first)
	if !fits {
		return 0, d.fail(start, reasonRange)
	}
	switch {
	case i == first && i > start:
		return 0, d.at(jsontext.BadNumber(b, i))
	case i == first:
		return 0, d.mismatch(n, i)
	case b[first] == '0' && i > first+1:
		return 0, d.fail(first, "number with a leading zero")
	case i < len(b) && (b[i] == '.' || b[i] == 'e' || b[i] == 'E'):
		return 0, d.fail(start, "not a whole number")
	}
	return size, i
}

func (d *decoder) int(n *node, p unsafe.Pointer, i int) int {
	start, neg := i, d.b[i] == '-'
	if neg {
		i++
	}
	size, i := d.magnitude(n, start, i)
	if i < 0 {
		return i
	}
	limit := uint64(1) << (n.size*8 - 1) // the size of the smallest number
	if size > limit || size == limit && !neg {
		return d.fail(start, reasonRange)
	}
	v := int64(size)
	if neg {
		v = -v
	}
	switch n.size {
	case 8:
		*(*int64)(p) = v
	case 4:
		*(*int32)(p) = int32(v)
	case 2:
		*(*int16)(p) = int16(v)
	default:
		*(*int8)(p) = int8(v)
	}
	return i
}

func (d *decoder) uint(n *node, p unsafe.Pointer, i int) int {
	start := i
	if d.b[i] == '-' {
		if i = d.number(i); i >= 0 {
			i = d.fail(start, reasonRange)
		}
		return i
	}
	size, i := d.magnitude(n, start, i)
	if i < 0 {
		return i
	}
	if n.size < 8 && size>>(n.size*8) != 0 {
		return d.fail(start, reasonRange)
	}
	switch n.size {
	case 8:
		*(*uint64)(p) = size
	case 4:
		*(*uint32)(p) = uint32(size)
	case 2:
		*(*uint16)(p) = uint16(size)
	default:
		*(*uint8)(p) = uint8(size)
	}
	return i
}

func (d *decoder) float(n *node, p unsafe.Pointer, i int) int {
	if c := d.b[i]; c != '-' && c-'0' > 9 {
		return d.mismatch(n, i)
	}
	end := d.number(i)
	if end < 0 {
		return end
	}
	text := d.b[i:end]
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), int(n.size)*8)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return d.fail(i, reasonRange)
	case err != nil:
		return d.fail(i, "not a number")
	case n.size == 8:
		*(*float64)(p) = v
	default:
		*(*float32)(p) = float32(v)
	}
	return end
}

func readInt(p unsafe.Pointer, size uintptr) int64 {
	switch size {
	case 8:
		return *(*int64)(p)
	case 4:
		return int64(*(*int32)(p))
	case 2:
		return int64(*(*int16)(p))
	}
	return int64(*(*int8)(p))
}

func readUint(p unsafe.Pointer, size uintptr) uint64 {
	switch size {
	case 8:
		return *(*uint64)(p)
	case 4:
		return uint64(*(*uint32)(p))
	case 2:
		return uint64(*(*uint16)(p))
	}
	return uint64(*(*uint8)(p))
}

func readFloat(p unsafe.Pointer, size uintptr) float64 {
	if size == 8 {
		return *(*float64)(p)
	}
	return float64(*(*float32)(p))
}

// appendFloat writes v, which is finite, as encoding/json does: as ECMAScript writes numbers.
func appendFloat(dst []byte, v float64, bitSize int) []byte {
	format := byte('f')
	if size := math.Abs(v); size != 0 {
		if bitSize == 64 && (size < 1e-6 || size >= 1e21) || bitSize == 32 && (float32(size) < 1e-6 || float32(size) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, v, format, -1, bitSize)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 is written e-9
		dst = dst[:n-1]
	}
	return dst
}
