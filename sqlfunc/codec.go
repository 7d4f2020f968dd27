package sqlfunc

import (
	"reflect"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// A param is a parameter or a result as signatures tell it.
type param struct {
	typ      *row.Type // nil with err
	err      error
	nulls    bool // it has a place for null
	variadic bool
	constant bool
}

// A codec turns values of rows into values of Go and back.
type codec[T any] struct {
	param
	read  func(row.Value) (T, error)
	write func(T) (row.Value, error)
}

// codecOf compiles the codec of a type. Without reflection are those types that most functions have.
func codecOf[T any]() codec[T] {
	t := reflect.TypeFor[T]()
	var c codec[T]
	conv, err := convert(t, digits{})
	if err != nil {
		c.err = err
		return c
	}
	c.typ, c.nulls = conv.typ, t.Kind() == reflect.Pointer
	c.read = func(v row.Value) (out T, err error) {
		err = conv.read(v, reflect.ValueOf(&out).Elem())
		return out, err
	}
	c.write = func(x T) (row.Value, error) { return conv.write(reflect.ValueOf(&x).Elem()) }
	switch p := any(&c).(type) {
	case *codec[string]:
		p.read = func(v row.Value) (string, error) { return v.Text(), present(v) }
		p.write = func(x string) (row.Value, error) { return row.NewString(x), nil }
	case *codec[int64]:
		p.read = func(v row.Value) (int64, error) { return v.Int64(), present(v) }
		p.write = func(x int64) (row.Value, error) { return row.NewBigint(x), nil }
	case *codec[int32]:
		p.read = func(v row.Value) (int32, error) { return int32(v.Int64()), present(v) }
		p.write = func(x int32) (row.Value, error) { return row.NewInt(x), nil }
	case *codec[float64]:
		p.read = func(v row.Value) (float64, error) { return v.Double(), present(v) }
		p.write = func(x float64) (row.Value, error) { return row.NewDouble(x), nil }
	case *codec[bool]:
		p.read = func(v row.Value) (bool, error) { return v.Boolean(), present(v) }
		p.write = func(x bool) (row.Value, error) { return row.NewBoolean(x), nil }
	case *codec[row.Decimal]:
		p.read = func(v row.Value) (row.Decimal, error) { return v.Decimal(), present(v) }
		p.write = func(x row.Decimal) (row.Value, error) { return row.FromDecimal(x), nil }
	}
	return c
}

// present is the error of a null where the type of Go has no place for it.
func present(v row.Value) error {
	if v.IsNull() {
		return errNull
	}
	return nil
}

// result is what a function of Go returned.
func (c codec[T]) result(x T, err error) (row.Value, error) {
	if err != nil {
		return row.Null, err
	}
	return c.write(x)
}

// results are the rows that a function of Go returned.
func (c codec[T]) results(list []T, err error) ([]row.Value, error) {
	if err != nil {
		return nil, err
	}
	out := make([]row.Value, len(list))
	for i, x := range list {
		if out[i], err = c.write(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// missing tells whether an argument is null whose parameter has no place for it. The last parameter counts for all that follow.
func missing(params []param, args []row.Value) bool {
	for i, v := range args {
		if v.IsNull() && !params[min(i, len(params)-1)].nulls {
			return true
		}
	}
	return false
}

// signatureOf is the text of a signature; nulls tells whether any parameter has a place for null.
func signatureOf(params []param, result param) (text string, nulls bool, err error) {
	var b strings.Builder
	b.WriteByte('(')
	for i, p := range params {
		if p.err != nil {
			return "", false, p.err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		typeText(&b, p.typ)
		if p.variadic {
			b.WriteString("...")
		}
		if p.constant {
			b.WriteString(" const")
		}
		nulls = nulls || p.nulls
	}
	if result.err != nil {
		return "", false, result.err
	}
	b.WriteString(") ")
	typeText(&b, result.typ)
	return b.String(), nulls, nil
}

// typeText writes a type as signatures have it: a DECIMAL without digits is one of any digits.
func typeText(b *strings.Builder, t *row.Type) {
	switch t.Kind {
	case row.KindDecimal:
		if t.Precision == 0 {
			b.WriteString("DECIMAL")
			return
		}
		b.WriteString(t.String())
	case row.KindArray:
		b.WriteString("ARRAY<")
		typeText(b, t.Elem)
		b.WriteByte('>')
	case row.KindMap:
		b.WriteString("MAP<")
		typeText(b, t.Key)
		b.WriteString(", ")
		typeText(b, t.Elem)
		b.WriteByte('>')
	case row.KindStruct:
		b.WriteString("STRUCT<")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(row.Quote(f.Name) + " ")
			typeText(b, f.Type)
		}
		b.WriteByte('>')
	case row.KindString:
		b.WriteString("VARCHAR")
	default:
		b.WriteString(t.String())
	}
}
