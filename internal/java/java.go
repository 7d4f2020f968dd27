// Package java does what Java's core library does where users of ksqlDB see it: numbers and text as Java prints and counts them.
//
// Purpose: statements that were written for a server on the JVM give the same text here: doubles as Double.toString prints them, lengths
// and positions in UTF-16 units, URIs read as java.net.URI reads them.
//
// Callers and callees: casts, functions and formats of SQL call it; it calls the standard library only.
//
// Owner and locks: functions without state, safe from any goroutine.
//
// Format: doubles are "1.0", "1.0E7", "1.5E-4", "NaN", "Infinity"; a position is the index of a UTF-16 unit.
//
// Not here: patterns of dates and times (datetime), regular expressions (regex), decimals (sql/decimal).
package java

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// AppendDouble appends f as Double.toString prints it: plain from 10^-3 to below 10^7, else with an exponent, and always with a digit
// behind the point. The digits are the fewest that read back as f, except of whole numbers beyond 2^53, of which the JDK that ksqlDB runs
// on (17) prints some more.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		if !hasPoint(dst[start:]) {
			dst = append(dst, '.', '0')
		}
		return dst
	}
	if a := math.Abs(f); a > 1<<53 && a < 1<<63 {
		return appendWhole(dst, f)
	}
	var buf [32]byte
	b := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if !hasPoint(b) { // Java writes two digits, those nearest to the number
		b = strconv.AppendFloat(buf[:0], f, 'e', 1, 64)
	}
	return appendScientific(dst, b)
}

// appendWhole writes a whole number of more than 53 bits as JDK 17: all digits but those that the bits it lacks cannot tell.
func appendWhole(dst []byte, f float64) []byte {
	n := uint64(math.Abs(f))
	unit := uint64(1)
	if lacks := bits.Len64(n) - 55; lacks > 1 {
		for range lacks * 30103 / 100000 { // decimal digits in so many bits
			unit *= 10
		}
	}
	digits, rest := n/unit, n%unit
	if rest >= unit-rest && unit > 1 {
		digits++
	}
	var buf [32]byte
	b := strconv.AppendUint(buf[:0], digits, 10)
	exp := len(b) - 1 + len(strconv.FormatUint(unit, 10)) - 1
	b = bytes.TrimRight(b, "0")
	if f < 0 {
		dst = append(dst, '-')
	}
	dst = append(dst, b[0], '.')
	if dst = append(dst, b[1:]...); len(b) == 1 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(append(dst, 'E'), int64(exp), 10)
}

func hasPoint(b []byte) bool { return bytes.IndexByte(b, '.') >= 0 }

// appendScientific turns Go's "1.5e-07" into "1.5E-7" and "1.0e+21" into "1.0E21".
func appendScientific(dst, b []byte) []byte {
	e := bytes.IndexByte(b, 'e')
	dst = append(append(dst, b[:e]...), 'E')
	exp := b[e+1:]
	if exp[0] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, bytes.TrimLeft(exp[1:], "0")...)
}

// Double is AppendDouble as a string.
func Double(f float64) string {
	var buf [32]byte
	return string(AppendDouble(buf[:0], f))
}

// ParseDouble reads what Double.valueOf reads: Go's forms without underscores and hexadecimal integers, with a suffix d or f, and with
// spaces around.
func ParseDouble(s string) (float64, error) {
	t := strings.Trim(s, " \t\n\v\f\r\x00")
	switch t {
	case "NaN", "+NaN", "-NaN":
		return math.NaN(), nil
	case "Infinity", "+Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if strings.ContainsAny(t, "_xXiInNpP") {
		return 0, &strconv.NumError{Func: "ParseDouble", Num: s, Err: strconv.ErrSyntax}
	}
	if n := len(t); n > 1 && strings.IndexByte("dDfF", t[n-1]) >= 0 {
		t = t[:n-1]
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil && math.IsInf(f, 0) {
		return f, nil // beyond the range Java answers with an infinity
	}
	return f, err
}

// ToInt32 converts as the cast (int): the fraction is cut, NaN is 0, what is beyond the range is its end.
func ToInt32(f float64) int32 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt32:
		return math.MaxInt32
	case f <= math.MinInt32:
		return math.MinInt32
	}
	return int32(f)
}

// ToInt64 converts as the cast (long): the fraction is cut, NaN is 0, what is beyond the range is its end.
func ToInt64(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// Round rounds to the nearest whole number as Math.round: a half goes up, towards positive infinity.
func Round(f float64) int64 { return ToInt64(math.Floor(f + 0.5)) }

// Upper is toUpperCase.
func Upper(s string) string {
	if strings.Contains(s, "ß") {
		s = strings.ReplaceAll(s, "ß", "SS")
	}
	return strings.ToUpper(s)
}

// Trim is String.trim: everything up to the space is cut at both ends.
func Trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }
