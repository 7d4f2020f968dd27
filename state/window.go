package state

import (
	"iter"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Window is a key in the window that begins at Start, in ms.
type Window[K any] struct {
	Key   K
	Start record.Timestamp
}

// ReadOnlyWindow reads a window store. A window whose start is at or before the highest start put so far minus the retention is
// gone, whether its memory is free already or not. Rows come by key, then by start.
type ReadOnlyWindow[K, V any] interface {
	// Fetch returns the value of k in the window that begins at start.
	Fetch(k K, start record.Timestamp) (v V, ok bool)
	// FetchRange returns k's windows that begin from from to to, both included.
	FetchRange(k K, from, to record.Timestamp, o Order) iter.Seq2[record.Timestamp, V]
	// FetchKeys returns the windows of the keys first to last that begin from from to to, all included; FetchAll those of all keys;
	// All all windows.
	FetchKeys(first, last K, from, to record.Timestamp, o Order) iter.Seq2[Window[K], V]
	FetchAll(from, to record.Timestamp, o Order) iter.Seq2[Window[K], V]
	All(o Order) iter.Seq2[Window[K], V]
}

// A WindowStore keeps one value for each key and window.
type WindowStore[K, V any] interface {
	ReadOnlyWindow[K, V]
	// Put sets the value of k in the window that begins at start; a value that encodes to null deletes it. A window that is gone
	// already is dropped and counted.
	Put(k K, v V, start record.Timestamp)
	Delete(k K, start record.Timestamp)
}

// Windows describes a store of one value for each key and window, which keeps a window until one begins that is later by the
// retention. Times count in milliseconds; windows have no size here: a value is found by its window's start.
func Windows[K, V any](name string, key serde.Serde[K], value serde.Serde[V], retention time.Duration) *Builder[WindowStore[K, V]] {
	b := Custom(Spec{Name: name, Marks: 1, Retention: retention, TimeOf: lastTime}, func(t Bytes) WindowStore[K, V] {
		return &window[K, V]{codec: newCodec(t, key, value), retention: record.Timestamp(retention.Milliseconds())}
	})
	b.need(key != nil && value != nil)
	b.needRetention(retention)
	return b
}

func (b *Builder[S]) needRetention(d time.Duration) {
	if d < time.Millisecond {
		b.mistake("its retention must be at least a millisecond")
	}
}

type window[K, V any] struct {
	codec[K, V]
	retention record.Timestamp
}

// gone returns the latest start that is not kept any more.
func (s *window[K, V]) gone() record.Timestamp { return gone(s.t, s.retention) }

// gone is the latest time that a table with a retention does not keep any more, -1 when it keeps all.
func gone(t Bytes, retention record.Timestamp) record.Timestamp {
	if highest := t.Mark(0); highest != record.NoTimestamp {
		return max(highest-retention, -1)
	}
	return -1
}

// see moves the highest time of a table.
func see(t Bytes, ts record.Timestamp) {
	if ts > t.Mark(0) {
		t.SetMark(0, ts)
	}
}

func (s *window[K, V]) Fetch(k K, start record.Timestamp) (v V, ok bool) {
	if start <= s.gone() {
		return v, false
	}
	key, ok := s.composite(&s.from, k, start)
	if !ok {
		return v, false
	}
	b, _, ok := s.t.Get(key)
	if !ok {
		return v, false
	}
	return s.decodeValue(b)
}

func (s *window[K, V]) Put(k K, v V, start record.Timestamp) {
	key, ok := s.composite(&s.from, k, start)
	if !ok {
		return
	}
	value, ok := s.valueBytes(s.room[:0], v)
	if !ok {
		return
	}
	see(s.t, start)
	if start <= s.gone() {
		s.t.Drop()
		return
	}
	s.t.Put(key, value, s.t.Now())
}

func (s *window[K, V]) Delete(k K, start record.Timestamp) {
	if key, ok := s.composite(&s.from, k, start); ok && start > s.gone() {
		s.t.Delete(key)
	}
}

func (s *window[K, V]) FetchRange(k K, from, to record.Timestamp, o Order) iter.Seq2[record.Timestamp, V] {
	return func(yield func(record.Timestamp, V) bool) {
		if to < 0 {
			return
		}
		s.rows(k, k, span{from, to}, o, func(w Window[K], v V) bool { return yield(w.Start, v) })
	}
}

func (s *window[K, V]) FetchKeys(first, last K, from, to record.Timestamp, o Order) iter.Seq2[Window[K], V] {
	return func(yield func(Window[K], V) bool) { s.rows(first, last, span{from, to}, o, yield) }
}

func (s *window[K, V]) FetchAll(from, to record.Timestamp, o Order) iter.Seq2[Window[K], V] {
	return func(yield func(Window[K], V) bool) {
		scan(s.t, nil, nil, o, func(r row) bool { return s.show(r, span{from, to}, yield) })
	}
}

func (s *window[K, V]) All(o Order) iter.Seq2[Window[K], V] { return s.FetchAll(0, maxTime, o) }

// maxTime is later than any time.
const maxTime = record.Timestamp(1<<63 - 1)

// A span is a range of times, both included.
type span struct{ from, to record.Timestamp }

// rows yields the windows of the keys first to last that begin within times.
func (s *window[K, V]) rows(first, last K, times span, o Order, yield func(Window[K], V) bool) {
	from, ok := s.composite(&s.from, first, max(times.from, s.gone()+1))
	if !ok {
		return
	}
	to, ok := s.composite(&s.to, last, times.to)
	if !ok {
		return
	}
	scan(s.t, from, append(to, 0), o, func(r row) bool { return s.show(r, times, yield) })
}

// show yields a row if its time is within times.
func (s *window[K, V]) show(r row, times span, yield func(Window[K], V) bool) bool {
	start := lastTime(r.key)
	if start < times.from || start > times.to || start <= s.gone() {
		return true
	}
	k, _, ok := s.split(slices.Clone(r.key), 1)
	if !ok {
		return false
	}
	v, ok := s.decodeValue(r.value)
	return ok && yield(Window[K]{Key: k, Start: start}, v)
}
