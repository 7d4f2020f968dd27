package qtt

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// toProtobuf fills a message from a JSON object; null leaves a field unset.
func toProtobuf(v any, m protoreflect.Message) error {
	o, ok := v.(*object)
	if !ok {
		return fmt.Errorf("%s is no message", appendJSON(nil, v))
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value, _ := o.getFold(string(f.Name()))
		if value == nil {
			continue
		}
		if err := setField(value, m, f); err != nil {
			return fmt.Errorf("field %s: %w", f.Name(), err)
		}
	}
	return nil
}

func setField(v any, m protoreflect.Message, f protoreflect.FieldDescriptor) error {
	switch {
	case f.IsList():
		items, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is no list", appendJSON(nil, v))
		}
		list := m.Mutable(f).List()
		for _, item := range items {
			value, err := protoValue(item, f, list.NewElement)
			if err != nil {
				return err
			}
			list.Append(value)
		}
		return nil
	case f.IsMap():
		return setMap(v, m.Mutable(f).Map(), f)
	}
	value, err := protoValue(v, f, func() protoreflect.Value { return m.NewField(f) })
	if err != nil {
		return err
	}
	m.Set(f, value)
	return nil
}

func setMap(v any, entries protoreflect.Map, f protoreflect.FieldDescriptor) error {
	o, ok := v.(*object)
	if !ok {
		return fmt.Errorf("%s is no map", appendJSON(nil, v))
	}
	for _, name := range o.names {
		key, err := protoValue(name, f.MapKey(), nil)
		if err != nil {
			return err
		}
		value, err := protoValue(o.values[name], f.MapValue(), entries.NewValue)
		if err != nil {
			return err
		}
		entries.Set(key.MapKey(), value)
	}
	return nil
}

// protoValue returns one value of a field; empty makes its message.
func protoValue(v any, f protoreflect.FieldDescriptor, empty func() protoreflect.Value) (protoreflect.Value, error) {
	text := ""
	if v != nil {
		text = scalarText(v)
	}
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		value := empty()
		if v == nil {
			return value, nil
		}
		return value, fillMessage(v, value.Message())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		b, err := base64.StdEncoding.DecodeString(text)
		return protoreflect.ValueOfBytes(b), err
	case protoreflect.EnumKind:
		value := f.Enum().Values().ByName(protoreflect.Name(text))
		if value == nil {
			return protoreflect.Value{}, fmt.Errorf("enum %s has no %s", f.Enum().Name(), text)
		}
		return protoreflect.ValueOfEnum(value.Number()), nil
	}
	if v == nil {
		text = map[bool]string{true: "false", false: "0"}[f.Kind() == protoreflect.BoolKind]
	}
	return protoScalar(text, f.Kind())
}

func protoScalar(text string, kind protoreflect.Kind) (v protoreflect.Value, err error) {
	switch kind {
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(b), err
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		i, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(i)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		i, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(i), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		i, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(i)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		i, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(i), err
	case protoreflect.FloatKind:
		f, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(f)), err
	case protoreflect.DoubleKind:
		f, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(f), err
	}
	return v, fmt.Errorf("a %s is no scalar", kind)
}

const msPerDay = 24 * 60 * 60 * 1000

