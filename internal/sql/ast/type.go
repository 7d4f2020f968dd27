package ast

// NamedType is a type by its name: BOOLEAN, INT, VARCHAR, TIMESTAMP, … or a type of CREATE TYPE. Whether the name is known is the binder's
// question. A quoted name is always that of CREATE TYPE.
type NamedType struct {
	Span
	Name Name
	// Params are what stands in parentheses after the name, such as STRING in VARCHAR(STRING): integers or STRING. They mean nothing and
	// are kept as written.
	Params []string
}

// DecimalType is DECIMAL(precision, scale). The bounds are the binder's to check.
type DecimalType struct {
	Span
	Precision, Scale int
}

// ArrayType is ARRAY<Elem>.
type ArrayType struct {
	Span
	Elem Type
}

// MapType is MAP<Key, Value>.
type MapType struct {
	Span
	Key, Value Type
}

// StructType is STRUCT<field type, …>; it may be empty.
type StructType struct {
	Span
	Fields []FieldDef
}

// A FieldDef is one field of a StructType.
type FieldDef struct {
	Span
	Name Name
	Type Type
}

func (*NamedType) typeNode()   {}
func (*DecimalType) typeNode() {}
func (*ArrayType) typeNode()   {}
func (*MapType) typeNode()     {}
func (*StructType) typeNode()  {}
