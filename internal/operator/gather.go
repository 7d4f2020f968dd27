package operator

import (
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Gathered collects the rows of a stream that an operator makes from rows it receives, any number from each, and hands them on in
// order. Call Flush before the receiving ends.
type Gathered[K, V any] struct {
	out    *Out[K, V]
	keys   []K
	nulls  []bool // key nulls, beside keys as far as there are any
	values []V
	made   rowGatherer
	view   Batch[K, V]
}

// NewGathered hands rows on to the site's children.
func NewGathered[K, V any](s *Site) (*Gathered[K, V], error) {
	o, err := NewOut[K, V](s)
	g := &Gathered[K, V]{out: o}
	s.Undoers = append(s.Undoers, g)
	return g, err
}

// Keep implements Undoer.
func (g *Gathered[K, V]) Keep() {}

// Undo implements Undoer: a row that fails leaves others behind that were not handed on.
func (g *Gathered[K, V]) Undo() { g.reset() }

// Rest implements Rester.
func (g *Gathered[K, V]) Rest() { *g = Gathered[K, V]{out: g.out} }

// Add appends a row that comes from row i of r and inherits its headers.
func (g *Gathered[K, V]) Add(k K, v V, ts record.Timestamp, r *Rows, i int32) error {
	if len(g.nulls) > 0 {
		g.nulls = append(g.nulls, false)
	}
	return g.add(k, v, ts, r, i)
}

// AddUnkeyed is Add for a row with a null key.
func (g *Gathered[K, V]) AddUnkeyed(v V, ts record.Timestamp, r *Rows, i int32) error {
	g.nulls = append(padded(g.nulls, len(g.keys)), true)
	var k K
	return g.add(k, v, ts, r, i)
}

func (g *Gathered[K, V]) add(k K, v V, ts record.Timestamp, r *Rows, i int32) error {
	g.keys, g.values = append(g.keys, k), append(g.values, v)
	g.made.add(r, i)
	g.made.timestamps[len(g.made.timestamps)-1] = ts
	if len(g.keys) < MaxRows {
		return nil
	}
	return g.Flush()
}

// Flush hands on what was gathered.
func (g *Gathered[K, V]) Flush() error {
	if len(g.keys) == 0 {
		return nil
	}
	g.view = Batch[K, V]{Rows: g.made.rows(0, len(g.keys)), Keys: g.keys, Values: g.values}
	if len(g.nulls) > 0 {
		g.view.KeyNulls = g.nulls
	}
	err := g.out.Emit(&g.view)
	g.reset()
	return err
}

func (g *Gathered[K, V]) reset() {
	clear(g.keys)
	clear(g.values)
	g.keys, g.values, g.nulls = g.keys[:0], g.values[:0], g.nulls[:0]
	g.made.reset()
}

// A Change is one update of a table.
type Change[K, V any] struct {
	Key       K
	KeyBytes  []byte // of the gatherer's key serde, if it has one
	New       V
	NewAbsent bool
	NewBytes  []byte // of the gatherer's value serde, if it has one; nil: absent
	Old       V
	OldAbsent bool
	Timestamp record.Timestamp
}

// GatheredChanges collects updates of a table, as Gathered does rows of a stream.
type GatheredChanges[K, V any] struct {
	out    *ChangesOut[K, V]
	keyBy  serde.Serde[K]
	newBy  serde.Serde[V]
	hasOld bool
	bare   bool // without headers
	made   rowGatherer
	view   Changes[K, V]
}

// NewGatheredChanges hands updates on to the site's children. key and value are the serdes that the changes' bytes come from, nil
// where there are none. hasOld says that old values are known.
func NewGatheredChanges[K, V any](s *Site, key serde.Serde[K], value serde.Serde[V], hasOld bool) (*GatheredChanges[K, V], error) {
	o, err := NewChangesOut[K, V](s)
	g := &GatheredChanges[K, V]{out: o, keyBy: Identify(key), newBy: Identify(value), hasOld: hasOld}
	s.Undoers = append(s.Undoers, g)
	return g, err
}

// WithoutHeaders makes updates not inherit the headers of the rows that they follow from.
func (g *GatheredChanges[K, V]) WithoutHeaders() { g.bare = true }

// Keep implements Undoer.
func (g *GatheredChanges[K, V]) Keep() {}

// Undo implements Undoer: a row that fails leaves others behind that were not handed on.
func (g *GatheredChanges[K, V]) Undo() { g.reset() }

// Rest implements Rester.
func (g *GatheredChanges[K, V]) Rest() { g.made, g.view = rowGatherer{}, Changes[K, V]{} }

// Add appends an update that follows from row i of r.
func (g *GatheredChanges[K, V]) Add(c Change[K, V], r *Rows, i int32) error {
	v := &g.view
	v.Keys, v.KeyBytes.Bytes = append(v.Keys, c.Key), append(v.KeyBytes.Bytes, c.KeyBytes)
	v.New, v.NewAbsent, v.NewBytes.Bytes = append(v.New, c.New), append(v.NewAbsent, c.NewAbsent), append(v.NewBytes.Bytes, c.NewBytes)
	if g.hasOld {
		v.Old, v.OldAbsent = append(v.Old, c.Old), append(v.OldAbsent, c.OldAbsent)
	}
	g.made.add(r, i)
	g.made.timestamps[len(g.made.timestamps)-1] = c.Timestamp
	if len(v.Keys) < MaxRows {
		return nil
	}
	return g.Flush()
}

// Flush hands on what was gathered.
func (g *GatheredChanges[K, V]) Flush() error {
	v := &g.view
	n := len(v.Keys)
	if n == 0 {
		return nil
	}
	v.Rows, v.HasOld = g.made.rows(0, n), g.hasOld
	if g.bare {
		v.Headers = nil
	}
	v.KeyBytes.By, v.NewBytes.By = g.keyBy, g.newBy
	err := g.out.Emit(v)
	g.reset()
	return err
}

func (g *GatheredChanges[K, V]) reset() {
	v := &g.view
	clear(v.Keys)
	clear(v.New)
	clear(v.Old)
	*v = Changes[K, V]{
		Keys: v.Keys[:0], New: v.New[:0], NewAbsent: v.NewAbsent[:0], Old: v.Old[:0], OldAbsent: v.OldAbsent[:0],
		KeyBytes: Encoded[K]{Bytes: v.KeyBytes.Bytes[:0]}, NewBytes: Encoded[V]{Bytes: v.NewBytes.Bytes[:0]},
	}
	g.made.reset()
}
