package numeric

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// wholeDecimal is the type of a decimal without its digits behind the point.
func wholeDecimal(args []*row.Type) *row.Type {
	return row.DecimalType(max(args[0].Precision-args[0].Scale, 1), 0)
}

// round: halves go towards positive infinity.
func round() function.Scalar {
	return function.Scalar{
		Doc: doc("round", "The nearest whole number, or the nearest with so many digits behind the point. Halves go up."),
		Overloads: []function.Overload{
			{Signature: "(BIGINT) BIGINT", Eval: func(args []row.Value) (row.Value, error) { return args[0], nil }},
			{Signature: "(DOUBLE) BIGINT", Eval: func(args []row.Value) (row.Value, error) {
				return row.NewBigint(java.Round(args[0].Double())), nil
			}},
			{Signature: "(DOUBLE, INT) DOUBLE", Eval: func(args []row.Value) (row.Value, error) {
				f := args[0].Double()
				if f != f || math.IsInf(f, 0) {
					return args[0], nil
				}
				d, err := decimal.FromDouble(f)
				if err != nil {
					return row.Null, err
				}
				d, err = decimal.Round(d, int(args[1].Int64()), halfUp(d))
				return row.NewDouble(d.Float64()), err
			}},
			{Signature: "(DECIMAL) DECIMAL", Returns: wholeDecimal, Eval: func(args []row.Value) (row.Value, error) {
				d, err := decimal.Round(args[0].Decimal(), 0, halfUp(args[0].Decimal()))
				return row.FromDecimal(d), err
			}},
			{Signature: "(DECIMAL, INT) DECIMAL", Returns: same, Eval: func(args []row.Value) (row.Value, error) {
				return rescaled(args[0].Decimal(), int(args[1].Int64()), halfUp(args[0].Decimal()))
			}},
		},
	}
}

// halfUp rounds halves towards positive infinity: for negative numbers that is towards zero.
func halfUp(d row.Decimal) apd.Rounder {
	if d.Sign() < 0 {
		return apd.RoundHalfDown
	}
	return apd.RoundHalfUp
}

func truncate() function.Scalar {
	return function.Scalar{
		Doc: doc("trunc", "The number without its digits behind the point, or with only so many of them."),
		Overloads: []function.Overload{
			{Signature: "(BIGINT) BIGINT", Eval: func(args []row.Value) (row.Value, error) { return args[0], nil }},
			{Signature: "(DOUBLE) BIGINT", Eval: func(args []row.Value) (row.Value, error) {
				return row.NewBigint(java.ToInt64(args[0].Double())), nil
			}},
			{Signature: "(DOUBLE, INT) DOUBLE", Eval: func(args []row.Value) (row.Value, error) {
				f := args[0].Double()
				if f != f || math.IsInf(f, 0) {
					return args[0], nil
				}
				d, err := decimal.FromDouble(f)
				if err != nil {
					return row.Null, err
				}
				d, err = decimal.Round(d, int(args[1].Int64()), apd.RoundDown)
				return row.NewDouble(d.Float64()), err
			}},
			{Signature: "(DECIMAL) DECIMAL", Returns: wholeDecimal, Eval: func(args []row.Value) (row.Value, error) {
				d, err := decimal.Round(args[0].Decimal(), 0, apd.RoundDown)
				return row.FromDecimal(d), err
			}},
			{Signature: "(DECIMAL, INT) DECIMAL", Returns: same, Eval: func(args []row.Value) (row.Value, error) {
				return rescaled(args[0].Decimal(), int(args[1].Int64()), apd.RoundDown)
			}},
		},
	}
}
