package state

import (
	"bytes"
	"iter"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Validity is how long a version was the value of its key, in ms. To is the time of the next version or delete, NoTimestamp for the
// newest.
type Validity struct{ From, To record.Timestamp }

// ReadOnlyVersioned reads a versioned store.
type ReadOnlyVersioned[K, V any] interface {
	// Get returns the newest value of k and the time from which it is valid.
	Get(k K) (v V, from record.Timestamp, ok bool)
	// GetAsOf returns the value that k had at a time. A time before the highest one put so far minus the history has no answer
	// unless the newest value was valid then already: the newest never goes.
	GetAsOf(k K, at record.Timestamp) (v V, from record.Timestamp, ok bool)
	// History returns the values that k had from from to to, both included, as far as history reaches.
	History(k K, from, to record.Timestamp, o Order) iter.Seq2[Validity, V]
}

// A VersionedStore keeps the values that each key had over a time.
type VersionedStore[K, V any] interface {
	ReadOnlyVersioned[K, V]
	// Put says that k has the value v from ts on, until its next version; a value that encodes to null says that it has none. A
	// version of the same time is replaced. One older than the highest time put so far minus the history is dropped and counted: kept
	// is false.
	Put(k K, v V, ts record.Timestamp) (kept bool)
	// Delete says that k has no value from ts on and returns the one it had then.
	Delete(k K, ts record.Timestamp) (had V, from record.Timestamp, ok bool)
}

// Versions describes a store of the values that each key had over a time: history is how far back from the highest time put.
func Versions[K, V any](name string, key serde.Serde[K], value serde.Serde[V], history time.Duration) *Builder[VersionedStore[K, V]] {
	b := Custom(Spec{Name: name, Marks: 1}, func(t Bytes) VersionedStore[K, V] {
		return &versioned[K, V]{codec: newCodec(t, key, value), history: record.Timestamp(history.Milliseconds())}
	})
	b.need(key != nil && value != nil)
	if history < 0 {
		b.mistake("its history is negative")
	}
	return b
}

// What a version's bytes begin with.
const (
	isDelete = 0
	isValue  = 1
)

type versioned[K, V any] struct {
	codec[K, V]
	history record.Timestamp
	puts    int    // since the last sweep
	swept   []byte // where the next sweep begins
}

// oldest returns the oldest time that history reaches.
func (s *versioned[K, V]) oldest() record.Timestamp {
	if highest := s.t.Mark(0); highest != record.NoTimestamp {
		return max(highest-s.history, 0)
	}
	return 0
}

func (s *versioned[K, V]) Get(k K) (v V, from record.Timestamp, ok bool) {
	v, from, ok, _ = s.at(k, maxTime-1)
	return v, from, ok
}

func (s *versioned[K, V]) GetAsOf(k K, at record.Timestamp) (v V, from record.Timestamp, ok bool) {
	v, from, ok, newest := s.at(k, at)
	if at < s.oldest() && ok && !newest {
		var none V
		return none, record.NoTimestamp, false
	}
	return v, from, ok
}

// at returns the version that was valid at a time, and whether it is the newest.
func (s *versioned[K, V]) at(k K, at record.Timestamp) (v V, from record.Timestamp, ok, newest bool) {
	if at < 0 {
		return v, record.NoTimestamp, false, false
	}
	first, ok := s.composite(&s.from, k, 0)
	if !ok {
		return v, record.NoTimestamp, false, false
	}
	behind, _ := s.composite(&s.to, k, at+1)
	from, ok = record.NoTimestamp, false
	s.t.Scan(first, behind, Descending, func(key, value []byte, _ record.Timestamp) bool {
		if len(value) > 0 && value[0] == isValue {
			if v, ok = s.decodeValue(value[1:]); ok {
				from = lastTime(key)
			}
		}
		return false
	})
	if !ok || at >= s.oldest() {
		return v, from, ok, false
	}
	end, _ := s.composite(&s.from, k, maxTime)
	newest = true
	s.t.Scan(behind, end, Ascending, func([]byte, []byte, record.Timestamp) bool {
		newest = false
		return false
	})
	return v, from, ok, newest
}

func (s *versioned[K, V]) Put(k K, v V, ts record.Timestamp) (kept bool) {
	value, ok := s.valueBytes(append(s.room[:0], isValue), v)
	if !ok {
		return false
	}
	if value == nil {
		value = []byte{isDelete}
	}
	return s.put(k, value, ts)
}

func (s *versioned[K, V]) put(k K, value []byte, ts record.Timestamp) bool {
	key, ok := s.composite(&s.from, k, ts)
	if !ok {
		return false
	}
	if ts < s.oldest() {
		s.t.Drop()
		return false
	}
	see(s.t, ts)
	s.t.Put(key, value, ts)
	s.trim(k)
	if s.puts++; s.puts == sweepEvery {
		s.puts = 0
		s.sweep()
	}
	return true
}

// A sweep looks at twice as many rows as were put since the last one, so it goes round as fast as the store grows. It frees what trim
// does not come to: the history of keys that get no versions any more.
const (
	sweepEvery = 32
	sweepRows  = 2 * sweepEvery
)

// sweep removes versions that nothing can ask for any more, in a part of the store.
func (s *versioned[K, V]) sweep() {
	type seen struct {
		key     []byte
		deletes bool
	}
	var rows []seen
	s.t.Scan(s.swept, nil, Ascending, func(key, value []byte, _ record.Timestamp) bool {
		rows = append(rows, seen{append([]byte(nil), key...), len(value) == 1 && value[0] == isDelete})
		return len(rows) < sweepRows
	})
	if s.swept = nil; len(rows) == sweepRows {
		s.swept = rows[len(rows)-1].key // it is judged when the one behind it is known
		rows = rows[:len(rows)-1]
	}
	oldest := s.oldest()
	for i, r := range rows {
		if lastTime(r.key) > oldest || len(r.key) < 8 {
			continue
		}
		next := s.swept
		if i+1 < len(rows) {
			next = rows[i+1].key
		}
		older := len(next) == len(r.key) && bytes.Equal(next[:len(next)-8], r.key[:len(r.key)-8]) && lastTime(next) <= oldest
		if older || r.deletes {
			s.forget(r.key)
		}
	}
}

// forget removes a version and all before it: a delete hides them, so it never goes alone.
func (s *versioned[K, V]) forget(key []byte) {
	first := appendTime(append([]byte(nil), key[:len(key)-8]...), 0)
	var old [][]byte
	s.t.Scan(first, append(key, 0), Ascending, func(key, _ []byte, _ record.Timestamp) bool {
		old = append(old, append([]byte(nil), key...))
		return true
	})
	for _, key := range old {
		s.t.Delete(key)
	}
}

// trim removes k's versions that nothing can ask for any more: all behind the one that was valid at the oldest time.
func (s *versioned[K, V]) trim(k K) {
	first, _ := s.composite(&s.from, k, 0)
	behind, _ := s.composite(&s.to, k, s.oldest()+1)
	var last []byte // that is not needed
	needed := true
	s.t.Scan(first, behind, Descending, func(key, value []byte, _ record.Timestamp) bool {
		if !needed || len(value) == 1 && value[0] == isDelete {
			last = append(last, key...)
			return false
		}
		needed = false
		return true
	})
	if last != nil {
		s.forget(last)
	}
}

func (s *versioned[K, V]) Delete(k K, ts record.Timestamp) (had V, from record.Timestamp, ok bool) {
	if ts >= s.oldest() {
		had, from, ok = s.GetAsOf(k, ts)
	}
	s.put(k, []byte{isDelete}, ts)
	return had, from, ok
}

func (s *versioned[K, V]) History(k K, from, to record.Timestamp, o Order) iter.Seq2[Validity, V] {
	return func(yield func(Validity, V) bool) {
		versions := s.versions(k, max(from, s.oldest()), to)
		for i := range versions {
			if o == Descending {
				i = len(versions) - 1 - i
			}
			if v := &versions[i]; !yield(v.Validity, v.value) {
				return
			}
		}
	}
}

// A version is one that has a value.
type version[V any] struct {
	Validity
	value V
}

// versions returns k's versions that were valid within from to to, in order of time.
func (s *versioned[K, V]) versions(k K, from, to record.Timestamp) (all []version[V]) {
	first, ok := s.composite(&s.from, k, 0)
	if !ok {
		return nil
	}
	end, _ := s.composite(&s.to, k, maxTime)
	var open bool // the last of all has no end yet
	s.t.Scan(first, end, Ascending, func(key, value []byte, _ record.Timestamp) bool {
		ts := lastTime(key)
		if open {
			if all[len(all)-1].To = ts; ts <= from {
				all = all[:len(all)-1] // over before
			}
		}
		if open = false; ts > to {
			return false
		}
		if len(value) > 0 && value[0] == isValue {
			v, ok := s.decodeValue(value[1:])
			if !ok {
				return false
			}
			all, open = append(all, version[V]{Validity{ts, record.NoTimestamp}, v}), true
		}
		return true
	})
	return all
}
