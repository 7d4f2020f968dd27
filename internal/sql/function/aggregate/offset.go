package aggregate

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// byOffset makes EARLIEST_BY_OFFSET and LATEST_BY_OFFSET. The literals are how many values are wanted and whether nulls are passed over.
// Where sessions become one, the rows of the earlier window count as the earlier ones.
func byOffset(name, text string, latest bool) function.Aggregate {
	single := func(b function.Binding) (function.Accumulator, error) { return oneByOffset(b, latest), nil }
	many := func(b function.Binding) (function.Accumulator, error) { return someByOffset(b, latest) }
	return function.Aggregate{Doc: doc(name, text), Overloads: []function.AggregateOverload{
		{Signature: "(T) T", New: single},
		{Signature: "(T, BOOLEAN const) T", New: single},
		{Signature: "(T, INT const) ARRAY<T>", New: many},
		{Signature: "(T, INT const, BOOLEAN const) ARRAY<T>", New: many},
	}}
}

// ignoresNulls reads the literal behind the first so many.
func ignoresNulls(b function.Binding, behind int) bool {
	return len(b.Consts) <= behind || b.Consts[behind].Boolean()
}

// oneByOffset has a struct with the value as its state, null before there is one.
func oneByOffset(b function.Binding, latest bool) function.Accumulator {
	ignore := ignoresNulls(b, 0)
	return function.Accumulator{
		State: fields("VAL", b.Args[0]),
		Add: func(state row.Value, args []row.Value) (row.Value, error) {
			if args[0].IsNull() && ignore || !latest && !state.IsNull() {
				return state, nil
			}
			return row.NewStruct(args[0]), nil
		},
		Merge: func(a, b row.Value) (row.Value, error) {
			if a.IsNull() || latest && !b.IsNull() {
				return b, nil
			}
			return a, nil
		},
		Result: func(state row.Value) (row.Value, error) {
			if state.IsNull() {
				return state, nil
			}
			return state.Row().At(0), nil
		},
	}
}

func someByOffset(b function.Binding, latest bool) (function.Accumulator, error) {
	want, ignore := int(b.Consts[0].Int64()), ignoresNulls(b, 1)
	if want < 1 {
		return function.Accumulator{}, fmt.Errorf("the number of values must be 1 or greater, it is %d", want)
	}
	cut := func(values []row.Value) row.Value {
		if over := len(values) - want; over > 0 {
			if latest {
				values = values[over:]
			} else {
				values = values[:want]
			}
		}
		return row.NewArray(values...)
	}
	a := function.Accumulator{
		Add: func(state row.Value, args []row.Value) (row.Value, error) {
			if args[0].IsNull() && ignore || !latest && state.Len() >= want {
				return state, nil
			}
			return cut(append(state.Row().Values(), args[0])), nil
		},
		Merge: func(a, b row.Value) (row.Value, error) {
			return cut(append(a.Row().Values(), b.Row().Values()...)), nil
		},
	}
	a.State, a.Initial = array(b.Args[0])
	return a, nil
}

// top makes TOPK and TOPKDISTINCT. Of equal values the one that came first stands first.
func top(name, text string, distinct bool) function.Aggregate {
	f := function.Aggregate{Doc: doc(name, text)}
	for _, t := range []string{"INT", "BIGINT", "DOUBLE", "DECIMAL", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP"} {
		f.Overloads = append(f.Overloads, function.AggregateOverload{
			Signature: "(" + t + ", INT const) ARRAY<" + t + ">", Returns: func(args []*row.Type) *row.Type { return row.ArrayType(args[0]) },
			New: func(b function.Binding) (function.Accumulator, error) {
				return newTop(b, distinct, func(args []row.Value) row.Value { return args[0] }, func(v row.Value) row.Value { return v })
			},
		})
		if distinct {
			continue
		}
		f.Overloads = append(f.Overloads, function.AggregateOverload{
			Signature: "(" + t + ", ANY, ANY..., INT const) ARRAY<STRUCT>", Returns: topStruct,
			New: func(b function.Binding) (function.Accumulator, error) {
				return newTop(b, false, func(args []row.Value) row.Value {
					if args[0].IsNull() {
						return row.Null
					}
					return row.NewStruct(args...)
				}, func(v row.Value) row.Value { return v.Row().At(0) })
			},
		})
	}
	return f
}

// topStruct is the type of results with further columns: sort_col, col0, col1, ….
func topStruct(args []*row.Type) *row.Type {
	f := []row.Field{{Name: "sort_col", Type: args[0]}}
	for i, t := range args[1 : len(args)-1] {
		f = append(f, row.Field{Name: fmt.Sprintf("col%d", i), Type: t})
	}
	return row.ArrayType(row.StructType(f...))
}

// newTop makes an accumulator of the k greatest entries; an entry is made of the arguments, key is what it is ordered by.
func newTop(b function.Binding, distinct bool, entry func([]row.Value) row.Value, key func(row.Value) row.Value) (function.Accumulator, error) {
	k := int(b.Consts[0].Int64())
	if k < 1 {
		return function.Accumulator{}, fmt.Errorf("the number of values must be 1 or greater, it is %d", k)
	}
	insert := func(values []row.Value, v row.Value) []row.Value {
		at := 0
		for ; at < len(values); at++ {
			order, _ := row.Compare(key(v), key(values[at]))
			if order == 0 && distinct {
				return values
			}
			if order > 0 {
				break
			}
		}
		if at >= k {
			return values
		}
		out := append(append(append(make([]row.Value, 0, k+1), values[:at]...), v), values[at:]...)
		return out[:min(len(out), k)]
	}
	return function.Accumulator{
		State: b.Returns, Initial: row.NewArray(),
		Add: func(state row.Value, args []row.Value) (row.Value, error) {
			v := entry(args)
			if v.IsNull() {
				return state, nil
			}
			return row.NewArray(insert(state.Row().Values(), v)...), nil
		},
		Merge: func(a, b row.Value) (row.Value, error) {
			values := a.Row().Values()
			for _, v := range b.Row().Values() {
				values = insert(values, v)
			}
			return row.NewArray(values...), nil
		},
	}, nil
}
