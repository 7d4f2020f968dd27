package qtt

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// A codec turns the keys or values of a case into a topic's bytes, and an engine's bytes into what match compares. Null is nil on both
// sides.
type codec interface {
	encode(v any) ([]byte, error) // of a JSON value
	decode(b []byte) (any, error)
}

// A codecSpec is what a codec must know of a topic's keys or values.
type codecSpec struct {
	format   Format
	columns  []column
	key      bool
	topic    string
	registry *Registry
	exact    bool // fractions in JSON are compared with their scale
}

// subject is the registry's name for the schema.
func (s codecSpec) subject() string {
	if s.key {
		return s.topic + "-key"
	}
	return s.topic + "-value"
}

// newCodec returns the codec of a format.
func newCodec(s codecSpec) (codec, error) {
	switch s.format.Name {
	case "JSON":
		return jsonCodec{exact: s.exact}, nil
	case "DELIMITED":
		return textCodec{}, nil
	case "NONE":
		return noneCodec{}, nil
	case "KAFKA":
		return newKafkaCodec(s)
	case "AVRO":
		return avroCodec{s}, nil
	case "JSON_SR":
		return jsonSchemaCodec{s}, nil
	case "PROTOBUF":
		return protobufCodec{s}, nil
	case "PROTOBUF_NOSR":
		return newBareProtobufCodec(s)
	}
	return nil, fmt.Errorf("topic %s has the unknown format %q", s.topic, s.format.Name)
}

// A jsonCodec writes a value's text as the case has it.
type jsonCodec struct{ exact bool }

func (jsonCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return appendJSON(nil, v), nil
}

func (c jsonCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	if len(b) == 0 {
		return nil, errors.New("no JSON in an empty value")
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("JSON %q: %w", b, err)
	}
	return decoded(v, c.exact), nil
}

// decoded turns a JSON value into what match compares.
func decoded(v any, exact bool) any {
	switch v := v.(type) {
	case number:
		return decodedNumber(v, exact)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = decoded(item, exact)
		}
		return list
	case *object:
		fields := record{}
		for name, value := range v.values {
			fields[name] = decoded(value, exact)
		}
		return fields
	}
	return v
}

func decodedNumber(v number, exact bool) any {
	if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return i
	}
	if i, ok := new(big.Int).SetString(string(v), 10); ok {
		return i
	}
	if !exact {
		f, err := strconv.ParseFloat(string(v), 64)
		if err == nil {
			return f
		}
	}
	d, err := parseDecimal(string(v))
	if err != nil {
		return string(v)
	}
	return d
}

// A textCodec is DELIMITED's: cases have its lines as texts.
type textCodec struct{}

func (textCodec) encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case number:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("%s is no text", appendJSON(nil, v))
}

func (textCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	return string(b), nil
}

// A noneCodec writes nothing, and shows what should not be there.
type noneCodec struct{ textCodec }

func (noneCodec) encode(any) ([]byte, error) { return nil, nil }

// A kafkaCodec writes the one column as Kafka's own serializers do.
type kafkaCodec struct{ typ string }

func newKafkaCodec(s codecSpec) (codec, error) {
	switch len(s.columns) {
	case 0:
		return noneCodec{}, nil
	case 1:
		return kafkaCodec{s.columns[0].typ.name}, nil
	}
	return nil, fmt.Errorf("topic %s has %d columns in format KAFKA", s.topic, len(s.columns))
}

func (c kafkaCodec) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	text := scalarText(v)
	switch c.typ {
	case "INTEGER", "DATE", "TIME":
		i, err := strconv.ParseInt(text, 10, 32)
		return binary.BigEndian.AppendUint32(nil, uint32(i)), err
	case "BIGINT", "TIMESTAMP":
		i, err := strconv.ParseInt(text, 10, 64)
		return binary.BigEndian.AppendUint64(nil, uint64(i)), err
	case "DOUBLE":
		f, err := strconv.ParseFloat(text, 64)
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), err
	case "STRING":
		return []byte(text), nil
	case "BYTES":
		return base64.StdEncoding.DecodeString(text)
	}
	return nil, fmt.Errorf("type %s has no KAFKA format", c.typ)
}

func (c kafkaCodec) decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	size := map[string]int{"INTEGER": 4, "DATE": 4, "TIME": 4, "BIGINT": 8, "TIMESTAMP": 8, "DOUBLE": 8}[c.typ]
	if size != 0 && len(b) != size {
		return nil, fmt.Errorf("%d bytes where %s in format KAFKA has %d", len(b), c.typ, size)
	}
	switch c.typ {
	case "INTEGER", "DATE", "TIME":
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	case "BIGINT", "TIMESTAMP":
		return int64(binary.BigEndian.Uint64(b)), nil
	case "DOUBLE":
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case "STRING":
		return string(b), nil
	case "BYTES":
		return b, nil
	}
	return nil, fmt.Errorf("type %s has no KAFKA format", c.typ)
}

// scalarText returns the text of a JSON value, strings without quotes.
func scalarText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(appendJSON(nil, v))
}
