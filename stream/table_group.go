package stream

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A GroupedTable is a table whose rows were given to groups, ready to be aggregated. An aggregate of it follows the rows: it subtracts
// the old value of a row that changes, leaves its group or is deleted, and adds the new one.
type GroupedTable[K, V any] struct {
	edge
	key        serde.Serde[K]
	value      serde.Serde[V]
	topic      string // the name of the move, empty: that of the store behind it
	partitions int32
	moved      *edge // behind the move, for all aggregations of a group that has a name of its own
}

// GroupTableBy gives each row of a table a new key and value. Rows for which either is null are in no group. The rows move to the
// partition of the new key. The table is kept in a store, so that old values are known. Options: Named, the name of the move;
// Partitions.
func GroupTableBy[K, V, L, W any](t Table[K, V], f func(V) (L, W), key serde.Serde[L], value serde.Serde[W], opts ...Option) GroupedTable[L, W] {
	t.need("GroupTableBy", f != nil)
	return GroupTableByWithKey(t, func(_ K, v V) (L, W) { return f(v) }, key, value, opts...)
}

// GroupTableByWithKey is GroupTableBy with a function that sees the old key.
func GroupTableByWithKey[K, V, L, W any](t Table[K, V], f func(K, V) (L, W), key serde.Serde[L], value serde.Serde[W], opts ...Option) GroupedTable[L, W] {
	t.need("GroupTableByWithKey", f != nil && key != nil && value != nil)
	o := t.b.apply(kindTableGroup, opts, optPartitions)
	t.needOld()
	g := GroupedTable[L, W]{key: key, value: value, partitions: o.partitions}
	name := t.b.newName(kindTableGroup.prefix)
	if o.named {
		name, g.topic, g.moved = o.name+"-select", o.name, new(edge)
	}
	n := topology.Node{Name: name, Kind: topology.Processor, Inputs: []topology.NodeID{t.node}}
	n.Op = table.Regroup[K, V, L, W]{Func: func(k K, v V) (L, W, error) { l, w := f(k, v); return l, w, nil }, Key: key}
	g.edge = t.add(n)
	return g
}

// placed returns the edge behind the move of the rows, for an aggregation into a store.
func (g GroupedTable[K, V]) placed(store string) edge {
	switch {
	case g.moved == nil:
		return g.move(store)
	case g.moved.b == nil:
		*g.moved = g.move(g.topic)
	}
	return *g.moved
}

func (g GroupedTable[K, V]) move(name string) edge {
	return g.add(topology.Node{
		Name: name + "-repartition", Kind: topology.Repartition, Inputs: []topology.NodeID{g.node}, Partitions: g.partitions,
		Op: operator.Repartition[K, table.Regrouped[V]]{Key: g.key, Value: table.RegroupedSerde(g.value)},
	})
}

// CountTable counts the rows of each group. A group that had rows and has none any more stays with 0. Named names the store.
func CountTable[K, V any](g GroupedTable[K, V], opts ...Option) Table[K, int64] {
	return aggregateTable(g, kindTableAggregate, table.TableAggregate[K, V, int64]{
		Value:    serde.Int64,
		Add:      func(_ K, n int64, _ V) (int64, error) { return n + 1, nil },
		Subtract: func(_ K, n int64, _ V) (int64, error) { return n - 1, nil },
	}, opts)
}

// ReduceTable combines the values of each group: add gets the result so far and a value that comes, subtract the result and a value
// that leaves; the first value of a group stands for itself. A null result deletes the group's row. A value takes part first as an old
// one and then as a new one when it changes and stays in its group. Named names the store.
func ReduceTable[K, V any](g GroupedTable[K, V], add, subtract func(old, v V) V, opts ...Option) Table[K, V] {
	g.need("ReduceTable", add != nil && subtract != nil)
	return aggregateTable(g, kindTableReduce, table.TableAggregate[K, V, V]{
		Value:    g.value,
		First:    func(v V) V { return v },
		Add:      func(_ K, old, v V) (V, error) { return add(old, v), nil },
		Subtract: func(_ K, old, v V) (V, error) { return subtract(old, v), nil },
	}, opts)
}

// AggregateTable folds the values of each group into an aggregate: add and subtract return the new aggregate and leave the old one as it
// is. A group begins with initial when its first value is added; nothing is subtracted from a group that has no aggregate. A null
// aggregate deletes the group's row, and the next value begins with initial again. The result has the later of the times of the update
// and of the aggregate so far. Named names the store.
func AggregateTable[K, V, A any](g GroupedTable[K, V], initial A, add, subtract func(A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("AggregateTable", add != nil && subtract != nil && value != nil)
	return aggregateTable(g, kindTableAggregate, table.TableAggregate[K, V, A]{
		Value: value, Initial: initial,
		Add:      func(_ K, a A, v V) (A, error) { return add(a, v), nil },
		Subtract: func(_ K, a A, v V) (A, error) { return subtract(a, v), nil },
	}, opts)
}

// AggregateTableWithKey is AggregateTable with functions that see the key.
func AggregateTableWithKey[K, V, A any](g GroupedTable[K, V], initial A, add, subtract func(K, A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("AggregateTableWithKey", add != nil && subtract != nil && value != nil)
	return aggregateTable(g, kindTableAggregate, table.TableAggregate[K, V, A]{
		Value: value, Initial: initial,
		Add:      func(k K, a A, v V) (A, error) { return add(k, a, v), nil },
		Subtract: func(k K, a A, v V) (A, error) { return subtract(k, a, v), nil },
	}, opts)
}

func aggregateTable[K, V, A any](g GroupedTable[K, V], k kind, op table.TableAggregate[K, V, A], opts []Option) Table[K, A] {
	o := g.b.apply(k, opts)
	if !o.named {
		o.name = g.b.newStoreName(kindTableAggregate.prefix)
		g.b.storeNamed(&o)
	}
	store := o.name
	at := g.placed(store)
	g.b.burn(tableRepartitionNames)
	op.Store, op.Key = store, g.key
	n := topology.Node{
		Name: g.b.newName(k.prefix), Kind: topology.Processor, Inputs: []topology.NodeID{at.node}, Stores: []string{store}, Op: op,
	}
	return Table[K, A]{edge: at.add(n), key: g.key, value: op.Value, store: store}
}
