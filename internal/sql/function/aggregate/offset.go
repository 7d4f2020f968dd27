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
	shown := func(state row.Value) row.Value {
		switch over := state.Len() - want; {
		case over <= 0:
			return state
		case latest:
			return cut(state, place{over, over + want})
		}
		return cut(state, place{0, want})
	}
	a := function.Accumulator{
		Add: func(state row.Value, args []row.Value) (row.Value, error) {
			n := state.Len()
			if args[0].IsNull() && ignore || !latest && n >= want {
				return state, nil
			}
			r := state.Row()
			return row.FromRow(row.KindArray, row.Make(func(b *row.Builder) {
				b.AddRange(r, max(n+1-want, 0), n)
				b.Add(args[0])
			})), nil
		},
		Merge: func(a, b row.Value) (row.Value, error) {
			return shown(spliced(a, place{a.Len(), a.Len()}, b.Row().Values()...)), nil
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
				return newTop(b, distinct, false)
			},
		})
		if distinct {
			continue
		}
		f.Overloads = append(f.Overloads, function.AggregateOverload{
			Signature: "(" + t + ", ANY, ANY..., INT const) ARRAY<STRUCT>", Returns: topStruct,
			New: func(b function.Binding) (function.Accumulator, error) {
				return newTop(b, false, true)
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

// newTop makes an accumulator of the k greatest entries: of values, or of structs that are ordered by their first field.
func newTop(b function.Binding, distinct, structs bool) (function.Accumulator, error) {
	k := int(b.Consts[0].Int64())
	if k < 1 {
		return function.Accumulator{}, fmt.Errorf("the number of values must be 1 or greater, it is %d", k)
	}
	key := func(v row.Value) row.Value {
		if structs {
			return v.Row().At(0)
		}
		return v
	}
	// rank is the place of a new entry, k: it has none.
	rank := func(r row.Row, by row.Value) int {
		for at := range r.Len() {
			switch order, _ := row.Compare(by, key(r.At(at))); {
			case order == 0 && distinct:
				return k
			case order > 0:
				return at
			}
		}
		return min(r.Len(), k)
	}
	a := function.Accumulator{
		State: b.Returns, Initial: row.NewArray(),
		AddTo: func(out *row.Builder, state row.Value, args []row.Value) bool {
			if args[0].IsNull() {
				return false
			}
			r := state.Row()
			at := rank(r, args[0])
			if at >= k {
				return false
			}
			out.Open()
			out.AddRange(r, 0, at)
			if structs {
				addStruct(out, args)
			} else {
				out.Add(args[0])
			}
			out.AddRange(r, at, min(r.Len(), k-1))
			out.Close(row.KindArray)
			return true
		},
		Merge: func(a, b row.Value) (row.Value, error) {
			r := b.Row()
			for i := range r.Len() {
				v := r.At(i)
				if at := rank(a.Row(), key(v)); at < k {
					a = spliced(cut(a, place{0, min(a.Len(), k-1)}), place{at, at}, v)
				}
			}
			return a, nil
		},
	}
	a.Add = added(a.AddTo)
	return a, nil
}

func addStruct(out *row.Builder, fields []row.Value) {
	out.Open()
	for _, v := range fields {
		out.Add(v)
	}
	out.Close(row.KindStruct)
}

// added is the Add of an accumulator that has an AddTo.
func added(addTo func(out *row.Builder, state row.Value, args []row.Value) bool) func(row.Value, []row.Value) (row.Value, error) {
	return func(state row.Value, args []row.Value) (row.Value, error) {
		changed := false
		made := row.Make(func(out *row.Builder) { changed = addTo(out, state, args) })
		if !changed {
			return state, nil
		}
		return made.At(0), nil
	}
}
