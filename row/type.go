package row

import (
	"slices"
	"strconv"
	"strings"
)

// A Kind is what a Value or a Type basically is. The numbers are durable.
type Kind uint8

// The kinds. The zero Kind is that of null, and of a type that is not known yet.
const (
	KindNull Kind = iota
	KindBoolean
	KindInt       // 32 bits
	KindBigint    // 64 bits
	KindDouble    // IEEE 754, 64 bits
	KindDecimal   // exact, with a precision and a scale
	KindString    // UTF-8
	KindBytes     //
	KindDate      // days since 1970-01-01
	KindTime      // ms since midnight
	KindTimestamp // ms since 1970-01-01T00:00:00Z
	KindArray
	KindMap
	KindStruct
)

var kindNames = [...]string{
	"NULL", "BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP", "ARRAY", "MAP", "STRUCT",
}

// String is the kind's name in SQL.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "KIND(" + strconv.Itoa(int(k)) + ")"
}

// IsNumber tells the numbers.
func (k Kind) IsNumber() bool { return k >= KindInt && k <= KindDecimal }

// IsTemporal tells dates, times and timestamps.
func (k Kind) IsTemporal() bool { return k >= KindDate && k <= KindTimestamp }

// IsNested tells kinds whose values hold other values.
func (k Kind) IsNested() bool { return k >= KindArray }

// A Type is the type of a column or an expression. It never changes once it is made; nil stands for a type that is not known, which
// is that of a bare NULL.
type Type struct {
	Kind      Kind
	Precision int     // of a decimal: digits in all
	Scale     int     // of a decimal: digits behind the point
	Key       *Type   // of a map
	Elem      *Type   // of an array's elements, of a map's values
	Fields    []Field // of a struct, in order; names are unique
}

// A Field is a part of a struct.
type Field struct {
	Name string
	Type *Type
}

// The types without parameters.
var (
	Boolean       = &Type{Kind: KindBoolean}
	Int           = &Type{Kind: KindInt}
	Bigint        = &Type{Kind: KindBigint}
	Double        = &Type{Kind: KindDouble}
	StringType    = &Type{Kind: KindString}
	BytesType     = &Type{Kind: KindBytes}
	DateType      = &Type{Kind: KindDate}
	TimeType      = &Type{Kind: KindTime}
	TimestampType = &Type{Kind: KindTimestamp}
)

// DecimalType returns the type of decimals with precision digits, scale of them behind the point.
func DecimalType(precision, scale int) *Type {
	return &Type{Kind: KindDecimal, Precision: precision, Scale: scale}
}

// ArrayType returns the type of arrays of elem.
func ArrayType(elem *Type) *Type { return &Type{Kind: KindArray, Elem: elem} }

// MapType returns the type of maps from key to value.
func MapType(key, value *Type) *Type { return &Type{Kind: KindMap, Key: key, Elem: value} }

// StructType returns the type of structs with the fields.
func StructType(fields ...Field) *Type { return &Type{Kind: KindStruct, Fields: fields} }

// Equal tells whether both are the same type, names of fields included.
func (t *Type) Equal(o *Type) bool {
	if t == nil || o == nil {
		return t == o
	}
	if t == o {
		return true
	}
	return t.Kind == o.Kind && t.Precision == o.Precision && t.Scale == o.Scale && t.Key.Equal(o.Key) && t.Elem.Equal(o.Elem) &&
		slices.EqualFunc(t.Fields, o.Fields, func(a, b Field) bool { return a.Name == b.Name && a.Type.Equal(b.Type) })
}

// Is tells whether t is known and of the kind.
func (t *Type) Is(k Kind) bool { return t != nil && t.Kind == k }

// Field returns the place of a struct's field, -1: there is none.
func (t *Type) Field(name string) int {
	return slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
}

// String is the type in SQL, with the names of fields in back quotes.
func (t *Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *Type) write(b *strings.Builder) {
	if t == nil {
		b.WriteString("NULL")
		return
	}
	b.WriteString(t.Kind.String())
	switch t.Kind {
	case KindDecimal:
		b.WriteString("(" + strconv.Itoa(t.Precision) + ", " + strconv.Itoa(t.Scale) + ")")
	case KindArray:
		b.WriteByte('<')
		t.Elem.write(b)
		b.WriteByte('>')
	case KindMap:
		b.WriteByte('<')
		t.Key.write(b)
		b.WriteString(", ")
		t.Elem.write(b)
		b.WriteByte('>')
	case KindStruct:
		b.WriteByte('<')
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(Quote(f.Name) + " ")
			f.Type.write(b)
		}
		b.WriteByte('>')
	}
}

// Quote puts a name between back quotes; those within are doubled.
func Quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
