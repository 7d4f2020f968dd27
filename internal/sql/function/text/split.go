package text

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// split: without a delimiter each character, or byte, stands for itself.
func split() function.Scalar {
	return function.Scalar{
		Doc: doc("split", "The parts of a text, or of bytes, between delimiters; with an empty delimiter its characters."),
		Overloads: []function.Overload{
			{Signature: "(STRING, STRING) ARRAY<STRING>", Eval: func(args []row.Value) (row.Value, error) {
				return texts(parts(args[0].Text(), args[1].Text()), row.NewString), nil
			}},
			{Signature: "(BYTES, BYTES) ARRAY<BYTES>", Eval: func(args []row.Value) (row.Value, error) {
				s, delimiter := args[0].Text(), args[1].Text()
				if delimiter != "" || s == "" {
					return texts(parts(s, delimiter), row.NewBytes), nil
				}
				out := make([]string, len(s))
				for i := range len(s) {
					out[i] = s[i : i+1]
				}
				return texts(out, row.NewBytes), nil
			}},
		},
	}
}

func parts(s, delimiter string) []string {
	if s == "" {
		return []string{""}
	}
	return strings.Split(s, delimiter)
}

func texts(list []string, value func(string) row.Value) row.Value {
	out := make([]row.Value, len(list))
	for i, s := range list {
		out[i] = value(s)
	}
	return row.NewArray(out...)
}

// splitToMap passes over entries that are empty or have no delimiter between key and value. Delimiters that are empty or the same give null.
func splitToMap() function.Scalar {
	return function.Scalar{
		Doc: doc("split_to_map", "The map of a text's entries, parted by one delimiter, whose keys and values are parted by another."),
		Overloads: []function.Overload{{
			Signature: "(STRING, STRING, STRING) MAP<STRING, STRING>", Eval: func(args []row.Value) (row.Value, error) {
				between, within := args[1].Text(), args[2].Text()
				if between == "" || within == "" || between == within {
					return row.Null, nil
				}
				var entries []row.Entry
				for _, e := range strings.Split(args[0].Text(), between) {
					kv := strings.Split(e, within)
					if len(kv) < 2 || e == "" {
						continue
					}
					entries = append(entries, row.Entry{Key: row.NewString(kv[0]), Value: row.NewString(kv[1])})
				}
				return row.NewMap(entries...), nil
			},
		}},
	}
}
