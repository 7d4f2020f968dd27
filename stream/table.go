package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A Table is the last value of each key, and the sequence of its updates. The zero Table can't be used.
type Table[K, V any] struct {
	edge
	key   serde.Serde[K]
	value serde.Serde[V] // nil: not known
	store string         // empty: it is not kept under a name of the user's or an aggregate's
	keep  func()         // keeps the tables that it is computed from, as far as they are not; nil: nothing to do
	// keepIn keeps it in a store of its own step; nil: Keep adds a step for that.
	keepIn func(value serde.Serde[V], store string) Table[K, V]
	// old has the tables that it is computed from tell the old values of their updates, so that filters between leave out what changes
	// nothing: those that are kept, or with force all. It says whether they do. nil: they do.
	old       func(force bool) bool
	filtered  bool          // it is what a filter gives
	versioned bool          // it has a history, and its updates are marked
	past      time.Duration // how long the history of a versioned one is
}

// kept has the table, or those it is computed from, kept in stores, so that its rows can be read and its old values are known.
func (t Table[K, V]) kept() {
	if t.keep != nil {
		t.keep()
	}
}

// knowsOld asks the table to tell old values, as the field old says.
func (t Table[K, V]) knowsOld(force bool) bool { return t.old == nil || t.old(force) }

// needOld has the table kept and tell old values.
func (t Table[K, V]) needOld() {
	t.kept()
	t.knowsOld(true)
}

// StoreName returns the name of the store that keeps the table, under which views find it; empty when it isn't kept.
func (t Table[K, V]) StoreName() string { return t.store }

// filter adds a filter; its result is not kept.
func (t Table[K, V]) filter(pass func(K, V) bool, opts []Option) Table[K, V] {
	n, _ := t.named(kindTableFilter, opts)
	op := &table.Filter[K, V]{Pass: pass, Changes: t.knowsOld(false)}
	n.Op = op
	from := t
	t.edge, t.store, t.keepIn = t.add(n), "", nil
	t.old = func(force bool) bool {
		op.Changes = from.knowsOld(force) || op.Changes
		return op.Changes
	}
	t.filtered = true
	return t
}

// Filter keeps the rows whose value passes. A row that no longer passes is deleted; where old values are not known (a table from a
// topic without a name) every update that does not pass becomes a delete.
func (t Table[K, V]) Filter(pass func(V) bool, opts ...Option) Table[K, V] {
	t.need("Filter", pass != nil)
	return t.filter(func(_ K, v V) bool { return pass(v) }, opts)
}

// FilterNot keeps the rows whose value does not pass.
func (t Table[K, V]) FilterNot(pass func(V) bool, opts ...Option) Table[K, V] {
	t.need("FilterNot", pass != nil)
	return t.filter(func(_ K, v V) bool { return !pass(v) }, opts)
}

// FilterWithKey is Filter with a predicate that sees the key.
func (t Table[K, V]) FilterWithKey(pass func(K, V) bool, opts ...Option) Table[K, V] {
	t.need("FilterWithKey", pass != nil)
	return t.filter(pass, opts)
}

// MapTable computes a table of new values; f is not called for deletes.
func MapTable[K, V, W any](t Table[K, V], f func(V) W, opts ...Option) Table[K, W] {
	t.need("MapTable", f != nil)
	return mapTable(t, func(_ K, v V) (W, error) { return f(v), nil }, opts)
}

// MapTableWithKey is MapTable with a function that sees the key.
func MapTableWithKey[K, V, W any](t Table[K, V], f func(K, V) W, opts ...Option) Table[K, W] {
	t.need("MapTableWithKey", f != nil)
	return mapTable(t, func(k K, v V) (W, error) { return f(k, v), nil }, opts)
}

func mapTable[K, V, W any](t Table[K, V], f func(K, V) (W, error), opts []Option) Table[K, W] {
	n, _ := t.named(kindTableMap, opts)
	n.Op = table.Map[K, V, W]{Func: f}
	return Table[K, W]{edge: t.add(n), key: t.key, keep: t.keep, old: t.old, versioned: t.versioned, past: t.past}
}

// Keep keeps a filtered or mapped table in a store, which Named must name, so that views can read it.
func (t Table[K, V]) Keep(value serde.Serde[V], opts ...Option) Table[K, V] {
	t.need("Keep", value != nil)
	o := t.b.apply(kindKeep, opts, optVersioned)
	if !o.named {
		t.b.mistake("Keep needs a name: stream.Named(\"…\") fixes its store and its changelog topic")
	}
	if o.has(optVersioned) {
		return keepVersioned(t, value, o)
	}
	if t.keepIn != nil {
		return t.keepIn(value, o.name)
	}
	n := topology.Node{Name: o.name, Kind: topology.Processor, Inputs: []topology.NodeID{t.node}, Stores: []string{o.name}}
	changes := t.filtered && !t.versioned // the updates of versioned tables all pass
	op := &table.Materialize[K, V]{Store: o.name, Key: t.key, Value: value, Changes: changes && t.knowsOld(false)}
	n.Op = op
	kept := Table[K, V]{edge: t.add(n), key: t.key, value: value, store: o.name}
	kept.old = func(bool) bool {
		op.Changes = changes
		return true
	}
	return kept
}

// KeptAs names the store of a table that is kept only where a later step needs that, the steps that make the table, and the topic through
// which its records move first, if they do. Named says besides that the table is kept in any case.
func KeptAs(name string) Option {
	return func(o *options) { o.keptAs, o.given = name, append(o.given, optKeptAs) }
}

const optKeptAs optionKind = "KeptAs"

// storeName is the name of a store that a step may have: the given one, or else what made makes.
func (o options) storeName(made func() string) string {
	switch {
	case o.named:
		return o.name
	case o.has(optKeptAs):
		return o.keptAs
	}
	return made()
}

// Updates returns the table's updates as a stream: new values, and null for deletes.
func (t Table[K, V]) Updates(opts ...Option) Stream[K, V] {
	n, _ := t.named(kindUpdates, opts)
	n.Op = operator.ToStream[K, V]{}
	return Stream[K, V]{edge: t.add(n), key: t.key, value: t.value}
}

// ToTable reads a stream as the updates of a table: the last value of each key, and null deletes it. With Named it is kept in a
// store, as with TableFrom. Behind a step that changed the key the records move to the partition of the new key first; then the
// stream must know the serde of the key: see WithSerdes. Options: Named, KeptAs, Versioned.
func ToTable[K, V any](s Stream[K, V], value serde.Serde[V], opts ...Option) Table[K, V] {
	s.need("ToTable", value != nil)
	s.needKey("ToTable")
	o := s.b.apply(kindToTable, opts, optVersioned, optKeptAs)
	name := s.b.newName(kindToTable.prefix)
	store := o.storeName(func() string { return s.b.newStoreName(kindToTable.prefix) })
	if o.has(optKeptAs) {
		name = o.keptAs
	}
	s = s.WithSerdes(nil, value).placed(name)
	n := topology.Node{Name: name, Kind: topology.Processor, Inputs: []topology.NodeID{s.node}}
	if o.has(optVersioned) {
		o.name = store
		return versionedTable(s, kindToTable, n, o)
	}
	return keptTable(s, n, store, o.named)
}

// placed returns the stream behind the move that it needs to have all records of a key in one partition, if any.
func (s Stream[K, V]) placed(name string) Stream[K, V] {
	if !s.keyChanged {
		return s
	}
	s.edge, s.keyChanged = grouped(s, options{}).move(name), false
	return s
}
