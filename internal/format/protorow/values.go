package protorow

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// wireType is how values of a kind stand on the wire.
func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	default:
		return protowire.VarintType
	}
}

// numberOf returns what the bits of a scalar field mean, as a value of its scalarType.
func numberOf(f protoreflect.FieldDescriptor) func(uint64) row.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return func(bits uint64) row.Value { return row.NewBoolean(bits != 0) }
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return func(bits uint64) row.Value { return row.NewInt(int32(bits)) }
	case protoreflect.Sint32Kind:
		return func(bits uint64) row.Value { return row.NewInt(int32(protowire.DecodeZigZag(bits & math.MaxUint32))) }
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return func(bits uint64) row.Value { return row.NewBigint(int64(uint32(bits))) }
	case protoreflect.Sint64Kind:
		return func(bits uint64) row.Value { return row.NewBigint(protowire.DecodeZigZag(bits)) }
	case protoreflect.FloatKind:
		return func(bits uint64) row.Value { return row.NewDouble(float64(math.Float32frombits(uint32(bits)))) }
	case protoreflect.DoubleKind:
		return func(bits uint64) row.Value { return row.NewDouble(math.Float64frombits(bits)) }
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return func(bits uint64) row.Value {
			number := int32(bits)
			if v := values.ByNumber(protoreflect.EnumNumber(number)); v != nil {
				return row.NewString(string(v.Name()))
			}
			return row.NewString(strconv.Itoa(int(number)))
		}
	default:
		return func(bits uint64) row.Value { return row.NewBigint(int64(bits)) }
	}
}

func readText(k protoreflect.Kind, convert column.Convert) func([]byte) (row.Value, error) {
	return func(b []byte) (row.Value, error) {
		if k == protoreflect.StringKind {
			if !utf8.Valid(b) {
				return row.Null, column.Errorf("text that is not UTF-8")
			}
			return row.NewString(string(b)), nil
		}
		if convert != nil {
			return convert(row.NewBytes(string(b)))
		}
		return row.NewBytes(string(b)), nil
	}
}

// A valueReader reads a message as one value.
type valueReader struct {
	message *messageReader
	value   func(r row.Row) (row.Value, error)
}

func (v *valueReader) read(b []byte) (row.Value, error) {
	r, err := v.message.row(b)
	if err != nil {
		return row.Null, err
	}
	return v.value(r)
}

// The fields of the messages that stand for types, as they are read.
var (
	dateFields      = []row.Field{{Name: "year", Type: row.Int}, {Name: "month", Type: row.Int}, {Name: "day", Type: row.Int}}
	timeFields      = []row.Field{{Name: "hours", Type: row.Int}, {Name: "minutes", Type: row.Int}, {Name: "seconds", Type: row.Int}, {Name: "nanos", Type: row.Int}}
	timestampFields = []row.Field{{Name: "seconds", Type: row.Bigint}, {Name: "nanos", Type: row.Int}}
	decimalFields   = []row.Field{{Name: "value", Type: row.BytesType}, {Name: "scale", Type: row.Int}}
)

// compileMessage returns how a message is read: as a struct, or as the value that it stands for.
func compileMessage(f protoreflect.FieldDescriptor, t *row.Type) (*valueReader, error) {
	name := f.Message().FullName()
	from := messageType(f)
	if t.Kind == row.KindStruct {
		m, err := compileReader(f.Message(), t.Fields)
		return &valueReader{m, func(r row.Row) (row.Value, error) { return row.FromRow(row.KindStruct, r), nil }}, err
	}
	if from == nil {
		return nil, column.Errorf("a message cannot be read as %s", t)
	}
	if wrappers[name] {
		m, err := compileReader(f.Message(), []row.Field{{Name: "value", Type: t}})
		return &valueReader{m, func(r row.Row) (row.Value, error) { return r.At(0), nil }}, err
	}
	convert, err := column.Converter(from, t)
	if err != nil {
		return nil, err
	}
	fields, value := timestampFields, timestampOf
	switch name {
	case dateMessage:
		fields, value = dateFields, dateOf
	case timeMessage:
		fields, value = timeFields, timeOf
	case decimalMessage:
		fields, value = decimalFields, decimalOf
	}
	m, err := compileReader(f.Message(), fields)
	return &valueReader{m, func(r row.Row) (row.Value, error) {
		v, err := value(r)
		if err != nil || convert == nil {
			return v, err
		}
		return convert(v)
	}}, err
}

const msPerDay = 24 * 60 * 60 * 1000

func dateOf(r row.Row) (row.Value, error) {
	year, month, day := r.At(0).Int64(), r.At(1).Int64(), r.At(2).Int64()
	t := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if year < 1 || year > 9999 || int64(t.Month()) != month || int64(t.Day()) != day {
		return row.Null, column.Errorf("a date that does not exist")
	}
	return row.NewDate(t.Unix() / (msPerDay / 1000)), nil
}

func timeOf(r row.Row) (row.Value, error) {
	hours, minutes, seconds, nanos := r.At(0).Int64(), r.At(1).Int64(), r.At(2).Int64(), r.At(3).Int64()
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59 || nanos < 0 || nanos > 999_999_999 {
		return row.Null, column.Errorf("a time of day that does not exist")
	}
	return row.NewTime(((hours*60+minutes)*60+seconds)*1000 + nanos/1_000_000), nil
}

func timestampOf(r row.Row) (row.Value, error) {
	seconds, nanos := r.At(0).Int64(), r.At(1).Int64()
	if nanos < 0 || nanos > 999_999_999 || seconds > math.MaxInt64/1000-1 || seconds < math.MinInt64/1000+1 {
		return row.Null, column.Errorf("a timestamp that does not exist")
	}
	return row.NewTimestamp(seconds*1000 + nanos/1_000_000), nil
}

func decimalOf(r row.Row) (row.Value, error) {
	d, err := column.Unscaled(r.At(0).Text(), int(r.At(1).Int64()))
	return row.FromDecimal(d), err
}
