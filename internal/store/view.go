package store

import "fmt"

// A View reads the committed rows of one table of all its partitions from any goroutine.
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
		if value, ok := t.committed(b); ok {
			return value, true, nil
		}
	}
	return zero, false, nil
}

// Scan calls fn for every committed row until it returns false; the order is unspecified. It sees one epoch per partition:
// a partition's rows are collected under its lock, fn runs outside.
func (v *View[K, V]) Scan(fn func(K, V) bool) {
	for _, t := range v.tables {
		for _, r := range t.rows() {
			if !fn(r.k, r.v) {
				return
			}
		}
	}
}

func (t *Table[K, V]) committed(key []byte) (V, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := t.mu.index[string(key)]
	if s == nil {
		var zero V
		return zero, false
	}
	return s.v, s.live
}

type pair[K, V any] struct {
	k K
	v V
}

func (t *Table[K, V]) rows() []pair[K, V] {
	t.mu.RLock()
	defer t.mu.RUnlock()
	rows := make([]pair[K, V], 0, len(t.mu.index))
	for _, s := range t.mu.index {
		if s.live {
			rows = append(rows, pair[K, V]{s.k, s.v})
		}
	}
	return rows
}
