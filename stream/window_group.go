package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator/window"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

const optEmitOnClose optionKind = "EmitOnClose"

// EmitOnClose has an aggregation over windows hand on each window once, when it is closed, instead of every update. Windows go in the
// order of their start and then of their keys' bytes, each with the time of its last update. None is lost when time jumps, whatever
// the retention is. Windows close as records come: the last ones stay open until then. Sessions are described at CountSessions.
func EmitOnClose() Option {
	return func(o *options) { o.onClose, o.given = true, append(o.given, optEmitOnClose) }
}

// A WindowedGroup is a Grouped stream whose records are put into windows of time.
type WindowedGroup[K, V any] struct {
	group   Grouped[K, V]
	windows Windows
}

// WindowedBy puts the records of each key into windows. A record that comes when its window is closed is late: it is dropped, and
// counted once for each closed window. Stream time, by which windows close, is the highest time of any record of the
// partition that reached the step with a key.
func WindowedBy[K, V any](g Grouped[K, V], w Windows) WindowedGroup[K, V] {
	w.check(g.b, "WindowedBy")
	return WindowedGroup[K, V]{group: g, windows: w}
}

// CountWindows counts the records of each key in each window. Records with a null key are dropped; those with a null value count, except
// in sliding windows, which drop them. Options: Named, EmitOnClose.
func CountWindows[K, V any](g WindowedGroup[K, V], opts ...Option) Table[Windowed[K], int64] {
	if g.windows.kind != sliding { // Kafka Streams' sliding windows don't make that name
		g.group.b.burnForCount(opts)
	}
	return aggregateWindows(g, kindAggregate, window.Aggregation[K, int64]{Value: serde.Int64}, window.Values[K, V, int64]{
		AnyValue: true,
		Add:      func(_ K, n int64, _ V) (int64, error) { return n + 1, nil },
	}, opts)
}

// ReduceWindows combines the values of each key in each window, two at a time; the first value stands for itself. Nulls and options are
// as in AggregateWindows.
func ReduceWindows[K, V any](g WindowedGroup[K, V], f func(old, v V) V, value serde.Serde[V], opts ...Option) Table[Windowed[K], V] {
	g.group.need("ReduceWindows", f != nil && value != nil)
	return aggregateWindows(g, kindReduce, window.Aggregation[K, V]{Value: value, NoInitial: true}, window.Values[K, V, V]{
		First: func(v V) V { return v },
		Add:   func(_ K, old, v V) (V, error) { return f(old, v), nil },
	}, opts)
}

// AggregateWindows folds the values of each key in each window into an aggregate, beginning with initial. f returns the new aggregate
// and leaves the old one as it is, as in Aggregate. A null aggregate deletes the window.
//
// Records with a null key are dropped. Null values reach f if V holds null, and are bad records otherwise; sliding windows drop
// them. Out-of-order records are added to their windows like others as long as these are open; the result has the highest time of
// its records. Options: Named, EmitOnClose.
func AggregateWindows[K, V, A any](
	g WindowedGroup[K, V], initial A, f func(A, V) A, value serde.Serde[A], opts ...Option,
) Table[Windowed[K], A] {
	g.group.need("AggregateWindows", f != nil && value != nil)
	return aggregateWindows(g, kindAggregate, window.Aggregation[K, A]{Value: value, Initial: initial}, window.Values[K, V, A]{
		Add: func(_ K, a A, v V) (A, error) { return f(a, v), nil },
	}, opts)
}

// AggregateWindowsWithKey is AggregateWindows with a function that sees the key.
func AggregateWindowsWithKey[K, V, A any](
	g WindowedGroup[K, V], initial A, f func(K, A, V) A, value serde.Serde[A], opts ...Option,
) Table[Windowed[K], A] {
	g.group.need("AggregateWindowsWithKey", f != nil && value != nil)
	return aggregateWindows(g, kindAggregate, window.Aggregation[K, A]{Value: value, Initial: initial}, window.Values[K, V, A]{
		Add: func(k K, a A, v V) (A, error) { return f(k, a, v), nil },
	}, opts)
}

func aggregateWindows[K, V, A any](
	g WindowedGroup[K, V], k kind, op window.Aggregation[K, A], values window.Values[K, V, A], opts []Option,
) Table[Windowed[K], A] {
	n, o := g.group.stateful(k, opts, optEmitOnClose)
	op.Store, op.Key, op.Final = n.Stores[0], g.group.key, o.onClose
	op.Inputs = []window.Input[K, A]{values}
	at := g.group.placed(op.Store)
	n.Inputs = []topology.NodeID{at.node}
	return windowTable(at, n, g.windows, op)
}

// windowTable adds the step that aggregates over windows.
func windowTable[K, A any](at edge, n topology.Node, w Windows, op window.Aggregation[K, A]) Table[Windowed[K], A] {
	op.Grace, op.Retention = millis(w.grace), w.keptFor()
	if w.kind == sliding {
		n.Op = window.Sliding[K, A]{Aggregation: op, Difference: millis(w.size)}
	} else {
		n.Op = window.Time[K, A]{Aggregation: op, Size: w.keySize(), Advance: millis(w.advance), Start: w.start, Starts: w.starts}
	}
	n.Retention, n.Uncached = changelogRetention(op.Retention), op.Final
	return Table[Windowed[K], A]{edge: at.add(n), key: windowed.Serde(op.Key, w.keySize()), value: op.Value, store: op.Store}
}

// changelogRetention is the time in which a store forgets, for its changelog.
func changelogRetention(kept record.Timestamp) time.Duration {
	if kept == windowed.Forever {
		return 0
	}
	return time.Duration(kept) * time.Millisecond
}
