package aggregate

import (
	"fmt"
	"slices"
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
	var b row.Builder
	b.AddAll(state.Row())
	b.Add(v)
	return row.FromRow(row.KindArray, b.Row())
}

// collectList takes back the last element that equals the row's value.
func collectList() function.Aggregate {
	return function.Aggregate{Doc: doc("COLLECT_LIST", "All values in the order in which they came, up to ksql.functions.collect_list.limit."), Overloads: []function.AggregateOverload{{
		Signature: "(T) ARRAY<T>", New: func(b function.Binding) (function.Accumulator, error) {
			max, err := limit(b, "ksql.functions.collect_list.limit")
			a := function.Accumulator{
				Add: func(state row.Value, args []row.Value) (row.Value, error) {
					if state.Len() >= max {
						return state, nil
					}
					return appendTo(state, args[0]), nil
				},
				Undo: func(state row.Value, args []row.Value) (row.Value, error) {
					values := state.Row().Values()
					for i := len(values) - 1; i >= 0; i-- {
						if values[i] == args[0] {
							return row.NewArray(slices.Delete(values, i, i+1)...), nil
						}
					}
					return state, nil
				},
				Merge: func(a, b row.Value) (row.Value, error) {
					values := append(a.Row().Values(), b.Row().Values()...)
					return row.NewArray(values[:min(len(values), max)]...), nil
				},
			}
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
				if state.Len() >= max || slices.Contains(state.Row().Values(), v) {
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
	entries := make([]row.Entry, 0, state.Len()+1)
	found := false
	for i := 0; i < r.Len(); i += 2 {
		e := row.Entry{Key: r.At(i), Value: r.At(i + 1)}
		if e.Key == key {
			found = true
			e.Value = row.NewBigint(e.Value.Int64() + by)
			if e.Value.Int64() < 1 {
				continue
			}
		}
		entries = append(entries, e)
	}
	if !found && by > 0 && len(entries) < max {
		entries = append(entries, row.Entry{Key: key, Value: row.NewBigint(by)})
	}
	return row.NewMap(entries...)
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
	values := state.Row().Values()
	for i, e := range values {
		if e.Row().At(0) != v {
			continue
		}
		n := e.Row().At(1).Int64() + by
		if n < 1 {
			return row.NewArray(slices.Delete(values, i, i+1)...)
		}
		values[i] = row.NewStruct(v, row.NewBigint(n))
		return row.NewArray(values...)
	}
	if by < 1 {
		return state
	}
	return row.NewArray(append(values, row.NewStruct(v, row.NewBigint(by)))...)
}
