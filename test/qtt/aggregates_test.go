package qtt

import (
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// testAggregates have arguments in any number and in any place. Those named like numbers of arguments add numbers and the lengths of texts,
// literals once; the others collect their first argument from rows without a null.
func testAggregates() []function.Aggregate {
	return []function.Aggregate{
		weighing("TEST_UDAF", "(INT) BIGINT", "(BIGINT) BIGINT", "(STRING) BIGINT"),
		weighing("VAR_ARG", "(BIGINT, STRING...) BIGINT"),
		weighing("MID_VAR_ARG", "(BIGINT, STRING..., INT const, INT const) BIGINT"),
		weighing("MULTI_ARG", "(BIGINT, STRING, INT const, STRING... const) BIGINT"),
		weighing("FOUR_ARG", "(BIGINT, STRING, STRING, STRING, INT const, STRING... const) BIGINT"),
		weighing("FIVE_ARG", "(BIGINT, STRING, STRING, STRING, INT, INT const, STRING... const) BIGINT"),
		collecting("GENERIC_VAR_ARG", "(A, INT, B...) ARRAY<A>"),
		collecting("OBJ_COL_ARG", "(INT, ANY...) ARRAY<INT>"),
	}
}

// weighing adds up its arguments; see weight.
func weighing(name string, signatures ...string) function.Aggregate {
	f := function.Aggregate{Doc: function.Doc{Name: name}}
	for _, s := range signatures {
		f.Overloads = append(f.Overloads, function.AggregateOverload{
			Signature: s,
			New: func(b function.Binding) (function.Accumulator, error) {
				add := func(state row.Value, args []row.Value) (row.Value, error) {
					return row.NewBigint(state.Int64() + weight(args)), nil
				}
				merge := func(x, y row.Value) (row.Value, error) {
					return row.NewBigint(x.Int64() + y.Int64() - weight(b.Consts)), nil
				}
				return function.Accumulator{State: row.Bigint, Initial: row.NewBigint(weight(b.Consts)), Add: add, Merge: merge}, nil
			},
		})
	}
	return f
}

// weight adds numbers and the lengths of texts; null weighs nothing.
func weight(values []row.Value) (sum int64) {
	for _, v := range values {
		switch {
		case v.IsNull():
		case v.Kind() == row.KindString:
			sum += int64(utf8.RuneCountInString(v.Text()))
		default:
			sum += v.Int64()
		}
	}
	return sum
}

func collecting(name, signature string) function.Aggregate {
	newCollecting := func(b function.Binding) (function.Accumulator, error) {
		add := func(state row.Value, args []row.Value) (row.Value, error) {
			for _, a := range args {
				if a.IsNull() {
					return state, nil
				}
			}
			return row.NewArray(append(elements(state), args[0])...), nil
		}
		merge := func(x, y row.Value) (row.Value, error) {
			return row.NewArray(append(elements(x), elements(y)...)...), nil
		}
		return function.Accumulator{State: row.ArrayType(b.Args[0]), Initial: row.NewArray(), Add: add, Merge: merge}, nil
	}
	return function.Aggregate{
		Doc:       function.Doc{Name: name},
		Overloads: []function.AggregateOverload{{Signature: signature, New: newCollecting}},
	}
}

func elements(array row.Value) []row.Value {
	list := make([]row.Value, 0, array.Len()+1)
	for i := range array.Len() {
		list = append(list, array.Row().At(i))
	}
	return list
}
