package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator/suppress"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

var (
	kindSuppressFor        = kind{"SuppressFor", "KTABLE-SUPPRESS-"}
	kindSuppressUntilClose = kind{"SuppressUntilClose", "KTABLE-SUPPRESS-"}
)

const (
	optMaxRecords   optionKind = "MaxRecords"
	optMaxBytes     optionKind = "MaxBytes"
	optStopWhenFull optionKind = "StopWhenFull"
)

// MaxRecords bounds how many updates a suppression holds back: one for each key. Default: no bound.
func MaxRecords(n int64) Option {
	return func(o *options) { o.maxRecords, o.given = n, append(o.given, optMaxRecords) }
}

// MaxBytes bounds the bytes of keys and values that a suppression holds back. Default: no bound.
func MaxBytes(n int64) Option {
	return func(o *options) { o.maxBytes, o.given = n, append(o.given, optMaxBytes) }
}

// StopWhenFull makes the record that finds the buffer of SuppressFor full a bad record. By default the first updates are handed on
// early.
func StopWhenFull() Option {
	return func(o *options) { o.stopWhenFull, o.given = true, append(o.given, optStopWhenFull) }
}

// SuppressUntilClose holds back the updates of windows until their window is closed, and hands on the last one of each: the final
// result. A window is closed when the highest time of any update that reached the step is at or behind its end and grace (for
// sessions: end, gap and grace). So nothing moves while no records come. Windows go in the order of their end, and then of their keys'
// bytes; a final result has the time of its own update. Of a window that was deleted nothing is handed on. The table must come
// from an aggregation over windows, directly or through other steps; where several meet, the longest grace counts. The table in front
// is kept, so that old values are known.
//
// Options: Named, whose name with "-store" behind it is the name of the buffer's store; MaxRecords and MaxBytes: a record that finds
// the buffer full is a bad record, since final results cannot be handed on early.
func SuppressUntilClose[K, V any](t Table[Windowed[K], V], opts ...Option) Table[Windowed[K], V] {
	wait, ok := t.b.closesAfter(t.node)
	if !ok {
		t.b.mistake("SuppressUntilClose behind %q: it is not behind an aggregation over windows, so nothing says when a window closes",
			t.b.graph.StepName(t.node))
	}
	o := t.b.apply(kindSuppressUntilClose, opts, optMaxRecords, optMaxBytes)
	o.stopWhenFull = true
	return suppressed(t, kindSuppressUntilClose, o, suppress.Spec[Windowed[K], V]{
		Wait: wait, End: func(k Windowed[K]) record.Timestamp { return k.End },
	})
}

// SuppressFor holds back updates so that at most one for each key goes on in a while: an update is held until the highest time of any
// update that reached the step is at least wait above its own time, and updates of the same key that come meanwhile take its place.
// The last one goes on, with its time, and with what the table had just before it as the old value. Updates go in the order of the
// time of the first held one, and then of their keys' bytes. Deletes are handed on like other updates. The table in front is kept, so
// that old values are known.
//
// Options: Named, as in SuppressUntilClose; MaxRecords and MaxBytes; StopWhenFull.
func (t Table[K, V]) SuppressFor(wait time.Duration, opts ...Option) Table[K, V] {
	durations{b: t.b, step: kindSuppressFor.word}.atLeast("the time to wait", wait, 0)
	if t.versioned {
		t.b.mistake("SuppressFor behind %q: the updates of a versioned table cannot be suppressed", t.b.graph.StepName(t.node))
	}
	o := t.b.apply(kindSuppressFor, opts, optMaxRecords, optMaxBytes, optStopWhenFull)
	return suppressed(t, kindSuppressFor, o, suppress.Spec[K, V]{Wait: millis(wait)})
}

// suppressed adds the step.
func suppressed[K, V any](t Table[K, V], k kind, o options, op suppress.Spec[K, V]) Table[K, V] {
	b := t.b
	if t.value == nil {
		b.mistake("%s behind %q: the serde of the value is not known; give it with WithSerde", k.word, b.graph.StepName(t.node))
	}
	bound := func(kind optionKind, n int64) {
		if n < 0 || n == 0 && o.has(kind) {
			b.mistake("%s: %s is %d, but must be at least 1", k.word, kind, n)
		}
	}
	bound(optMaxRecords, o.maxRecords)
	bound(optMaxBytes, o.maxBytes)
	t.needOld()
	name, store := o.name, o.name+"-store"
	if !o.named {
		name = b.newName(k.prefix)
		store = b.newStoreName(k.prefix)
	}
	op.Store, op.Key, op.Value = store, t.key, t.value
	op.MaxRecords, op.MaxBytes, op.Stop = o.maxRecords, o.maxBytes, o.stopWhenFull
	n := topology.Node{
		Name: name, Kind: topology.Processor, Inputs: []topology.NodeID{t.node}, Stores: []string{store}, Op: op, Uncached: true,
	}
	t.edge, t.store = t.add(n), ""
	return t
}

// A closing step makes windows that close some time, in ms, after their end.
type closing interface{ ClosesAfter() record.Timestamp }

// closesAfter returns how long after their end the windows of a table close: what the aggregations over windows in front of it say,
// the longest of them. ok is false when there is a way to a source without one.
func (b *Builder) closesAfter(id topology.NodeID) (wait record.Timestamp, ok bool) {
	n := b.graph.Node(id)
	if op, found := n.Op.(closing); found {
		return op.ClosesAfter(), true
	}
	for _, in := range n.Inputs {
		w, found := b.closesAfter(in)
		if !found {
			return 0, false
		}
		wait, ok = max(wait, w), true
	}
	return wait, ok
}

// WithSerde tells the table the serde of its values: behind a step that made new ones, where a later step keeps or moves them.
func (t Table[K, V]) WithSerde(value serde.Serde[V]) Table[K, V] {
	if value != nil {
		t.value = value
	}
	return t
}
