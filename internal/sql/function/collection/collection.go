// Package collection holds the functions of SQL on arrays and maps, those with lambdas, those on nulls, and the table functions.
//
// Purpose: ARRAY_CONCAT to SLICE, AS_MAP to MAP_VALUES, TRANSFORM, FILTER, REDUCE, COALESCE, IFNULL, NULLIF, AS_VALUE, EXPLODE,
// CUBE_EXPLODE.
//
// Callers and callees: package builtin lists Functions and Tables; it calls cast.
//
// Owner and locks: functions without state.
//
// Format: maps are in order of their keys, so that what comes from them is, too.
//
// Not here: subscripts and constructors (expr), aggregates that collect (aggregate).
package collection

import (
	"errors"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "ARRAY", Text: text}
}

// Functions are all scalar functions of this package.
func Functions() []function.Scalar {
	all := []function.Scalar{
		one("array_length", "The number of elements.", "(ARRAY<T>) INT", func(args []row.Value) (row.Value, error) {
			return row.NewInt(int32(args[0].Len())), nil
		}),
		nullable("array_contains", "Whether an array has a value among its elements.", "(ARRAY<T>, T) BOOLEAN", func(args []row.Value) (row.Value, error) {
			return row.NewBoolean(!args[0].IsNull() && contains(args[0].Row(), args[1])), nil
		}),
		one("array_distinct", "The elements, each once, in the order in which they come first.", "(ARRAY<T>) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			return once(args[0]), nil
		}),
		one("array_union", "The elements of both arrays, each once.", "(ARRAY<T>, ARRAY<T>) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			return distinct(append(args[0].Row().Values(), args[1].Row().Values()...), func(row.Value) bool { return true }), nil
		}),
		one("array_except", "The elements of the first array that the second has not, each once.", "(ARRAY<T>, ARRAY<T>) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			other := setOf(args[1])
			return distinct(args[0].Row().Values(), func(v row.Value) bool { return !other[v] }), nil
		}),
		one("array_intersect", "The elements that both arrays have, each once.", "(ARRAY<T>, ARRAY<T>) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			other := setOf(args[1])
			return distinct(args[0].Row().Values(), func(v row.Value) bool { return other[v] }), nil
		}),
		nullable("array_concat", "The elements of the one array and then the other; an array that is null is passed over.", "(ARRAY<T>, ARRAY<T>) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			switch {
			case args[0].IsNull():
				return args[1], nil
			case args[1].IsNull():
				return args[0], nil
			}
			return row.FromRow(row.KindArray, row.Make(func(b *row.Builder) {
				b.AddAll(args[0].Row())
				b.AddAll(args[1].Row())
			})), nil
		}),
		nullable("array_remove", "The array without the elements that equal a value.", "(ARRAY<T>, T) ARRAY<T>", func(args []row.Value) (row.Value, error) {
			if args[0].IsNull() {
				return row.Null, nil
			}
			return row.NewArray(slices.DeleteFunc(args[0].Row().Values(), func(v row.Value) bool { return v == args[1] })...), nil
		}),
		join(), arrayExtreme("array_max", "The greatest element that is not null.", 1), arrayExtreme("array_min", "The least element that is not null.", -1),
		sorted(), series(), slice(),
	}
	return slices.Concat(all, maps(), lambdas(), nulls())
}

// one makes a function with one signature that gives null for a null argument.
func one(name, text, signature string, f function.Eval) function.Scalar {
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{{Signature: signature, Eval: f}}}
}

// nullable makes a function with one signature that gets nulls.
func nullable(name, text, signature string, f function.Eval) function.Scalar {
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{{Signature: signature, Eval: f, Nulls: true}}}
}

func contains(r row.Row, v row.Value) bool {
	for i := range r.Len() {
		if r.At(i) == v {
			return true
		}
	}
	return false
}

// few is how many values are compared each with each: a set costs more.
const few = 16

// once is an array of the elements, each once: mostly they are it already.
func once(array row.Value) row.Value {
	r := array.Row()
	if r.Len() <= few && !r.Repeats() {
		return array
	}
	return distinct(r.Values(), func(row.Value) bool { return true })
}

func setOf(array row.Value) map[row.Value]bool {
	out := map[row.Value]bool{}
	for _, v := range array.Row().Values() {
		out[v] = true
	}
	return out
}

// distinct is the array of those values that are kept, each once.
func distinct(values []row.Value, keep func(row.Value) bool) row.Value {
	seen := make(map[row.Value]bool, len(values))
	out := values[:0]
	for _, v := range values {
		if !seen[v] && keep(v) {
			out = append(out, v)
		}
		seen[v] = true
	}
	return row.NewArray(out...)
}

