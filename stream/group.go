package stream

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A Grouped stream is ready to be aggregated. Where its key was changed, the aggregation moves its records to the partition of the new
// key first.
type Grouped[K, V any] struct {
	edge
	key        serde.Serde[K]
	value      serde.Serde[V]
	moves      bool   // the records must move to the partition of their key
	topic      string // the name of the move, empty: that of the first store behind it
	partitions int32
	moved      *edge // behind the move, for all aggregations of a group that has a name of its own
}

// GroupByKey groups a stream by the key it has. Behind a step that changed the key the stream must know the serde of the key: see
// WithSerdes. Options: Named, the name of the move where there is one; Partitions.
func GroupByKey[K, V any](s Stream[K, V], opts ...Option) Grouped[K, V] {
	s.needKey("GroupByKey")
	o := s.b.apply(kindGroupBy, opts, optPartitions)
	return grouped(s, o)
}

// needKey records a mistake unless the serde of the key is known.
func (s Stream[K, V]) needKey(step string) {
	if s.key == nil {
		s.b.mistake("%s behind %q: the serde of the key is not known, because a step changed the key or merged streams with different ones; "+
			"give it with WithSerdes", step, s.b.graph.StepName(s.node))
	}
}

// GroupBy groups a stream by a new key computed from the value. Records move to the partition of the new key; those for which
// it is null are left out. Options: Named, the name of the move; Partitions.
func GroupBy[K, V, L any](s Stream[K, V], f func(V) L, key serde.Serde[L], opts ...Option) Grouped[L, V] {
	s.need("GroupBy", f != nil && key != nil)
	return GroupByWithKey(s, func(_ K, v V) L { return f(v) }, key, opts...)
}

// GroupByWithKey is GroupBy with a function that sees the old key.
func GroupByWithKey[K, V, L any](s Stream[K, V], f func(K, V) L, key serde.Serde[L], opts ...Option) Grouped[L, V] {
	s.need("GroupByWithKey", f != nil && key != nil)
	o := s.b.apply(kindGroupBy, opts, optPartitions)
	return grouped(SelectKeyWithKey(s, f).WithSerdes(key, nil), o)
}

func grouped[K, V any](s Stream[K, V], o options) Grouped[K, V] {
	g := Grouped[K, V]{edge: s.edge, key: s.key, value: s.value, moves: s.keyChanged, partitions: o.partitions}
	if o.named {
		g.topic, g.moved = o.name, new(edge)
	}
	return g
}

// placed returns the edge behind the move that the group needs, if any, for an aggregation into a store.
func (g Grouped[K, V]) placed(store string) edge {
	switch {
	case !g.moves:
		return g.edge
	case g.moved == nil:
		return g.move(store)
	case g.moved.b == nil:
		*g.moved = g.move(g.topic)
	}
	return *g.moved
}

func (g Grouped[K, V]) move(name string) edge {
	g.b.burn(repartitionNames)
	return g.add(topology.Node{
		Name: name + "-repartition", Kind: topology.Repartition, Inputs: []topology.NodeID{g.node}, Partitions: g.partitions, Automatic: true,
		Op: operator.Repartition[K, V]{Key: g.key, Value: g.value},
	})
}

// Count counts the records of each key. Records with a null key or value are dropped, here and in all aggregations. Options, here and in
// Reduce and Aggregate: Named, Published.
func Count[K, V any](g Grouped[K, V], opts ...Option) Table[K, int64] {
	g.b.burnForCount(opts)
	return Aggregate(g, 0, func(n int64, _ V) int64 { return n + 1 }, serde.Int64, opts...)
}

// Reduce combines the values of each key, two at a time; the first value of a key stands for itself.
func Reduce[K, V any](g Grouped[K, V], f func(old, v V) V, value serde.Serde[V], opts ...Option) Table[K, V] {
	g.need("Reduce", f != nil && value != nil)
	return aggregate(g, kindReduce, table.Aggregate[K, V, V]{
		Value: value,
		First: func(v V) V { return v },
		Add:   func(_ K, old, v V) (V, error) { return f(old, v), nil },
	}, opts)
}

