package sqlfunc

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/row"
)

var errNull = errors.New("null where the type of Go has no place for it; use a pointer")

// maxDepth bounds types within types, so that one that holds itself is an error.
const maxDepth = 16

// digits are those of a DECIMAL, zero: any.
type digits struct {
	precision, scale, depth int
}

// A conversion turns values of one type.
type conversion struct {
	typ   *row.Type
	read  func(v row.Value, into reflect.Value) error
	write func(from reflect.Value) (row.Value, error)
}

var special = map[reflect.Type]func(digits) conversion{
	reflect.TypeFor[row.Decimal]():   func(d digits) conversion { return decimals(d) },
	reflect.TypeFor[time.Time]():     func(digits) conversion { return timestamps },
	reflect.TypeFor[time.Duration](): func(digits) conversion { return times },
	reflect.TypeFor[Date]():          func(digits) conversion { return dates },
}

// convert finds the conversion of a type of Go.
func convert(t reflect.Type, d digits) (conversion, error) {
	if d.depth++; d.depth > maxDepth {
		return conversion{}, fmt.Errorf("the type %s nests more than %d types", t, maxDepth)
	}
	if of, ok := special[t]; ok {
		return of(d), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return basic(row.Boolean, func(v row.Value, into reflect.Value) { into.SetBool(v.Boolean()) },
			func(from reflect.Value) row.Value { return row.NewBoolean(from.Bool()) }), nil
	case reflect.Int32:
		return basic(row.Int, func(v row.Value, into reflect.Value) { into.SetInt(v.Int64()) },
			func(from reflect.Value) row.Value { return row.NewInt(int32(from.Int())) }), nil
	case reflect.Int, reflect.Int64:
		return basic(row.Bigint, func(v row.Value, into reflect.Value) { into.SetInt(v.Int64()) },
			func(from reflect.Value) row.Value { return row.NewBigint(from.Int()) }), nil
	case reflect.Float64:
		return basic(row.Double, func(v row.Value, into reflect.Value) { into.SetFloat(v.Double()) },
			func(from reflect.Value) row.Value { return row.NewDouble(from.Float()) }), nil
	case reflect.String:
		return basic(row.StringType, func(v row.Value, into reflect.Value) { into.SetString(v.Text()) },
			func(from reflect.Value) row.Value { return row.NewString(from.String()) }), nil
	case reflect.Pointer:
		return pointer(t, d)
	case reflect.Slice:
		return slice(t, d)
	case reflect.Map:
		return mapping(t, d)
	case reflect.Struct:
		return structure(t, d)
	}
	return conversion{}, fmt.Errorf("there is no type of SQL for the type %s of Go", t)
}

// basic is the conversion of a type that has no null.
func basic(t *row.Type, read func(row.Value, reflect.Value), write func(reflect.Value) row.Value) conversion {
	return conversion{t, func(v row.Value, into reflect.Value) error {
		if v.IsNull() {
			return errNull
		}
		read(v, into)
		return nil
	}, func(from reflect.Value) (row.Value, error) { return write(from), nil }}
}

func decimals(d digits) conversion {
	t := &row.Type{Kind: row.KindDecimal, Precision: d.precision, Scale: d.scale}
	return basic(t, func(v row.Value, into reflect.Value) { into.Set(reflect.ValueOf(v.Decimal())) }, func(from reflect.Value) row.Value {
		x, _ := reflect.TypeAssert[row.Decimal](from)
		return row.FromDecimal(x)
	})
}

var timestamps = basic(row.TimestampType, func(v row.Value, into reflect.Value) { into.Set(reflect.ValueOf(time.UnixMilli(v.Int64()).UTC())) },
	func(from reflect.Value) row.Value {
		x, _ := reflect.TypeAssert[time.Time](from)
		return row.NewTimestamp(x.UnixMilli())
	})

var times = basic(row.TimeType, func(v row.Value, into reflect.Value) { into.SetInt(v.Int64() * int64(time.Millisecond)) },
	func(from reflect.Value) row.Value { return row.NewTime(time.Duration(from.Int()).Milliseconds()) })

var dates = basic(row.DateType, func(v row.Value, into reflect.Value) { into.SetInt(v.Int64()) },
	func(from reflect.Value) row.Value { return row.NewDate(from.Int()) })

// pointer has nil for null.
func pointer(t reflect.Type, d digits) (conversion, error) {
	c, err := convert(t.Elem(), d)
	if err != nil {
		return c, err
	}
	return conversion{c.typ, func(v row.Value, into reflect.Value) error {
		if v.IsNull() {
			return nil
		}
		into.Set(reflect.New(t.Elem()))
		return c.read(v, into.Elem())
	}, func(from reflect.Value) (row.Value, error) {
		if from.IsNil() {
			return row.Null, nil
		}
		return c.write(from.Elem())
	}}, nil
}

