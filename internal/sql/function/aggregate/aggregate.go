// Package aggregate holds the aggregates of SQL.
//
// Purpose: COUNT to TOPKDISTINCT, each with a state that lies in a store between rows, undone where a table's rows change, merged where
// sessions become one.
//
// Callers and callees: package builtin lists Functions; it calls decimal.
//
// Owner and locks: an accumulator has no state of its own.
//
// Format: states are row.Values: numbers, arrays, maps and structs of them. They are durable: a change of a state's shape is a change of
// format.
//
// Not here: grouping, windows, results of HAVING.
package aggregate

import (
	"math"

	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "AGGREGATE", Text: text}
}

// Functions are all functions of this package.
func Functions() []function.Aggregate {
	return []function.Aggregate{
		count(), sum(), sumList(), average(), deviation("STDDEV_SAMP", "The sample variance; STDDEV_SAMPLE is its root.", func(f float64) float64 { return f }),
		deviation("STDDEV_SAMPLE", "The sample standard deviation.", math.Sqrt), correlation(), extreme("MAX", "The greatest value.", 1),
		extreme("MIN", "The least value.", -1), collectList(), collectSet(), countDistinct(), histogram(), attribute(),
		byOffset("EARLIEST_BY_OFFSET", "The first value, or the first n values, that came; nulls are passed over unless the last argument is false.", false),
		byOffset("LATEST_BY_OFFSET", "The last value, or the last n values, that came; nulls are passed over unless the last argument is false.", true),
		top("TOPK", "The k greatest values, or with further columns structs of them.", false), top("TOPKDISTINCT", "The k greatest values, each once.", true),
	}
}

// fixed makes an overload that is the same for all arguments.
func fixed(signature string, a function.Accumulator) function.AggregateOverload {
	return function.AggregateOverload{Signature: signature, New: func(b function.Binding) (function.Accumulator, error) {
		if a.State == nil {
			a := a
			a.State = b.Returns
			return a, nil
		}
		return a, nil
	}}
}

func add64(a, b row.Value) (row.Value, error) { return row.NewBigint(a.Int64() + b.Int64()), nil }

// count counts the rows whose argument is not null, without an argument all rows.
func count() function.Aggregate {
	by := func(n int64) func(row.Value, []row.Value) (row.Value, error) {
		return func(state row.Value, args []row.Value) (row.Value, error) {
			if len(args) > 0 && args[0].IsNull() {
				return state, nil
			}
			return row.NewBigint(state.Int64() + n), nil
		}
	}
	a := function.Accumulator{State: row.Bigint, Initial: row.NewBigint(0), Add: by(1), Undo: by(-1), Merge: add64}
	return function.Aggregate{Doc: doc("COUNT", "The number of rows, or of those whose argument is not null."), Overloads: []function.AggregateOverload{
		fixed("() BIGINT", a), fixed("(T) BIGINT", a),
	}}
}

// A numeric has the sum and the difference of numbers of one type.
type numeric struct {
	typ      *row.Type
	zero     row.Value
	add, sub func(a, b row.Value) (row.Value, error)
}

var (
	ints = numeric{
		row.Int, row.NewInt(0),
		func(a, b row.Value) (row.Value, error) { return row.NewInt(int32(a.Int64() + b.Int64())), nil },
		func(a, b row.Value) (row.Value, error) { return row.NewInt(int32(a.Int64() - b.Int64())), nil },
	}
	bigints = numeric{
		row.Bigint, row.NewBigint(0), add64,
		func(a, b row.Value) (row.Value, error) { return row.NewBigint(a.Int64() - b.Int64()), nil },
	}
	doubles = numeric{
		row.Double, row.NewDouble(0),
		func(a, b row.Value) (row.Value, error) { return row.NewDouble(a.Double() + b.Double()), nil },
		func(a, b row.Value) (row.Value, error) { return row.NewDouble(a.Double() - b.Double()), nil },
	}
)

// decimals is the numeric of one type: what does not fit is an error.
func decimals(t *row.Type) numeric {
	by := func(op decimal.Op) func(a, b row.Value) (row.Value, error) {
		return func(a, b row.Value) (row.Value, error) {
			d, err := decimal.Compute(op, a.Decimal(), b.Decimal(), t)
			if err == nil {
				err = decimal.Check(d, t)
			}
			return row.FromDecimal(d), err
		}
	}
	zero, _ := decimal.Fit(row.NewDecimal(0, 0), t) // zero fits always
	return numeric{t, row.FromDecimal(zero), by(decimal.Add), by(decimal.Sub)}
}

func (n numeric) accumulator(each func(args []row.Value, f func(row.Value) error) error) function.Accumulator {
	by := func(step func(a, b row.Value) (row.Value, error)) func(row.Value, []row.Value) (row.Value, error) {
		return func(state row.Value, args []row.Value) (row.Value, error) {
			err := each(args, func(v row.Value) (err error) {
				if !v.IsNull() {
					state, err = step(state, v)
				}
				return err
			})
			return state, err
		}
	}
	return function.Accumulator{State: n.typ, Initial: n.zero, Add: by(n.add), Undo: by(n.sub), Merge: n.add}
}

