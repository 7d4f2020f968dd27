package stream

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

const optVersioned optionKind = "Versioned"

// Versioned keeps a table with its history: what a row was before, for as long as history says, measured back from the highest time of
// any record that reached the table; 0 keeps none. The value with the highest time is the row then, and not the one that came last.
//
// An update that comes late takes its place in the history. Updates hands it on all the same, but groupings and joins behind the table,
// or behind a filter or MapTable of it, leave it out. One that is older than the history is dropped. A stream joined with the table finds
// the row that was valid at the time of the stream's record. The option is for TableFrom, ToTable and Keep.
func Versioned(history time.Duration) Option {
	return func(o *options) { o.history, o.given = history, append(o.given, optVersioned) }
}

// versionedSpec returns what makes a versioned table as the options say.
func versionedSpec[K, V any](b *Builder, k kind, store string, o options) *table.Versioned[K, V] {
	if o.history < 0 {
		b.mistake("%s: the history of Versioned is %v, but must not be negative", k.word, o.history)
	}
	return &table.Versioned[K, V]{Store: store, History: millis(o.history)}
}

// versionedTable adds the step that makes a versioned table of a stream. It is always kept.
func versionedTable[K, V any](s Stream[K, V], k kind, n topology.Node, o options) Table[K, V] {
	op := versionedSpec[K, V](s.b, k, o.name, o)
	op.Key, op.Value = s.key, s.value
	n.Op, n.Stores, n.Uncached = op, []string{o.name}, true // Kafka Streams does not cache them
	return Table[K, V]{edge: s.add(n), key: s.key, value: s.value, store: o.name, versioned: true, past: o.history}
}

// keepVersioned adds the step that keeps a table with its history.
func keepVersioned[K, V any](t Table[K, V], value serde.Serde[V], o options) Table[K, V] {
	spec := versionedSpec[K, V](t.b, kindKeep, o.name, o)
	spec.Key, spec.Value = t.key, value
	n := topology.Node{Name: o.name, Kind: topology.Processor, Inputs: []topology.NodeID{t.node}, Stores: []string{o.name}, Uncached: true}
	n.Op = &table.KeepVersioned[K, V]{Versioned: *spec}
	return Table[K, V]{edge: t.add(n), key: t.key, value: value, store: o.name, versioned: true, past: o.history}
}

// history is how long a versioned table, or one that is computed from such a table row by row, keeps the versions of its rows.
func (t Table[K, V]) history() (d time.Duration, versioned bool) { return t.past, t.versioned }