// Aggregate folds the values of each key into an aggregate, beginning with initial. f returns the new aggregate and leaves the
// old one as it is, since others may hold it: a slice or map must be copied before it is changed. A null aggregate deletes the key.
func Aggregate[K, V, A any](g Grouped[K, V], initial A, f func(A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("Aggregate", f != nil && value != nil)
	return aggregate(g, kindAggregate, table.Aggregate[K, V, A]{
		Value: value, Initial: initial,
		Add: func(_ K, a A, v V) (A, error) { return f(a, v), nil },
	}, opts)
}

// AggregateWithKey is Aggregate with a function that sees the key.
func AggregateWithKey[K, V, A any](g Grouped[K, V], initial A, f func(K, A, V) A, value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("AggregateWithKey", f != nil && value != nil)
	return aggregate(g, kindAggregate, table.Aggregate[K, V, A]{
		Value: value, Initial: initial,
		Add: func(k K, a A, v V) (A, error) { return f(k, a, v), nil },
	}, opts)
}

// AggregateChanges is Aggregate with a function that also tells whether it has changed the aggregate. Where it has not, the table stays as it
// was, its time included, and has no update: a record that comes twice is told on once.
func AggregateChanges[K, V, A any](g Grouped[K, V], initial A, f func(A, V) (A, bool), value serde.Serde[A], opts ...Option) Table[K, A] {
	g.need("AggregateChanges", f != nil && value != nil)
	return aggregate(g, kindAggregate, table.Aggregate[K, V, A]{
		Value: value, Initial: initial,
		Add: func(_ K, a A, v V) (A, error) {
			next, changed := f(a, v)
			if !changed {
				return next, table.ErrUnchanged
			}
			return next, nil
		},
	}, opts)
}

func aggregate[K, V, A any](g Grouped[K, V], k kind, op table.Aggregate[K, V, A], opts []Option) Table[K, A] {
	n, o := g.stateful(k, opts, optPublished)
	store := n.Stores[0]
	at := g.placed(store)
	n.Inputs = []topology.NodeID{at.node}
	op.Store, op.Key = store, g.key
	n.Op, n.Published, n.Uncached = op, o.published, o.has(optPublished)
	t := Table[K, A]{edge: at.add(n), key: g.key, value: op.Value, store: store}
	t.publish(o)
	return t
}

const optPublished optionKind = "Published"

// Published has each change of a kept table written to a topic that others read, and that takes the place of the changelog: the table is
// restored from it, so what would be written twice is written once. A change is a record with the key, the time and the new value of a row,
// null for a delete, in the serdes of the table. There is one for every update, also where record caches hold back those of other tables.
//
// The topic belongs to the table: nobody else may write to it, for that would change the table at its next restore. It is created
// compacted, with a partition for each of the table's tasks. One that exists is changed to that while it is empty; with records in it, it
// must be so, or the pipeline does not start (worker.ErrPublished). A change that the topic does not take is not made: its record is a bad
// one. A table that has a changelog does not move into a topic: under another name it begins with what the topic holds. See ADR 9.
func Published(topic string) Option {
	return func(o *options) { o.published, o.given = topic, append(o.given, optPublished) }
}

// publish adds the sink of a table with the option Published.
func (t Table[K, V]) publish(o options) {
	switch {
	case !o.has(optPublished):
		return
	case !o.named:
		t.b.mistake("Published needs the option Named, which names the store")
	case t.b.cuts:
		t.b.mistake("Published: in consistent mode a table tells the end of an epoch only, not each change")
	}
	updates := t.Updates()
	updates.add(topology.Node{
		Name: t.b.newName(kindSink.prefix), Kind: topology.Sink, Inputs: []topology.NodeID{updates.node}, Topics: []string{o.published}, Compacted: true,
		Op: operator.Sink[K, V]{Topic: o.published, Key: t.key, Value: t.value, Publishes: true},
	})
}
