package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/record"
)

var errUncommitted = errors.New("the epoch sealed before is not committed yet")

// fits tells whether the places of the overlay's changes still say where they are. Only Seal asks, since nothing that was read at a wrong place
// leaves the process before: epochs end at a few megabytes, but a single call of user code may change any number of rows.
func (t *Table[K, V]) fits() error {
	if n, size := len(t.overlay.changes), len(t.overlay.encoded); n > change26 || size > math.MaxUint32 {
		return fmt.Errorf("one unit of work changes %d rows in %d bytes; at most %d rows and %d bytes can be changed at once: do it in several calls",
			n, size, change26, uint32(math.MaxUint32))
	}
	return nil
}

// Seal implements Store.
func (t *Table[K, V]) Seal(changelog func(key, value []byte, ts record.Timestamp) error) error {
	if t.inSeal {
		return t.wrap("seal", errUncommitted)
	}
	if err := t.fits(); err != nil {
		return t.wrap("seal", err)
	}
	if err := t.cold.err.Load(); err != nil {
		return t.wrap("seal", *err)
	}
	if err := t.tell(changelog); err != nil {
		return t.wrap("seal", err)
	}
	for i := range t.overlay.changes { // apart, so that the processor brings many rows at once
		t.mu.rows.at(t.overlay.changes[i].row).own |= inSealed
	}
	t.tail += len(t.overlay.changes)
	t.overlay, t.sealed = t.sealed, t.overlay // Commit left the other one empty
	t.inSeal = true
	return nil
}

// tell hands the overlay's changes to changelog.
func (t *Table[K, V]) tell(changelog func(key, value []byte, ts record.Timestamp) error) error {
	if t.o.Published {
		return nil
	}
	for i := range t.overlay.changes {
		c := &t.overlay.changes[i]
		if c.silent {
			continue
		}
		value, err := t.encode(c)
		if err != nil {
			return err
		}
		if err := changelog(t.overlay.keyOf(c), value, c.ts); err != nil {
			return err
		}
	}
	return t.sealMarks(changelog)
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
	t.settle(false)
	written := int64(0)
	if t.inSeal {
		written = t.fold()
		t.warm() // not while the changelog is replayed: that has to end first
	}
	t.evict(written)
}

// fold makes the sealed epoch's values the committed ones, and returns how many bytes they took.
func (t *Table[K, V]) fold() int64 {
	t.mu.Lock()
	before := t.mu.rows.heap.size
	for i := range t.sealed.changes {
		if i%touched == 0 {
			t.touchChanged(t.sealed.changes[i:min(i+touched, len(t.sealed.changes))])
		}
		c := &t.sealed.changes[i]
		p := t.mu.rows.at(c.row)
		if p.own&inSealed == 0 {
			t.overlay.changes[p.own&change26-1].under = 0
		}
		if key := t.sealed.keyOf(c); c.deleted {
			t.removeLocked(c.row, key)
		} else {
			t.setLocked(c.row, key, &c.v, c.ts)
			t.markDirty(c.row)
		}
	}
	written := t.mu.rows.heap.size - before
	// Three times what was written and a little more: so the heap comes down to its measure and no Commit pays for it all.
	t.mu.rows.tidy(2 + 3*int(written/maxChunk))
	t.marks.commit()
	t.mu.Unlock()
	clear(t.sealed.changes) // old values must not stay reachable
	t.sealed.changes = t.sealed.changes[:0]
	t.sealed.encoded = t.sealed.encoded[:0]
	t.inSeal = false
	return written
}

// Restore implements Store. The checkpoint is not asked: the record's value is the one that counts.
func (t *Table[K, V]) Restore(key, value []byte, ts record.Timestamp) error {
	t.tail++
	t.mu.rows.pass()
	if t.marks.holds(key) {
		if err := t.restoreMarks(value); err != nil {
			return t.wrap("restore", err)
		}
		t.marks.dirty = true
		return nil
	}
	if value == nil {
		id := t.resident(key)
		if id == 0 && t.mu.some {
			id = t.findOrAdd(key)
		}
		if id != 0 {
			t.mu.Lock()
			t.removeLocked(id, key)
			t.mu.Unlock()
		}
		t.maxTS = max(t.maxTS, ts)
		return nil
	}
	v, err := t.o.Value.Decode(value)
	if err != nil {
		return t.wrap("restore", err)
	}
	id, err := t.restoreRow(key, &v, ts)
	if err != nil {
		return t.wrap("restore", err)
	}
	t.markDirty(id)
	return nil
}

// restoreRow sets a committed row.
func (t *Table[K, V]) restoreRow(key []byte, v *V, ts record.Timestamp) (uint32, error) {
	id := t.resident(key)
	if id == 0 {
		if _, err := t.o.Key.Decode(key); err != nil {
			return 0, err
		}
		id = t.addUnasked(key)
	}
	t.mu.Lock()
	t.setLocked(id, key, v, ts)
	t.mu.rows.tidy(1)
	t.mu.Unlock()
	t.maxTS = max(t.maxTS, ts)
	return id, nil
}

// setLocked makes v the committed value of a row, and takes a sealed change away from it.
func (t *Table[K, V]) setLocked(id uint32, key []byte, v *V, ts record.Timestamp) {
	t.enterLocked(id, key, v, ts)
	t.closed(t.mu.rows.at(id))
}

// enterLocked gives a row its committed value.
func (t *Table[K, V]) enterLocked(id uint32, key []byte, v *V, ts record.Timestamp) {
	p := t.mu.rows.at(id)
	if !p.live() {
		p.bits |= live
		t.count++
	}
	if p.away() {
		p.bits &^= away
		t.cold.away--
	}
	if t.flat != nil {
		t.scratch = t.flat.Append(t.scratch[:0], v)
	} else {
		if n := int(t.mu.rows.used); n > len(t.mu.objects) {
			t.mu.objects = append(t.mu.objects, make([]V, n-len(t.mu.objects))...)
		}
		t.mu.objects[id] = *v
		t.scratch = t.scratch[:0]
	}
	t.mu.rows.set(id, entry{ts: ts, key: key, value: t.scratch}, !t.inFlight(p))
}

// closed takes a sealed change away from its row, whose key may have been read from it until now.
func (t *Table[K, V]) closed(p *row) {
	if p.own&inSealed != 0 {
		p.own &^= change26 | inSealed
	}
}

// removeLocked makes a row's key absent.
func (t *Table[K, V]) removeLocked(id uint32, key []byte) {
	p := t.mu.rows.at(id)
	if p.live() {
		p.bits &^= live
		t.count--
	}
	if p.away() {
		p.bits &^= away
		t.cold.away--
	}
	t.dropObject(id)
	if p.own&saved != 0 {
		t.mu.rows.set(id, entry{ts: never, key: key}, false)
		t.markDirty(id)
	} else {
		t.dirty.clear(p) // what no checkpoint has needs no deleting there
	}
	t.closed(p)
	t.forgetLocked(id, key)
}

// forgetLocked takes a row out of the index if nothing needs it any more.
func (t *Table[K, V]) forgetLocked(id uint32, key []byte) {
	p := t.mu.rows.at(id)
	if p.live() || p.own&(dirty|change26) != 0 || t.cold.db != nil && t.inFlight(p) {
		return
	}
	if t.order != nil {
		t.order.tree.Delete(id)
	}
	t.mu.rows.remove(id, key)
	if t.last == id {
		t.last = 0
	}
}

func (t *Table[K, V]) markDirty(id uint32) { t.dirty.mark(&t.mu.rows, id) }
