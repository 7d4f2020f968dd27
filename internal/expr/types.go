package expr

import (
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// MaxTypeParts is how many parts a type may have: types that are made of types double quickly.
const MaxTypeParts = 100_000

// TypeParts counts a type with all that it is made of; it goes little further than MaxTypeParts.
func TypeParts(t *row.Type) int { return typeParts(t, MaxTypeParts) }

func typeParts(t *row.Type, most int) int {
	switch {
	case t == nil:
		return 0
	case most < 0:
		return 1
	}
	n := 1 + typeParts(t.Key, most-1)
	n += typeParts(t.Elem, most-n)
	for _, f := range t.Fields {
		if n > most {
			break
		}
		n += typeParts(f.Type, most-n)
	}
	return n
}

// Inferred tells whether all of a type is known: a NULL in it has none.
func Inferred(t *row.Type) bool {
	if t == nil {
		return false
	}
	switch t.Kind {
	case row.KindArray:
		return Inferred(t.Elem)
	case row.KindMap:
		return Inferred(t.Key) && Inferred(t.Elem)
	}
	return !slices.ContainsFunc(t.Fields, func(f row.Field) bool { return !Inferred(f.Type) })
}

// A TypeScope is a Scope that also knows types made with CREATE TYPE; nil: there is none of the name.
type TypeScope interface {
	NamedType(name string) *row.Type
}

// named is how the scope finds types by name, nil: it knows none.
func (c *compiler) named() func(string) *row.Type {
	if s, ok := c.scope.(TypeScope); ok {
		return s.NamedType
	}
	return nil
}

var typeNames = map[string]*row.Type{
	"BOOLEAN": row.Boolean, "INT": row.Int, "INTEGER": row.Int, "BIGINT": row.Bigint, "DOUBLE": row.Double, "STRING": row.StringType,
	"VARCHAR": row.StringType, "BYTES": row.BytesType, "DATE": row.DateType, "TIME": row.TimeType, "TIMESTAMP": row.TimestampType,
}

// ResolveType turns a type as written into one; named finds those of CREATE TYPE and may be nil. The error is an *Error.
func ResolveType(t ast.Type, named func(name string) *row.Type) (*row.Type, error) {
	switch t := t.(type) {
	case *ast.NamedType:
		if known := typeNames[strings.ToUpper(t.Name.Text)]; known != nil && !t.Name.Quoted {
			return known, nil
		}
		if named != nil {
			if made := named(t.Name.Text); made != nil {
				return made, nil
			}
		}
		return nil, errorAt(t, CodeType, "Cannot resolve unknown type: %s", t.Name.Text).hint("CREATE TYPE makes a type; LIST TYPES shows them")
	case *ast.DecimalType:
		if t.Precision < 1 || t.Scale < 0 || t.Scale > t.Precision || t.Precision > row.MaxDecimalDigits {
			return nil, errorAt(t, CodeType, "DECIMAL precision must be >= 1 and scale between 0 and precision: DECIMAL(%d,%d)", t.Precision, t.Scale)
		}
		return row.DecimalType(t.Precision, t.Scale), nil
	case *ast.ArrayType:
		elem, err := ResolveType(t.Elem, named)
		if err != nil {
			return nil, err
		}
		return row.ArrayType(elem), nil
	case *ast.MapType:
		key, err := ResolveType(t.Key, named)
		if err != nil {
			return nil, err
		}
		value, err := ResolveType(t.Value, named)
		if err != nil {
			return nil, err
		}
		return row.MapType(key, value), nil
	case *ast.StructType:
		fields := make([]row.Field, len(t.Fields))
		for i, f := range t.Fields {
			ft, err := ResolveType(f.Type, named)
			if err != nil {
				return nil, err
			}
			fields[i] = row.Field{Name: f.Name.Text, Type: ft}
		}
		return row.StructType(fields...), nil
	}
	return nil, errorAt(t, CodeType, "Cannot resolve unknown type")
}
