package collection

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

type apply func(args []row.Value, fns []function.Lambda) (row.Value, error)

// lambdas are the functions that call lambdas. An error of one ends the whole.
func lambdas() []function.Scalar {
	over := func(name, text, onArray, onMap string, array, m apply, nulls bool) function.Scalar {
		return function.Scalar{Doc: function.Doc{Name: name, Category: "LAMBDA", Text: text}, Overloads: []function.Overload{
			{Signature: onArray, Apply: array, Nulls: nulls}, {Signature: onMap, Apply: m, Nulls: nulls},
		}}
	}
	return []function.Scalar{
		over("transform", "What a lambda makes of each element; of a map one lambda makes the keys, another the values.",
			"(ARRAY<T>, FUNCTION(T) R) ARRAY<R>", "(MAP<K, V>, FUNCTION(K, V) R, FUNCTION(K, V) S) MAP<R, S>", transformArray, transformMap, false),
		over("filter", "The elements, or entries, for which a lambda is true.",
			"(ARRAY<T>, FUNCTION(T) BOOLEAN) ARRAY<T>", "(MAP<K, V>, FUNCTION(K, V) BOOLEAN) MAP<K, V>", filterArray, filterMap, false),
		over("reduce", "What a lambda makes of a state and the elements, or entries, one after another.",
			"(ARRAY<T>, S, FUNCTION(S, T) S) S", "(MAP<K, V>, S, FUNCTION(S, K, V) S) S", reduceArray, reduceMap, true),
	}
}

func transformArray(args []row.Value, fns []function.Lambda) (row.Value, error) {
	r := args[0].Row()
	var room [few]row.Value
	out, arg := room[:0], make([]row.Value, 1)
	size := 0
	for i := range r.Len() {
		arg[0] = r.At(i)
		v, err := fns[0](arg...)
		if err != nil {
			return row.Null, err
		}
		if size += function.Size(v); size > function.MaxBytes {
			return row.Null, function.ErrTooLarge
		}
		out = append(out, v)
	}
	return row.NewArray(out...), nil
}

var errTwice = errors.New("two entries would have the same key")

func transformMap(args []row.Value, fns []function.Lambda) (row.Value, error) {
	entries := entriesOf(args[0])
	seen := make(map[row.Value]bool, len(entries))
	size := 0
	for i, e := range entries {
		k, err := fns[0](e.Key, e.Value)
		if err != nil {
			return row.Null, err
		}
		if seen[k] {
			return row.Null, errTwice
		}
		seen[k] = true
		v, err := fns[1](e.Key, e.Value)
		if err != nil {
			return row.Null, err
		}
		if size += function.Size(k) + function.Size(v); size > function.MaxBytes {
			return row.Null, function.ErrTooLarge
		}
		entries[i] = row.Entry{Key: k, Value: v}
	}
	return row.NewMap(entries...), nil
}

func filterArray(args []row.Value, fns []function.Lambda) (row.Value, error) {
	r := args[0].Row()
	var room [few]row.Value
	out, arg := room[:0], make([]row.Value, 1)
	for i := range r.Len() {
		arg[0] = r.At(i)
		v := arg[0]
		ok, err := fns[0](arg...)
		if err != nil {
			return row.Null, err
		}
		if ok.Boolean() {
			out = append(out, v)
		}
	}
	return row.NewArray(out...), nil
}

func filterMap(args []row.Value, fns []function.Lambda) (row.Value, error) {
	var out []row.Entry
	for _, e := range entriesOf(args[0]) {
		ok, err := fns[0](e.Key, e.Value)
		if err != nil {
			return row.Null, err
		}
		if ok.Boolean() {
			out = append(out, e)
		}
	}
	return row.NewMap(out...), nil
}

// reduceArray: without an array the state stays, without a state there is no result.
func reduceArray(args []row.Value, fns []function.Lambda) (row.Value, error) {
	state := args[1]
	if state.IsNull() || args[0].IsNull() {
		return state, nil
	}
	r, arg := args[0].Row(), make([]row.Value, 2)
	for i := range r.Len() {
		arg[0], arg[1] = state, r.At(i)
		var err error
		if state, err = fns[0](arg...); err != nil {
			return row.Null, err
		}
	}
	return state, nil
}

func reduceMap(args []row.Value, fns []function.Lambda) (row.Value, error) {
	state := args[1]
	if state.IsNull() || args[0].IsNull() {
		return state, nil
	}
	for _, e := range entriesOf(args[0]) {
		var err error
		if state, err = fns[0](state, e.Key, e.Value); err != nil {
			return row.Null, err
		}
	}
	return state, nil
}

// nulls are the functions that look at nulls only, and AS_VALUE, which gives back its argument.
func nulls() []function.Scalar {
	first := func(args []row.Value) (row.Value, error) {
		for _, v := range args {
			if !v.IsNull() {
				return v, nil
			}
		}
		return row.Null, nil
	}
	out := []function.Scalar{
		nullable("COALESCE", "The first argument that is not null.", "(T, T...) T", first),
		nullable("IFNULL", "The first argument, or the second if that is null.", "(T, T) T", first),
		nullable("NULLIF", "The first argument, or null if it equals the second.", "(T, T) T", func(args []row.Value) (row.Value, error) {
			if args[0] == args[1] {
				return row.Null, nil
			}
			return args[0], nil
		}),
		nullable("AS_VALUE", "The argument: a key column as a value column.", "(T) T", func(args []row.Value) (row.Value, error) { return args[0], nil }),
	}
	for i := range out {
		out[i].Category = "CONDITIONAL"
	}
	return out
}

// Tables are the table functions.
func Tables() []function.Table {
	return []function.Table{
		{Doc: function.Doc{Name: "explode", Category: "TABLE", Text: "A row for each element of an array."}, Overloads: []function.TableOverload{{
			Signature: "(ARRAY<T>) T", Rows: func(args []row.Value) ([]row.Value, error) {
				if args[0].IsNull() {
					return nil, nil
				}
				return args[0].Row().Values(), nil
			},
		}}},
		{Doc: function.Doc{Name: "cube_explode", Category: "TABLE", Text: "A row for each way to put nulls in the place of an array's elements."}, Overloads: []function.TableOverload{{
			Signature: "(ARRAY<T>) ARRAY<T>", Rows: cube,
		}}},
	}
}

// maxCube bounds the elements of CUBE_EXPLODE, whose rows double with each.
const maxCube = 16

// cube makes the rows from all null to none. An element that is null already stays so and makes no more rows.
func cube(args []row.Value) ([]row.Value, error) {
	if args[0].IsNull() {
		return nil, nil
	}
	values := args[0].Row().Values()
	var places []int
	for i, v := range values {
		if !v.IsNull() {
			places = append(places, i)
		}
	}
	if len(places) > maxCube {
		return nil, errCube
	}
	if (function.Size(args[0])+len(values))<<len(places) > function.MaxBytes {
		return nil, function.ErrTooLarge
	}
	out := make([]row.Value, 0, 1<<len(places))
	for mask := range 1 << len(places) {
		part := make([]row.Value, len(values))
		for bit, place := range places {
			if mask>>(len(places)-1-bit)&1 == 1 {
				part[place] = values[place]
			}
		}
		out = append(out, row.NewArray(part...))
	}
	return out, nil
}
