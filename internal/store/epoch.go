package store

import (
	"errors"

	"github.com/mainstemio/mainstem/record"
)

var errUncommitted = errors.New("the epoch sealed before is not committed yet")

// Seal implements Store.
func (t *Table[K, V]) Seal(changelog func(key, value []byte, ts record.Timestamp) error) error {
	if t.inSeal {
		return t.wrap("seal", errUncommitted)
	}
	for i := range t.overlay.changes {
		c := &t.overlay.changes[i]
		if !c.silent {
			value, err := t.encode(c)
			if err != nil {
				return t.wrap("seal", err)
			}
			if err := changelog(t.overlay.keyOf(c), value, c.ts); err != nil {
				return t.wrap("seal", err)
			}
		}
		r := t.mu.rows.at(c.row)
		r.sealed, r.overlay = r.overlay, 0
	}
	if err := t.sealMarks(changelog); err != nil {
		return t.wrap("seal", err)
	}
	t.overlay, t.sealed = t.sealed, t.overlay // Commit left the other one empty
	t.inSeal = true
	return nil
}

// encode returns the changelog value of c: nil for a deletion. It is valid until the next call.
func (t *Table[K, V]) encode(c *change[V]) ([]byte, error) {
	switch {
	case c.deleted:
		return nil, nil
	case c.encoded:
		return t.overlay.encoded[c.at : c.at+c.n : c.at+c.n], nil
	}
	b, err := t.o.Value.Append(t.scratch[:0], c.v)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, errNullValue
	}
	t.scratch = b
	return b, nil
}

// Commit implements Store.
func (t *Table[K, V]) Commit() {
	if !t.inSeal {
		return
	}
	t.mu.Lock()
	written := t.mu.rows.heap.size
	for i := range t.sealed.changes {
		c := &t.sealed.changes[i]
		t.mu.rows.at(c.row).sealed = 0
		if c.deleted {
			t.removeLocked(c.row, t.sealed.keyOf(c))
		} else {
			t.setLocked(c.row, t.sealed.keyOf(c), &c.v, c.ts)
			t.markDirty(c.row)
		}
	}
	// Twice what was written and a little more: so the heap comes down to its measure and no Commit pays for it all.
	t.mu.rows.tidy(2 + 2*int((t.mu.rows.heap.size-written)/maxChunk))
	t.marks.commit()
	t.mu.Unlock()
	clear(t.sealed.changes) // old values must not stay reachable
	t.sealed.changes = t.sealed.changes[:0]
	t.sealed.encoded = t.sealed.encoded[:0]
	t.inSeal = false
}

// Restore implements Store.
func (t *Table[K, V]) Restore(key, value []byte, ts record.Timestamp) error {
	if t.marks.holds(key) {
		if err := t.restoreMarks(value); err != nil {
			return t.wrap("restore", err)
		}
		t.marks.dirty = true
		return nil
	}
	if value == nil {
		if id := t.find(key); id != 0 {
			t.mu.Lock()
			t.removeLocked(id, key)
			t.mu.Unlock()
		}
		t.maxTS = max(t.maxTS, ts)
		return nil
	}
	id, err := t.restoreRow(key, value, ts)
	if err != nil {
		return t.wrap("restore", err)
	}
	t.markDirty(id)
	return nil
}

// restoreRow sets a committed row from its bytes.
func (t *Table[K, V]) restoreRow(key, value []byte, ts record.Timestamp) (uint32, error) {
	v, err := t.o.Value.Decode(value)
	if err != nil {
		return 0, err
	}
	id := t.find(key)
	if id == 0 {
		if _, err := t.o.Key.Decode(key); err != nil {
			return 0, err
		}
		id = t.findOrAdd(key)
	}
	t.mu.Lock()
	t.setLocked(id, key, &v, ts)
	t.mu.rows.tidy(1)
	t.mu.Unlock()
	t.maxTS = max(t.maxTS, ts)
	return id, nil
}

// setLocked makes v the committed value of a row.
func (t *Table[K, V]) setLocked(id uint32, key []byte, v *V, ts record.Timestamp) {
	r := t.mu.rows.at(id)
	if !r.live {
		r.live = true
		t.count++
	}
	if t.flat != nil {
		t.scratch = t.flat.Append(t.scratch[:0], v)
		t.mu.rows.set(id, ts, key, t.scratch)
		return
	}
	if n := int(t.mu.rows.used); n > len(t.mu.objects) {
		t.mu.objects = append(t.mu.objects, make([]V, n-len(t.mu.objects))...)
	}
	t.mu.objects[id] = *v
	t.mu.rows.set(id, ts, key, nil)
}

// removeLocked makes a row's key absent.
func (t *Table[K, V]) removeLocked(id uint32, key []byte) {
	if r := t.mu.rows.at(id); r.live {
		r.live = false
		t.count--
		t.mu.rows.set(id, record.NoTimestamp, key, nil)
		if t.flat == nil {
			var zero V
			t.mu.objects[id] = zero
		}
		if r.saved {
			t.markDirty(id)
		}
		r.dirty = r.saved // what no checkpoint has needs no deleting there
	}
	t.forgetLocked(id)
}

// forgetLocked takes a row out of the index if nothing needs it any more.
func (t *Table[K, V]) forgetLocked(id uint32) {
	r := t.mu.rows.at(id)
	if r.live || r.dirty || r.overlay != 0 || r.sealed != 0 {
		return
	}
	if t.order != nil {
		t.order.tree.Delete(id)
	}
	t.mu.rows.remove(id)
	if t.last == id {
		t.last = 0
	}
}

func (t *Table[K, V]) markDirty(id uint32) {
	if r := t.mu.rows.at(id); !r.dirty {
		r.dirty = true
		t.dirty = append(t.dirty, id)
	}
}
