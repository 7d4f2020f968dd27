package store

import (
	"bytes"
	"errors"

	"github.com/mainstemio/mainstem/record"
)

// errStopped ends a scan whose caller has seen enough.
var errStopped = errors.New("stopped")

// First returns the committed row with the first key at or behind from and, unless to is nil, before to, in the order of the keys' bytes. The
// table must be Ordered. Any goroutine may call it.
func (t *Table[K, V]) First(from, to []byte) (v V, ts record.Timestamp, key []byte, ok bool) {
	return t.search(from, func(visit func(uint32) bool) { t.order.tree.Ascend(probeView, visit) },
		func(key []byte) bool { return to != nil && bytes.Compare(key, to) >= 0 })
}

// Last is First for the last key.
func (t *Table[K, V]) Last(from, to []byte) (v V, ts record.Timestamp, key []byte, ok bool) {
	if to == nil {
		return t.search(nil, t.order.tree.Reverse, func(key []byte) bool { return bytes.Compare(key, from) < 0 })
	}
	return t.search(to, func(visit func(uint32) bool) {
		t.order.tree.Descend(probeView, func(id uint32) bool { return bytes.Equal(t.mu.rows.key(id), to) || visit(id) })
	}, func(key []byte) bool { return bytes.Compare(key, from) < 0 })
}

// search returns the first committed row that walk visits, from the key at on, unless one is beyond before.
func (t *Table[K, V]) search(at []byte, walk func(visit func(uint32) bool), beyond func(key []byte) bool) (v V, ts record.Timestamp, key []byte, ok bool) {
	for {
		if key = t.searchKey(at, walk, beyond); key == nil {
			return v, never, nil, false
		}
		var err error
		if v, ts, ok, err = t.committed(key); ok {
			return v, ts, key, true
		}
		if err != nil {
			t.fail(err)
			return v, never, nil, false
		} // the row was deleted meanwhile: another one is the first now
	}
}

// searchKey returns the key of the row that search wants, nil when there is none.
func (t *Table[K, V]) searchKey(at []byte, walk func(visit func(uint32) bool), beyond func(key []byte) bool) (found []byte) {
	t.mu.Lock() // exclusively: the tree's probe is searched for
	defer t.mu.Unlock()
	t.order.view = at
	walk(func(id uint32) bool {
		p := t.mu.rows.at(id)
		key := t.mu.rows.keyOf(p)
		if beyond(key) {
			return false
		}
		if p.live() && !t.goneLocked(key) {
			found = append([]byte{}, key...)
		}
		return found == nil
	})
	return found
}

// Committed returns the committed row of a key, from its bytes. Any goroutine may call it. A row that is in the checkpoint only and cannot
// be read is none, and the table's next epoch is refused.
func (t *Table[K, V]) Committed(key []byte) (v V, ts record.Timestamp, ok bool) {
	v, ts, ok, err := t.committed(key)
	if err != nil {
		t.fail(err)
	}
	return v, ts, ok
}

func (t *Table[K, V]) committed(key []byte) (v V, ts record.Timestamp, ok bool, err error) {
	ts, ok, below := t.residentRow(key, &v)
	if !below {
		return v, ts, ok, nil
	}
	if v, ts, ok, err = t.readCheckpoint(key); err != nil {
		err = t.wrap("read the checkpoint of", err)
	}
	return v, ts, ok, err
}

// residentRow reads a committed row into v. below tells that the checkpoint has it, or may have it.
func (t *Table[K, V]) residentRow(key []byte, v *V) (ts record.Timestamp, ok, below bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.goneLocked(key) {
		return never, false, false
	}
	id := t.mu.rows.findEntered(key)
	if id == 0 {
		return never, false, t.mu.some
	}
	p := t.mu.rows.at(id)
	if !p.live() || p.away() {
		return never, false, p.live()
	}
	e := parse(t.mu.rows.heap.at(p.place()))
	if t.flat == nil {
		*v = t.mu.objects[id]
	} else {
		t.read(e.value, v)
	}
	return e.ts, true, false
}

// CommittedMark returns one of the committed Marks. Any goroutine may call it.
func (t *Table[K, V]) CommittedMark(n int) int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.marks.committed[n]
}
