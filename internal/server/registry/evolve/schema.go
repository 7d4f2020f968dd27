package evolve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits of schemas from outside.
const (
	maxDepth = 64
	maxWork  = 100_000 // schemas that are looked at: branches multiply
)

// A kind is what a JSON schema says of a value first.
type kind string

const (
	anything kind = "any value"
	nothing  kind = "no value"
	values   kind = "a list of values"
	negation kind = "not"
	oneOf    kind = "oneOf"
	anyOf    kind = "anyOf"
	allOf    kind = "allOf"
	text     kind = "string"
	number   kind = "number"
	truth    kind = "boolean"
	null     kind = "null"
	object   kind = "object"
	array    kind = "array"
)

func (k kind) combines() bool { return k == oneOf || k == anyOf || k == allOf }

// A node is one level of a JSON schema.
type node struct {
	kind   kind
	whole  bool           // a number without a fraction
	fields map[string]any // as it is written
	parts  []any          // of a combination
	values []string       // of enum and const, as JSON
	doc    *document
}

// A document is a whole schema, with those that it refers to by their names.
type document struct {
	root    any
	imports map[string]*document
}

func parse(schema string, imports map[string]string) (*document, error) {
	read := func(s string) (any, error) {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("JSON schema: %w", err)
		}
		return v, nil
	}
	all := map[string]*document{}
	for name, s := range imports {
		root, err := read(s)
		if err != nil {
			return nil, err
		}
		all[name] = &document{root, all}
	}
	root, err := read(schema)
	return &document{root, all}, err
}

// resolve follows a reference: #/definitions/a, name, name#/definitions/a. ok is false where there is nothing.
func (d *document) resolve(ref string) (at *document, v any, ok bool) {
	name, pointer, _ := strings.Cut(ref, "#")
	if name != "" {
		if d = d.imports[name]; d == nil {
			return nil, nil, false
		}
	}
	v = d.root
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch in := v.(type) {
		case map[string]any:
			v, ok = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if ok = err == nil && i >= 0 && i < len(in); ok {
				v = in[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, nil, false
		}
	}
	return d, v, true
}

// node reads a schema. What refers to nothing is any value.
func (d *document) node(v any) node {
	for range maxDepth {
		fields, isObject := v.(map[string]any)
		if !isObject {
			if v == false {
				return node{kind: nothing, doc: d}
			}
			return node{kind: anything, doc: d}
		}
		ref, refers := fields["$ref"].(string)
		if !refers {
			return d.written(fields)
		}
		at, to, ok := d.resolve(ref)
		if !ok {
			break
		}
		d, v = at, to
	}
	return node{kind: anything, doc: d}
}

// written reads a schema that refers to no other.
func (d *document) written(fields map[string]any) node {
	n := node{kind: anything, fields: fields, doc: d}
	if v, given := fields["const"]; given {
		n.kind, n.values = values, []string{canonical(v)}
		return n
	}
	if list, given := fields["enum"].([]any); given {
		n.kind = values
		for _, v := range list {
			n.values = append(n.values, canonical(v))
		}
		return n
	}
	if d.combined(&n) {
		return n
	}
	switch t := fields["type"].(type) {
	case string:
		n.kind, n.whole = kind(t), t == "integer"
	case []any:
		n.kind = anyOf
		for _, one := range t {
			part := maps.Clone(fields)
			part["type"] = one
			n.parts = append(n.parts, part)
		}
	default:
		n.kind = untyped(fields)
	}
	if n.whole {
		n.kind = number
	}
	return n
}

// combined reads a schema with branches. What stands beside them must hold as well.
func (d *document) combined(n *node) bool {
	beside := maps.Clone(n.fields)
	var all []any
	for _, k := range []kind{allOf, anyOf, oneOf} {
		if parts, given := n.fields[string(k)].([]any); given {
			delete(beside, string(k))
			n.kind, n.parts = k, parts
			all = append(all, map[string]any{string(k): parts})
		}
	}
	if len(all) == 0 {
		return false
	}
	if d.written(beside).kind != anything {
		all = append(all, beside)
	}
	if len(all) > 1 {
		n.kind, n.parts = allOf, all
	}
	return true
}

// untyped is what a schema without a type is about.
func untyped(fields map[string]any) kind {
	for _, k := range []struct {
		kind  kind
		words []string
	}{
		{object, []string{"properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties", "dependencies"}},
		{array, []string{"items", "additionalItems", "minItems", "maxItems", "uniqueItems"}},
		{text, []string{"minLength", "maxLength", "pattern"}},
		{number, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
		{negation, []string{"not"}},
	} {
		if slices.ContainsFunc(k.words, func(w string) bool { _, given := fields[w]; return given }) {
			return k.kind
		}
	}
	return anything
}

// canonical is a value as JSON with the members of objects in order.
func canonical(v any) string {
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(v) // it came from JSON
	return strings.TrimSpace(b.String())
}

// takes tells whether a value is of the node's type.
func (n *node) takes(value string) bool {
	switch c := value[0]; n.kind {
	case text:
		return c == '"'
	case number:
		return (c == '-' || c-'0' <= 9) && !(n.whole && strings.ContainsAny(value, ".eE"))
	case truth:
		return c == 't' || c == 'f'
	case null:
		return c == 'n'
	case object:
		return c == '{'
	case array:
		return c == '['
	}
	return n.kind == anything
}

func (n *node) list(name string) []any {
	out, _ := n.fields[name].([]any)
	return out
}

func (n *node) members(name string) map[string]any {
	out, _ := n.fields[name].(map[string]any)
	return out
}

// float is a number of the schema.
func (n *node) float(name string) (float64, bool) {
	v, ok := n.fields[name].(json.Number)
	if !ok {
		return 0, false
	}
	f, err := v.Float64()
	return f, err == nil
}

// texts are the strings of a list.
func texts(list []any) map[string]bool {
	out := map[string]bool{}
	for _, v := range list {
		if s, ok := v.(string); ok {
			out[s] = true
		}
	}
	return out
}
