package store

import (
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// A View reads the committed rows of one table of all its partitions from any goroutine. Rows that are gone by the table's retention are
// hidden.
type View[K, V any] struct {
	tables []*Table[K, V]
}

// NewView joins the partitions' tables.
func NewView[K, V any](tables ...*Table[K, V]) *View[K, V] {
	return &View[K, V]{tables: append([]*Table[K, V](nil), tables...)}
}

// Get returns the committed value of key. The error is the key's serde's.
func (v *View[K, V]) Get(key K) (V, bool, error) {
	var zero V
	var buf [64]byte
	for i, t := range v.tables {
		b, err := t.o.Key.Append(buf[:0], key)
		if err != nil {
			return zero, false, fmt.Errorf("key of store %s: %w", v.tables[i].o.Name, err)
		}
		if r, ok := t.committed(b); ok {
			return r.read(t), true, nil
		}
	}
	return zero, false, nil
}

// Scan calls fn for every committed row until it returns false; the order is unspecified. It sees one epoch per partition:
// a partition's rows are collected under its lock, fn runs outside. The error is the key's serde's.
func (v *View[K, V]) Scan(fn func(K, V) bool) error {
	return v.ScanTimed(func(k K, value V, _ record.Timestamp) bool { return fn(k, value) })
}

// ScanTimed is Scan with the rows' times.
func (v *View[K, V]) ScanTimed(fn func(K, V, record.Timestamp) bool) error {
	for _, t := range v.tables {
		for _, r := range t.committedRows() {
			e := parse(r.entry)
			k, err := t.o.Key.Decode(append([]byte{}, e.key...))
			if err != nil {
				return t.wrap("read a key of", err)
			}
			if !fn(k, r.read(t), e.ts) {
				return nil
			}
		}
	}
	return nil
}

// A viewedRow is a committed row, to be read outside the lock.
type viewedRow[K, V any] struct {
	entry []byte // begins with the row's entry: chunks do not change
	v     V      // without a flat form
}

func (r *viewedRow[K, V]) read(t *Table[K, V]) V {
	if t.flat != nil {
		t.read(parse(r.entry).value, &r.v)
	}
	return r.v
}

func (t *Table[K, V]) committed(key []byte) (viewedRow[K, V], bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id := t.mu.rows.find(key)
	if id == 0 || !t.mu.rows.at(id).live || t.goneLocked(key) {
		return viewedRow[K, V]{}, false
	}
	return t.viewed(id), true
}

func (t *Table[K, V]) viewed(id uint32) viewedRow[K, V] {
	v := viewedRow[K, V]{entry: t.mu.rows.heap.at(t.mu.rows.at(id).entry)}
	if t.flat == nil {
		v.v = t.mu.objects[id]
	}
	return v
}

func (t *Table[K, V]) committedRows() []viewedRow[K, V] {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]viewedRow[K, V], 0, t.count)
	t.mu.rows.each(func(id uint32, r *row) {
		if v := t.viewed(id); r.live && !t.goneLocked(parse(v.entry).key) {
			out = append(out, v)
		}
	})
	return out
}
