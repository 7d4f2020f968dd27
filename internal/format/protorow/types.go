package protorow

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstemio/mainstem/internal/format/column"
	"github.com/mainstemio/mainstem/row"
)

// The messages that stand for types.
const (
	decimalMessage   = "confluent.type.Decimal"
	dateMessage      = "google.type.Date"
	timeMessage      = "google.type.TimeOfDay"
	timestampMessage = "google.protobuf.Timestamp"
)

// wrappers are the messages of one value that may be missing.
var wrappers = map[protoreflect.FullName]bool{
	"google.protobuf.BoolValue": true, "google.protobuf.Int32Value": true, "google.protobuf.UInt32Value": true,
	"google.protobuf.Int64Value": true, "google.protobuf.UInt64Value": true, "google.protobuf.FloatValue": true,
	"google.protobuf.DoubleValue": true, "google.protobuf.StringValue": true, "google.protobuf.BytesValue": true,
}

// decimalPrecision is what a decimal has whose field does not say it.
const decimalPrecision = 64

// scalarType is the type that a scalar field has for Kafka Connect: unsigned numbers are BIGINT, enums the names of their values.
func scalarType(k protoreflect.Kind) *row.Type {
	switch k {
	case protoreflect.BoolKind:
		return row.Boolean
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return row.Int
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return row.Bigint
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return row.Double
	case protoreflect.StringKind, protoreflect.EnumKind:
		return row.StringType
	case protoreflect.BytesKind:
		return row.BytesType
	}
	return nil
}

// Infer returns the type of a message as a struct. Names stay as they are.
func Infer(of protoreflect.MessageDescriptor) (*row.Type, error) {
	i := inference{left: maxFields}
	return i.message(of, 0)
}

// An inference bounds the work: a message may be used many times within others.
type inference struct{ left int }

func (i *inference) message(of protoreflect.MessageDescriptor, depth int) (*row.Type, error) {
	if depth > maxDepth {
		return nil, column.Errorf("a message that contains itself, or too many levels")
	}
	var out []row.Field
	seen := map[protoreflect.Name]bool{}
	for k := range of.Fields().Len() {
		f := of.Fields().Get(k)
		if i.left--; i.left < 0 {
			return nil, column.Errorf("more than %d fields", maxFields)
		}
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
			if seen[o.Name()] {
				continue
			}
			seen[o.Name()] = true
			t, err := i.oneof(o, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, row.Field{Name: oneofName(o), Type: t})
			continue
		}
		t, err := i.field(f, depth)
		if err != nil {
			return nil, column.At(string(f.Name()), err)
		}
		out = append(out, row.Field{Name: string(f.Name()), Type: t})
	}
	return row.StructType(out...), nil
}

// oneofName is what Kafka Connect calls the struct of a oneof's fields.
func oneofName(o protoreflect.OneofDescriptor) string {
	return string(o.Name()) + "_" + strconv.Itoa(o.Index())
}

// names find the parts of a message by the names of columns.
type names struct {
	of             protoreflect.OneofDescriptors
	fields, oneofs column.Index
}

func namesOf(m protoreflect.MessageDescriptor) names {
	n := names{of: m.Oneofs(), fields: fieldNames(m.Fields())}
	n.oneofs = column.NewIndex(n.of.Len(), func(i int) string { return oneofName(n.of.Get(i)) })
	return n
}

func fieldNames(list protoreflect.FieldDescriptors) column.Index {
	return column.NewIndex(list.Len(), func(i int) string { return string(list.Get(i).Name()) })
}

// oneof is the one that a column stands for, nil if it stands for none.
func (n names) oneof(name string) protoreflect.OneofDescriptor {
	if i := n.oneofs.Find(name); i >= 0 {
		return n.of.Get(i)
	}
	return nil
}

func (i *inference) oneof(o protoreflect.OneofDescriptor, depth int) (*row.Type, error) {
	var fields []row.Field
	for k := range o.Fields().Len() {
		f := o.Fields().Get(k)
		t, err := i.field(f, depth)
		if err != nil {
			return nil, column.At(string(f.Name()), err)
		}
		fields = append(fields, row.Field{Name: string(f.Name()), Type: t})
	}
	return row.StructType(fields...), nil
}

func (i *inference) field(f protoreflect.FieldDescriptor, depth int) (*row.Type, error) {
	switch {
	case f.IsMap():
		key, err := i.value(f.MapKey(), depth)
		if err != nil {
			return nil, err
		}
		value, err := i.value(f.MapValue(), depth)
		if err != nil {
			return nil, err
		}
		return row.MapType(key, value), nil
	case f.IsList():
		elem, err := i.value(f, depth)
		if err != nil {
			return nil, err
		}
		return row.ArrayType(elem), nil
	}
	return i.value(f, depth)
}

// value is the type of one value of a field.
func (i *inference) value(f protoreflect.FieldDescriptor, depth int) (*row.Type, error) {
	if t := scalarType(f.Kind()); t != nil {
		return t, nil
	}
	if t := messageType(f); t != nil {
		return t, nil
	}
	return i.message(f.Message(), depth+1)
}

// messageType is the type of a field whose message stands for one, nil if it does not.
func messageType(f protoreflect.FieldDescriptor) *row.Type {
	switch name := f.Message().FullName(); {
	case name == dateMessage:
		return row.DateType
	case name == timeMessage:
		return row.TimeType
	case name == timestampMessage:
		return row.TimestampType
	case name == decimalMessage:
		return decimalType(f)
	case wrappers[name]:
		return scalarType(f.Message().Fields().ByNumber(1).Kind())
	}
	return nil
}

// metaNumber is the option of fields in which Kafka Connect keeps parameters.
const metaNumber = 1088

// decimalType reads precision and scale from a field's parameters.
func decimalType(f protoreflect.FieldDescriptor) *row.Type {
	precision, scale := decimalPrecision, 0
	params := fieldParams(f)
	if p, err := strconv.Atoi(params["precision"]); err == nil && p > 0 {
		precision = p
	}
	if s, err := strconv.Atoi(params["scale"]); err == nil && s >= 0 {
		scale = s
	}
	return row.DecimalType(max(precision, scale), scale)
}

// fieldParams reads the parameters from the bytes of the options: they are an extension that the library need not know.
func fieldParams(f protoreflect.FieldDescriptor) map[string]string {
	params := map[string]string{}
	options, err := proto.Marshal(f.Options())
	if err != nil {
		return params
	}
	eachBytes(options, metaNumber, func(meta []byte) {
		eachBytes(meta, 2, func(entry []byte) {
			var key, value string
			eachBytes(entry, 1, func(b []byte) { key = string(b) })
			eachBytes(entry, 2, func(b []byte) { value = string(b) })
			params[key] = value
		})
	})
	return params
}

// eachBytes calls do for the fields of bytes or messages with a number.
func eachBytes(b []byte, number protowire.Number, do func([]byte)) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return
		}
		if num == number && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b)
			do(v)
		}
		b = b[n:]
	}
}
