package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// A View reads the committed rows of one table of all its partitions from any goroutine. Rows that are gone by the table's retention are
// hidden. Errors are those of the key's serde, and of the checkpoint where a row is there only.
type View[K, V any] struct {
	tables []*Table[K, V]
}

// NewView joins the partitions' tables.
func NewView[K, V any](tables ...*Table[K, V]) *View[K, V] {
	return &View[K, V]{tables: append([]*Table[K, V](nil), tables...)}
}

// Get returns the committed value of key.
func (v *View[K, V]) Get(key K) (V, bool, error) {
	var zero V
	var buf [64]byte
	for i, t := range v.tables {
		b, err := t.o.Key.Append(buf[:0], key)
		if err != nil {
			return zero, false, fmt.Errorf("key of store %s: %w", v.tables[i].o.Name, err)
		}
		if value, _, ok, err := t.committed(b); ok || err != nil {
			return value, ok, err
		}
	}
	return zero, false, nil
}

// Scan calls fn for every committed row until it returns false; the order is unspecified. It sees one epoch per partition:
// a partition's rows are collected under its lock, fn runs outside.
func (v *View[K, V]) Scan(fn func(K, V) bool) error {
	return v.ScanTimed(func(k K, value V, _ record.Timestamp) bool { return fn(k, value) })
}

// ScanTimed is Scan with the rows' times.
func (v *View[K, V]) ScanTimed(fn func(K, V, record.Timestamp) bool) error {
	for _, t := range v.tables {
		if more, err := t.scan(fn); err != nil || !more {
			return err
		}
	}
	return nil
}

// scan calls fn for every row until it returns false, which it then returns.
func (t *Table[K, V]) scan(fn func(K, V, record.Timestamp) bool) (more bool, err error) {
	return t.scanBytes(func(f Found[K, V]) bool { return fn(f.Key, f.Value, f.Time) })
}

// scanBytes is scan with the bytes of the keys, which are valid during the call.
func (t *Table[K, V]) scanBytes(fn func(Found[K, V]) bool) (more bool, err error) {
	c, err := t.copyRows()
	if err != nil {
		return false, t.wrap("read the checkpoint of", err)
	}
	defer c.close()
	for i := range c.rows {
		r := &c.rows[i]
		e := parse(c.entries[r.at:])
		if !r.shown || t.gone(e.key, c.highest) {
			continue
		}
		k, err := t.o.Key.Decode(append([]byte{}, e.key...))
		if err != nil {
			return false, t.wrap("read a key of", err)
		}
		if t.flat != nil {
			t.read(e.value, &r.v)
		}
		if !fn(Found[K, V]{e.key, k, r.v, e.ts}) {
			return false, nil
		}
	}
	if c.below == nil {
		return true, nil
	}
	return t.scanBelow(c, fn)
}

// scanBelow goes on with the rows that are in the checkpoint only.
func (t *Table[K, V]) scanBelow(c *copied[V], fn func(Found[K, V]) bool) (more bool, err error) {
	slices.SortFunc(c.rows, func(a, b copiedRow[V]) int { return bytes.Compare(c.key(&a), c.key(&b)) })
	at, more := 0, true
	err = prefixReader{c.below, t.cold.db.prefix}.Scan(nil, nil, func(key, value []byte) error {
		for at < len(c.rows) && bytes.Compare(c.key(&c.rows[at]), key) < 0 {
			at++
		}
		if at < len(c.rows) && bytes.Equal(c.key(&c.rows[at]), key) || t.marks.holds(key) || t.gone(key, c.highest) {
			return nil
		}
		v, ts, err := t.decodeRow(value)
		if err != nil {
			return err
		}
		k, err := t.o.Key.Decode(bytes.Clone(key))
		if err != nil {
			return err
		}
		if !fn(Found[K, V]{key, k, v, ts}) {
			more = false
			return errStopped
		}
		return nil
	})
	if !more {
		err = nil
	}
	if err != nil {
		return false, t.wrap("read the checkpoint of", err)
	}
	return more, nil
}

// A copied is a table's committed rows at one moment.
type copied[V any] struct {
	entries []byte
	rows    []copiedRow[V]
	highest int64       // the first mark
	below   kv.Snapshot // the checkpoint, where it has rows that are not resident
}

type copiedRow[V any] struct {
	at    int  // where the entry stands
	shown bool // or else the checkpoint may have the key, but it is deleted
	v     V    // without a flat form
}

func (c *copied[V]) key(r *copiedRow[V]) []byte {
	key, _ := keyAt(c.entries[r.at:])
	return key
}

func (c *copied[V]) close() {
	if c.below != nil {
		_ = c.below.Close() // nothing was written
	}
}

func (t *Table[K, V]) copyRows() (c *copied[V], err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c = &copied[V]{rows: make([]copiedRow[V], 0, t.mu.rows.count), entries: make([]byte, 0, t.mu.rows.heap.live)}
	if len(t.marks.committed) > 0 {
		c.highest = t.marks.committed[0]
	}
	below := t.mu.some || t.cold.away > 0
	if below {
		if c.below, err = t.cold.db.db.Snapshot(); err != nil {
			return nil, err
		}
	}
	t.mu.rows.each(func(id uint32, p *row) {
		if p.chunk == 0 || p.away() || !p.live() && !below {
			return
		}
		b := t.mu.rows.heap.at(p.place())
		r := copiedRow[V]{at: len(c.entries), shown: p.live()}
		c.entries = append(c.entries, b[:parse(b).size]...)
		if t.flat == nil && p.live() {
			r.v = t.mu.objects[id]
		}
		c.rows = append(c.rows, r)
	})
	return c, nil
}
