package store

import (
	"bytes"

	"github.com/mainstemio/mainstem/record"
)

// First returns the committed row with the first key at or behind from and before to, in the order of the keys' bytes. The table must be
// Ordered. Any goroutine may call it.
func (t *Table[K, V]) First(from, to []byte) (v V, ts record.Timestamp, key []byte, ok bool) {
	t.mu.Lock() // exclusively: the tree's probe is searched for
	var row viewedRow[K, V]
	t.order.view = from
	t.order.tree.Ascend(probeView, func(id uint32) bool {
		if bytes.Compare(t.mu.rows.entry(id).key, to) >= 0 {
			return false
		}
		if ok = t.mu.rows.at(id).live; ok {
			row = t.viewed(id)
		}
		return !ok
	})
	t.mu.Unlock()
	if !ok {
		return v, record.NoTimestamp, nil, false
	}
	e := parse(row.entry)
	return row.read(t), e.ts, bytes.Clone(e.key), true
}

// Committed returns the committed row of a key, from its bytes. Any goroutine may call it.
func (t *Table[K, V]) Committed(key []byte) (v V, ts record.Timestamp, ok bool) {
	row, ok := t.committed(key)
	if !ok {
		return v, record.NoTimestamp, false
	}
	return row.read(t), parse(row.entry).ts, true
}

// CommittedMark returns one of the committed Marks. Any goroutine may call it.
func (t *Table[K, V]) CommittedMark(n int) int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.marks.committed[n]
}
