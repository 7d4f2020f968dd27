package stream

import (
	"github.com/mainstemio/mainstem/internal/operator/join"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

var kindJoinTables = kind{"JoinTables", "KTABLE-MERGE-"}

// joinTablesSides: Kafka Streams has a step for each side, whose names count.
const joinTablesSides = 2

// JoinTables joins the rows of two tables that have the same key: the result has a row where both have one, and it changes when
// either does. Its time is the later of the two. A null result is no row.
//
// Every update of a table whose key the other one has is an update of the result, also one that changes nothing and a delete of
// what was not there; others are none. The last update counts, whatever its time, except for tables that are Versioned: there updates
// that are not the newest of their key are dropped. Both tables are kept in stores, as far as they are not, and their topics need equal
// numbers of partitions. The result is computed where it is read; Keep keeps it in a store.
func JoinTables[K, V, W, R any](left Table[K, V], right Table[K, W], f func(V, W) R, opts ...Option) Table[K, R] {
	left.need("JoinTables", f != nil)
	return JoinTablesWithKey(left, right, func(_ K, v V, w W) R { return f(v, w) }, opts...)
}

// JoinTablesWithKey is JoinTables with a function that sees the key.
func JoinTablesWithKey[K, V, W, R any](left Table[K, V], right Table[K, W], f func(K, V, W) R, opts ...Option) Table[K, R] {
	left.need("JoinTablesWithKey", f != nil)
	op := &join.Tables[K, V, W, R]{Join: func(k K, v V, w W, _ join.Sides) (R, error) { return f(k, v, w), nil }}
	return joinTables(left, right, op, opts)
}

// LeftJoinTables is JoinTables with a row for every row of the left table: where the right one has none, f gets nil.
func LeftJoinTables[K, V, W, R any](left Table[K, V], right Table[K, W], f func(V, *W) R, opts ...Option) Table[K, R] {
	left.need("LeftJoinTables", f != nil)
	return LeftJoinTablesWithKey(left, right, func(_ K, v V, w *W) R { return f(v, w) }, opts...)
}

// LeftJoinTablesWithKey is LeftJoinTables with a function that sees the key.
func LeftJoinTablesWithKey[K, V, W, R any](left Table[K, V], right Table[K, W], f func(K, V, *W) R, opts ...Option) Table[K, R] {
	left.need("LeftJoinTablesWithKey", f != nil)
	op := &join.Tables[K, V, W, R]{LeftOuter: true, Join: func(k K, v V, w W, has join.Sides) (R, error) {
		return f(k, v, present(w, has.Right)), nil
	}}
	return joinTables(left, right, op, opts)
}

// OuterJoinTables is JoinTables with a row for every row of either table: where the other one has none, f gets nil for it.
func OuterJoinTables[K, V, W, R any](left Table[K, V], right Table[K, W], f func(*V, *W) R, opts ...Option) Table[K, R] {
	left.need("OuterJoinTables", f != nil)
	return OuterJoinTablesWithKey(left, right, func(_ K, v *V, w *W) R { return f(v, w) }, opts...)
}

// OuterJoinTablesWithKey is OuterJoinTables with a function that sees the key.
func OuterJoinTablesWithKey[K, V, W, R any](left Table[K, V], right Table[K, W], f func(K, *V, *W) R, opts ...Option) Table[K, R] {
	left.need("OuterJoinTablesWithKey", f != nil)
	op := &join.Tables[K, V, W, R]{LeftOuter: true, RightOuter: true, Join: func(k K, v V, w W, has join.Sides) (R, error) {
		return f(k, present(v, has.Left), present(w, has.Right)), nil
	}}
	return joinTables(left, right, op, opts)
}

// present returns a pointer to a copy of v, nil where there is none.
func present[V any](v V, is bool) *V {
	if !is {
		return nil
	}
	of := v
	return &of
}

func joinTables[K, V, W, R any](left Table[K, V], right Table[K, W], op *join.Tables[K, V, W, R], opts []Option) Table[K, R] {
	n, _ := left.named(kindJoinTables, opts)
	left.b.burn(joinTablesSides)
	if right.b != left.b {
		left.b.mistake("JoinTables: the tables come from two builders, or one is the zero Table")
		return Table[K, R]{edge: left.edge, key: left.key}
	}
	keepSide(left, op.LeftOuter)
	keepSide(right, op.RightOuter)
	op.LeftKey, op.RightKey = left.key, right.key
	n.Op, n.Inputs, n.Joins = op, []topology.NodeID{left.node, right.node}, true
	joined := Table[K, R]{edge: left.add(n), key: left.key}
	joined.old = func(bool) bool {
		left.knowsOld(true)
		right.knowsOld(true)
		return true
	}
	joined.keepIn = func(value serde.Serde[R], store string) Table[K, R] {
		t := joined
		op.Store, op.Value, t.store, t.value, t.keepIn = store, value, store, value, nil
		t.b.graph.Keep(t.node, store)
		return t
	}
	return joined
}

// keepSide has one side of a join kept, so that the other one can read it. Old values tell an outer side whether a key that has nothing on
// the other side had a row.
func keepSide[K, V any](t Table[K, V], outer bool) {
	t.kept()
	if outer {
		t.knowsOld(true)
	}
}
