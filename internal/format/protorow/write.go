package protorow

import (
	"cmp"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// A messageWriter writes rows of some fields as a message, in the order of the message's numbers.
type messageWriter struct{ fields []fieldWriter }

// A fieldWriter writes what stands at slot as a field.
type fieldWriter struct {
	slot   int
	inner  int // the place in the struct of a oneof, -1: it is none's
	name   string
	number protowire.Number
	write  write
}

// A write appends a field with its tag, or nothing if it need not be there.
type write func(dst []byte, v row.Value) ([]byte, error)

// A bare appends a value without its tag. Null stands for the zero value.
type bare func(dst []byte, v row.Value) ([]byte, error)

// compileWriter returns the writer of fields as a message. It recurses along the fields, which are finite.
func compileWriter(of protoreflect.MessageDescriptor, fields []row.Field) (*messageWriter, error) {
	m := &messageWriter{}
	list, names := of.Fields(), namesOf(of)
	for slot, have := range fields {
		i := names.fields.Find(have.Name)
		if i < 0 {
			if err := m.oneof(names.oneof(have.Name), have, slot); err != nil {
				return nil, column.At(have.Name, err)
			}
			continue
		}
		w, err := compileFieldWriter(list.Get(i), have.Type)
		if err != nil {
			return nil, column.At(have.Name, err)
		}
		m.fields = append(m.fields, fieldWriter{slot, -1, have.Name, list.Get(i).Number(), w})
	}
	slices.SortStableFunc(m.fields, func(a, b fieldWriter) int { return cmp.Compare(a.number, b.number) })
	return m, nil
}

// oneof adds the fields of a struct that stands for a oneof.
func (m *messageWriter) oneof(of protoreflect.OneofDescriptor, have row.Field, slot int) error {
	if of == nil || have.Type.Kind != row.KindStruct {
		return column.Errorf("the message has no such field")
	}
	list := of.Fields()
	names := fieldNames(list)
	for inner, f := range have.Type.Fields {
		k := names.Find(f.Name)
		if k < 0 {
			return column.At(f.Name, column.Errorf("the message has no such field"))
		}
		w, err := compileFieldWriter(list.Get(k), f.Type)
		if err != nil {
			return column.At(f.Name, err)
		}
		m.fields = append(m.fields, fieldWriter{slot, inner, have.Name, list.Get(k).Number(), w})
	}
	return nil
}

// append appends the message of a row.
func (m *messageWriter) append(dst []byte, r row.Row) ([]byte, error) {
	for _, f := range m.fields {
		v := r.At(f.slot)
		if f.inner >= 0 && !v.IsNull() {
			v = v.Row().At(f.inner)
		}
		if v.IsNull() {
			continue
		}
		var err error
		if dst, err = f.write(dst, v); err != nil {
			return dst, column.At(f.name, err)
		}
	}
	return dst, nil
}

func compileFieldWriter(f protoreflect.FieldDescriptor, t *row.Type) (write, error) {
	tag := protowire.EncodeTag(f.Number(), wireType(f.Kind()))
	switch {
	case f.IsMap() != (t.Kind == row.KindMap), f.IsList() != (t.Kind == row.KindArray):
		return nil, column.Errorf("%s cannot be written as Protobuf's %s", t, describe(f))
	case f.IsMap():
		return writeMap(f, t)
	case f.IsList():
		return writeList(f, t)
	}
	value, err := compileBare(f, t)
	if err != nil {
		return nil, err
	}
	implicit := !f.HasPresence()
	return func(dst []byte, v row.Value) ([]byte, error) {
		if implicit && isZero(v) {
			return dst, nil
		}
		return value(protowire.AppendVarint(dst, tag), v)
	}, nil
}

// isZero tells the values that a field without presence leaves out.
func isZero(v row.Value) bool {
	switch v.Kind() {
	case row.KindString, row.KindBytes:
		return v.Text() == ""
	case row.KindDouble:
		return math.Float64bits(v.Double()) == 0
	case row.KindBoolean:
		return !v.Boolean()
	default:
		return v.Int64() == 0
	}
}

func writeMap(f protoreflect.FieldDescriptor, t *row.Type) (write, error) {
	entry, err := compileWriter(f.Message(), []row.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}})
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		r := v.Row()
		for i := range v.Len() {
			b, err := entry.append(nil, row.NewRow(r.At(2*i), r.At(2*i+1)))
			if err != nil {
				return dst, err
			}
			dst = protowire.AppendBytes(protowire.AppendTag(dst, f.Number(), protowire.BytesType), b)
		}
		return dst, nil
	}, nil
}

