package aggregate

import (
	"fmt"
	"strconv"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// defaultLimit bounds lists, sets and histograms, unless a setting says otherwise.
const defaultLimit = 1000

func limit(b function.Binding, setting string) (int, error) {
	text, ok := b.Setting(setting)
	if !ok {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("setting %s: %w", setting, err)
	}
	if n < 0 {
		n = int(^uint(0) >> 1) // -1: no limit
	}
	return n, nil
}

func array(t *row.Type) (state *row.Type, empty row.Value) { return row.ArrayType(t), row.NewArray() }

// appendTo returns an array with one more element.
func appendTo(state, v row.Value) row.Value {
	return spliced(state, place{state.Len(), state.Len()}, v)
}

// A place is a run of an array's elements.
type place struct{ from, to int }

// spliced returns an array in which values stand in the place of a run of elements. The other elements are not looked at.
func spliced(array row.Value, at place, values ...row.Value) row.Value {
	r := array.Row()
	return row.FromRow(row.KindArray, row.Make(func(b *row.Builder) {
		b.AddRange(r, 0, at.from)
		for _, v := range values {
			b.Add(v)
		}
		b.AddRange(r, at.to, r.Len())
	}))
}

// cut returns the elements of a place.
func cut(array row.Value, at place) row.Value {
	return row.FromRow(row.KindArray, array.Row().Slice(at.from, at.to))
}

// indexOf is the place of a value among the elements of an array, -1: it is none of them.
func indexOf(array, v row.Value) int {
	r := array.Row()
	for i := range r.Len() {
		if r.At(i) == v {
			return i
		}
	}
	return -1
}

// collectList takes back the last element that equals the row's value.
func collectList() function.Aggregate {
	return function.Aggregate{Doc: doc("COLLECT_LIST", "All values in the order in which they came, up to ksql.functions.collect_list.limit."), Overloads: []function.AggregateOverload{{
		Signature: "(T) ARRAY<T>", New: func(b function.Binding) (function.Accumulator, error) {
			max, err := limit(b, "ksql.functions.collect_list.limit")
			a := function.Accumulator{
				AddTo: func(out *row.Builder, state row.Value, args []row.Value) bool {
					if state.Len() >= max {
						return false
					}
					out.Open()
					out.AddAll(state.Row())
					out.Add(args[0])
					out.Close(row.KindArray)
					return true
				},
				Undo: func(state row.Value, args []row.Value) (row.Value, error) {
					r := state.Row()
					for i := r.Len() - 1; i >= 0; i-- {
						if r.At(i) == args[0] {
							return spliced(state, place{i, i + 1}), nil
						}
					}
					return state, nil
				},
				Merge: func(a, b row.Value) (row.Value, error) {
					values := append(a.Row().Values(), b.Row().Values()...)
					return row.NewArray(values[:min(len(values), max)]...), nil
				},
			}
			a.Add = added(a.AddTo)
			a.State, a.Initial = array(b.Args[0])
			return a, err
		},
	}}}
}

func collectSet() function.Aggregate {
	return function.Aggregate{Doc: doc("COLLECT_SET", "The different values in the order in which they first came, up to ksql.functions.collect_set.limit."), Overloads: []function.AggregateOverload{{
		Signature: "(T) ARRAY<T>", New: func(b function.Binding) (function.Accumulator, error) {
			max, err := limit(b, "ksql.functions.collect_set.limit")
			add := func(state, v row.Value) row.Value {
				if state.Len() >= max || indexOf(state, v) >= 0 {
					return state
				}
				return appendTo(state, v)
			}
			a := function.Accumulator{
				Add: func(state row.Value, args []row.Value) (row.Value, error) { return add(state, args[0]), nil },
				Merge: func(a, b row.Value) (row.Value, error) {
					for _, v := range b.Row().Values() {
						a = add(a, v)
					}
					return a, nil
				},
			}
			a.State, a.Initial = array(b.Args[0])
			return a, err
		},
	}}}
}

// histogram counts texts; one that is counted no more is gone.
func histogram() function.Aggregate {
	return function.Aggregate{Doc: doc("HISTOGRAM", "How often each text came, for up to 1000 different ones."), Overloads: []function.AggregateOverload{{
		Signature: "(STRING) MAP<STRING, BIGINT>", New: func(b function.Binding) (function.Accumulator, error) {
			max, err := limit(b, "ksql.functions.histogram.limit")
			return function.Accumulator{
				State: b.Returns, Initial: row.NewMap(),
				Add:  func(state row.Value, args []row.Value) (row.Value, error) { return tally(state, args[0], 1, max), nil },
				Undo: func(state row.Value, args []row.Value) (row.Value, error) { return tally(state, args[0], -1, max), nil },
				Merge: func(a, b row.Value) (row.Value, error) {
					r := b.Row()
					for i := 0; i < r.Len(); i += 2 {
						a = tally(a, r.At(i), r.At(i+1).Int64(), max)
					}
					return a, nil
				},
			}, err
		},
	}}}
}

func tally(state, key row.Value, by int64, max int) row.Value {
	if key.IsNull() {
		return state
	}
	r := state.Row()
	n := r.Len()
	at := 0
	for ; at < n; at += 2 {
		order, _ := row.Compare(r.At(at), key)
		if order > 0 {
			break
		}
		if order == 0 {
			by += r.At(at + 1).Int64()
			return counted(r, place{at, at + 2}, key, by)
		}
	}
	if by < 1 || n/2 >= max {
		return state
	}
	return counted(r, place{at, at}, key, by)
}

// counted is a map in which a place, of its keys and values by turns, has a key with its count; none below 1.
func counted(r row.Row, at place, key row.Value, n int64) row.Value {
	return row.FromRow(row.KindMap, row.Make(func(b *row.Builder) {
		b.AddRange(r, 0, at.from)
		if n > 0 {
			b.Add(key)
			b.Add(row.NewBigint(n))
		}
		b.AddRange(r, at.to, r.Len())
	}))
}

// attribute is the value that all rows have; null, if they have several. Its state counts the values.
func attribute() function.Aggregate {
	by := func(n int64) func(row.Value, []row.Value) (row.Value, error) {
		return func(state row.Value, args []row.Value) (row.Value, error) { return countValue(state, args[0], n), nil }
	}
	return function.Aggregate{Doc: doc("ATTR", "The value that all rows have; null, if they have different ones."), Overloads: []function.AggregateOverload{{
		Signature: "(T) T", New: func(b function.Binding) (function.Accumulator, error) {
			return function.Accumulator{
				State:   row.ArrayType(fields("VALUE", b.Args[0], "COUNT", row.Bigint)),
				Initial: row.NewArray(), Add: by(1), Undo: by(-1),
				Merge: func(a, b row.Value) (row.Value, error) {
					for _, v := range b.Row().Values() {
						a = countValue(a, v.Row().At(0), v.Row().At(1).Int64())
					}
					return a, nil
				},
				Result: func(state row.Value) (row.Value, error) {
					if state.Len() != 1 {
						return row.Null, nil
					}
					return state.Row().At(0).Row().At(0), nil
				},
			}, nil
		},
	}}}
}

func countValue(state, v row.Value, by int64) row.Value {
	r := state.Row()
	for i := range r.Len() {
		e := r.At(i).Row()
		if e.At(0) != v {
			continue
		}
		if n := e.At(1).Int64() + by; n > 0 {
			return spliced(state, place{i, i + 1}, row.NewStruct(v, row.NewBigint(n)))
		}
		return spliced(state, place{i, i + 1})
	}
	if by < 1 {
		return state
	}
	return appendTo(state, row.NewStruct(v, row.NewBigint(by)))
}
