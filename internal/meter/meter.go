// Package meter counts how long things take, for metrics.
//
// The Kafka server and the broker observe; the root renders snapshots as Prometheus text. It calls nobody.
//
// Everything is safe for concurrent use and takes no lock: an observation is two atomic additions and allocates nothing. A snapshot
// is not one instant: its sum may lag behind its counts by observations that are under way.
//
// A Histogram has fixed upper bounds (Bounds) and one more bucket for what is longer; Requests has one Histogram for each API key.
//
// Not here: names, labels, text formats.
package meter

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of a Histogram's buckets, both ends of what a disk or a network of today needs.
var Bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Histogram counts durations. The zero value is ready.
type Histogram struct {
	counts [len(Bounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// A Snapshot is a Histogram at a time.
type Snapshot struct {
	Counts [len(Bounds) + 1]uint64 // of each bucket alone; the last one has no bound
	Count  uint64
	Sum    time.Duration
}

// Snapshot returns the figures now.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
		s.Count += s.Counts[i]
	}
	return s
}

// maxKey is above the API keys of Kafka.
const maxKey = 128

// Requests has a Histogram for each API key that was seen. The zero value is ready; a nil one counts nothing.
type Requests struct {
	keys [maxKey]atomic.Pointer[Histogram]
}

// Observe counts one request of an API key. Keys that Kafka does not have are not counted.
func (r *Requests) Observe(key int16, d time.Duration) {
	if r == nil || key < 0 || key >= maxKey {
		return
	}
	h := r.keys[key].Load()
	if h == nil { // once in a process's life
		r.keys[key].CompareAndSwap(nil, new(Histogram))
		h = r.keys[key].Load()
	}
	h.Observe(d)
}

// Each calls fn for every key that was seen, in order.
func (r *Requests) Each(fn func(key int16, s Snapshot)) {
	for key := range r.keys {
		if h := r.keys[key].Load(); h != nil {
			fn(int16(key), h.Snapshot())
		}
	}
}
