package collection

import (
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// maps are the functions on maps.
func maps() []function.Scalar {
	keys := func(args []row.Value) (row.Value, error) { return every(args[0], 0), nil }
	out := []function.Scalar{
		one("as_map", "The map of an array of keys and an array of values; keys for which there is none have null.", "(ARRAY<STRING>, ARRAY<T>) MAP<STRING, T>", func(args []row.Value) (row.Value, error) {
			names, values := args[0].Row(), args[1].Row()
			entries := make([]row.Entry, names.Len())
			for i := range entries {
				entries[i].Key = names.At(i)
				if i < values.Len() {
					entries[i].Value = values.At(i)
				}
			}
			return row.NewMap(entries...), nil
		}),
		one("map_keys", "The keys of a map.", "(MAP<STRING, T>) ARRAY<STRING>", keys),
		one("map_values", "The values of a map, in order of their keys.", "(MAP<STRING, T>) ARRAY<T>", func(args []row.Value) (row.Value, error) { return every(args[0], 1), nil }),
		nullable("map_union", "The entries of both maps; of a key in both the second counts.", "(MAP<STRING, T>, MAP<STRING, T>) MAP<STRING, T>", func(args []row.Value) (row.Value, error) {
			if args[0].IsNull() && args[1].IsNull() {
				return row.Null, nil
			}
			return row.NewMap(append(entriesOf(args[0]), entriesOf(args[1])...)...), nil
		}),
		entries(),
	}
	for i := range out {
		out[i].Category = "MAP"
	}
	return out
}

// every takes every second part of a map, from offset: 0 the keys, 1 the values.
func every(m row.Value, offset int) row.Value {
	r := m.Row()
	out := make([]row.Value, m.Len())
	for i := range out {
		out[i] = r.At(2*i + offset)
	}
	return row.NewArray(out...)
}

func entriesOf(m row.Value) []row.Entry {
	r := m.Row()
	out := make([]row.Entry, m.Len())
	for i := range out {
		out[i] = row.Entry{Key: r.At(2 * i), Value: r.At(2*i + 1)}
	}
	return out
}

// entries gives structs with the fields K and V. Maps are in order of their keys always, so that sorting changes nothing.
func entries() function.Scalar {
	f := function.Scalar{Doc: function.Doc{Name: "entries", Text: "The entries of a map as structs with a key K and a value V."}}
	f.Overloads = []function.Overload{{
		Signature: "(MAP<STRING, T>, BOOLEAN) ARRAY<T>",
		Returns: func(args []*row.Type) *row.Type {
			return row.ArrayType(row.StructType(row.Field{Name: "K", Type: row.StringType}, row.Field{Name: "V", Type: args[0].Elem}))
		},
		Eval: func(args []row.Value) (row.Value, error) {
			var out []row.Value
			for _, e := range entriesOf(args[0]) {
				out = append(out, row.NewStruct(e.Key, e.Value))
			}
			return row.NewArray(out...), nil
		},
	}}
	return f
}