func writeList(f protoreflect.FieldDescriptor, t *row.Type) (write, error) {
	value, err := compileBare(f, t.Elem)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) (_ []byte, err error) {
		r := v.Row()
		if !f.IsPacked() {
			for i := range r.Len() {
				if dst, err = value(protowire.AppendTag(dst, f.Number(), wireType(f.Kind())), r.At(i)); err != nil {
					return dst, err
				}
			}
			return dst, nil
		}
		if r.Len() == 0 {
			return dst, nil
		}
		var packed []byte
		for i := range r.Len() {
			if packed, err = value(packed, r.At(i)); err != nil {
				return dst, err
			}
		}
		return protowire.AppendBytes(protowire.AppendTag(dst, f.Number(), protowire.BytesType), packed), nil
	}, nil
}

// compileBare returns how one value is written as one of a field.
func compileBare(f protoreflect.FieldDescriptor, t *row.Type) (bare, error) {
	switch k := f.Kind(); {
	case k == protoreflect.MessageKind:
		return writeMessage(f, t)
	case k == protoreflect.StringKind && t.Kind == row.KindString, k == protoreflect.BytesKind && t.Kind == row.KindBytes:
		return func(dst []byte, v row.Value) ([]byte, error) { return protowire.AppendString(dst, v.Text()), nil }, nil
	case k == protoreflect.EnumKind && t.Kind == row.KindString:
		return writeEnum(f), nil
	case k == protoreflect.BoolKind && t.Kind == row.KindBoolean:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return protowire.AppendVarint(dst, protowire.EncodeBool(v.Boolean())), nil
		}, nil
	case k == protoreflect.DoubleKind && t.Kind.IsNumber() && t.Kind != row.KindDecimal:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return protowire.AppendFixed64(dst, math.Float64bits(v.AsDouble())), nil
		}, nil
	case k == protoreflect.FloatKind && t.Kind == row.KindDouble:
		return func(dst []byte, v row.Value) ([]byte, error) {
			return protowire.AppendFixed32(dst, math.Float32bits(float32(v.Double()))), nil
		}, nil
	case t.Kind == row.KindInt || t.Kind == row.KindBigint || t.Kind.IsTemporal():
		if w := writeWhole(k); w != nil {
			return w, nil
		}
	}
	return nil, column.Errorf("%s cannot be written as Protobuf's %s", t, f.Kind())
}

// writeWhole writes a whole number. One that the field cannot hold is an error.
func writeWhole(k protoreflect.Kind) bare {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	var put func(dst []byte, n int64) []byte
	switch k {
	case protoreflect.Int32Kind:
		low, high = math.MinInt32, math.MaxInt32
		put = func(dst []byte, n int64) []byte { return protowire.AppendVarint(dst, uint64(n)) }
	case protoreflect.Uint32Kind:
		low, high = 0, math.MaxUint32
		put = func(dst []byte, n int64) []byte { return protowire.AppendVarint(dst, uint64(n)) }
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		put = func(dst []byte, n int64) []byte { return protowire.AppendVarint(dst, uint64(n)) }
	case protoreflect.Sint32Kind:
		low, high = math.MinInt32, math.MaxInt32
		put = func(dst []byte, n int64) []byte { return protowire.AppendVarint(dst, protowire.EncodeZigZag(n)) }
	case protoreflect.Sint64Kind:
		put = func(dst []byte, n int64) []byte { return protowire.AppendVarint(dst, protowire.EncodeZigZag(n)) }
	case protoreflect.Sfixed32Kind:
		low, high = math.MinInt32, math.MaxInt32
		put = func(dst []byte, n int64) []byte { return protowire.AppendFixed32(dst, uint32(n)) }
	case protoreflect.Fixed32Kind:
		low, high = 0, math.MaxUint32
		put = func(dst []byte, n int64) []byte { return protowire.AppendFixed32(dst, uint32(n)) }
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		put = func(dst []byte, n int64) []byte { return protowire.AppendFixed64(dst, uint64(n)) }
	default:
		return nil
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		n := v.Int64()
		if n < low || n > high {
			return dst, column.Errorf("a number that does not fit into Protobuf's %s", k)
		}
		return put(dst, n), nil
	}
}

