package expr

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
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

func (c *compiler) arrayNode(e *ast.ArrayExpr) rebuilder {
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		elems := evals(parts)
		n := newNode(e, t, func(e env) (row.Value, error) {
			out := make([]row.Value, len(elems))
			for i, f := range elems {
				out[i] = part(f, e, "element of an array")
			}
			return row.NewArray(out...), nil
		})
		n.parts, n.rebuild = parts, build
		return c.fold(n, parts...)
	}
	return build
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
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		fs, text := evals(parts), t.Key.Is(row.KindString)
		n := newNode(e, t, func(e env) (row.Value, error) {
			out := make([]row.Entry, len(fs)/2)
			for i := range out {
				k := part(fs[2*i], e, "key of a map")
				if k.IsNull() && text {
					k = row.NewString(nullKey)
				}
				out[i] = row.Entry{Key: k, Value: part(fs[2*i+1], e, "value of a map")}
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
	return c.structNode(e)(parts, row.StructType(fields...)), nil
}

func (c *compiler) structNode(e *ast.StructExpr) rebuilder {
	var build rebuilder
	build = func(parts []*node, t *row.Type) *node {
		fs := evals(parts)
		n := newNode(e, t, func(e env) (row.Value, error) {
			out := make([]row.Value, len(fs))
			for i, f := range fs {
				out[i] = part(f, e, "field of a struct")
			}
			return row.NewStruct(out...), nil
		})
		n.parts, n.rebuild = parts, build
		return c.fold(n, parts...)
	}
	return build
}
