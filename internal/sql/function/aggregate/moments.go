package aggregate

import (
	"math"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// deviation has the sum, the count and the sum of squared distances from the mean as its state (Youngs and Cramer), which also lets rows be
// taken back. result is applied to the sample variance.
func deviation(name, text string, result func(float64) float64) function.Aggregate {
	step := func(state, v row.Value, sign float64) row.Value {
		r := state.Row()
		sum, count, m2 := r.At(0).Double(), float64(r.At(1).Int64()), r.At(2).Double()
		x := v.AsDouble()
		if sign > 0 {
			sum, count = sum+x, count+1
		}
		if count > 1 {
			d := count*x - sum
			m2 += sign * d * d / (count * (count - 1))
		}
		if sign < 0 {
			sum, count = sum-x, count-1
		}
		return row.NewStruct(row.NewDouble(sum), row.NewBigint(int64(count)), row.NewDouble(m2))
	}
	by := func(sign float64) func(row.Value, []row.Value) (row.Value, error) {
		return func(state row.Value, args []row.Value) (row.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			return step(state, args[0], sign), nil
		}
	}
	a := function.Accumulator{
		State:   fields("SUM", row.Double, "COUNT", row.Bigint, "M2", row.Double),
		Initial: row.NewStruct(row.NewDouble(0), row.NewBigint(0), row.NewDouble(0)),
		Add:     by(1), Undo: by(-1), Merge: mergeMoments,
		Result: func(state row.Value) (row.Value, error) {
			n := state.Row().At(1).Int64()
			if n < 2 {
				return row.NewDouble(0), nil
			}
			return row.NewDouble(result(state.Row().At(2).Double() / float64(n-1))), nil
		},
	}
	return function.Aggregate{Doc: doc(name, text), Overloads: []function.AggregateOverload{
		fixed("(INT) DOUBLE", a), fixed("(BIGINT) DOUBLE", a), fixed("(DOUBLE) DOUBLE", a),
	}}
}

func mergeMoments(a, b row.Value) (row.Value, error) {
	x, y := a.Row(), b.Row()
	n, m := float64(x.At(1).Int64()), float64(y.At(1).Int64())
	switch {
	case n == 0:
		return b, nil
	case m == 0:
		return a, nil
	}
	d := m/n*x.At(0).Double() - y.At(0).Double()
	m2 := x.At(2).Double() + y.At(2).Double() + n/(m*(m+n))*d*d
	return row.NewStruct(row.NewDouble(x.At(0).Double()+y.At(0).Double()), row.NewBigint(int64(n+m)), row.NewDouble(m2)), nil
}

// correlation has the count, the sums, the sums of squares and that of products as its state. Rows with a null count for nothing.
func correlation() function.Aggregate {
	by := func(sign float64) func(row.Value, []row.Value) (row.Value, error) {
		return func(state row.Value, args []row.Value) (row.Value, error) {
			if args[0].IsNull() || args[1].IsNull() {
				return state, nil
			}
			x, y := args[0].AsDouble(), args[1].AsDouble()
			return sums(state, []float64{1, x, y, x * x, y * y, x * y}, sign), nil
		}
	}
	zeros := make([]row.Value, 6)
	for i := range zeros {
		zeros[i] = row.NewDouble(0)
	}
	a := function.Accumulator{
		State: fields("COUNT", row.Double, "SUM_X", row.Double, "SUM_Y", row.Double, "SUM_X_SQUARED", row.Double, "SUM_Y_SQUARED", row.Double, "SUM_XY", row.Double),
		Add:   by(1), Undo: by(-1), Initial: row.NewStruct(zeros...),
		Merge: func(a, b row.Value) (row.Value, error) {
			var v []float64
			for _, x := range b.Row().Values() {
				v = append(v, x.Double())
			}
			return sums(a, v, 1), nil
		},
		Result: func(state row.Value) (row.Value, error) {
			r := state.Row()
			n, x, y := r.At(0).Double(), r.At(1).Double(), r.At(2).Double()
			xx, yy, xy := r.At(3).Double(), r.At(4).Double(), r.At(5).Double()
			return row.NewDouble((n*xy - x*y) / math.Sqrt((n*xx-x*x)*(n*yy-y*y))), nil
		},
	}
	return function.Aggregate{Doc: doc("CORRELATION", "Pearson's correlation of two columns."), Overloads: []function.AggregateOverload{
		fixed("(INT, INT) DOUBLE", a), fixed("(BIGINT, BIGINT) DOUBLE", a), fixed("(DOUBLE, DOUBLE) DOUBLE", a),
	}}
}

func sums(state row.Value, by []float64, sign float64) row.Value {
	values := state.Row().Values()
	for i, d := range by {
		values[i] = row.NewDouble(values[i].Double() + sign*d)
	}
	return row.NewStruct(values...)
}