// fillMessage fills a message: from an object, or from a number or text if it stands for a value of a type.
func fillMessage(v any, m protoreflect.Message) error {
	full := string(m.Descriptor().FullName())
	fields := m.Descriptor().Fields()
	set := func(name string, i int64) {
		f := fields.ByName(protoreflect.Name(name))
		switch f.Kind() {
		case protoreflect.Int64Kind:
			m.Set(f, protoreflect.ValueOfInt64(i))
		case protoreflect.Uint32Kind:
			m.Set(f, protoreflect.ValueOfUint32(uint32(i)))
		default:
			m.Set(f, protoreflect.ValueOfInt32(int32(i)))
		}
	}
	if isWrapper(full) {
		return setField(v, m, fields.ByName("value"))
	}
	if full == "confluent.type.Decimal" {
		d, err := parseDecimal(scalarText(v))
		if err != nil {
			return err
		}
		m.Set(fields.ByName("value"), protoreflect.ValueOfBytes(twosComplement(d.unscaled)))
		set("precision", int64(len(new(big.Int).Abs(d.unscaled).String())))
		set("scale", int64(d.scale))
		return nil
	}
	if !isTime(full) {
		return toProtobuf(v, m)
	}
	i, err := strconv.ParseInt(scalarText(v), 10, 64)
	if err != nil {
		return err
	}
	switch full {
	case "google.protobuf.Timestamp":
		t := time.UnixMilli(i)
		set("seconds", t.Unix())
		set("nanos", int64(t.Nanosecond()))
	case "google.type.Date":
		t := time.UnixMilli(i * msPerDay).UTC()
		set("year", int64(t.Year()))
		set("month", int64(t.Month()))
		set("day", int64(t.Day()))
	case "google.type.TimeOfDay":
		t := time.UnixMilli(i).UTC()
		set("hours", int64(t.Hour()))
		set("minutes", int64(t.Minute()))
		set("seconds", int64(t.Second()))
		set("nanos", int64(t.Nanosecond()))
	}
	return nil
}

func isWrapper(full string) bool {
	return strings.HasPrefix(full, "google.protobuf.") && strings.HasSuffix(full, "Value") && full != "google.protobuf.Value"
}

func isTime(full string) bool {
	return full == "google.protobuf.Timestamp" || full == "google.type.Date" || full == "google.type.TimeOfDay"
}

// fromMessage turns a message into what match compares.
func fromMessage(m protoreflect.Message) any {
	full := string(m.Descriptor().FullName())
	fields := m.Descriptor().Fields()
	get := func(name string) int64 { return m.Get(fields.ByName(protoreflect.Name(name))).Int() }
	switch {
	case isWrapper(full):
		f := fields.ByName("value")
		return fromProtobuf(m.Get(f), f)
	case full == "confluent.type.Decimal":
		return decimal{unscaled: fromTwosComplement(m.Get(fields.ByName("value")).Bytes()), scale: int(get("scale"))}
	case full == "google.protobuf.Timestamp":
		return time.Unix(get("seconds"), get("nanos")).UnixMilli()
	case full == "google.type.Date":
		return time.Date(int(get("year")), time.Month(get("month")), int(get("day")), 0, 0, 0, 0, time.UTC).UnixMilli() / msPerDay
	case full == "google.type.TimeOfDay":
		return time.Unix((get("hours")*60+get("minutes"))*60+get("seconds"), get("nanos")).UnixMilli()
	}
	got := record{}
	for i := range fields.Len() {
		f := fields.Get(i)
		got[string(f.Name())] = fromField(m, f)
	}
	return got
}

// fromField reads a field: one that can be absent and is becomes null, another one its zero value.
func fromField(m protoreflect.Message, f protoreflect.FieldDescriptor) any {
	v := m.Get(f)
	switch {
	case f.IsList():
		list := make([]any, v.List().Len())
		for i := range list {
			list[i] = fromProtobuf(v.List().Get(i), f)
		}
		return list
	case f.IsMap():
		entries := record{}
		v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			entries[key.String()] = fromProtobuf(value, f.MapValue())
			return true
		})
		return entries
	case f.HasPresence() && !m.Has(f):
		return nil
	}
	return fromProtobuf(v, f)
}

func fromProtobuf(v protoreflect.Value, f protoreflect.FieldDescriptor) any {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return fromMessage(v.Message())
	case protoreflect.EnumKind:
		if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
			return string(value.Name())
		}
		return int64(v.Enum())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return new(big.Int).SetUint64(v.Uint())
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BytesKind:
		return v.Bytes()
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float()
	}
	return v.Int()
}
