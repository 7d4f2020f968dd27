// Package numeric holds the mathematical functions of SQL.
//
// Purpose: ABS to TRUNC, GREATEST and LEAST, GEO_DISTANCE, with the results of Java's Math and BigDecimal.
//
// Callers and callees: package builtin lists Functions; it calls decimal and apd.
//
// Owner and locks: functions without state.
//
// Format: none.
//
// Not here: arithmetic operators (expr), numbers from bytes (text).
package numeric

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "MATHEMATICAL", Text: text}
}

// Functions are all functions of this package. random gives 64 random bits.
func Functions(random func() uint64) []function.Scalar {
	all := []function.Scalar{
		double("acos", "The angle in radians whose cosine is the argument.", arcCosine),
		double("asin", "The angle in radians whose sine is the argument.", arcSine),
		double("atan", "The angle in radians whose tangent is the argument.", arcTangent),
		double("cbrt", "The cube root.", cubeRoot),
		double("cos", "The cosine of an angle in radians.", cosine),
		double("cosh", "The hyperbolic cosine.", hyperbolicCosine),
		double("cot", "The cotangent of an angle in radians.", func(f float64) float64 { return 1 / tangent(f) }),
		double("degrees", "An angle in radians as degrees.", func(f float64) float64 { return f * (180 / math.Pi) }),
		double("exp", "e raised to the power of the argument.", exp),
		double("ln", "The natural logarithm.", naturalLog),
		double("radians", "An angle in degrees as radians.", func(f float64) float64 { return f * (math.Pi / 180) }),
		double("sin", "The sine of an angle in radians.", sine),
		double("sinh", "The hyperbolic sine.", hyperbolicSine),
		double("sqrt", "The square root.", math.Sqrt),
		double("tan", "The tangent of an angle in radians.", tangent),
		double("tanh", "The hyperbolic tangent.", hyperbolicTangent),
		double2("atan2", "The angle in radians of the point (x, y), given as y, x.", arcTangent2),
		double2("power", "The first argument raised to the power of the second.", power),
		logarithm(),
		{Doc: doc("pi", "The number pi."), Overloads: []function.Overload{{
			Signature: "() DOUBLE", Eval: func([]row.Value) (row.Value, error) { return row.NewDouble(math.Pi), nil },
		}}},
		{Doc: doc("random", "A random number from 0 to below 1."), Overloads: []function.Overload{{
			Signature: "() DOUBLE", Varies: true,
			Eval: func([]row.Value) (row.Value, error) { return row.NewDouble(float64(random()>>11) / (1 << 53)), nil },
		}}},
		sign(), absolute(), whole("ceil", "The smallest whole number that is not below the argument.", math.Ceil, apd.RoundCeiling),
		whole("floor", "The largest whole number that is not above the argument.", math.Floor, apd.RoundFloor),
		round(), truncate(), extreme("greatest", "The greatest of the arguments that are not null.", 1),
		extreme("least", "The least of the arguments that are not null.", -1), distance(),
	}
	return all
}

// double makes a function of one number, computed as double.
func double(name, text string, f func(float64) float64) function.Scalar {
	eval := func(args []row.Value) (row.Value, error) { return row.NewDouble(f(args[0].AsDouble())), nil }
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{
		{Signature: "(INT) DOUBLE", Eval: eval}, {Signature: "(BIGINT) DOUBLE", Eval: eval}, {Signature: "(DOUBLE) DOUBLE", Eval: eval},
	}}
}

// double2 makes a function of two numbers, computed as doubles.
func double2(name, text string, f func(a, b float64) float64) function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		return row.NewDouble(f(args[0].AsDouble(), args[1].AsDouble())), nil
	}
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{
		{Signature: "(INT, INT) DOUBLE", Eval: eval}, {Signature: "(BIGINT, BIGINT) DOUBLE", Eval: eval}, {Signature: "(DOUBLE, DOUBLE) DOUBLE", Eval: eval},
	}}
}

// logarithm: LOG(x) is the natural one, LOG(base, x) has a base. ksqlDB documents base 10 for the former and computes e.
func logarithm() function.Scalar {
	one := double("log", "The natural logarithm, or that of the second argument to the base of the first.", naturalLog)
	two := double2("log", "", func(base, x float64) float64 {
		if base <= 0 || base == 1 {
			return math.NaN()
		}
		return naturalLog(x) / naturalLog(base)
	})
	one.Overloads = append(one.Overloads, two.Overloads...)
	return one
}

