// Package decimal computes with DECIMAL values as ksqlDB does, which is as SQL Server and java.math.BigDecimal do.
//
// Purpose: the types of sums, products and quotients, and the numbers that belong to them.
//
// Callers and callees: casts, expressions and functions call it; numbers that fit into 64 bits are computed here, others by
// cockroachdb/apd.
//
// Owner and locks: functions without state.
//
// Format: a result always has the scale of its type; what does not fit is rounded half up, and is an error if digits before the point are
// too many.
//
// Not here: decimals as text (row), and functions such as ROUND (sql/function/numeric).
package decimal

import (
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/row"
)

var (
	// ErrOverflow: the number has more digits before the point than its type.
	//lint:ignore ST1005 users and tools know this sentence
	ErrOverflow = errors.New("Numeric field overflow")
	// ErrZero: something was divided by zero.
	ErrZero = errors.New("division by zero")
)

// Op is an arithmetic operation.
type Op uint8

// The operations.
const (
	Add Op = iota
	Sub
	Mul
	Div
	Rem
)

// Of is the type that a number takes among decimals: INTEGER is DECIMAL(10, 0), BIGINT is DECIMAL(19, 0). nil: it has none.
func Of(t *row.Type) *row.Type {
	switch {
	case t.Is(row.KindInt):
		return row.DecimalType(10, 0)
	case t.Is(row.KindBigint):
		return row.DecimalType(19, 0)
	case t.Is(row.KindDecimal):
		return t
	}
	return nil
}

// TypeOf is the smallest type of a literal: 1.50 is DECIMAL(3, 2), 0.05 is DECIMAL(3, 2).
func TypeOf(d row.Decimal) *row.Type {
	scale, digits := d.Scale(), 0
	text := d.String()
	for i := range len(text) {
		if text[i] == '.' {
			break
		}
		if text[i] != '-' {
			digits++
		}
	}
	return row.DecimalType(max(digits, 1)+scale, scale)
}

// Wider is the type that holds the values of both.
func Wider(a, b *row.Type) *row.Type {
	scale := max(a.Scale, b.Scale)
	return row.DecimalType(max(a.Precision-a.Scale, b.Precision-b.Scale)+scale, scale)
}

// Result is the type of a op b.
func Result(op Op, a, b *row.Type) *row.Type {
	switch op {
	case Mul:
		return row.DecimalType(a.Precision+b.Precision+1, a.Scale+b.Scale)
	case Div:
		scale := max(6, a.Scale+b.Precision+1)
		return row.DecimalType(a.Precision-a.Scale+b.Scale+scale, scale)
	case Rem:
		scale := max(a.Scale, b.Scale)
		return row.DecimalType(min(a.Precision-a.Scale, b.Precision-b.Scale)+scale, scale)
	default:
		w := Wider(a, b)
		w.Precision++
		return w
	}
}

// Compute returns a op b with the scale of the type t, rounded half up. The errors are ErrZero and ErrOverflow.
func Compute(op Op, a, b row.Decimal, t *row.Type) (row.Decimal, error) {
	if d, ok := computeShort(op, a, b, t.Scale); ok {
		return d, nil
	}
	return computeLong(op, a, b, t)
}

// computeShort computes where nothing exceeds 64 bits.
func computeShort(op Op, a, b row.Decimal, scale int) (row.Decimal, bool) {
	x, xs, ok := a.Short()
	y, ys, ok2 := b.Short()
	if !ok || !ok2 || scale > 18 {
		return row.Decimal{}, false
	}
	if op == Mul {
		hi := x * y
		if x != 0 && (hi/x != y || x == -1 && y == math.MinInt64) {
			return row.Decimal{}, false
		}
		return rescaleShort(hi, xs+ys, scale)
	}
	if op == Div {
		return divideShort(x, xs, y, ys, scale)
	}
	common := max(xs, ys)
	if x, ok = scaleUp(x, common-xs); !ok {
		return row.Decimal{}, false
	}
	if y, ok = scaleUp(y, common-ys); !ok {
		return row.Decimal{}, false
	}
	var r int64
	switch op {
	case Rem:
		if y == 0 {
			return row.Decimal{}, false
		}
		r = x % y
	case Sub:
		r = x - y
		if (x^y)&(x^r) < 0 {
			return row.Decimal{}, false
		}
	default:
		r = x + y
		if (x^r)&(y^r) < 0 {
			return row.Decimal{}, false
		}
	}
	return rescaleShort(r, common, scale)
}

func divideShort(x int64, xs int, y int64, ys, scale int) (row.Decimal, bool) {
	shift := scale + ys - xs
	if y == 0 || shift < 0 {
		return row.Decimal{}, false
	}
	x, ok := scaleUp(x, shift)
	if !ok || y == math.MinInt64 {
		return row.Decimal{}, false
	}
	q, r := x/y, x%y
	if r < 0 {
		r = -r
	}
	if size := max(y, -y); r >= size-r { // half or more: away from zero
		if (x < 0) == (y < 0) {
			q++
		} else {
			q--
		}
	}
	return row.NewDecimal(q, uint8(scale)), true
}

