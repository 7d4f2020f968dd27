package format

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/row"
)

// A kafkaCodec reads and writes one value as Kafka's own serializers do. Those of the same column are equal.
type kafkaCodec struct {
	row.Column
	size int // of the bytes, 0: any
}

func newKafka(s Side) (Codec, error) {
	if len(s.Schema) != 1 {
		return nil, fmt.Errorf("The 'KAFKA' format only supports a single field. Got: [%s]", s.Schema)
	}
	switch k := s.Schema[0].Type.Kind; k {
	case row.KindInt, row.KindBigint, row.KindDouble, row.KindString, row.KindBytes:
		size := map[row.Kind]int{row.KindInt: 4, row.KindBigint: 8, row.KindDouble: 8}[k]
		return kafkaCodec{s.Schema[0], size}, nil
	default:
		return nil, fmt.Errorf("The 'KAFKA' format does not support type '%s', column: %s", k, row.Quote(s.Schema[0].Name))
	}
}

// HoldsNull implements serde.Serde.
func (c kafkaCodec) HoldsNull() bool { return true }

// Append implements serde.Serde. A null value is null bytes.
func (c kafkaCodec) Append(dst []byte, r row.Row) ([]byte, error) {
	if r.IsNull() {
		return nil, nil
	}
	if dst == nil {
		dst = []byte{} // an empty text is not null
	}
	switch v := r.At(0); v.Kind() {
	case row.KindNull:
		return nil, nil
	case row.KindInt:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int64())), nil
	case row.KindBigint:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int64())), nil
	case row.KindDouble:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Double())), nil
	default:
		return append(dst, v.Text()...), nil
	}
}

// Decode implements serde.Serde.
func (c kafkaCodec) Decode(b []byte) (row.Row, error) {
	if b == nil {
		return "", nil
	}
	if c.size > 0 && len(b) != c.size {
		return "", &Error{Format: Kafka, Column: c.Name, Reason: fmt.Sprintf("%d bytes where %s has %d", len(b), c.Type, c.size)}
	}
	switch c.Type.Kind {
	case row.KindInt:
		return row.NewRow(row.NewInt(int32(binary.BigEndian.Uint32(b)))), nil
	case row.KindBigint:
		return row.NewRow(row.NewBigint(int64(binary.BigEndian.Uint64(b)))), nil
	case row.KindDouble:
		return row.NewRow(row.NewDouble(math.Float64frombits(binary.BigEndian.Uint64(b)))), nil
	case row.KindString:
		if !utf8.Valid(b) {
			b = []byte(string([]rune(string(b)))) // U+FFFD for what is no text, as Java reads it
		}
		return row.NewRow(row.NewString(string(b))), nil
	}
	return row.NewRow(row.NewBytes(string(b))), nil
}
