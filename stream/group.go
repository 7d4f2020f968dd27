package stream

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A Grouped stream is ready to be aggregated: all records of a key are in one partition.
type Grouped[K, V any] struct {
	edge
	key serde.Serde[K]
}

// GroupByKey groups a stream by the key it has. After a step that changed the key, call Repartition first, or use GroupBy.
func GroupByKey[K, V any](s Stream[K, V]) Grouped[K, V] {
	s.needPlaced("GroupByKey")
	return Grouped[K, V]{edge: s.edge, key: s.key}
}

// needPlaced records a mistake unless all records of a key are in one partition.
func (s Stream[K, V]) needPlaced(step string) {
	before := s.b.graph.StepName(s.node)
	switch {
	case s.keyChanged:
		s.b.mistake("%s behind %q: the key was changed, so equal keys may be in different partitions; call Repartition first or use GroupBy", step, before)
	case s.key == nil:
		s.b.mistake("%s behind %q: merged streams have different serdes for the key, so equal keys may be in different partitions; call Repartition first", step, before)
	}
}

// GroupBy groups a stream by a new key computed from the value. Records move to the partition of the new key; those for which
// it is null are left out. Option: Partitions.
func GroupBy[K, V, L any](s Stream[K, V], f func(V) L, key serde.Serde[L], opts ...Option) Grouped[L, V] {
	s.need("GroupBy", f != nil && key != nil)
	return groupBy(SelectKey(s, f), key, opts)
}

// GroupByWithKey is GroupBy with a function that sees the old key.
func GroupByWithKey[K, V, L any](s Stream[K, V], f func(K, V) L, key serde.Serde[L], opts ...Option) Grouped[L, V] {
	s.need("GroupByWithKey", f != nil && key != nil)
	return groupBy(SelectKeyWithKey(s, f), key, opts)
}

func groupBy[K, V any](s Stream[K, V], key serde.Serde[K], opts []Option) Grouped[K, V] {
	n, o := s.named("group-by", opts, optPartitions)
	n.Kind, n.Partitions = topology.Repartition, o.partitions
	n.Op = operator.Repartition[K, V]{Key: key, Value: s.value}
	return Grouped[K, V]{edge: s.add(n), key: key}
}

// Count counts the records of each key. Records with a null key or value are dropped, here and in all aggregations.
func Count[K, V any](g Grouped[K, V], opts ...Option) Table[K, int64] {
	return Aggregate(g, 0, func(n int64, _ V) int64 { return n + 1 }, serde.Int64, opts...)
}

// Reduce combines the values of each key, two at a time; the first value of a key stands for itself.
func Reduce[K, V any](g Grouped[K, V], f func(old, v V) V, value serde.Serde[V], opts ...Option) Table[K, V] {
	g.need("Reduce", f != nil && value != nil)
	return aggregate(g, operator.Aggregate[K, V, V]{
		Value: value,
		First: func(v V) V { return v },
		Add:   func(_ K, old, v V) (V, error) { return f(old, v), nil },
	}, opts)
}

// Aggregate folds the values of each key into an aggregate, beginning with initial. f returns the new aggregate and leaves the
// old one as it is, since others may hold it: a slice or map must be copied before it is changed. A null aggregate deletes the key.
func Aggregate[K, V, A any](g Grouped[K, V], initial A, f func(A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("Aggregate", f != nil && value != nil)
	return aggregate(g, operator.Aggregate[K, V, A]{
		Value: value, Initial: initial,
		Add: func(_ K, a A, v V) (A, error) { return f(a, v), nil },
	}, opts)
}

// AggregateWithKey is Aggregate with a function that sees the key.
func AggregateWithKey[K, V, A any](g Grouped[K, V], initial A, f func(K, A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("AggregateWithKey", f != nil && value != nil)
	return aggregate(g, operator.Aggregate[K, V, A]{
		Value: value, Initial: initial,
		Add: func(k K, a A, v V) (A, error) { return f(k, a, v), nil },
	}, opts)
}

func aggregate[K, V, A any](g Grouped[K, V], op operator.Aggregate[K, V, A], opts []Option) Table[K, A] {
	n := g.stateful("aggregate", opts)
	op.Store, op.Key = n.Name, g.key
	n.Op = op
	return Table[K, A]{edge: g.add(n), key: g.key, value: op.Value, store: n.Name}
}
