package expr

import (
	"errors"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// unify brings nodes to one type, decided from left to right by the first that is not NULL.
func (c *compiler) unify(nodes []*node) ([]*node, *row.Type, error) {
	t, err := c.common(nodes)
	if err != nil || t == nil {
		return nodes, t, err
	}
	out := make([]*node, len(nodes))
	for i, n := range nodes {
		if out[i], err = c.convert(n, t); err != nil {
			return nil, nil, err
		}
	}
	return out, t, nil
}

// common is the type that all nodes can be brought to; nil: all are NULL.
func (c *compiler) common(nodes []*node) (*row.Type, error) {
	var t *row.Type
	for _, n := range nodes {
		var err error
		if t, err = c.merge(t, n); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func noOperator(t *row.Type, n *node) *Error {
	return errorAt(n.e, CodeCompare, "operator does not exist: %s = %s (%s)\nHint: You might need to add explicit type casts.",
		t, n.typ, ast.Format(n.e)).hint("cast one of the values to the type of the others")
}

func badInput(t *row.Type, n *node) *Error {
	return errorAt(n.e, CodeLiteral, "invalid input syntax for type %s: %q.", t, n.value.Text())
}

// merge is the type for values of t and n together.
func (c *compiler) merge(t *row.Type, n *node) (*row.Type, error) {
	switch {
	case n.typ == nil:
		return t, nil
	case t == nil:
		return n.typ, nil
	case n.parts != nil && t.Kind == n.typ.Kind:
		return c.mergeParts(t, n)
	case t.Equal(n.typ):
		return t, nil
	case t.Kind == row.KindString && n.literal:
		return t, nil
	case n.literal && n.typ.Kind == row.KindString:
		return mergeText(t, n)
	}
	if merged := mergeTypes(t, n.typ); merged != nil {
		return merged, nil
	}
	return nil, noOperator(t, n)
}

// mergeText: the text of a literal may be a number, a boolean, a date, …
func mergeText(t *row.Type, n *node) (*row.Type, error) {
	text := n.value.Text()
	switch {
	case t.Kind == row.KindDouble:
		if _, err := castText(text, row.Double); err != nil {
			return nil, badInput(t, n)
		}
		return t, nil
	case t.Kind.IsNumber():
		lit, ok := numberText(text)
		if !ok {
			return nil, badInput(t, n)
		}
		return function.WiderNumber(t, lit), nil
	case t.Kind == row.KindBoolean, t.Kind.IsTemporal(), t.Kind == row.KindBytes:
		if _, err := fromText(text, t); err != nil {
			return nil, badInput(t, n)
		}
		return t, nil
	}
	return nil, noOperator(t, n)
}

// numberText is the smallest type of the number that a text has.
func numberText(s string) (*row.Type, bool) {
	d, err := row.ParseDecimal(strings.TrimSpace(s))
	if err != nil {
		return nil, false
	}
	t := decimal.TypeOf(d)
	switch {
	case t.Scale > 0 || t.Precision > 19:
		return t, true
	case strings.ContainsAny(s, "eE."):
		return t, true
	}
	if n := decimal.Int64(d); row.NewDecimal(n, 0) != d {
		return t, true
	} else if n == int64(int32(n)) {
		return row.Int, true
	}
	return row.Bigint, true
}

// mergeTypes is the type that holds values of both, nil: there is none. A nil type is that of NULL.
func mergeTypes(a, b *row.Type) *row.Type {
	switch {
	case a == nil:
		return b
	case b == nil, a.Equal(b):
		return a
	case a.Kind.IsNumber() && b.Kind.IsNumber():
		return function.WiderNumber(a, b)
	case a.Kind != b.Kind:
		return nil
	}
	switch a.Kind {
	case row.KindArray:
		if elem := mergeTypes(a.Elem, b.Elem); elem != nil {
			return row.ArrayType(elem)
		}
	case row.KindMap:
		key, elem := mergeTypes(a.Key, b.Key), mergeTypes(a.Elem, b.Elem)
		if key != nil && elem != nil {
			return row.MapType(key, elem)
		}
	case row.KindStruct:
		fields := slices.Clone(a.Fields)
		for _, f := range b.Fields {
			i := a.Field(f.Name)
			if i < 0 {
				fields = append(fields, f)
				continue
			}
			t := mergeTypes(fields[i].Type, f.Type)
			if t == nil && f.Type != nil {
				return nil
			}
			fields[i].Type = t
		}
		return row.StructType(fields...)
	}
	return nil
}

// mergeParts merges with a constructor, whose parts may be literals.
func (c *compiler) mergeParts(t *row.Type, n *node) (*row.Type, error) {
	merge := func(t *row.Type, part *node) (*row.Type, error) {
		merged, err := c.merge(t, part)
		var e *Error
		if errors.As(err, &e) && e.Code == CodeCompare {
			return nil, nil //nolint:nilnil // told by the caller, for the whole constructor
		}
		return merged, err
	}
	elem, key := t.Elem, t.Key
	fields := slices.Clone(t.Fields)
	for i, part := range n.parts {
		var err error
		ok := true
		switch {
		case t.Kind == row.KindStruct:
			name := n.typ.Fields[i].Name
			at := slices.IndexFunc(fields, func(f row.Field) bool { return f.Name == name })
			if at < 0 {
				fields = append(fields, row.Field{Name: name, Type: part.typ})
				continue
			}
			fields[at].Type, err = merge(fields[at].Type, part)
			ok = fields[at].Type != nil
		case t.Kind == row.KindMap && i%2 == 0:
			key, err = merge(key, part)
			ok = key != nil
		default:
			elem, err = merge(elem, part)
			ok = elem != nil
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, noOperator(t, n)
		}
	}
	switch t.Kind {
	case row.KindArray:
		return row.ArrayType(elem), nil
	case row.KindMap:
		return row.MapType(key, elem), nil
	}
	return row.StructType(fields...), nil
}

// convert brings a node to a type that merge found, or that a column has: literals by their text, constructors part by part, numbers to
// wider ones.
func (c *compiler) convert(n *node, t *row.Type) (*node, error) {
	switch {
	case n.typ.Equal(t):
		return n, nil
	case n.typ == nil:
		if n.constant {
			k := constant(n.e, t, row.Null)
			k.literal = n.literal
			return k, nil
		}
		out := *n
		out.typ = t
		return &out, nil
	case n.parts != nil && n.typ.Kind == t.Kind:
		return c.convertParts(n, t)
	case n.literal:
		return convertLiteral(n, t)
	case !Converts(n.typ, t):
		return nil, errorAt(n.e, CodeCast, "%s (%s) cannot be used as %s", ast.Format(n.e), n.typ, t).hint("use CAST")
	}
	return c.castNode(n.e, n, t)
}

func convertLiteral(n *node, t *row.Type) (*node, error) {
	var v row.Value
	var err error
	switch {
	case t.Kind == row.KindString:
		text := cast.Text(n.value, n.typ)
		if d, ok := n.e.(*ast.DoubleLiteral); ok {
			text = d.Text
		}
		v = row.NewString(text)
	case n.typ.Kind == row.KindString:
		if v, err = fromText(n.value.Text(), t); err != nil {
			return nil, badInput(t, n)
		}
	case Converts(n.typ, t) || t.Kind == row.KindDecimal && n.typ.Kind.IsNumber():
		f, err := cast.Compile(n.typ, t)
		if err != nil {
			return nil, errorAt(n.e, CodeCast, "%s", err.Error())
		}
		if v, err = f(n.value); err != nil {
			return nil, errorAt(n.e, CodeCast, "%s", err.Error())
		}
	default:
		return nil, errorAt(n.e, CodeCast, "%s (%s) cannot be used as %s", ast.Format(n.e), n.typ, t).hint("use CAST")
	}
	k := constant(n.e, t, v)
	k.literal = true
	return k, nil
}

func (c *compiler) convertParts(n *node, t *row.Type) (*node, error) {
	parts := slices.Clone(n.parts)
	if t.Kind == row.KindStruct {
		parts = make([]*node, len(t.Fields))
		for i, f := range t.Fields {
			at := n.typ.Field(f.Name)
			if at < 0 {
				parts[i] = constant(n.e, f.Type, row.Null)
				continue
			}
			part, err := c.convert(n.parts[at], f.Type)
			if err != nil {
				return nil, err
			}
			parts[i] = part
		}
		return n.rebuild(parts, t), nil
	}
	for i, part := range parts {
		target := t.Elem
		if t.Kind == row.KindMap && i%2 == 0 {
			target = t.Key
		}
		var err error
		if parts[i], err = c.convert(part, target); err != nil {
			return nil, err
		}
	}
	return n.rebuild(parts, t), nil
}

// Converts tells whether values of a type turn into another by themselves: a number into a wider one, text into a date, a time or a
// timestamp, and nested types part by part.
func Converts(from, to *row.Type) bool {
	switch {
	case from == nil || from.Equal(to):
		return true
	case to == nil:
		return false
	case from.Kind.IsNumber() && to.Kind.IsNumber():
		return to.Kind == row.KindDouble || from.Kind <= to.Kind && to.Kind != row.KindDecimal ||
			to.Kind == row.KindDecimal && from.Kind != row.KindDouble && holdsDecimal(decimal.Of(from), to)
	case from.Kind == row.KindString:
		return to.Kind.IsTemporal()
	case from.Kind != to.Kind:
		return false
	case from.Kind == row.KindArray:
		return Converts(from.Elem, to.Elem)
	case from.Kind == row.KindMap:
		return Converts(from.Key, to.Key) && Converts(from.Elem, to.Elem)
	case from.Kind == row.KindStruct:
		for _, f := range from.Fields {
			if i := to.Field(f.Name); i >= 0 && !Converts(f.Type, to.Fields[i].Type) {
				return false
			}
		}
		return true
	}
	return false
}

func holdsDecimal(from, to *row.Type) bool {
	return from.Scale <= to.Scale && from.Precision-from.Scale <= to.Precision-to.Scale
}

// castText casts a text, as CAST does.
func castText(s string, t *row.Type) (row.Value, error) {
	f, err := cast.Compile(row.StringType, t)
	if err != nil {
		return row.Null, err
	}
	if f == nil {
		return row.NewString(s), nil
	}
	return f(row.NewString(s))
}

var errBoolean = errors.New("not a boolean")

func booleanText(s string) (row.Value, error) {
	if b, ok := cast.Boolean(s); ok {
		return boolean(b), nil
	}
	return row.Null, errBoolean
}
