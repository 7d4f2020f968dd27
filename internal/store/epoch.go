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
		value, err := t.encode(c)
		if err != nil {
			return t.wrap("seal", err)
		}
		t.keyBuf = append(t.keyBuf[:0], c.slot.key...)
		if err := changelog(t.keyBuf, value, c.ts); err != nil {
			return t.wrap("seal", err)
		}
		c.slot.sealed, c.slot.overlay = c.slot.overlay, 0
	}
	t.overlay, t.sealed = t.sealed, t.overlay // Commit left the other one empty
	t.inSeal = true
	return nil
}

// encode returns the changelog value of c: nil for a deletion. It is valid until the next call.
func (t *Table[K, V]) encode(c *change[K, V]) ([]byte, error) {
	switch {
	case c.deleted:
		c.n = 0
		return nil, nil
	case c.encoded:
		return t.overlay.encoded[c.at : c.at+c.n : c.at+c.n], nil
	}
	if t.scratch == nil {
		t.scratch = make([]byte, 0, 512) // never nil: an empty value must not look like null
	}
	b, err := t.o.Value.Append(t.scratch[:0], c.v)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, errNullValue
	}
	t.scratch, c.n = b, uint32(len(b))
	return b, nil
}

// Commit implements Store.
func (t *Table[K, V]) Commit() {
	if !t.inSeal {
		return
	}
	t.mu.Lock()
	for i := range t.sealed.changes {
		c := &t.sealed.changes[i]
		c.slot.sealed = 0
		if c.deleted {
			t.removeLocked(c.slot)
		} else {
			t.setLocked(c.slot, c.v, c.ts, c.n)
			t.markDirty(c.slot)
		}
	}
	t.mu.Unlock()
	clear(t.sealed.changes) // old values must not stay reachable
	t.sealed.changes = t.sealed.changes[:0]
	t.sealed.encoded = t.sealed.encoded[:0]
	t.inSeal = false
}

// Restore implements Store.
func (t *Table[K, V]) Restore(key, value []byte, ts record.Timestamp) error {
	if value == nil {
		if s := t.find(key); s != nil {
			t.mu.Lock()
			t.removeLocked(s)
			t.mu.Unlock()
		}
		t.maxTS = max(t.maxTS, ts)
		return nil
	}
	s, err := t.restoreRow(key, value, ts)
	if err != nil {
		return t.wrap("restore", err)
	}
	t.markDirty(s)
	return nil
}

// restoreRow sets a committed row from its bytes.
func (t *Table[K, V]) restoreRow(key, value []byte, ts record.Timestamp) (*slot[K, V], error) {
	v, err := t.o.Value.Decode(value)
	if err != nil {
		return nil, err
	}
	s := t.find(key)
	if s == nil {
		k, err := t.o.Key.Decode(key)
		if err != nil {
			return nil, err
		}
		s = t.findOrAdd(key, k)
	}
	t.mu.Lock()
	t.setLocked(s, v, ts, uint32(len(value)))
	t.mu.Unlock()
	t.maxTS = max(t.maxTS, ts)
	return s, nil
}

// setLocked makes v the committed value of s.
func (t *Table[K, V]) setLocked(s *slot[K, V], v V, ts record.Timestamp, size uint32) {
	if s.live {
		t.bytes -= s.rowBytes()
	} else {
		t.count++
	}
	s.v, s.ts, s.size, s.live = v, ts, size, true
	t.bytes += s.rowBytes()
}

// removeLocked makes s's key absent; its slot leaves the index unless a newer generation needs it.
func (t *Table[K, V]) removeLocked(s *slot[K, V]) {
	if s.live {
		t.bytes -= s.rowBytes()
		t.count--
		var zero V
		s.v, s.ts, s.size, s.live = zero, record.NoTimestamp, 0, false
		t.markDirty(s)
	}
	if s.overlay == 0 && s.sealed == 0 {
		delete(t.mu.index, s.key)
		if t.last == s {
			t.last = nil
		}
	}
}

func (t *Table[K, V]) markDirty(s *slot[K, V]) {
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, s)
	}
}
