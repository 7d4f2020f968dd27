package text

import (
	"fmt"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/java/regex"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// A pattern remembers the expression that was compiled last: nearly always it is the same for all rows.
type pattern struct {
	last atomic.Pointer[compiled]
}

type compiled struct {
	text  string
	regex *regex.Regex
}

func (p *pattern) get(text string) (*regex.Regex, error) {
	if c := p.last.Load(); c != nil && c.text == text {
		return c.regex, nil
	}
	r, err := regex.Compile(text)
	if err != nil {
		return nil, err
	}
	p.last.Store(&compiled{text, r})
	return r, nil
}

// matching makes an overload whose regular expression is the given argument.
func matching(signature string, arg int, f func(r *regex.Regex, args []row.Value) (row.Value, error)) function.Overload {
	return function.Overload{Signature: signature, Bind: func(function.Binding) function.Eval {
		var p pattern
		return func(args []row.Value) (row.Value, error) {
			r, err := p.get(args[arg].Text())
			if err != nil {
				return row.Null, err
			}
			return f(r, args)
		}
	}}
}

// expressions are the functions with regular expressions.
func expressions() []function.Scalar {
	category := func(name, text string) function.Doc {
		return function.Doc{Name: name, Category: "REGULAR EXPRESSION", Text: text}
	}
	return []function.Scalar{
		{Doc: category("regexp_extract", "What the expression, or one of its groups, matches first in a text; null: nothing."), Overloads: []function.Overload{
			matching("(STRING, STRING) STRING", 0, extract), matching("(STRING, STRING, INT) STRING", 0, extract),
		}},
		{Doc: category("regexp_extract_all", "All that the expression, or one of its groups, matches in a text."), Overloads: []function.Overload{
			matching("(STRING, STRING) ARRAY<STRING>", 0, extractAll), matching("(STRING, STRING, INT) ARRAY<STRING>", 0, extractAll),
		}},
		{Doc: category("regexp_replace", "The text with each match of an expression replaced; $1 in the replacement is a group."), Overloads: []function.Overload{
			matching("(STRING, STRING, STRING) STRING", 1, func(r *regex.Regex, args []row.Value) (row.Value, error) {
				s, err := r.ReplaceAll(args[0].Text(), args[2].Text())
				return row.NewString(s), err
			}),
		}},
		{Doc: category("regexp_split_to_array", "The parts of a text between matches of an expression."), Overloads: []function.Overload{
			matching("(STRING, STRING) ARRAY<STRING>", 1, func(r *regex.Regex, args []row.Value) (row.Value, error) {
				list, err := r.Split(args[0].Text())
				return texts(list, row.NewString), err
			}),
		}},
	}
}

func group(r *regex.Regex, args []row.Value) (int, error) {
	if len(args) < 3 {
		return 0, nil
	}
	n := int(args[2].Int64())
	if n < 0 || n > r.GroupCount() {
		return 0, fmt.Errorf("the expression has no group %d", n)
	}
	return n, nil
}

func extract(r *regex.Regex, args []row.Value) (row.Value, error) {
	g, err := group(r, args)
	if err != nil {
		return row.Null, nil //nolint:nilerr // as in ksqlDB: a group that is not there matches nothing
	}
	s, ok, err := r.Group(args[1].Text(), g)
	if err != nil || !ok {
		return row.Null, err
	}
	return row.NewString(s), nil
}

func extractAll(r *regex.Regex, args []row.Value) (row.Value, error) {
	g, err := group(r, args)
	if err != nil {
		return row.Null, nil //nolint:nilerr // as above
	}
	all, err := r.FindAll(args[1].Text())
	if err != nil {
		return row.Null, err
	}
	out := make([]row.Value, len(all))
	for i, m := range all {
		if m.Present[g] {
			out[i] = row.NewString(m.Groups[g])
		}
	}
	return row.NewArray(out...), nil
}
