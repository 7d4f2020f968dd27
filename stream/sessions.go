package stream

import (
	"github.com/mainstemio/mainstem/internal/operator/window"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/serde"
)

// A SessionGroup is a Grouped stream whose records are put into sessions.
type SessionGroup[K, V any] struct {
	group   Grouped[K, V]
	windows SessionWindows
}

// WindowedBySessions puts the records of each key into sessions. A session is as long as records come within the gap of one another:
// so a record may begin one, make one longer, or join two or more that were apart. Records may come out of order; one is
// late, dropped and counted, when even the session that it would become part of ended more than gap and grace before the highest time of
// any record of the partition that reached the step with a key.
func WindowedBySessions[K, V any](g Grouped[K, V], w SessionWindows) SessionGroup[K, V] {
	w.check(g.b, "WindowedBySessions")
	return SessionGroup[K, V]{group: g, windows: w}
}

// CountSessions counts the records of each key in each session, those with a null value included. Options and updates are those of
// AggregateSessions.
func CountSessions[K, V any](g SessionGroup[K, V], opts ...Option) Table[Windowed[K], int64] {
	g.group.b.burnForCount(opts)
	return aggregateSessions(g, kindAggregate, window.Sessions[K, int64]{
		Aggregation: window.Aggregation[K, int64]{Value: serde.Int64, Inputs: []window.Input[K, int64]{window.Values[K, V, int64]{
			Add:      func(_ K, n int64, _ V) (int64, error) { return n + 1, nil },
			AnyValue: true,
		}}},
		Merge: func(_ K, a, b int64) int64 { return a + b },
	}, opts)
}

// ReduceSessions combines the values of each key in each session, two at a time; the first value of a session stands for itself. f also
// joins the results of two sessions, the earlier first. Nulls, options and updates are those of AggregateSessions.
func ReduceSessions[K, V any](g SessionGroup[K, V], f func(old, v V) V, value serde.Serde[V], opts ...Option) Table[Windowed[K], V] {
	g.group.need("ReduceSessions", f != nil && value != nil)
	return aggregateSessions(g, kindReduce, window.Sessions[K, V]{
		Aggregation: window.Aggregation[K, V]{Value: value, NoInitial: true, Inputs: []window.Input[K, V]{window.Values[K, V, V]{
			Add:   func(_ K, old, v V) (V, error) { return f(old, v), nil },
			First: func(v V) V { return v },
		}}},
		Merge: func(_ K, a, b V) V { return f(a, b) },
	}, opts)
}

// AggregateSessions folds the values of each key in each session into an aggregate, beginning with initial. Where a record joins
// sessions, their aggregates are put together with merge, in order of time, beginning with initial, before the record is added with f.
// Both return a new aggregate and leave the old ones as they are. A null aggregate deletes the session.
//
// The table has a row for each session. When a record changes a session, or joins several, their rows are deleted, each with its end as
// time, and the new one is set, with its end as time: so the updates show a null for each session that became part of another.
//
// Records with a null key are dropped and counted. Null values reach f if V holds null, and are bad records otherwise. Options: Named;
// EmitOnClose, with which a session is handed on when it is closed, in the order of ends, starts and keys, and a record that is not
// late yet may still join it to another, which is handed on too when it is closed.
func AggregateSessions[K, V, A any](
	g SessionGroup[K, V], initial A, f func(A, V) A, merge func(a, b A) A, value serde.Serde[A], opts ...Option,
) Table[Windowed[K], A] {
	g.group.need("AggregateSessions", f != nil && merge != nil && value != nil)
	return aggregateSessions(g, kindAggregate, window.Sessions[K, A]{
		Aggregation: window.Aggregation[K, A]{Value: value, Initial: initial, Inputs: []window.Input[K, A]{window.Values[K, V, A]{
			Add: func(_ K, a A, v V) (A, error) { return f(a, v), nil },
		}}},
		Merge: func(_ K, a, b A) A { return merge(a, b) },
	}, opts)
}

// AggregateSessionsWithKey is AggregateSessions with functions that see the key.
func AggregateSessionsWithKey[K, V, A any](
	g SessionGroup[K, V], initial A, f func(K, A, V) A, merge func(k K, a, b A) A, value serde.Serde[A], opts ...Option,
) Table[Windowed[K], A] {
	g.group.need("AggregateSessionsWithKey", f != nil && merge != nil && value != nil)
	return aggregateSessions(g, kindAggregate, window.Sessions[K, A]{
		Aggregation: window.Aggregation[K, A]{Value: value, Initial: initial, Inputs: []window.Input[K, A]{window.Values[K, V, A]{
			Add: func(k K, a A, v V) (A, error) { return f(k, a, v), nil },
		}}},
		Merge: merge,
	}, opts)
}

const optTellOld optionKind = "TellOld"

// TellOld has sessions tell their old value also when another record of their only moment changes them. Kafka Streams tells it just
// where a cache stands behind them, and so do sessions without this option, to give what it gives: a filter behind them then does not
// take back what no longer passes, and groups of their rows keep what they should give up.
func TellOld() Option {
	return func(o *options) { o.tellOld, o.given = true, append(o.given, optTellOld) }
}

func aggregateSessions[K, V, A any](g SessionGroup[K, V], k kind, op window.Sessions[K, A], opts []Option) Table[Windowed[K], A] {
	n, o := g.group.stateful(k, opts, optEmitOnClose, optTellOld)
	op.Store, op.Key, op.Final, op.TellOld = n.Stores[0], g.group.key, o.onClose, o.tellOld
	at := g.group.placed(op.Store)
	n.Inputs = []topology.NodeID{at.node}
	return sessionTable(at, n, g.windows, op)
}

// sessionTable adds the step that aggregates in sessions.
func sessionTable[K, A any](at edge, n topology.Node, w SessionWindows, op window.Sessions[K, A]) Table[Windowed[K], A] {
	op.Gap, op.Grace, op.Retention = millis(w.gap), millis(w.grace), w.keptFor()
	n.Op, n.Retention, n.Uncached = op, changelogRetention(op.Retention), op.Final
	return Table[Windowed[K], A]{edge: at.add(n), key: windowed.SessionSerde(op.Key), value: op.Value, store: op.Store}
}
