package state

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

var (
	errNullKey = errors.New("the key is null")
	errKeyForm = errors.New("a key of the store is not of its form")
)

// A codec turns keys and values of one store into bytes; errors go to the table.
type codec[K, V any] struct {
	t     Bytes
	key   serde.Serde[K]
	value serde.Serde[V]
	plain []byte // room for an encoded key
	from  []byte // room for two keys of the table
	to    []byte
	room  []byte // for a value
}

func newCodec[K, V any](t Bytes, key serde.Serde[K], value serde.Serde[V]) codec[K, V] {
	const n = 64
	return codec[K, V]{
		t: t, key: key, value: value,
		plain: make([]byte, 0, n), from: make([]byte, 0, n), to: make([]byte, 0, n), room: make([]byte, 0, n),
	}
}

// keyBytes returns k's bytes, valid until the next call.
func (c *codec[K, V]) keyBytes(k K) ([]byte, bool) {
	b, err := c.key.Append(c.plain[:0], k)
	if err == nil && b == nil {
		err = errNullKey
	}
	if err != nil {
		c.t.Fail(err)
		return nil, false
	}
	c.plain = b
	return b, true
}

// valueBytes appends v to dst, which is not nil. The result is nil for null.
func (c *codec[K, V]) valueBytes(dst []byte, v V) ([]byte, bool) {
	b, err := c.value.Append(dst, v)
	if err != nil {
		c.t.Fail(err)
		return nil, false
	}
	if b != nil {
		c.room = b[:0]
	}
	return b, true
}

func (c *codec[K, V]) decodeKey(b []byte) (k K, ok bool) {
	k, err := c.key.Decode(b)
	if err != nil {
		c.t.Fail(err)
	}
	return k, err == nil
}

func (c *codec[K, V]) decodeValue(b []byte) (v V, ok bool) {
	v, err := c.value.Decode(b)
	if err != nil {
		c.t.Fail(err)
	}
	return v, err == nil
}

// split cuts a composite key with n times and decodes the key.
func (c *codec[K, V]) split(b []byte, n int) (k K, times []byte, ok bool) {
	plain, times, ok := unordered(c.plain[:0], b)
	if !ok || len(times) != 8*n {
		c.t.Fail(errKeyForm)
		return k, nil, false
	}
	c.plain = plain[:0]
	k, ok = c.decodeKey(plain)
	return k, times, ok
}

// composite writes k and times into room and returns it.
func (c *codec[K, V]) composite(room *[]byte, k K, times ...record.Timestamp) ([]byte, bool) {
	plain, ok := c.keyBytes(k)
	if !ok {
		return nil, false
	}
	b := appendOrdered((*room)[:0], plain)
	for _, ts := range times {
		b = appendTime(b, ts)
	}
	*room = b
	return b, true
}

// appendOrdered appends a form of key that keeps the order of keys and of which none begins with another.
func appendOrdered(dst, key []byte) []byte {
	for _, b := range key {
		dst = append(dst, b)
		if b == 0 {
			dst = append(dst, 255)
		}
	}
	return append(dst, 0, 1)
}

// unordered appends the key that appendOrdered wrote to dst and returns what stands behind it.
func unordered(dst, b []byte) (key, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		if b[i] != 0 {
			dst = append(dst, b[i])
			continue
		}
		i++
		if i == len(b) {
			return nil, nil, false
		}
		if b[i] == 1 {
			return dst, b[i+1:], true
		}
		dst = append(dst, 0)
	}
	return nil, nil, false
}

func appendTime(dst []byte, ts record.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(max(ts, 0)))
}

func timeAt(b []byte) record.Timestamp { return record.Timestamp(binary.BigEndian.Uint64(b)) }

// lastTime is the time at the end of a composite key.
func lastTime(key []byte) record.Timestamp {
	if len(key) < 8 {
		return 0
	}
	return timeAt(key[len(key)-8:])
}
