package numeric

import (
	"errors"
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// extreme makes GREATEST (sign 1) and LEAST (sign -1), which pass over nulls.
func extreme(name, text string, sign int) function.Scalar {
	pick := func(args []row.Value) (row.Value, error) {
		best := row.Null
		for _, v := range args {
			if v.IsNull() {
				continue
			}
			if order, _ := row.Compare(v, best); best.IsNull() || order*sign > 0 {
				best = v
			}
		}
		return best, nil
	}
	f := function.Scalar{Doc: doc(name, text)}
	for _, t := range []string{"INT", "BIGINT", "DOUBLE", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP"} {
		f.Overloads = append(f.Overloads, function.Overload{Signature: "(" + t + ", " + t + "...) " + t, Nulls: true, Eval: pick})
	}
	f.Overloads = append(f.Overloads, function.Overload{
		Signature: "(DECIMAL, DECIMAL...) DECIMAL", Nulls: true, Returns: widest,
		Bind: func(b function.Binding) function.Eval {
			return func(args []row.Value) (row.Value, error) {
				v, _ := pick(args)
				if v.IsNull() {
					return v, nil
				}
				d, err := decimal.Round(v.Decimal(), b.Returns.Scale, apd.RoundHalfUp)
				return row.FromDecimal(d), err
			}
		},
	})
	return f
}

// widest is the type that holds all arguments, which are decimals or null.
func widest(args []*row.Type) (t *row.Type) {
	for _, a := range args {
		switch {
		case a == nil:
		case t == nil:
			t = a
		default:
			t = decimal.Wider(t, a)
		}
	}
	return t
}

const (
	earthKilometres = 6371.0
	earthMiles      = 3959.0
)

var errDistance = errors.New("latitude must be within -90 to 90, longitude within -180 to 180, and the unit KM or MILES")

// distance is the way along the sphere by the haversine formula.
func distance() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		var p [4]float64
		for i := range p {
			if args[i].IsNull() {
				return row.Null, nil
			}
			p[i] = args[i].Double()
			if limit := float64(90 + 90*(i%2)); p[i] < -limit || p[i] > limit {
				return row.Null, errDistance
			}
		}
		radius := earthKilometres
		if len(args) > 4 && !args[4].IsNull() {
			switch unit := strings.ToLower(args[4].Text()); {
			case strings.HasPrefix(unit, "mi"):
				radius = earthMiles
			case strings.HasPrefix(unit, "km"):
			default:
				return row.Null, errDistance
			}
		}
		return row.NewDouble(radius * haversine(p)), nil
	}
	return function.Scalar{
		Doc: doc("geo_distance", "The distance of two points on the earth, given as latitude and longitude in degrees, in kilometres or, with 'MILES', in miles."),
		Overloads: []function.Overload{
			{Signature: "(DOUBLE, DOUBLE, DOUBLE, DOUBLE) DOUBLE", Nulls: true, Eval: eval},
			{Signature: "(DOUBLE, DOUBLE, DOUBLE, DOUBLE, STRING) DOUBLE", Nulls: true, Eval: eval},
		},
	}
}

// haversine is the angle between two points: latitude and longitude of the one, then of the other.
func haversine(p [4]float64) float64 {
	const radian = math.Pi / 180
	lat := math.Sin((p[2] - p[0]) * radian / 2)
	lon := math.Sin((p[3] - p[1]) * radian / 2)
	a := lat*lat + lon*lon*math.Cos(p[0]*radian)*math.Cos(p[2]*radian)
	return 2 * math.Asin(math.Sqrt(a))
}