// naturalLog rounds to the nearest double nearly always, as Java's does; math.Log is off by one in the last place for numbers such as 3. It is
// fdlibm's series, with the leading terms kept in two doubles.
func naturalLog(x float64) float64 {
	if x != x || x <= 0 || math.IsInf(x, 1) {
		return math.Log(x)
	}
	fraction, exponent := math.Frexp(x)
	if fraction < math.Sqrt2/2 {
		fraction *= 2
		exponent--
	}
	const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // ln 2 in two parts
	f, k := fraction-1, float64(exponent)
	t := 2 + f
	s := f / t
	sLo := (math.FMA(-s, t, f) - s*(f-(t-2))) / t // what s lacks
	s2 := s * s
	s4 := s2 * s2
	// The rest of the series of ln((1+s)/(1-s)) / s, even and odd terms apart.
	odd := s2 * (6.666666666666735130e-01 + s4*(2.857142874366239149e-01+s4*(1.818357216161805012e-01+s4*1.479819860511658591e-01)))
	even := s4 * (3.999999999940941908e-01 + s4*(2.222219843214978396e-01+s4*1.531383769920937332e-01))
	a, b := k*ln2Hi, 2*s
	hi := a + b
	bPart := hi - a
	lo := (a - (hi - bPart)) + (b - bPart)
	return hi + (lo + (k*ln2Lo + (2*sLo + s*(odd+even))))
}

func sign() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		f := args[0].AsDouble()
		switch {
		case f > 0:
			return row.NewInt(1), nil
		case f < 0:
			return row.NewInt(-1), nil
		}
		return row.NewInt(0), nil
	}
	return function.Scalar{Doc: doc("sign", "-1, 0 or 1: below, equal to or above zero."), Overloads: []function.Overload{
		{Signature: "(INT) INT", Eval: eval}, {Signature: "(BIGINT) INT", Eval: eval}, {Signature: "(DOUBLE) INT", Eval: eval},
	}}
}

// same returns the type of the first argument.
func same(args []*row.Type) *row.Type { return args[0] }

func absolute() function.Scalar {
	return function.Scalar{Doc: doc("abs", "The number without its sign."), Overloads: []function.Overload{
		{Signature: "(INT) INT", Eval: func(args []row.Value) (row.Value, error) {
			n := int32(args[0].Int64())
			return row.NewInt(max(n, -n)), nil
		}},
		{Signature: "(BIGINT) BIGINT", Eval: func(args []row.Value) (row.Value, error) {
			n := args[0].Int64()
			return row.NewBigint(max(n, -n)), nil
		}},
		{Signature: "(DOUBLE) DOUBLE", Eval: func(args []row.Value) (row.Value, error) {
			return row.NewDouble(math.Abs(args[0].Double())), nil
		}},
		{Signature: "(DECIMAL) DECIMAL", Returns: same, Eval: func(args []row.Value) (row.Value, error) {
			d := args[0].Decimal()
			if d.Sign() >= 0 {
				return args[0], nil
			}
			out, err := decimal.Compute(decimal.Sub, row.NewDecimal(0, 0), d, row.DecimalType(row.MaxDecimalDigits, d.Scale()))
			return row.FromDecimal(out), err
		}},
	}}
}

// whole makes CEIL and FLOOR: a decimal keeps its type.
func whole(name, text string, f func(float64) float64, mode apd.Rounder) function.Scalar {
	keep := func(args []row.Value) (row.Value, error) { return args[0], nil }
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{
		{Signature: "(INT) INT", Eval: keep},
		{Signature: "(BIGINT) BIGINT", Eval: keep},
		{Signature: "(DOUBLE) DOUBLE", Eval: func(args []row.Value) (row.Value, error) { return row.NewDouble(f(args[0].Double())), nil }},
		{Signature: "(DECIMAL) DECIMAL", Returns: same, Eval: func(args []row.Value) (row.Value, error) {
			return rescaled(args[0].Decimal(), 0, mode)
		}},
	}}
}

// rescaled rounds to digits behind the point (before it, if negative) and keeps the scale that the number had.
func rescaled(d row.Decimal, digits int, mode apd.Rounder) (row.Value, error) {
	if digits >= d.Scale() {
		return row.FromDecimal(d), nil
	}
	out, err := decimal.Round(d, digits, mode)
	if err != nil {
		return row.Null, err
	}
	out, err = decimal.Round(out, d.Scale(), apd.RoundDown)
	return row.FromDecimal(out), err
}
