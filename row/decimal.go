package row

import (
	"cmp"
	"errors"
	"math/bits"
	"strconv"
)

// MaxDecimalDigits is the longest Decimal: the digits of its plain notation, before and after the point together.
const MaxDecimalDigits = 1000

// maxDecimalText bounds the text that is looked at: every digit written out, a sign, a point and an exponent, and as many
// superfluous zeros again.
const maxDecimalText = 2*MaxDecimalDigits + 16

var (
	// ErrDecimalSyntax: the text is no decimal number.
	ErrDecimalSyntax = errors.New("not a decimal number")
	// ErrDecimalRange: the number has more than MaxDecimalDigits digits in plain notation.
	ErrDecimalRange = errors.New("decimal number with more than " + strconv.Itoa(MaxDecimalDigits) + " digits")
)

// A Decimal is an exact decimal number that keeps its scale: 1.50 stays 1.50. The zero value is 0.
//
// Decimals are comparable. With == two are the same when they are written the same (1.5 == 1.50 is false), which is what a
// redelivered record needs; Equal and Cmp go by the number. There is one zero for each scale and no negative one.
type Decimal struct {
	// long is the canonical text of a number whose coefficient does not fit into coef; then the other fields are zero.
	// A coefficient that fits is never kept here, so that == compares what is written.
	long  string
	coef  uint64
	scale uint16
	neg   bool
}

// NewDecimal returns unscaled with its last scale digits behind the point: NewDecimal(150, 2) is 1.50.
func NewDecimal(unscaled int64, scale uint8) Decimal {
	if unscaled < 0 {
		return Decimal{coef: -uint64(unscaled), scale: uint16(scale), neg: true}
	}
	return Decimal{coef: uint64(unscaled), scale: uint16(scale)}
}

// ParseDecimal reads a number: an optional sign, digits with an optional point, an optional exponent. At least one digit is
// needed, superfluous leading zeros are dropped, spaces are not accepted. An exponent is written out: "1e3" is 1000, "1.5e-3"
// is 0.0015. The errors are ErrDecimalSyntax and ErrDecimalRange, which do not quote the text.
func ParseDecimal[T ~string | ~[]byte](text T) (Decimal, error) {
	return parseDecimal([]byte(text))
}

func parseDecimal(b []byte) (Decimal, error) {
	if d, ok := parseShort(b); ok {
		return d, nil
	}
	p, err := splitDecimal(b)
	if err != nil {
		return Decimal{}, err
	}
	return p.decimal()
}

// parseShort reads what nearly all numbers are: a sign, up to 19 digits and a point between two of them.
func parseShort(b []byte) (Decimal, bool) {
	var d Decimal
	if len(b) > 0 && b[0] == '-' {
		d.neg, b = true, b[1:]
	}
	if len(b) == 0 || len(b) > 20 {
		return Decimal{}, false
	}
	point := -1
	for i, c := range b {
		switch {
		case c-'0' <= 9:
			d.coef = d.coef*10 + uint64(c-'0')
		case c == '.' && point < 0 && i > 0 && i < len(b)-1:
			point = i
		default:
			return Decimal{}, false
		}
	}
	if point < 0 && len(b) == 20 {
		return Decimal{}, false // may not fit into 64 bits
	}
	if point >= 0 {
		d.scale = uint16(len(b) - 1 - point)
	}
	d.neg = d.neg && d.coef != 0
	return d, true
}

// decimalParts is a number in pieces: ±whole.frac × 10^exp, the digits as they stand in the text.
type decimalParts struct {
	neg   bool
	whole []byte
	frac  []byte
	exp   int
}

func splitDecimal(b []byte) (decimalParts, error) {
	var p decimalParts
	if len(b) > maxDecimalText {
		return p, ErrDecimalRange
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		p.neg, b = b[0] == '-', b[1:]
	}
	p.whole, b = digitRun(b)
	if len(b) > 0 && b[0] == '.' {
		p.frac, b = digitRun(b[1:])
	}
	if len(p.whole)+len(p.frac) == 0 {
		return p, ErrDecimalSyntax
	}
	if len(b) == 0 {
		return p, nil
	}
	if b[0] != 'e' && b[0] != 'E' {
		return p, ErrDecimalSyntax
	}
	var err error
	p.exp, err = exponent(b[1:])
	return p, err
}

