package state

import (
	"iter"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Session is a key in a session from Start to End, the times of its first and last record, in ms.
type Session[K any] struct {
	Key        K
	Start, End record.Timestamp
}

// ReadOnlySession reads a session store. A session whose end is at or before the highest end put so far minus the retention is gone,
// whether its memory is free already or not. Rows come by key, then by end, then by start.
type ReadOnlySession[K, V any] interface {
	Fetch(s Session[K]) (v V, ok bool)
	// Find returns k's sessions that end at earliestEnd or later and begin at latestStart or earlier: all that overlap this range.
	Find(k K, earliestEnd, latestStart record.Timestamp, o Order) iter.Seq2[Session[K], V]
	// FetchKey returns all sessions of k, FetchKeys those of the keys first to last, both included, All all sessions.
	FetchKey(k K, o Order) iter.Seq2[Session[K], V]
	FetchKeys(first, last K, o Order) iter.Seq2[Session[K], V]
	All(o Order) iter.Seq2[Session[K], V]
}

// A SessionStore keeps one value for each key and session.
type SessionStore[K, V any] interface {
	ReadOnlySession[K, V]
	// Put sets a session's value; a value that encodes to null deletes it. A session that is gone already is dropped and counted.
	Put(s Session[K], v V)
	Remove(s Session[K])
}

// Sessions describes a store of one value for each key and session, which keeps a session until one ends that is later by the
// retention.
func Sessions[K, V any](name string, key serde.Serde[K], value serde.Serde[V], retention time.Duration) *Builder[SessionStore[K, V]] {
	b := Custom(Spec{Name: name, Marks: 1, Retention: retention, TimeOf: endOf}, func(t Bytes) SessionStore[K, V] {
		return &session[K, V]{codec: newCodec(t, key, value), retention: record.Timestamp(retention.Milliseconds())}
	})
	b.need(key != nil && value != nil)
	b.needRetention(retention)
	return b
}

// endOf is the end of the session that a key says.
func endOf(key []byte) record.Timestamp {
	if len(key) < 16 {
		return 0
	}
	return timeAt(key[len(key)-16:])
}

type session[K, V any] struct {
	codec[K, V]
	retention record.Timestamp
}

func (s *session[K, V]) gone() record.Timestamp { return gone(s.t, s.retention) }

func (s *session[K, V]) Fetch(at Session[K]) (v V, ok bool) {
	if at.End <= s.gone() {
		return v, false
	}
	key, ok := s.composite(&s.from, at.Key, at.End, at.Start)
	if !ok {
		return v, false
	}
	b, _, ok := s.t.Get(key)
	if !ok {
		return v, false
	}
	return s.decodeValue(b)
}

func (s *session[K, V]) Put(at Session[K], v V) {
	key, ok := s.composite(&s.from, at.Key, at.End, at.Start)
	if !ok {
		return
	}
	value, ok := s.valueBytes(s.room[:0], v)
	if !ok {
		return
	}
	see(s.t, at.End)
	if at.End <= s.gone() {
		s.t.Drop()
		return
	}
	s.t.Put(key, value, s.t.Now())
}

func (s *session[K, V]) Remove(at Session[K]) {
	if key, ok := s.composite(&s.from, at.Key, at.End, at.Start); ok && at.End > s.gone() {
		s.t.Delete(key)
	}
}

func (s *session[K, V]) Find(k K, earliestEnd, latestStart record.Timestamp, o Order) iter.Seq2[Session[K], V] {
	return func(yield func(Session[K], V) bool) { s.rows(k, k, span{earliestEnd, latestStart}, o, yield) }
}

func (s *session[K, V]) FetchKey(k K, o Order) iter.Seq2[Session[K], V] { return s.FetchKeys(k, k, o) }

func (s *session[K, V]) FetchKeys(first, last K, o Order) iter.Seq2[Session[K], V] {
	return func(yield func(Session[K], V) bool) { s.rows(first, last, span{0, maxTime}, o, yield) }
}

func (s *session[K, V]) All(o Order) iter.Seq2[Session[K], V] {
	return func(yield func(Session[K], V) bool) {
		scan(s.t, nil, nil, o, func(r row) bool { return s.show(r, span{0, maxTime}, yield) })
	}
}

// rows yields the sessions of the keys first to last that end at times.from or later and begin at times.to or earlier.
func (s *session[K, V]) rows(first, last K, times span, o Order, yield func(Session[K], V) bool) {
	from, ok := s.composite(&s.from, first, max(times.from, s.gone()+1), 0)
	if !ok {
		return
	}
	to, ok := s.composite(&s.to, last, maxTime, maxTime)
	if !ok {
		return
	}
	scan(s.t, from, to, o, func(r row) bool { return s.show(r, times, yield) })
}

// show yields a row if it overlaps times.
func (s *session[K, V]) show(r row, times span, yield func(Session[K], V) bool) bool {
	end := endOf(r.key)
	if start := lastTime(r.key); end < times.from || start > times.to || end <= s.gone() {
		return true
	}
	k, _, ok := s.split(r.key, 2)
	if !ok {
		return false
	}
	v, ok := s.decodeValue(r.value)
	return ok && yield(Session[K]{Key: k, Start: lastTime(r.key), End: end}, v)
}
