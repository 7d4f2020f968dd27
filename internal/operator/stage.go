package operator

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Staged is one output record that waits for the end of its unit.
type Staged struct {
	record.TopicPartition
	Timestamp record.Timestamp
	Key       []byte
	Value     []byte
	Headers   []record.Header
}

// size is the bytes of key, value and headers.
func (s *Staged) size() int {
	n := len(s.Key) + len(s.Value)
	for _, h := range s.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// A Stage gathers a unit's output in order.
type Stage struct {
	rows []Staged
}

// Add appends a record; its bytes must stay unchanged until the unit ends.
func (s *Stage) Add(r Staged) { s.rows = append(s.rows, r) }

// Rows returns what was added since Reset.
func (s *Stage) Rows() []Staged { return s.rows }

// Reset forgets everything.
func (s *Stage) Reset() {
	clear(s.rows)
	s.rows = s.rows[:0]
}

// An Arena holds bytes that are encoded while a unit runs. Slices cut from it stay valid and unchanged until Reset.
type Arena struct {
	buf []byte
}

// arenaSize is the first size in bytes; a larger array replaces it when a unit needs more. It is small since most of a thousand queries on a
// node see few records at once.
const arenaSize = 1 << 10

// maxIdleArena is the largest array kept between units.
const maxIdleArena = 8 << 20

// Reset forgets everything.
func (a *Arena) Reset() {
	if cap(a.buf) > maxIdleArena {
		a.buf = nil
	}
	a.buf = a.buf[:0]
}

// WithTimes returns key with times behind it, 8 bytes each, big-endian: the keys of stores in which time is part of the key.
func (a *Arena) WithTimes(key []byte, times ...record.Timestamp) []byte {
	from := len(a.buf)
	a.buf = append(a.buf, key...)
	for _, ts := range times {
		a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(ts))
	}
	return a.buf[from:len(a.buf):len(a.buf)]
}

// Copy returns b's bytes as a slice of the arena.
func (a *Arena) Copy(b []byte) []byte {
	from := len(a.buf)
	a.buf = append(a.buf, b...)
	return a.buf[from:len(a.buf):len(a.buf)]
}

// Encode returns v's bytes, nil for null.
func Encode[T any](a *Arena, s serde.Serde[T], v T) ([]byte, error) {
	if a.buf == nil {
		a.buf = make([]byte, 0, arenaSize) // never nil: an empty value must not look like null
	}
	from := len(a.buf)
	b, err := s.Append(a.buf, v)
	if err != nil || b == nil {
		return nil, err
	}
	a.buf = b
	return b[from:len(b):len(b)], nil
}
