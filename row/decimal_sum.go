package row

import (
	"bytes"
	"math/big"
	"math/bits"
	"strconv"
)

// Add returns the exact sum, with the longer scale of the two: 1.50 + 0.5 is 2.00. A sum of more than MaxDecimalDigits digits
// is a panic with ErrDecimalRange; in the function of a pipeline's step a panic makes the record a bad record.
func (d Decimal) Add(other Decimal) Decimal {
	if sum, ok := d.addShort(other); ok {
		return sum
	}
	sum, err := d.addLong(other)
	if err != nil {
		panic(err)
	}
	return sum
}

// addShort adds what nearly all numbers are: those that fit into 64 bits, and so does their sum.
func (d Decimal) addShort(other Decimal) (Decimal, bool) {
	if d.long != "" || other.long != "" {
		return Decimal{}, false
	}
	if d.scale < other.scale {
		d, other = other, d
	}
	coef, ok := scaleUp(other.coef, d.scale-other.scale)
	if !ok {
		return Decimal{}, false
	}
	switch {
	case d.neg == other.neg:
		sum, carry := bits.Add64(d.coef, coef, 0)
		if carry != 0 {
			return Decimal{}, false
		}
		d.coef = sum
	case d.coef >= coef:
		d.coef -= coef
	default:
		d.coef, d.neg = coef-d.coef, other.neg
	}
	d.neg = d.neg && d.coef != 0
	return d, true
}

// scaleUp returns n × 10^by if it fits into 64 bits.
func scaleUp(n uint64, by uint16) (uint64, bool) {
	for ; by > 0 && n != 0; by-- {
		hi, lo := bits.Mul64(n, 10)
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

func (d Decimal) addLong(other Decimal) (Decimal, error) {
	a, aScale := d.unscaled()
	b, bScale := other.unscaled()
	if aScale < bScale {
		a, aScale, b, bScale = b, bScale, a, aScale
	}
	b.Mul(b, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(aScale-bScale)), nil))
	sum := a.Add(a, b)
	return decimalParts{neg: sum.Sign() < 0, whole: sum.Abs(sum).Append(nil, 10), exp: -aScale}.decimal()
}

// unscaled returns the number as an integer and how many of its digits stand behind the point.
func (d Decimal) unscaled() (*big.Int, int) {
	whole, frac, _ := bytes.Cut(d.append(nil), []byte("."))
	n, ok := new(big.Int).SetString(string(whole)+string(frac), 10)
	if !ok {
		panic("row: a Decimal that is no number")
	}
	return n, len(frac)
}

// Float64 is the double that is nearest to d.
func (d Decimal) Float64() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64) // beyond the range it is an infinity, as it should be
	return f
}
