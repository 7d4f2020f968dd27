package row

import (
	"math/big"
	"math/bits"
)

// DecimalFromBig returns unscaled with its last scale digits behind the point. ErrDecimalRange: it has too many digits.
func DecimalFromBig(unscaled *big.Int, scale int) (Decimal, error) {
	return decimalParts{neg: unscaled.Sign() < 0, whole: new(big.Int).Abs(unscaled).Append(nil, 10), exp: -scale}.decimal()
}

// Big returns the number as an integer and how many of its digits stand behind the point.
func (d Decimal) Big() (unscaled *big.Int, scale int) { return d.unscaled() }

// Scale is the number of digits behind the point.
func (d Decimal) Scale() int {
	if d.long == "" {
		return int(d.scale)
	}
	_, scale := d.unscaled()
	return scale
}

// Fit gives d exactly scale digits behind the point. ok is false if digits other than zeros would be lost, or if it has more than precision
// digits then.
func (d Decimal) Fit(precision, scale int) (fitted Decimal, ok bool) {
	if fitted, ok, known := d.fitShort(precision, scale); known {
		return fitted, ok
	}
	return d.fitLong(precision, scale)
}

func (d Decimal) fitLong(precision, scale int) (fitted Decimal, ok bool) {
	n, have := d.unscaled()
	ten := big.NewInt(10)
	switch {
	case have < scale:
		n.Mul(n, new(big.Int).Exp(ten, big.NewInt(int64(scale-have)), nil))
	case have > scale:
		var rest big.Int
		if n.QuoRem(n, new(big.Int).Exp(ten, big.NewInt(int64(have-scale)), nil), &rest); rest.Sign() != 0 {
			return Decimal{}, false
		}
	}
	if n.CmpAbs(new(big.Int).Exp(ten, big.NewInt(int64(precision)), nil)) >= 0 {
		return Decimal{}, false
	}
	fitted, err := DecimalFromBig(n, scale)
	return fitted, err == nil
}

// powers are those of ten that fit into 64 bits.
var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// fitShort is Fit without big numbers; known is false where they are needed.
func (d Decimal) fitShort(precision, scale int) (fitted Decimal, ok, known bool) {
	shift := scale - int(d.scale)
	if d.long != "" || precision < 0 || scale < 0 || shift >= len(powers) || -shift >= len(powers) {
		return Decimal{}, false, false
	}
	coef := d.coef
	if shift < 0 {
		if coef%powers[-shift] != 0 {
			return Decimal{}, false, true
		}
		coef /= powers[-shift]
	} else {
		high, low := bits.Mul64(coef, powers[shift])
		if high != 0 {
			return Decimal{}, false, false
		}
		coef = low
	}
	if precision < len(powers) && coef >= powers[precision] {
		return Decimal{}, false, true
	}
	return Decimal{coef: coef, scale: uint16(scale), neg: d.neg}, scale < MaxDecimalDigits, scale < MaxDecimalDigits
}

// Wrapped is the low 64 bits of the whole part, as Java's longValue.
func (d Decimal) Wrapped() int64 {
	n, scale := d.unscaled()
	n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	negative := n.Sign() < 0
	low := n.Abs(n).And(n, new(big.Int).SetUint64(1<<64-1)).Uint64()
	if negative {
		return -int64(low)
	}
	return int64(low)
}
