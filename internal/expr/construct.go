package expr

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// part computes a part of a constructor: what fails is null, and told to who evaluates.
func part(f eval, e env, what string) row.Value {
	v, err := f(e)
	if err != nil {
		e.fail(fmt.Errorf("%s: %w", what, err))
		return row.Null
	}
	return v
}

func (c *compiler) array(e *ast.ArrayExpr) (*node, error) {
	if len(e.Elems) == 0 {
		return nil, errorAt(e, CodeConstructor, "Array constructor cannot be empty. Please supply at least one element (see https://github.com/confluentinc/ksql/issues/4239).")
	}
	parts, err := c.compileAll(e.Elems)
	if err != nil {
		return nil, err
	}
	parts, t, err := c.unify(parts)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errorAt(e, CodeConstructor, "Cannot construct an array with all NULL elements (see https://github.com/confluentinc/ksql/issues/4239). "+
			"As a workaround, you may cast a NULL value to the desired type.").hint("ARRAY[CAST(NULL AS INT)]")
	}
	return c.arrayNode(e)(parts, row.ArrayType(t)), nil
}

// fewParts is how many parts of a constructor need no memory of their own.
const fewParts = 12

func (c *compiler) arrayNode(e *ast.ArrayExpr) rebuilder {
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		if runs := columnRuns(parts); runs != nil {
			n := newNode(e, t, cutOut(row.KindArray, runs))
			n.parts, n.rebuild = parts, build
			return n
		}
		c.parts = true
		elems := evals(parts)
		n := newNode(e, t, func(e env) (row.Value, error) {
			var room [fewParts]row.Value
			out := room[:0]
			for _, f := range elems {
				out = append(out, part(f, e, "element of an array"))
			}
			if err := function.CheckSizes(out, 0); err != nil {
				return row.Null, err
			}
			return row.NewArray(out...), nil
		})
		n.parts, n.rebuild = parts, build
		return c.fold(n, parts...)
	}
	return build
}

// A run is some columns of the row, one behind the other.
type run struct{ from, to int }

// columnRuns are the columns that the parts of a constructor are; nil: some are something else.
func columnRuns(parts []*node) (out []run) {
	for _, p := range parts {
		last := len(out) - 1
		switch {
		case p.column < 0:
			return nil
		case last >= 0 && out[last].to == p.column:
			out[last].to++
		default:
			out = append(out, run{p.column, p.column + 1})
		}
	}
	return out
}

// cutOut makes a nested value of columns as they stand in the row.
func cutOut(k row.Kind, runs []run) eval {
	return func(e env) (row.Value, error) {
		if len(runs) == 1 {
			return row.FromRow(k, e.row.Slice(runs[0].from, runs[0].to)), nil
		}
		parts := row.Make(func(b *row.Builder) {
			for _, r := range runs {
				b.AddRange(e.row, r.from, r.to)
			}
		})
		if len(parts) > function.MaxBytes {
			return row.Null, function.ErrTooLarge
		}
		return row.FromRow(k, parts), nil
	}
}

// nullKey is what a null key of a map becomes: maps have no null keys, and texts of maps show it so.
const nullKey = "null"

func (c *compiler) mapping(e *ast.MapExpr) (*node, error) {
	if len(e.Entries) == 0 {
		return nil, errorAt(e, CodeConstructor, "Map constructor cannot be empty. Please supply at least one key value pair (see https://github.com/confluentinc/ksql/issues/4239).")
	}
	keys, values := make([]*node, len(e.Entries)), make([]*node, len(e.Entries))
	for i, entry := range e.Entries {
		var err error
		if keys[i], err = c.compile(entry.Key); err != nil {
			return nil, err
		}
		if values[i], err = c.compile(entry.Value); err != nil {
			return nil, err
		}
	}
	keys, key, err := c.unify(keys)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, errorAt(e, CodeConstructor, "Cannot construct a map with all NULL keys (see https://github.com/confluentinc/ksql/issues/4239). "+
			"As a workaround, you may cast a NULL key to the desired type.")
	}
	values, elem, err := c.unify(values)
	if err != nil {
		return nil, err
	}
	if elem == nil {
		return nil, errorAt(e, CodeConstructor, "Cannot construct a map with all NULL values (see https://github.com/confluentinc/ksql/issues/4239). "+
			"As a workaround, you may cast a NULL value to the desired type.")
	}
	parts := make([]*node, 0, 2*len(keys))
	for i := range keys {
		parts = append(parts, keys[i], values[i])
	}
	return c.mapNode(e)(parts, row.MapType(key, elem)), nil
}

func (c *compiler) mapNode(e *ast.MapExpr) rebuilder {
	c.parts = true
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		fs, text := evals(parts), t.Key.Is(row.KindString)
		n := newNode(e, t, func(e env) (row.Value, error) {
			out := make([]row.Entry, len(fs)/2)
			size := 0
			for i := range out {
				k := part(fs[2*i], e, "key of a map")
				if k.IsNull() && text {
					k = row.NewString(nullKey)
				}
				out[i] = row.Entry{Key: k, Value: part(fs[2*i+1], e, "value of a map")}
				if size += function.Size(k) + function.Size(out[i].Value); size > function.MaxBytes {
					return row.Null, function.ErrTooLarge
				}
			}
			return row.NewMap(out...), nil
		})
		n.parts, n.rebuild = parts, build
		return c.fold(n, parts...)
	}
	return build
}

func (c *compiler) structure(e *ast.StructExpr) (*node, error) {
	parts := make([]*node, len(e.Fields))
	fields := make([]row.Field, len(e.Fields))
	seen := map[string]bool{}
	for i, f := range e.Fields {
		n, err := c.compile(f.Value)
		if err != nil {
			return nil, err
		}
		if seen[f.Name.Text] {
			return nil, errorAt(f, CodeConstructor, "Duplicate field names found in STRUCT: '%s'", ast.Format(e)).hint("each field needs a name of its own")
		}
		seen[f.Name.Text] = true
		parts[i], fields[i] = n, row.Field{Name: f.Name.Text, Type: n.typ}
	}
	t := row.StructType(fields...)
	if TypeParts(t) > MaxTypeParts {
		return nil, errorAt(e, CodeConstructor, "The STRUCT has more than %d parts.", MaxTypeParts).hint("make a column of each of its large fields")
	}
	return c.structNode(e)(parts, t), nil
}

func (c *compiler) structNode(e *ast.StructExpr) rebuilder {
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		if runs := columnRuns(parts); runs != nil {
			n := newNode(e, t, cutOut(row.KindStruct, runs))
			n.parts, n.rebuild = parts, build
			return n
		}
		c.parts = true
		fs := evals(parts)
		n := newNode(e, t, func(e env) (row.Value, error) {
			var room [fewParts]row.Value
			out := room[:0]
			for _, f := range fs {
				out = append(out, part(f, e, "field of a struct"))
			}
			if err := function.CheckSizes(out, 0); err != nil {
				return row.Null, err
			}
			return row.NewStruct(out...), nil
		})
		n.parts, n.rebuild = parts, build
		return c.fold(n, parts...)
	}
	return build
}
