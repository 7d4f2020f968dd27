package state

import (
	"iter"
	"slices"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// ReadOnlyKeyValue reads a key-value store. Rows come in the order of their keys' bytes: that of strings, and of numbers that are
// not negative. A loop over rows may change the store.
type ReadOnlyKeyValue[K, V any] interface {
	Get(k K) (v V, ok bool)
	// GetTimed is Get with the time that the row was put with.
	GetTimed(k K) (v V, ts record.Timestamp, ok bool)
	// All returns the rows, Range those of the keys from from to to, both included, From and UpTo those of the keys at one side of a
	// key, itself included, and Prefix those whose key's bytes begin with prefix.
	All(o Order) iter.Seq2[K, V]
	Range(from, to K, o Order) iter.Seq2[K, V]
	From(from K, o Order) iter.Seq2[K, V]
	UpTo(to K, o Order) iter.Seq2[K, V]
	Prefix(prefix []byte, o Order) iter.Seq2[K, V]
	// Len is the number of rows as of the last commit.
	Len() int
}

// A KeyValueStore keeps one value for each key.
type KeyValueStore[K, V any] interface {
	ReadOnlyKeyValue[K, V]
	// Put sets the value of k, with the time of the record that is processed; a value that encodes to null deletes it.
	Put(k K, v V)
	// PutTimed is Put with a time.
	PutTimed(k K, v V, ts record.Timestamp)
	// PutIfAbsent puts v unless k has a value, which it returns.
	PutIfAbsent(k K, v V) (had V, ok bool)
	// Delete removes k and returns its value.
	Delete(k K) (had V, ok bool)
}

// KeyValue describes a store of one value for each key.
func KeyValue[K, V any](name string, key serde.Serde[K], value serde.Serde[V]) *Builder[KeyValueStore[K, V]] {
	b := Custom(Spec{Name: name}, func(t Bytes) KeyValueStore[K, V] {
		return &keyValue[K, V]{newCodec(t, key, value)}
	})
	b.need(key != nil && value != nil)
	return b
}

func (b *Builder[S]) need(serdes bool) {
	if !serdes {
		b.mistake("a serde is nil")
	}
}

type keyValue[K, V any] struct{ codec[K, V] }

func (s *keyValue[K, V]) Get(k K) (v V, ok bool) {
	v, _, ok = s.GetTimed(k)
	return v, ok
}

func (s *keyValue[K, V]) GetTimed(k K) (v V, ts record.Timestamp, ok bool) {
	key, ok := s.keyBytes(k)
	if !ok {
		return v, record.NoTimestamp, false
	}
	return s.get(key)
}

func (s *keyValue[K, V]) get(key []byte) (v V, ts record.Timestamp, ok bool) {
	b, ts, ok := s.t.Get(key)
	if ok {
		v, ok = s.decodeValue(b)
	}
	return v, ts, ok
}

func (s *keyValue[K, V]) Put(k K, v V) { s.PutTimed(k, v, s.t.Now()) }

func (s *keyValue[K, V]) PutTimed(k K, v V, ts record.Timestamp) {
	if key, ok := s.keyBytes(k); ok {
		if value, ok := s.valueBytes(s.room[:0], v); ok {
			s.t.Put(key, value, ts)
		}
	}
}

func (s *keyValue[K, V]) PutIfAbsent(k K, v V) (had V, ok bool) {
	if had, ok = s.Get(k); !ok {
		s.Put(k, v)
	}
	return had, ok
}

func (s *keyValue[K, V]) Delete(k K) (had V, ok bool) {
	key, ok := s.keyBytes(k)
	if !ok {
		return had, false
	}
	if had, _, ok = s.get(key); ok {
		s.t.Delete(key)
	}
	return had, ok
}

func (s *keyValue[K, V]) Len() int { return s.t.Len() }

func (s *keyValue[K, V]) All(o Order) iter.Seq2[K, V] { return s.rows(nil, nil, o) }

func (s *keyValue[K, V]) Range(from, to K, o Order) iter.Seq2[K, V] {
	first, ok := s.keyBytes(from)
	if !ok {
		return s.none()
	}
	s.from = append(s.from[:0], first...)
	last, ok := s.keyBytes(to)
	if !ok {
		return s.none()
	}
	return s.rows(slices.Clone(s.from), append(slices.Clone(last), 0), o)
}

func (s *keyValue[K, V]) From(from K, o Order) iter.Seq2[K, V] {
	first, ok := s.keyBytes(from)
	if !ok {
		return s.none()
	}
	return s.rows(slices.Clone(first), nil, o)
}

func (s *keyValue[K, V]) UpTo(to K, o Order) iter.Seq2[K, V] {
	last, ok := s.keyBytes(to)
	if !ok {
		return s.none()
	}
	return s.rows(nil, append(slices.Clone(last), 0), o)
}

func (s *keyValue[K, V]) Prefix(prefix []byte, o Order) iter.Seq2[K, V] {
	return s.rows(slices.Clone(prefix), after(prefix), o)
}

func (s *keyValue[K, V]) none() iter.Seq2[K, V] { return func(func(K, V) bool) {} }

// rows yields the rows from up to to, which it keeps.
func (s *keyValue[K, V]) rows(from, to []byte, o Order) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		scan(s.t, from, to, o, func(r row) bool {
			k, ok := s.decodeKey(r.key)
			if !ok {
				return false
			}
			v, ok := s.decodeValue(r.value)
			return ok && yield(k, v)
		})
	}
}