// primitives are the types of elements that have an order.
var primitives = []string{"BOOLEAN", "INT", "BIGINT", "DOUBLE", "DECIMAL", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP"}

// element returns the type of the first argument's elements.
func element(args []*row.Type) *row.Type { return args[0].Elem }

func same(args []*row.Type) *row.Type { return args[0] }

func arrayExtreme(name, text string, sign int) function.Scalar {
	f := function.Scalar{Doc: doc(name, text)}
	for _, t := range primitives {
		f.Overloads = append(f.Overloads, function.Overload{
			Signature: "(ARRAY<" + t + ">) " + t, Returns: element, Eval: func(args []row.Value) (row.Value, error) {
				best := row.Null
				for _, v := range args[0].Row().Values() {
					if v.IsNull() {
						continue
					}
					if order, _ := row.Compare(v, best); best.IsNull() || order*sign > 0 {
						best = v
					}
				}
				return best, nil
			},
		})
	}
	return f
}

// sorted puts nulls last, whatever the direction.
func sorted() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		sign := 1
		if len(args) > 1 {
			switch strings.ToUpper(strings.TrimSpace(args[1].Text())) {
			case "ASC", "ASCENDING":
			case "DESC", "DESCENDING":
				sign = -1
			default:
				return row.Null, nil
			}
		}
		values := args[0].Row().Values()
		slices.SortStableFunc(values, func(a, b row.Value) int {
			switch {
			case a.IsNull() && b.IsNull():
				return 0
			case a.IsNull():
				return 1
			case b.IsNull():
				return -1
			}
			order, _ := row.Compare(a, b)
			return order * sign
		})
		return row.NewArray(values...), nil
	}
	f := function.Scalar{Doc: doc("array_sort", "The elements in order, ascending or as the second argument, 'ASC' or 'DESC', says; nulls are last.")}
	for _, t := range primitives {
		f.Overloads = append(f.Overloads, function.Overload{Signature: "(ARRAY<" + t + ">) ARRAY<" + t + ">", Returns: same, Eval: eval},
			function.Overload{Signature: "(ARRAY<" + t + ">, STRING) ARRAY<" + t + ">", Returns: same, Eval: eval})
	}
	return f
}

// join writes nulls as "null".
func join() function.Scalar {
	eval := func(args []row.Value) (row.Value, error) {
		if args[0].IsNull() {
			return row.Null, nil
		}
		delimiter := ","
		if len(args) > 1 {
			delimiter = args[1].Text() // of null: none
		}
		if err := function.CheckSizes(args[0].Row().Values(), len(delimiter)); err != nil {
			return row.Null, err
		}
		var dst []byte
		for i, v := range args[0].Row().Values() {
			if i > 0 {
				dst = append(dst, delimiter...)
			}
			dst = cast.AppendText(dst, v, nil)
		}
		return row.NewString(string(dst)), nil
	}
	f := function.Scalar{Doc: doc("array_join", "The elements as one text, with a comma or the given text between them.")}
	for _, t := range []string{"BOOLEAN", "INT", "BIGINT", "DOUBLE", "DECIMAL", "STRING"} {
		f.Overloads = append(f.Overloads, function.Overload{Signature: "(ARRAY<" + t + ">) STRING", Nulls: true, Eval: eval},
			function.Overload{Signature: "(ARRAY<" + t + ">, STRING) STRING", Nulls: true, Eval: eval})
	}
	return f
}

// maxSeries bounds the arrays that GENERATE_SERIES makes.
const maxSeries = 1_000_000

var (
	errStep   = errors.New("the step must not be zero and must lead from the start to the end")
	errSeries = errors.New("a series of more than 1000000 numbers")
	errCube   = errors.New("CUBE_EXPLODE of more than 16 elements")
)

// series counts from a start to an end, down if that is below.
func series() function.Scalar {
	over := func(value func(int64) row.Value) function.Eval {
		return func(args []row.Value) (row.Value, error) {
			from, to, step := args[0].Int64(), args[1].Int64(), int64(1)
			if to < from {
				step = -1
			}
			if len(args) > 2 {
				if given := args[2].Int64(); given == 0 || given > 0 != (step > 0) && from != to {
					return row.Null, errStep
				} else {
					step = given
				}
			}
			steps := uint64(max(to, from)-min(to, from)) / uint64(max(step, -step))
			if steps >= maxSeries {
				return row.Null, errSeries
			}
			out := make([]row.Value, steps+1)
			for i := range out {
				out[i] = value(from + int64(i)*step)
			}
			return row.NewArray(out...), nil
		}
	}
	ints, bigints := over(func(n int64) row.Value { return row.NewInt(int32(n)) }), over(row.NewBigint)
	return function.Scalar{Doc: doc("generate_series", "The numbers from a start to an end, both included, by steps of one or as given."), Overloads: []function.Overload{
		{Signature: "(INT, INT) ARRAY<INT>", Eval: ints},
		{Signature: "(INT, INT, INT) ARRAY<INT>", Eval: ints},
		{Signature: "(BIGINT, BIGINT) ARRAY<BIGINT>", Eval: bigints},
		{Signature: "(BIGINT, BIGINT, INT) ARRAY<BIGINT>", Eval: bigints},
	}}
}

// slice cuts elements out, counted from 1; null stands for the ends.
func slice() function.Scalar {
	return function.Scalar{Doc: doc("slice", "The elements from one place to another, both included, counted from 1."), Overloads: []function.Overload{{
		Signature: "(ARRAY<T>, INT, INT) ARRAY<T>", Nulls: true, Cut: func(args []row.Value) (from, to int, ok bool) {
			n := args[0].Len()
			from, to = 0, n
			if !args[1].IsNull() {
				from = int(args[1].Int64()) - 1
			}
			if !args[2].IsNull() {
				to = int(args[2].Int64())
			}
			return from, to, !args[0].IsNull() && from >= 0 && to <= n && from <= to
		},
	}}}
}
