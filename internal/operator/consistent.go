package operator

import (
	"unsafe"

	"github.com/mainstemio/mainstem/record"
)

// Consistent mode. All tables hold their updates until the epoch ends; then they hand them on one node after the other, in the order of
// the topology (task.Set.Flush). So what leaves in an epoch follows from one cut of the inputs, and each key of a table changes at most
// once:
//
//   - Every table that keeps something, and every join, has a cache. Between the caches an update is what it was: the old value is the one
//     that was handed on last, the new one what the row is at the cut.
//   - A table is read as the steps behind its cache know it (shownReader): until its turn as it was when the epoch began, then as it is.
//     So a protocol between two tables, that of foreign-key joins, never sees a row before its update.
//   - A join of tables learns only which keys to look at. When its turn comes both sides are final, and it computes what its row was
//     (Caches.Before) and what it is. It does not matter how the updates came, by how many ways from one table.
//   - Rows of a stream that meet a table wait in front of the join (UntilCut): they see the table at the cut.

// Before has f read all tables as they were when the epoch began. It is meant for the time when the epoch ends.
func (c *Caches) Before(f func() error) error {
	c.before = true
	defer func() { c.before = false }()
	return f()
}

// Finally has the cache behind the out, if it is one of consistent mode, ask f what the row of a key has become, instead of taking the
// last update for it: f sets New, NewAbsent and Timestamp of ch, which stands for row 0 of r. It returns whether f will be asked.
func (o *ChangesOut[K, V]) Finally(s *Site, f func(ch *Change[K, V], r *Rows) error) bool {
	if !s.Cached || !s.Caches.Consistent {
		return false
	}
	c, ok := o.children[0].(*cache[K, V])
	if ok {
		c.final = f
	}
	return ok
}

// shownThrough returns a reader of the table as the steps behind the cache know it.
func (c *cache[K, V]) shownThrough(reader any) any {
	switch r := reader.(type) {
	case VersionedReader[K, V]:
		return &shownVersions[K, V]{shownReader[K, V]{r, c}, r}
	case Reader[K, V]:
		return &shownReader[K, V]{r, c}
	}
	return reader
}

type shownReader[K, V any] struct {
	Reader[K, V]
	cache *cache[K, V]
}

// Read implements Reader. The time of a row that was is not known.
func (r *shownReader[K, V]) Read(key K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error) {
	if id, changed := r.cache.index[string(encoded)]; changed {
		if e := &r.cache.entries[id]; e.turn != 0 || r.cache.caches.before {
			return e.old, record.NoTimestamp, !e.oldAbsent, nil
		}
	}
	return r.Reader.Read(key, encoded)
}

type shownVersions[K, V any] struct {
	shownReader[K, V]
	versions VersionedReader[K, V]
}

// ReadAsOf implements VersionedReader. Only streams ask for it, at the cut.
func (r *shownVersions[K, V]) ReadAsOf(key K, encoded []byte, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool, err error) {
	return r.versions.ReadAsOf(key, encoded, asOf)
}

// UntilCut returns to, the receiver of a step that reads tables; in consistent mode what lets the rows wait for it until the epoch ends.
func UntilCut[K, V any](s *Site, to Receiver[K, V]) Receiver[K, V] {
	if !s.Caches.Consistent {
		return to
	}
	w := &waiting[K, V]{caches: &s.Caches, id: s.ID}
	w.rows.out = &Out[K, V]{children: []Receiver[K, V]{to}}
	s.Caches.all = append(s.Caches.all, w)
	s.Undoers = append(s.Undoers, w)
	return w
}

// waiting holds rows of a stream.
type waiting[K, V any] struct {
	caches *Caches
	id     int
	rows   inbox[K, V] // its head is 0 but in the unit that flushes
	kept   int         // rows when the unit began
}

func (w *waiting[K, V]) Node() int { return w.id }
func (w *waiting[K, V]) Held() int { return len(w.rows.Timestamps()) }

// waitingBytes is about what a row takes beside its key and value.
const waitingBytes = 64

func (w *waiting[K, V]) size(rows int) int64 {
	var k K
	var v V
	return int64(rows) * int64(unsafe.Sizeof(k)+unsafe.Sizeof(v)+waitingBytes)
}

// Receive implements Receiver. Encoded bytes do not outlive the unit, so they stay behind.
func (w *waiting[K, V]) Receive(b *Batch[K, V]) error {
	for _, i := range b.Sel {
		w.rows.add(b, i, nil)
	}
	w.caches.bytes += w.size(len(b.Sel))
	return nil
}

// Flush implements Holder.
func (w *waiting[K, V]) Flush() error {
	for n := w.Held(); n > 0; n = w.Held() {
		n = min(n, MaxRows)
		if len(w.caches.lost) > 0 {
			n = 1
			if o := w.rows.origins[w.rows.head]; w.caches.lost[o] {
				w.caches.Lost(o, nil, w.rows.timestamps[w.rows.head])
				w.rows.head++
				continue
			}
		}
		if err := w.rows.Feed(n); err != nil {
			return err
		}
	}
	return nil
}

// Keep implements Undoer.
func (w *waiting[K, V]) Keep() {
	if w.rows.head > 0 { // all are gone
		w.caches.bytes -= w.size(len(w.rows.keys))
		w.rows.Undo()
	}
	w.kept = len(w.rows.keys)
}

// Undo implements Undoer.
func (w *waiting[K, V]) Undo() {
	w.caches.bytes -= w.size(len(w.rows.keys) - w.kept)
	w.rows.cut(w.kept)
	w.rows.head = 0
}

// cut takes the rows from n on back.
func (in *inbox[K, V]) cut(n int) {
	in.keys, in.keyBytes, in.values = cutTo(in.keys, n), cutTo(in.keyBytes, n), cutTo(in.values, n)
	in.keyNulls, in.valueNulls, in.headers = cutTo(in.keyNulls, n), cutTo(in.valueNulls, n), cutTo(in.headers, n)
	in.timestamps, in.origins = cutTo(in.timestamps, n), cutTo(in.origins, n)
}

func cutTo[T any](column []T, n int) []T {
	if n >= len(column) {
		return column
	}
	clear(column[n:])
	return column[:n]
}
