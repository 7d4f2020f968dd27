package expr

import (
	"errors"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

func (c *compiler) column(e *ast.ColumnRef) (*node, error) {
	if !e.Source.Given() {
		for slot := len(c.vars) - 1; slot >= 0; slot-- {
			if c.vars[slot].name == e.Name.Text {
				return newNode(e, c.vars[slot].typ, func(e env) (row.Value, error) { return e.frame.vars[slot], nil }), nil
			}
		}
	}
	i, t, err := c.scope.Column(e)
	if err != nil {
		return nil, err
	}
	if c.columns == nil {
		c.columns = map[int]bool{}
	}
	c.columns[i] = true
	n := newNode(e, t, func(e env) (row.Value, error) { return e.row.At(i), nil })
	n.column = i
	return n, nil
}

func (c *compiler) field(e *ast.FieldRef) (*node, error) {
	base, err := c.compile(e.Base)
	if err != nil {
		return nil, err
	}
	if !base.typ.Is(row.KindStruct) {
		return nil, errorAt(e, CodeField, "Expected STRUCT type, got: %s", typeName(base.typ)).hint("-> reads the field of a STRUCT")
	}
	i := base.typ.Field(e.Field.Text)
	if i < 0 {
		names := make([]string, len(base.typ.Fields))
		for j, f := range base.typ.Fields {
			names[j] = row.Quote(f.Name)
		}
		return nil, errorAt(e, CodeField, "Could not find field '%s' in '%s'.", e.Field.Text, ast.Format(e.Base)).
			hint("its fields are " + strings.Join(names, ", "))
	}
	f := base.eval
	return c.fold(newNode(e, base.typ.Fields[i].Type, func(e env) (row.Value, error) {
		v, err := f(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		return v.Row().At(i), nil
	}), base), nil
}

func (c *compiler) subscript(e *ast.Subscript) (*node, error) {
	base, err := c.compile(e.Base)
	if err != nil {
		return nil, err
	}
	index, err := c.compile(e.Index)
	if err != nil {
		return nil, err
	}
	switch {
	case base.typ.Is(row.KindArray):
		if !index.typ.Is(row.KindInt) && !index.typ.Is(row.KindBigint) {
			return nil, errorAt(e.Index, CodeType, "The index of an ARRAY must be an INTEGER, but %s is %s", ast.Format(e.Index), typeName(index.typ))
		}
		if first := index.constant && index.value.Int64() == 1; first && base.single != nil {
			n := *base.single
			n.e = e
			return &n, nil
		}
		return c.fold(newNode(e, base.typ.Elem, element(base.eval, index.eval)), base, index), nil
	case base.typ.Is(row.KindMap):
		key, err := c.mapKey(index, base.typ.Key)
		if err != nil {
			return nil, errorAt(e.Index, CodeType, "The key of a %s must be %s, but %s is %s", base.typ, base.typ.Key, ast.Format(e.Index), typeName(index.typ)).
				hint("cast it: a number is no text here")
		}
		index = key
		return c.fold(newNode(e, base.typ.Elem, lookup(base.eval, index.eval)), base, index), nil
	}
	return nil, errorAt(e, CodeType, "Subscript expression (%s) can be applied only to ARRAY or MAP, not to %s", ast.Format(e), typeName(base.typ))
}

// mapKey brings a subscript to the type of a map's keys. Only numbers become wider: the text of a literal is no number, nor the other way
// round, for a key that no map can have finds nothing, silently.
func (c *compiler) mapKey(index *node, key *row.Type) (*node, error) {
	if index.typ != nil && index.typ.Kind != key.Kind && !(index.typ.Kind.IsNumber() && key.Kind.IsNumber()) {
		return nil, errKey
	}
	return c.convert(index, key)
}

var errKey = errors.New("not a key of the map")

// element reads an array's element: 1 is the first, -1 the last, any other place is null.
func element(array, index eval) eval {
	return func(e env) (row.Value, error) {
		v, err := array(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		at, err := index(e)
		if err != nil || at.IsNull() {
			return row.Null, err
		}
		r, i := v.Row(), at.Int64()
		n := int64(r.Len())
		if i < 0 {
			i += n + 1
		}
		if i < 1 || i > n {
			return row.Null, nil
		}
		return r.At(int(i - 1)), nil
	}
}

// lookup reads a map's value, null if it has no such key.
func lookup(m, key eval) eval {
	return func(e env) (row.Value, error) {
		v, err := m(e)
		if err != nil || v.IsNull() {
			return row.Null, err
		}
		k, err := key(e)
		if err != nil || k.IsNull() {
			return row.Null, err
		}
		r := v.Row()
		for i := 0; i < r.Len(); i += 2 {
			if r.At(i) == k {
				return r.At(i + 1), nil
			}
		}
		return row.Null, nil
	}
}
