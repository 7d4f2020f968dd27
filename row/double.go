package row

import (
	"math"
	"strconv"
)

// AppendDouble appends a double as Java prints it (Double.toString): with at least one digit behind the point, and with an exponent below
// 10^-3 and from 10^7 on.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0.0"...)
		}
		return append(dst, "0.0"...)
	}
	if size := math.Abs(f); size >= 1e-3 && size < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	return appendScientific(dst, f)
}

// appendScientific writes 1.0E7 where strconv writes 1e+07.
func appendScientific(dst []byte, f float64) []byte {
	var text [32]byte
	s := strconv.AppendFloat(text[:0], f, 'e', -1, 64)
	e, point := 0, false
	for s[e] != 'e' {
		point = point || s[e] == '.'
		e++
	}
	start := len(dst)
	dst = append(dst, s[:e]...)
	if !point { // Java writes two digits, those nearest to the number
		s = strconv.AppendFloat(text[:0], f, 'e', 1, 64)
		e += 2
		dst = append(dst[:start], s[:e]...)
	}
	dst = append(dst, 'E')
	exp := s[e+1:]
	if exp[0] == '-' {
		dst = append(dst, '-')
	}
	exp = exp[1:]
	for len(exp) > 1 && exp[0] == '0' {
		exp = exp[1:]
	}
	return append(dst, exp...)
}
