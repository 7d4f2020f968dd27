package table

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/serde"
)

// The last byte of a Regrouped's form says what it has, as Kafka Streams' ChangedSerializer (KIP-904) writes it:
//
//	old value │ 0
//	new value │ 1
//	length of the new value, a zigzag varint │ new value │ old value │ 2
const (
	changedOld = iota
	changedNew
	changedBoth
)

var errChanged = errors.New("not an update of a grouped table")

// RegroupedSerde returns the serde of what moves between two tables, by that of the values; nil: it is not known.
func RegroupedSerde[V any](value serde.Serde[V]) serde.Serde[Regrouped[V]] {
	if value == nil {
		return nil
	}
	return regroupedSerde[V]{value}
}

type regroupedSerde[V any] struct{ value serde.Serde[V] }

// HoldsNull implements serde.Serde.
func (regroupedSerde[V]) HoldsNull() bool { return false }

// Append implements serde.Serde.
func (f regroupedSerde[V]) Append(dst []byte, r Regrouped[V]) (b []byte, err error) {
	switch {
	case r.HasOld && r.HasNew:
		next, err := f.append(nil, r.New)
		if err != nil {
			return nil, err
		}
		dst = append(binary.AppendVarint(dst, int64(len(next))), next...)
		b, err = f.append(dst, r.Old)
		return behindValue(b, changedBoth, err)
	case r.HasNew:
		b, err = f.append(dst, r.New)
		return behindValue(b, changedNew, err)
	case r.HasOld:
		b, err = f.append(dst, r.Old)
		return behindValue(b, changedOld, err)
	}
	return nil, errChanged
}

func (f regroupedSerde[V]) append(dst []byte, v V) ([]byte, error) {
	if dst == nil {
		dst = []byte{} // nil would be null
	}
	b, err := f.value.Append(dst, v)
	if err == nil && b == nil {
		err = fmt.Errorf("value of a group: %w", serde.ErrNull)
	}
	return b, err
}

func behindValue(b []byte, flag byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return append(b, flag), nil
}

// Decode implements serde.Serde.
func (f regroupedSerde[V]) Decode(b []byte) (r Regrouped[V], err error) {
	if len(b) == 0 {
		return r, errChanged
	}
	values, flag := b[:len(b)-1], b[len(b)-1]
	switch flag {
	case changedOld:
		r.HasOld = true
		r.Old, err = f.value.Decode(values)
	case changedNew:
		r.HasNew = true
		r.New, err = f.value.Decode(values)
	case changedBoth:
		length, n := binary.Varint(values)
		if n <= 0 || length < 0 || length > int64(len(values)-n) {
			return r, errChanged
		}
		r.HasOld, r.HasNew = true, true
		if r.New, err = f.value.Decode(values[n : n+int(length)]); err == nil {
			r.Old, err = f.value.Decode(values[n+int(length):])
		}
	default:
		err = errChanged
	}
	return r, err
}
