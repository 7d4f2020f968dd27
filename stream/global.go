package stream

import (
	"github.com/mainstemio/mainstem/internal/operator/join"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A GlobalTable is a topic as a table of which every process has all partitions. Streams can be joined with it under any key, without
// moving their records. The zero GlobalTable can't be used.
type GlobalTable[K, V any] struct {
	edge
	key   serde.Serde[K]
	value serde.Serde[V]
	store string
}

var (
	kindGlobalTable    = kind{"GlobalTableFrom", "KTABLE-SOURCE-"}
	kindJoinGlobal     = kind{"JoinGlobal", "KSTREAM-LEFTJOIN-"} // as Kafka Streams names inner ones too
	kindLeftJoinGlobal = kind{"LeftJoinGlobal", "KSTREAM-LEFTJOIN-"}
)

// GlobalTableFrom reads a topic as a global table: the last value of each key, and a null value deletes it. Named names its store, which
// views can read. Records with a null key are dropped. Option: SkipInvalidTime.
//
// A process begins with what the topic holds, and takes its records before all others; the table is restored from the topic, not from
// a changelog. Since streams do not wait for it, a record that is joined again after a crash may find a newer row.
func GlobalTableFrom[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) GlobalTable[K, V] {
	o := b.apply(kindGlobalTable, opts, optSkipTime)
	if !o.named {
		o.name = b.newStoreName(topic + "-")
	}
	spec := sourceSpec[K, V]{topics: []string{topic}, key: key, value: value, options: o, table: true, global: true}
	spec.options.named = false
	s := addSource(b, spec)
	n := topology.Node{
		Name: b.newName(kindGlobalTable.prefix), Kind: topology.Processor, Inputs: []topology.NodeID{s.node},
		Stores: []string{o.name}, Global: true, Uncached: true,
	}
	n.Op = &table.Global[K, V]{ToTable: table.ToTable[K, V]{Store: o.name, Key: key, Value: value}}
	return GlobalTable[K, V]{edge: s.add(n), key: key, value: value, store: o.name}
}

// StoreName returns the name of the store that keeps the table.
func (t GlobalTable[K, V]) StoreName() string { return t.store }

// JoinGlobal joins each record of a stream with the row that a global table has under the key that by computes from its value: the row as
// it is at that moment, whatever the times. The result has the record's own key, time and headers. A record that finds no row gives none,
// and updates of the table give none. Records with a null value, or for which the key is null, are dropped and counted.
func JoinGlobal[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(V) G, f func(V, W) R, opts ...Option) Stream[K, R] {
	s.need("JoinGlobal", by != nil && f != nil)
	return JoinGlobalWithKey(s, t, func(_ K, v V) G { return by(v) }, func(_ K, v V, w W) R { return f(v, w) }, opts...)
}

// JoinGlobalWithKey is JoinGlobal with functions that see the record's key.
func JoinGlobalWithKey[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(K, V) G, f func(K, V, W) R, opts ...Option) Stream[K, R] {
	s.need("JoinGlobalWithKey", by != nil && f != nil)
	return joinGlobal(s, t, kindJoinGlobal, join.StreamGlobal[K, V, G, W, R]{By: by, Pair: f}, opts)
}

// JoinGlobalWithKeys is JoinGlobalWithKey with a function that also sees the key of the row, which by has computed. by is called twice.
func JoinGlobalWithKeys[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(K, V) G, f func(k K, row G, v V, w W) R, opts ...Option) Stream[K, R] {
	s.need("JoinGlobalWithKeys", by != nil && f != nil)
	return JoinGlobalWithKey(s, t, by, func(k K, v V, w W) R { return f(k, by(k, v), v, w) }, opts...)
}

// LeftJoinGlobalWithKeys is LeftJoinGlobalWithKey with a function that also sees the key of the row that was looked for.
func LeftJoinGlobalWithKeys[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(K, V) G, f func(k K, row G, v V, w *W) R, opts ...Option) Stream[K, R] {
	s.need("LeftJoinGlobalWithKeys", by != nil && f != nil)
	return LeftJoinGlobalWithKey(s, t, by, func(k K, v V, w *W) R { return f(k, by(k, v), v, w) }, opts...)
}

// LeftJoinGlobal is JoinGlobal with a result for every record: where the table has no row, or the key is null, f gets nil. Records with a
// null value are dropped all the same.
func LeftJoinGlobal[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(V) G, f func(V, *W) R, opts ...Option) Stream[K, R] {
	s.need("LeftJoinGlobal", by != nil && f != nil)
	return LeftJoinGlobalWithKey(s, t, func(_ K, v V) G { return by(v) }, func(_ K, v V, w *W) R { return f(v, w) }, opts...)
}

// LeftJoinGlobalWithKey is LeftJoinGlobal with functions that see the record's key.
func LeftJoinGlobalWithKey[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], by func(K, V) G, f func(K, V, *W) R, opts ...Option) Stream[K, R] {
	s.need("LeftJoinGlobalWithKey", by != nil && f != nil)
	return joinGlobal(s, t, kindLeftJoinGlobal, join.StreamGlobal[K, V, G, W, R]{
		By: by, Pair: func(k K, v V, w W) R { return f(k, v, &w) }, Alone: func(k K, v V) R { return f(k, v, nil) },
	}, opts)
}

func joinGlobal[K, V, G, W, R any](s Stream[K, V], t GlobalTable[G, W], k kind, op join.StreamGlobal[K, V, G, W, R], opts []Option) Stream[K, R] {
	n, _ := s.named(k, opts)
	if t.b != s.b {
		s.b.mistake("%s: the stream and the global table come from two builders, or one is the zero Stream or GlobalTable", k.word)
		return Stream[K, R]{edge: s.edge, key: s.key}
	}
	op.Table, op.Key = int(t.node), t.key
	n.Op, n.Unkeyed = op, op.Alone != nil
	return Stream[K, R]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}
