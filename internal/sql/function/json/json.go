// Package json holds the functions of SQL on JSON that stands in texts.
//
// Purpose: parts of JSON values by path, their keys, members and lengths, and values of SQL as JSON.
//
// Callers and callees: package builtin lists Functions; it calls jsontext and java.
//
// Owner and locks: an Eval made by Bind remembers the last path that it compiled, behind an atomic pointer.
//
// Format: JSON that comes out has no white space, numbers as they were written, members in their order. A path is "$.a.b[0]['c d']".
//
// Not here: the JSON formats of topics (internal/format).
package json

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

var errJSON = errors.New("invalid JSON")

func doc(name, text string) function.Doc {
	return function.Doc{Name: name, Category: "JSON", Text: text}
}

// Functions are all functions of this package.
func Functions() []function.Scalar {
	return []function.Scalar{
		{Doc: doc("extractjsonfield", "The value at a path ($.a.b[0]) in JSON: texts as they are, all else as JSON; null: there is none."), Overloads: []function.Overload{{
			Signature: "(STRING, STRING) STRING", Bind: bindExtract,
		}}},
		{Doc: doc("is_json_string", "Whether a text is JSON."), Overloads: []function.Overload{{
			Signature: "(STRING) BOOLEAN", Nulls: true, Eval: func(args []row.Value) (row.Value, error) {
				_, err := read(args[0].Text())
				return row.NewBoolean(!args[0].IsNull() && err == nil), nil
			},
		}}},
		of("json_array_length", "The number of elements of a JSON array; null: it is none.", "INT", func(d document) row.Value {
			if d[d.start()] != '[' {
				return row.Null
			}
			return row.NewInt(int32(len(d.members())))
		}),
		of("json_keys", "The names of the members of a JSON object; null: it is none.", "ARRAY<STRING>", func(d document) row.Value {
			if d[d.start()] != '{' {
				return row.Null
			}
			var out []row.Value
			for _, m := range d.members() {
				out = append(out, row.NewString(m.name))
			}
			return row.NewArray(out...)
		}),
		of("json_records", "The members of a JSON object as a map; null: it is none.", "MAP<STRING, STRING>", func(d document) row.Value {
			if d[d.start()] != '{' {
				return row.Null
			}
			var out []row.Entry
			for _, m := range d.members() {
				out = append(out, row.Entry{Key: row.NewString(m.name), Value: row.NewString(asText(m.value))})
			}
			return row.NewMap(out...)
		}),
		of("json_items", "The elements of a JSON array, each as JSON; null: it is none.", "ARRAY<STRING>", func(d document) row.Value {
			if d[d.start()] != '[' {
				return row.Null
			}
			var out []row.Value
			for _, m := range d.members() {
				out = append(out, row.NewString(string(compact(nil, m.value))))
			}
			return row.NewArray(out...)
		}),
		{
			Doc:       doc("json_concat", "JSON objects as one with the members of all, or arrays as one with their elements; what is no array counts as one of one element."),
			Overloads: []function.Overload{{Signature: "(STRING...) STRING", Eval: concat}},
		},
		contains(),
		{Doc: doc("to_json_string", "A value of any type as JSON."), Overloads: []function.Overload{{
			Signature: "(T) STRING", Nulls: true, Bind: func(b function.Binding) function.Eval {
				return func(args []row.Value) (row.Value, error) {
					return row.NewString(string(appendValue(nil, args[0], b.Args[0]))), nil
				}
			},
		}}},
	}
}

// of makes a function of one JSON text.
func of(name, text, result string, f func(document) row.Value) function.Scalar {
	return function.Scalar{Doc: doc(name, text), Overloads: []function.Overload{{
		Signature: "(STRING) " + result, Eval: func(args []row.Value) (row.Value, error) {
			d, err := read(args[0].Text())
			if err != nil {
				return row.Null, err
			}
			return f(d), nil
		},
	}}}
}

// A document is JSON that was checked.
type document []byte

// read checks a text; white space around is allowed.
func read(s string) (document, error) {
	b := []byte(s)
	at := jsontext.Space(b, 0)
	end, reason := jsontext.Skip(b, at, 0)
	if reason != "" {
		return nil, errorAt(end, reason)
	}
	if end = jsontext.Space(b, end); end != len(b) {
		return nil, errorAt(end, "more text behind the value")
	}
	return b, nil
}