func writeEnum(f protoreflect.FieldDescriptor) bare {
	values := f.Enum().Values()
	return func(dst []byte, v row.Value) ([]byte, error) {
		if v.IsNull() {
			return append(dst, 0), nil
		}
		value := values.ByName(protoreflect.Name(v.Text()))
		if value == nil {
			return dst, column.Errorf("a text that is no value of the enum")
		}
		return protowire.AppendVarint(dst, uint64(int64(value.Number()))), nil
	}
}

// writeMessage writes a struct, or a value that a message stands for.
func writeMessage(f protoreflect.FieldDescriptor, t *row.Type) (bare, error) {
	name := f.Message().FullName()
	fields, parts := t.Fields, row.Value.Row
	switch {
	case t.Kind == row.KindStruct:
	case wrappers[name]:
		fields = []row.Field{{Name: "value", Type: t}}
		parts = func(v row.Value) row.Row { return row.NewRow(v) }
	case name == dateMessage && t.Kind == row.KindDate:
		fields, parts = dateFields, dateParts
	case name == timeMessage && t.Kind == row.KindTime:
		fields, parts = timeFields, timeParts
	case name == timestampMessage && t.Kind == row.KindTimestamp:
		fields, parts = timestampFields, timestampParts
	case name == decimalMessage && t.Kind == row.KindDecimal:
		fields, parts = decimalWritten, func(v row.Value) row.Row { return decimalParts(v, t) }
	default:
		return nil, column.Errorf("%s cannot be written as the message %s", t, name)
	}
	m, err := compileWriter(f.Message(), fields)
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v row.Value) ([]byte, error) {
		if v.IsNull() {
			return append(dst, 0), nil
		}
		r := parts(v)
		if r.IsNull() {
			return dst, column.Errorf("a %s that Protobuf does not have", t.Kind)
		}
		b, err := m.append(nil, r)
		return protowire.AppendBytes(dst, b), err
	}, nil
}

// decimalWritten are the fields of a decimal as they are written.
var decimalWritten = []row.Field{{Name: "value", Type: row.BytesType}, {Name: "precision", Type: row.Int}, {Name: "scale", Type: row.Int}}

func dateParts(v row.Value) row.Row {
	t := time.UnixMilli(0).UTC().AddDate(0, 0, int(v.Int64()))
	if v.Int64() != int64(int32(v.Int64())) || t.Year() < 1 || t.Year() > 9999 {
		return ""
	}
	return row.NewRow(row.NewInt(int32(t.Year())), row.NewInt(int32(t.Month())), row.NewInt(int32(t.Day())))
}

func timeParts(v row.Value) row.Row {
	ms := v.Int64()
	if ms < 0 || ms >= msPerDay {
		return ""
	}
	seconds := int32(ms / 1000)
	return row.NewRow(row.NewInt(seconds/3600), row.NewInt(seconds/60%60), row.NewInt(seconds%60), row.NewInt(int32(ms%1000)*1_000_000))
}

func timestampParts(v row.Value) row.Row {
	t := time.UnixMilli(v.Int64())
	return row.NewRow(row.NewBigint(t.Unix()), row.NewInt(int32(t.Nanosecond())))
}

// decimalParts has the precision of the number itself, as Java's BigDecimal counts it.
func decimalParts(v row.Value, t *row.Type) row.Row {
	d, ok := v.Decimal().Fit(t.Precision, t.Scale)
	if !ok {
		return ""
	}
	unscaled, scale := d.Big()
	digits := len(unscaled.Abs(unscaled).String())
	return row.NewRow(row.NewBytes(string(column.AppendUnscaled(nil, d))), row.NewInt(int32(digits)), row.NewInt(int32(scale)))
}