// slice is BYTES or an array; nil is null.
func slice(t reflect.Type, d digits) (conversion, error) {
	if t.Elem().Kind() == reflect.Uint8 {
		return conversion{row.BytesType, func(v row.Value, into reflect.Value) error {
			if !v.IsNull() {
				into.SetBytes([]byte(v.Text()))
			}
			return nil
		}, func(from reflect.Value) (row.Value, error) {
			if from.IsNil() {
				return row.Null, nil
			}
			return row.NewBytes(string(from.Bytes())), nil
		}}, nil
	}
	c, err := convert(t.Elem(), d)
	if err != nil {
		return c, err
	}
	return conversion{row.ArrayType(c.typ), func(v row.Value, into reflect.Value) error {
		if v.IsNull() {
			return nil
		}
		r := v.Row()
		into.Set(reflect.MakeSlice(t, r.Len(), r.Len()))
		for i := range r.Len() {
			if err := c.read(r.At(i), into.Index(i)); err != nil {
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return nil
	}, func(from reflect.Value) (row.Value, error) {
		if from.IsNil() {
			return row.Null, nil
		}
		elems := make([]row.Value, from.Len())
		for i := range elems {
			var err error
			if elems[i], err = c.write(from.Index(i)); err != nil {
				return row.Null, fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return row.NewArray(elems...), nil
	}}, nil
}

// mapping is a map; nil is null.
func mapping(t reflect.Type, d digits) (conversion, error) {
	k, err := convert(t.Key(), digits{depth: d.depth})
	if err != nil {
		return k, err
	}
	e, err := convert(t.Elem(), d)
	if err != nil {
		return e, err
	}
	return conversion{row.MapType(k.typ, e.typ), func(v row.Value, into reflect.Value) error {
		if v.IsNull() {
			return nil
		}
		r := v.Row() // keys and values in turn
		into.Set(reflect.MakeMapWithSize(t, r.Len()/2))
		for i := 0; i+1 < r.Len(); i += 2 {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			if err := errors.Join(k.read(r.At(i), key), e.read(r.At(i+1), value)); err != nil {
				return fmt.Errorf("entry of a map: %w", err)
			}
			into.SetMapIndex(key, value)
		}
		return nil
	}, func(from reflect.Value) (row.Value, error) {
		if from.IsNil() {
			return row.Null, nil
		}
		entries := make([]row.Entry, 0, from.Len())
		for at := from.MapRange(); at.Next(); {
			key, err := k.write(at.Key())
			if err != nil {
				return row.Null, fmt.Errorf("entry of a map: %w", err)
			}
			value, err := e.write(at.Value())
			if err != nil {
				return row.Null, fmt.Errorf("entry of a map: %w", err)
			}
			entries = append(entries, row.Entry{Key: key, Value: value})
		}
		return row.NewMap(entries...), nil
	}}, nil
}

// A field of a structure.
type field struct {
	conversion
	index int
	name  string
}

func structure(t reflect.Type, d digits) (conversion, error) {
	fields, err := fieldsOf(t, d)
	if err != nil {
		return conversion{}, err
	}
	types := make([]row.Field, len(fields))
	for i, f := range fields {
		types[i] = row.Field{Name: f.name, Type: f.typ}
	}
	return conversion{row.StructType(types...), func(v row.Value, into reflect.Value) error {
		if v.IsNull() {
			return errNull
		}
		r := v.Row()
		for i, f := range fields {
			if err := f.read(r.At(i), into.Field(f.index)); err != nil {
				return fmt.Errorf("field %s: %w", f.name, err)
			}
		}
		return nil
	}, func(from reflect.Value) (row.Value, error) {
		values := make([]row.Value, len(fields))
		for i, f := range fields {
			var err error
			if values[i], err = f.write(from.Field(f.index)); err != nil {
				return row.Null, fmt.Errorf("field %s: %w", f.name, err)
			}
		}
		return row.NewStruct(values...), nil
	}}, nil
}

// fieldsOf are the fields of a type of Go that SQL sees.
func fieldsOf(t reflect.Type, d digits) ([]field, error) {
	var fields []field
	taken := map[string]bool{}
	for i := range t.NumField() {
		of := t.Field(i)
		name, tagged := of.Tag.Lookup("sql")
		if !of.IsExported() || name == "-" {
			continue
		}
		if !tagged {
			name = strings.ToUpper(of.Name)
		}
		if !isName(name) || taken[name] {
			return nil, fmt.Errorf("field %s of %s: the name %q is no name of SQL, or there twice", of.Name, t, name)
		}
		taken[name] = true
		own := digits{depth: d.depth}
		if text, ok := of.Tag.Lookup("decimal"); ok {
			p, s, _ := strings.Cut(text, ",")
			var e1, e2 error
			own.precision, e1 = strconv.Atoi(p)
			own.scale, e2 = strconv.Atoi(s)
			if e1 != nil || e2 != nil || own.precision < 1 || own.scale < 0 || own.scale > own.precision {
				return nil, fmt.Errorf("field %s of %s: the tag decimal is %q, not as \"10,2\"", of.Name, t, text)
			}
		}
		c, err := convert(of.Type, own)
		if err != nil {
			return nil, fmt.Errorf("field %s of %s: %w", of.Name, t, err)
		}
		fields = append(fields, field{c, i, name})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("the type %s has no fields that SQL sees", t)
	}
	return fields, nil
}

// isName tells names that signatures can have: letters, digits and _.
func isName(s string) bool {
	for i, c := range s {
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
