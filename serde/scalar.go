package serde

import (
	"encoding/binary"
	"math"
	"strconv"
)

var (
	// String keeps the bytes of a string as they are, valid UTF-8 or not, as Kafka's StringSerializer does for UTF-8.
	String Serde[string] = stringSerde{}
	// Bytes passes bytes through. It holds null: a nil slice; an empty slice is an empty value.
	Bytes Serde[[]byte] = bytesSerde{}
	// Int64 is 8 bytes, big endian, two's complement: Kafka's LongSerializer.
	Int64 Serde[int64] = int64Serde{}
	// Int32 is 4 bytes, big endian, two's complement: Kafka's IntegerSerializer.
	Int32 Serde[int32] = int32Serde{}
	// Float64 is the 8 bytes of IEEE 754, big endian: Kafka's DoubleSerializer.
	Float64 Serde[float64] = float64Serde{}
)

type stringSerde struct{}

func (stringSerde) Append(dst []byte, v string) ([]byte, error) {
	return present(append(dst, v...)), nil
}

func (stringSerde) Decode(b []byte) (string, error) {
	if b == nil {
		return "", ErrNull
	}
	return string(b), nil
}

func (stringSerde) HoldsNull() bool { return false }

type bytesSerde struct{}

func (bytesSerde) Append(dst, v []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return present(append(dst, v...)), nil
}

func (bytesSerde) Decode(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	return append([]byte{}, b...), nil
}

func (bytesSerde) HoldsNull() bool { return true }

type int64Serde struct{}

func (int64Serde) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (int64Serde) Decode(b []byte) (int64, error) {
	if err := checkSize("int64", b, 8); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func (int64Serde) HoldsNull() bool { return false }

type int32Serde struct{}

func (int32Serde) Append(dst []byte, v int32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

func (int32Serde) Decode(b []byte) (int32, error) {
	if err := checkSize("int32", b, 4); err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b)), nil
}

func (int32Serde) HoldsNull() bool { return false }

type float64Serde struct{}

func (float64Serde) Append(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func (float64Serde) Decode(b []byte) (float64, error) {
	if err := checkSize("float64", b, 8); err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (float64Serde) HoldsNull() bool { return false }

// Nullable lets a type hold null: nil is null, anything else is written as inner writes it.
func Nullable[T any](inner Serde[T]) Serde[*T] { return nullable[T]{inner} }

type nullable[T any] struct{ inner Serde[T] }

func (n nullable[T]) Append(dst []byte, v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return n.inner.Append(dst, *v)
}

func (n nullable[T]) Decode(b []byte) (*T, error) {
	if b == nil {
		return nil, nil
	}
	v, err := n.inner.Decode(b)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func (nullable[T]) HoldsNull() bool { return true }

// present keeps an empty value from looking like null.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func checkSize(format string, b []byte, want int) error {
	if b == nil {
		return ErrNull
	}
	if len(b) != want {
		reason := strconv.Itoa(len(b)) + " bytes where " + strconv.Itoa(want) + " are needed"
		return &Error{Format: format, Offset: min(len(b), want), Reason: reason}
	}
	return nil
}
