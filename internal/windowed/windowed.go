// Package windowed holds the key of a window: its Go type, and its bytes in topics and stores.
//
// Package stream shows it to users, operators over windows make such keys, stores and views take them apart. It calls package
// serde.
//
// Everything here is immutable or a pure function.
//
// Format, as Kafka Streams writes it to topics; all times are 8 bytes, big-endian, in ms:
//
//	time window     key | start            the reader must know the window's size
//	session window  key | end | start
//
// Stores use the same bytes, so that the windows of one key stand in order of time. Since a key may be the beginning of another
// one, whoever scans a range compares lengths: see HasKey.
//
// Not here: which windows a record falls into (package operator/window), what users write (package stream).
package windowed

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Key is the key of a window: the key of its records, and its time. Both times are in ms. End is exclusive for tumbling and
// hopping windows, and inclusive for sliding windows and sessions.
type Key[K any] struct {
	Key   K
	Start record.Timestamp
	End   record.Timestamp
}

// Forever is the end of a window that never ends.
const Forever = record.Timestamp(math.MaxInt64)

// End returns the end of a window of a size, which cannot lie behind Forever.
func End(start, size record.Timestamp) record.Timestamp {
	if end := start + size; end >= start {
		return end
	}
	return Forever
}

const timeBytes = 8

// AppendTime appends the bytes of a time window, whose key's own bytes are inner.
func AppendTime(dst, inner []byte, start record.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(append(dst, inner...), uint64(start))
}

// AppendSession appends the bytes of a session.
func AppendSession(dst, inner []byte, start, end record.Timestamp) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, inner...), uint64(end))
	return binary.BigEndian.AppendUint64(dst, uint64(start))
}

// Inner returns the bytes of the key's own in those of a time window.
func Inner(key []byte) []byte { return key[: len(key)-timeBytes : len(key)-timeBytes] }

// Start returns the start in the bytes of a time window or of a session: the last 8 of both.
func Start(key []byte) record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(key[len(key)-timeBytes:]))
}

// SessionInner returns the bytes of the key's own in those of a session.
func SessionInner(key []byte) []byte { return key[: len(key)-2*timeBytes : len(key)-2*timeBytes] }

// SessionEnd returns the end in the bytes of a session.
func SessionEnd(key []byte) record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(key[len(key)-2*timeBytes:]))
}

// HasKey tells whether a time window's bytes are of this very key, not of a longer or shorter one that stands among its windows.
func HasKey(key, inner []byte) bool {
	return len(key) == len(inner)+timeBytes && string(key[:len(inner)]) == string(inner)
}

// HasSessionKey is HasKey for a session's bytes.
func HasSessionKey(key, inner []byte) bool {
	return len(key) == len(inner)+2*timeBytes && string(key[:len(inner)]) == string(inner)
}

// PlacedBy returns the function that cuts from a key's bytes the part that says its partition: of windows the key of its own, so that all windows
// of a key stand in one partition, as Kafka Streams' WindowedStreamPartitioner has it. Of keys that another serde writes it is all of them.
func PlacedBy(keys any) func(key []byte) []byte {
	if s, ok := keys.(interface{ Own(key []byte) []byte }); ok {
		return s.Own
	}
	return func(key []byte) []byte { return key }
}

// Serde returns the serde for time windows of a size in ms, whose keys inner writes: of sliding windows the size is the time
// difference. The end is not written, so the size must be that of the writer.
func Serde[K any](inner serde.Serde[K], size record.Timestamp) serde.Serde[Key[K]] {
	return timeSerde[K]{inner, size}
}

// A timeSerde can be compared by == if inner can.
type timeSerde[K any] struct {
	inner serde.Serde[K]
	size  record.Timestamp
}

func (s timeSerde[K]) Append(dst []byte, v Key[K]) ([]byte, error) {
	b, err := s.inner.Append(dst, v.Key)
	if b == nil || err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(b, uint64(v.Start)), nil
}

func (s timeSerde[K]) Decode(b []byte) (v Key[K], err error) {
	if err := checkSize("window", b, timeBytes); err != nil {
		return v, err
	}
	v.Start = Start(b)
	v.End = End(v.Start, s.size)
	v.Key, err = s.inner.Decode(Inner(b))
	return v, err
}

func (timeSerde[K]) HoldsNull() bool { return false }

// Own is for PlacedBy.
func (timeSerde[K]) Own(key []byte) []byte { return Inner(key) }

// SessionSerde returns the serde for sessions whose keys inner writes.
func SessionSerde[K any](inner serde.Serde[K]) serde.Serde[Key[K]] { return sessionSerde[K]{inner} }

// A sessionSerde can be compared by == if inner can.
type sessionSerde[K any] struct{ inner serde.Serde[K] }

func (s sessionSerde[K]) Append(dst []byte, v Key[K]) ([]byte, error) {
	b, err := s.inner.Append(dst, v.Key)
	if b == nil || err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint64(b, uint64(v.End))
	return binary.BigEndian.AppendUint64(b, uint64(v.Start)), nil
}

func (s sessionSerde[K]) Decode(b []byte) (v Key[K], err error) {
	if err := checkSize("session", b, 2*timeBytes); err != nil {
		return v, err
	}
	v.Start, v.End = Start(b), SessionEnd(b)
	v.Key, err = s.inner.Decode(SessionInner(b))
	return v, err
}

func (sessionSerde[K]) HoldsNull() bool { return false }

// Own is for PlacedBy.
func (sessionSerde[K]) Own(key []byte) []byte { return SessionInner(key) }

func checkSize(format string, b []byte, least int) error {
	if b == nil {
		return serde.ErrNull
	}
	if len(b) < least {
		reason := strconv.Itoa(len(b)) + " bytes where at least " + strconv.Itoa(least) + " are needed"
		return &serde.Error{Format: format, Offset: len(b), Reason: reason}
	}
	return nil
}