func scaleUp(n int64, by int) (int64, bool) {
	if n == 0 {
		return 0, true
	}
	for range by {
		if n > math.MaxInt64/10 || n < math.MinInt64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

func rescaleShort(n int64, from, to int) (row.Decimal, bool) {
	if to > math.MaxUint8 || from-to > 18 {
		return row.Decimal{}, false
	}
	if to >= from {
		n, ok := scaleUp(n, to-from)
		return row.NewDecimal(n, uint8(to)), ok
	}
	unit := int64(1)
	for range from - to {
		unit *= 10
	}
	q, r := n/unit, n%unit
	if r >= unit-r {
		q++
	} else if -r >= unit+r {
		q--
	}
	return row.NewDecimal(q, uint8(to)), true
}

func computeLong(op Op, a, b row.Decimal, t *row.Type) (row.Decimal, error) {
	var x, y, z apd.Decimal
	if err := parse(&x, a); err != nil {
		return row.Decimal{}, err
	}
	if err := parse(&y, b); err != nil {
		return row.Decimal{}, err
	}
	if (op == Div || op == Rem) && y.IsZero() {
		return row.Decimal{}, ErrZero
	}
	ctx := apd.BaseContext.WithPrecision(row.MaxDecimalDigits)
	ctx.Rounding = apd.RoundHalfUp
	var err error
	switch op {
	case Add:
		_, err = ctx.Add(&z, &x, &y)
	case Sub:
		_, err = ctx.Sub(&z, &x, &y)
	case Mul:
		_, err = ctx.Mul(&z, &x, &y)
	case Rem:
		_, err = ctx.Rem(&z, &x, &y)
	default:
		// Twice the digits of the answer: what is rounded again below cannot sit on a half by chance of the first rounding.
		ctx.Precision = uint32(min(2*(t.Precision+t.Scale)+int(x.NumDigits()+y.NumDigits())+4, row.MaxDecimalDigits))
		ctx.Rounding = apd.RoundDown
		_, err = ctx.Quo(&z, &x, &y)
	}
	if err != nil {
		return row.Decimal{}, fmt.Errorf("compute with decimals: %w", err)
	}
	return quantize(&z, t.Scale, apd.RoundHalfUp)
}

func parse(dst *apd.Decimal, d row.Decimal) error {
	if _, _, err := dst.SetString(d.String()); err != nil {
		return fmt.Errorf("read decimal: %w", err)
	}
	return nil
}

func quantize(z *apd.Decimal, scale int, mode apd.Rounder) (row.Decimal, error) {
	ctx := apd.BaseContext.WithPrecision(2 * row.MaxDecimalDigits)
	ctx.Rounding = mode
	if z.NumDigits() < -int64(scale)-int64(z.Exponent) && !z.IsZero() {
		return tiny(z, scale, mode)
	}
	if _, err := ctx.Quantize(z, z, -int32(scale)); err != nil {
		return row.Decimal{}, fmt.Errorf("%w: %w", ErrOverflow, err)
	}
	return row.ParseDecimal(z.Text('f'))
}

// tiny rounds what is below a tenth of the last place, which apd makes zero in every mode.
func tiny(z *apd.Decimal, scale int, mode apd.Rounder) (row.Decimal, error) {
	away := mode == apd.RoundUp || mode == apd.RoundCeiling && !z.Negative || mode == apd.RoundFloor && z.Negative
	switch {
	case !away:
		z.Coeff.SetInt64(0)
		scale = max(scale, 0)
	case -scale > row.MaxDecimalDigits:
		return row.Decimal{}, ErrOverflow
	default:
		z.Coeff.SetInt64(1)
	}
	z.Exponent = int32(-scale)
	return row.ParseDecimal(z.Text('f'))
}

// Round returns d with scale digits behind the point; the rounder is one of apd's (apd.RoundHalfUp, RoundDown, RoundFloor, RoundCeiling). A
// negative scale rounds digits before the point.
func Round(d row.Decimal, scale int, mode apd.Rounder) (row.Decimal, error) {
	if d.Scale() == scale {
		return d, nil
	}
	if n, from, ok := d.Short(); ok && scale >= 0 && scale <= 18 && (mode == apd.RoundHalfUp || scale > from) {
		if out, ok := rescaleShort(n, from, scale); ok {
			return out, nil
		}
	}
	var z apd.Decimal
	if err := parse(&z, d); err != nil {
		return row.Decimal{}, err
	}
	return quantize(&z, scale, mode)
}

// Fit returns d as a value of the type t: rounded half up to its scale. The error is ErrOverflow.
func Fit(d row.Decimal, t *row.Type) (row.Decimal, error) {
	out, err := Round(d, t.Scale, apd.RoundHalfUp)
	if err != nil {
		return out, err
	}
	return out, Check(out, t)
}

// Check tells whether d has at most as many digits before the point as its type; the error is ErrOverflow.
func Check(d row.Decimal, t *row.Type) error {
	whole := t.Precision - t.Scale
	if n, scale, ok := d.Short(); ok {
		if whole >= 19 {
			return nil
		}
		limit := int64(1)
		for range min(whole+scale, 18) {
			limit *= 10
		}
		if whole+scale > 18 || n < limit && n > -limit {
			return nil
		}
	} else if digits(d) <= whole {
		return nil
	}
	return fmt.Errorf("%w: A field with precision %d and scale %d must round to an absolute value less than 10^%d. Got %s",
		ErrOverflow, t.Precision, t.Scale, whole, d)
}

// digits counts those before the point; a lone zero counts nothing.
func digits(d row.Decimal) int {
	text, n := d.String(), 0
	for i := range len(text) {
		if text[i] == '.' {
			break
		}
		if text[i] != '-' {
			n++
		}
	}
	if n == 1 && (text[0] == '0' || text[:min(2, len(text))] == "-0") {
		return 0
	}
	return n
}

// FromDouble is the decimal that f prints as. NaN and infinities are errors.
func FromDouble(f float64) (row.Decimal, error) {
	var buf [32]byte
	return row.ParseDecimal(java.AppendDouble(buf[:0], f))
}

// Int64 is the whole part of d as BigDecimal.longValue: beyond 64 bits the higher ones are lost.
func Int64(d row.Decimal) int64 {
	if n, scale, ok := d.Short(); ok {
		for range scale {
			n /= 10
		}
		return n
	}
	return d.Wrapped()
}