// single is the only argument, elements those of the array that it is.
func single(args []row.Value, f func(row.Value) error) error { return f(args[0]) }

func elements(args []row.Value, f func(row.Value) error) error {
	if args[0].IsNull() {
		return nil
	}
	r := args[0].Row()
	for i := range r.Len() {
		if err := f(r.At(i)); err != nil {
			return err
		}
	}
	return nil
}

func sum() function.Aggregate {
	return function.Aggregate{Doc: doc("SUM", "The sum of the values that are not null."), Overloads: []function.AggregateOverload{
		fixed("(INT) INT", ints.accumulator(single)), fixed("(BIGINT) BIGINT", bigints.accumulator(single)),
		fixed("(DOUBLE) DOUBLE", doubles.accumulator(single)),
		{
			Signature: "(DECIMAL) DECIMAL", Returns: func(args []*row.Type) *row.Type { return args[0] },
			New: func(b function.Binding) (function.Accumulator, error) {
				return decimals(b.Returns).accumulator(single), nil
			},
		},
	}}
}

func sumList() function.Aggregate {
	return function.Aggregate{Doc: doc("SUM_LIST", "The sum of the elements of arrays."), Overloads: []function.AggregateOverload{
		fixed("(ARRAY<INT>) INT", ints.accumulator(elements)), fixed("(ARRAY<BIGINT>) BIGINT", bigints.accumulator(elements)),
		fixed("(ARRAY<DOUBLE>) DOUBLE", doubles.accumulator(elements)),
		{
			Signature: "(ARRAY<DECIMAL>) DECIMAL", Returns: func(args []*row.Type) *row.Type { return args[0].Elem },
			New: func(b function.Binding) (function.Accumulator, error) {
				return decimals(b.Returns).accumulator(elements), nil
			},
		},
	}}
}

// fields names the fields of a state.
func fields(pairs ...any) *row.Type {
	var out []row.Field
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, row.Field{Name: pairs[i].(string), Type: pairs[i+1].(*row.Type)})
	}
	return row.StructType(out...)
}

// average has the sum and the count as its state; whole numbers are summed as BIGINT.
func average() function.Aggregate {
	of := func(n numeric) function.Accumulator {
		by := func(step func(a, b row.Value) (row.Value, error), one int64) func(row.Value, []row.Value) (row.Value, error) {
			return func(state row.Value, args []row.Value) (row.Value, error) {
				if args[0].IsNull() {
					return state, nil
				}
				s, err := step(state.Row().At(0), args[0])
				return row.NewStruct(s, row.NewBigint(state.Row().At(1).Int64()+one)), err
			}
		}
		return function.Accumulator{
			State: fields("SUM", n.typ, "COUNT", row.Bigint), Initial: row.NewStruct(n.zero, row.NewBigint(0)), Add: by(n.add, 1), Undo: by(n.sub, -1),
			Merge: func(a, b row.Value) (row.Value, error) {
				s, err := n.add(a.Row().At(0), b.Row().At(0))
				return row.NewStruct(s, row.NewBigint(a.Row().At(1).Int64()+b.Row().At(1).Int64())), err
			},
			Result: func(state row.Value) (row.Value, error) {
				n := state.Row().At(1).Int64()
				if n == 0 {
					return row.NewDouble(0), nil
				}
				return row.NewDouble(state.Row().At(0).AsDouble() / float64(n)), nil
			},
		}
	}
	return function.Aggregate{Doc: doc("AVG", "The mean of the values that are not null."), Overloads: []function.AggregateOverload{
		fixed("(INT) DOUBLE", of(bigints)), fixed("(BIGINT) DOUBLE", of(bigints)), fixed("(DOUBLE) DOUBLE", of(doubles)),
	}}
}

// extreme makes MAX (sign 1) and MIN (sign -1).
func extreme(name, text string, sign int) function.Aggregate {
	better := func(a, b row.Value) (row.Value, error) {
		switch order, _ := row.Compare(b, a); {
		case b.IsNull():
			return a, nil
		case a.IsNull() || order*sign > 0:
			return b, nil
		}
		return a, nil
	}
	a := function.Accumulator{Add: func(state row.Value, args []row.Value) (row.Value, error) { return better(state, args[0]) }, Merge: better}
	f := function.Aggregate{Doc: doc(name, text)}
	for _, t := range []string{"INT", "BIGINT", "DOUBLE", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP", "DECIMAL"} {
		o := fixed("("+t+") "+t, a)
		o.Returns = func(args []*row.Type) *row.Type { return args[0] }
		f.Overloads = append(f.Overloads, o)
	}
	return f
}