func digitRun(b []byte) (run, rest []byte) {
	i := 0
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return b[:i], b[i:]
}

// exponent reads a signed exponent. It is bounded here, before anything is expanded by it.
func exponent(b []byte) (int, error) {
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg, b = b[0] == '-', b[1:]
	}
	run, rest := digitRun(b)
	if len(run) == 0 || len(rest) != 0 {
		return 0, ErrDecimalSyntax
	}
	n := 0
	for _, c := range run {
		if n = n*10 + int(c-'0'); n > maxDecimalText {
			return 0, ErrDecimalRange
		}
	}
	if neg {
		n = -n
	}
	return n, nil
}

// decimal writes the exponent out and returns the canonical value.
func (p decimalParts) decimal() (Decimal, error) {
	digits := make([]byte, 0, 64)
	digits = append(append(digits, p.whole...), p.frac...)
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	scale := len(p.frac) - p.exp
	if scale < 0 {
		if len(digits) > 0 { // a zero stays a zero whatever it is multiplied by
			if len(digits)-scale > MaxDecimalDigits {
				return Decimal{}, ErrDecimalRange
			}
			for range -scale {
				digits = append(digits, '0')
			}
		}
		scale = 0
	}
	if max(len(digits), scale+1) > MaxDecimalDigits {
		return Decimal{}, ErrDecimalRange
	}
	neg := p.neg && len(digits) > 0
	if coef, ok := coefficient(digits); ok {
		return Decimal{coef: coef, scale: uint16(scale), neg: neg}, nil
	}
	return Decimal{long: string(appendPlain(nil, neg, digits, scale))}, nil
}

// coefficient returns the digits as a number if it fits into 64 bits.
func coefficient(digits []byte) (uint64, bool) {
	if len(digits) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		hi, lo := bits.Mul64(n, 10)
		sum, carry := bits.Add64(lo, uint64(c-'0'), 0)
		if hi != 0 || carry != 0 {
			return 0, false
		}
		n = sum
	}
	return n, true
}

// appendPlain writes digits, which have no leading zero, with scale of them behind the point.
func appendPlain(dst []byte, neg bool, digits []byte, scale int) []byte {
	if neg {
		dst = append(dst, '-')
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
		digits = digits[whole:]
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// IsZero reports whether the number is zero at any scale: 0.00 is.
func (d Decimal) IsZero() bool { return d.coef == 0 && d.long == "" }

// Sign returns -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.IsZero():
		return 0
	case d.neg || d.long != "" && d.long[0] == '-':
		return -1
	}
	return 1
}

// Equal reports whether both are the same number: 1.5 equals 1.50.
func (d Decimal) Equal(other Decimal) bool { return d.Cmp(other) == 0 }

// Cmp compares by number: -1 if d is the smaller, 1 if it is the greater, 0 if both are equal, whatever their scales.
func (d Decimal) Cmp(other Decimal) int {
	if d == other {
		return 0
	}
	sign := d.Sign()
	if other := other.Sign(); sign != other {
		if sign < other {
			return -1
		}
		return 1
	}
	return sign * d.cmpSize(other)
}

func (d Decimal) cmpSize(other Decimal) int {
	scale := max(d.scale, other.scale)
	if up, otherUp := int(scale-d.scale), int(scale-other.scale); d.long == "" && other.long == "" && max(up, otherUp) < len(powers) {
		high, low := bits.Mul64(d.coef, powers[up])
		otherHigh, otherLow := bits.Mul64(other.coef, powers[otherUp])
		return cmp.Or(cmp.Compare(high, otherHigh), cmp.Compare(low, otherLow))
	}
	var bufs [2][48]byte
	return cmpPlain(d.appendSize(bufs[0][:0]), other.appendSize(bufs[1][:0]))
}
