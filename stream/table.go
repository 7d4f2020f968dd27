package stream

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// A Table is the last value of each key, and the sequence of its updates. The zero Table can't be used.
type Table[K, V any] struct {
	edge
	key   serde.Serde[K]
	value serde.Serde[V] // nil: not known
	store string         // empty: it is not kept
}

// StoreName returns the name of the store that keeps the table, under which views find it; empty when it isn't kept.
func (t Table[K, V]) StoreName() string { return t.store }

// step adds a processor that keeps types; its result is not kept.
func (t Table[K, V]) step(kind string, op operator.Spec, opts []Option) Table[K, V] {
	n, _ := t.named(kind, opts)
	n.Op = op
	t.edge, t.store = t.add(n), ""
	return t
}

// Filter keeps the rows whose value passes. A row that no longer passes is deleted; where old values are not known (a table from a
// topic without a name) every update that does not pass becomes a delete.
func (t Table[K, V]) Filter(pass func(V) bool, opts ...Option) Table[K, V] {
	t.need("Filter", pass != nil)
	return t.step("table-filter", operator.TableFilter[K, V]{Pass: func(_ K, v V) bool { return pass(v) }}, opts)
}

// FilterNot keeps the rows whose value does not pass.
func (t Table[K, V]) FilterNot(pass func(V) bool, opts ...Option) Table[K, V] {
	t.need("FilterNot", pass != nil)
	return t.step("table-filter-not", operator.TableFilter[K, V]{Pass: func(_ K, v V) bool { return !pass(v) }}, opts)
}

// FilterWithKey is Filter with a predicate that sees the key.
func (t Table[K, V]) FilterWithKey(pass func(K, V) bool, opts ...Option) Table[K, V] {
	t.need("FilterWithKey", pass != nil)
	return t.step("table-filter", operator.TableFilter[K, V]{Pass: pass}, opts)
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
	n, _ := t.named("table-map", opts)
	n.Op = operator.TableMap[K, V, W]{Func: f}
	return Table[K, W]{edge: t.add(n), key: t.key}
}

// Keep keeps a filtered or mapped table in a store, which Named must name, so that views can read it.
func (t Table[K, V]) Keep(value serde.Serde[V], opts ...Option) Table[K, V] {
	t.need("Keep", value != nil)
	n := t.stateful("keep", opts)
	n.Op = operator.Materialize[K, V]{Store: n.Name, Key: t.key, Value: value}
	return Table[K, V]{edge: t.add(n), key: t.key, value: value, store: n.Name}
}

// Updates returns the table's updates as a stream: new values, and null for deletes.
func (t Table[K, V]) Updates(opts ...Option) Stream[K, V] {
	n, _ := t.named("updates", opts)
	n.Op = operator.ToStream[K, V]{}
	return Stream[K, V]{edge: t.add(n), key: t.key, value: t.value}
}

// ToTable reads a stream as the updates of a table: the last value of each key, and null deletes it. With Named it is kept in a
// store, as with TableFrom. After a step that changed the key, call Repartition first.
func ToTable[K, V any](s Stream[K, V], value serde.Serde[V], opts ...Option) Table[K, V] {
	s.need("ToTable", value != nil)
	s.needPlaced("ToTable")
	n, o := s.named("to-table", opts)
	op := operator.ToTable[K, V]{Key: s.key, Value: value}
	if o.named {
		op.Store, n.Stores = o.name, []string{o.name}
	}
	n.Op = op
	return Table[K, V]{edge: s.add(n), key: s.key, value: value, store: op.Store}
}
