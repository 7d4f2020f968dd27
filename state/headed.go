package state

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Headed is a value with the headers of a record: what a store keeps whose values have HeadedSerde.
type Headed[V any] struct {
	Value   V
	Headers []record.Header
}

// HeadedSerde returns the serde of values with headers, for stores of any kind: the number of headers, then for each the length of its name,
// the name, the length of its value, -1 for null, and the value; then the bytes of inner. Lengths are zigzag varints, as in a Kafka record.
// A value that inner writes as null makes the whole null, so its headers are not kept.
func HeadedSerde[V any](inner serde.Serde[V]) serde.Serde[Headed[V]] { return headed[V]{inner} }

type headed[V any] struct{ inner serde.Serde[V] }

var errHeaders = errors.New("headers are cut short or not of their form")

// HoldsNull implements serde.Serde.
func (s headed[V]) HoldsNull() bool { return s.inner.HoldsNull() }

// Append implements serde.Serde.
func (s headed[V]) Append(dst []byte, v Headed[V]) ([]byte, error) {
	dst = binary.AppendVarint(dst, int64(len(v.Headers)))
	for _, h := range v.Headers {
		dst = append(binary.AppendVarint(dst, int64(len(h.Key))), h.Key...)
		if h.Value == nil {
			dst = binary.AppendVarint(dst, -1)
			continue
		}
		dst = append(binary.AppendVarint(dst, int64(len(h.Value))), h.Value...)
	}
	return s.inner.Append(dst, v.Value)
}

// Decode implements serde.Serde.
func (s headed[V]) Decode(b []byte) (v Headed[V], err error) {
	if b == nil {
		v.Value, err = s.inner.Decode(nil)
		return v, err
	}
	n, b, ok := length(b, int64(len(b)))
	ok = ok && n >= 0
	for i := int64(0); ok && i < n; i++ {
		var h record.Header
		var key, value []byte
		if key, b, ok = part(b); !ok {
			break
		}
		if value, b, ok = part(b); !ok {
			break
		}
		h.Key, h.Value = string(key), value
		v.Headers = append(v.Headers, h)
	}
	if !ok {
		return v, errHeaders
	}
	v.Value, err = s.inner.Decode(b)
	return v, err
}

// length reads a length of at most most.
func length(b []byte, most int64) (n int64, rest []byte, ok bool) {
	n, size := binary.Varint(b)
	if size <= 0 || n < -1 || n > most {
		return 0, nil, false
	}
	return n, b[size:], true
}

// part reads a length and as many bytes, nil for -1.
func part(b []byte) (p, rest []byte, ok bool) {
	n, b, ok := length(b, int64(len(b)))
	switch {
	case !ok || n > int64(len(b)):
		return nil, nil, false
	case n < 0:
		return nil, b, true
	}
	return append([]byte{}, b[:n]...), b[n:], true
}