func errorAt(at int, reason string) error {
	return errors.Join(errJSON, errors.New(reason+" at byte "+strconv.Itoa(at+1)))
}

func (d document) start() int { return jsontext.Space(d, 0) }

// A member of an object, or an element of an array, which has no name.
type member struct {
	name  string
	value document
}

// members are those of an object or an array; of several with one name the last counts, in the place of the first.
func (d document) members() []member {
	i := d.start()
	end := byte(']')
	if d[i] == '{' {
		end = '}'
	}
	var out []member
	seen := map[string]int{}
	i = jsontext.Space(d, i+1)
	if d[i] == end {
		return nil
	}
	for closed := false; !closed; {
		var m member
		if end == '}' {
			var raw []byte
			raw, i, _ = jsontext.Key(d, i)
			m.name = string(jsontext.Unescape(nil, raw))
		}
		next, _ := jsontext.Skip(d, i, 0)
		m.value = d[i:next]
		out = add(out, m, seen, end == '}')
		i, closed, _ = jsontext.Next(d, next, end)
	}
	return out
}

// add adds a member; seen has the places of those with names.
func add(list []member, m member, seen map[string]int, named bool) []member {
	if named {
		if i, ok := seen[m.name]; ok {
			list[i].value = m.value
			return list
		}
		seen[m.name] = len(list)
	}
	return append(list, m)
}

// text is the content of a JSON string.
func (d document) text() (string, bool) {
	i := d.start()
	if d[i] != '"' {
		return "", false
	}
	end, _ := jsontext.String(d, i)
	return string(jsontext.Unescape(nil, d[i+1:end-1])), true
}

// asText is a string's content, anything else as JSON.
func asText(d document) string {
	if s, ok := d.text(); ok {
		return s
	}
	return string(compact(nil, d))
}

// compact appends a value without white space.
func compact(dst []byte, d document) []byte {
	switch i := d.start(); d[i] {
	case '"':
		s, _ := d.text()
		return jsontext.AppendString(dst, s)
	case '{', '[':
		object := d[i] == '{'
		dst = append(dst, d[i])
		for j, m := range d.members() {
			if j > 0 {
				dst = append(dst, ',')
			}
			if object {
				dst = append(jsontext.AppendString(dst, m.name), ':')
			}
			dst = compact(dst, m.value)
		}
		return append(dst, map[bool]byte{true: '}', false: ']'}[object])
	default:
		return append(dst, strings.TrimRight(string(d[i:]), " \t\r\n")...)
	}
}

func concat(args []row.Value) (row.Value, error) {
	docs := make([]document, len(args))
	objects := len(args) > 0
	for i, a := range args {
		d, err := read(a.Text())
		if err != nil {
			return row.Null, err
		}
		docs[i] = d
		objects = objects && d[d.start()] == '{'
	}
	var all []member
	seen := map[string]int{}
	for _, d := range docs {
		if c := d[d.start()]; c != '[' && !objects {
			all = append(all, member{value: d})
			continue
		}
		for _, m := range d.members() {
			all = add(all, m, seen, objects)
		}
	}
	if len(args) == 0 {
		return row.Null, nil
	}
	dst := []byte{'['}
	if objects {
		dst[0] = '{'
	}
	for i, m := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		if objects {
			dst = append(jsontext.AppendString(dst, m.name), ':')
		}
		dst = compact(dst, m.value)
	}
	return row.NewString(string(append(dst, dst[0]+2))), nil // ] and } stand two behind [ and {
}

// bindExtract remembers the path.
func bindExtract(function.Binding) function.Eval {
	var last atomic.Pointer[path]
	return func(args []row.Value) (row.Value, error) {
		p := last.Load()
		if p == nil || p.text != args[1].Text() {
			var err error
			if p, err = parsePath(args[1].Text()); err != nil {
				return row.Null, err
			}
			last.Store(p)
		}
		d, err := read(args[0].Text())
		if err != nil {
			return row.Null, err
		}
		if d = p.find(d); d == nil || d[d.start()] == 'n' {
			return row.Null, nil
		}
		return row.NewString(asText(d)), nil
	}
}
