package row

import (
	"slices"
	"strings"
)

// A Column has a name and a type.
type Column struct {
	Name string
	Type *Type
}

// A Schema says what a Row's values are, in order. Schemas are immutable.
type Schema []Column

// Index returns a column's place, -1: there is none.
func (s Schema) Index(name string) int {
	return slices.IndexFunc(s, func(c Column) bool { return c.Name == name })
}

// Equal tells whether both have the same columns in the same order.
func (s Schema) Equal(o Schema) bool {
	return slices.EqualFunc(s, o, func(a, b Column) bool { return a.Name == b.Name && a.Type.Equal(b.Type) })
}

// Struct is the schema as a type.
func (s Schema) Struct() *Type {
	fields := make([]Field, len(s))
	for i, c := range s {
		fields[i] = Field(c)
	}
	return StructType(fields...)
}

// String lists the columns in SQL.
func (s Schema) String() string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = Quote(c.Name) + " " + c.Type.String()
	}
	return strings.Join(parts, ", ")
}
