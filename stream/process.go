package stream

import (
	"context"
	"time"

	"github.com/mainstemio/mainstem/internal/operator/process"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
)

const (
	optConnect    optionKind = "Connect"
	optSkipFailed optionKind = "SkipFailed"
	optInFlight   optionKind = "InFlight"
)

// Connect gives a processor stores, which it gets with their Builder in Init. Processors that are given the same Builder share the store:
// they run in the same tasks then, and their inputs need equal numbers of partitions.
func Connect(stores ...state.Connectable) Option {
	return func(o *options) {
		for _, s := range stores {
			if s == nil {
				o.stores = append(o.stores, nil)
				continue
			}
			if rows, ok := s.(interface{ link(*options) }); ok {
				rows.link(o)
				continue
			}
			o.stores = append(o.stores, s.Spec())
		}
		o.given = append(o.given, optConnect)
	}
}

// SkipFailed has a record dropped and counted at a processor that fails with it, while other steps take it: what the processor has
// put and forwarded before it failed stays. By default it is a bad record, of which nothing stays anywhere.
func SkipFailed() Option {
	return func(o *options) { o.skipFailed, o.given = true, append(o.given, optSkipFailed) }
}

// InFlight is how many calls of MapAsync may run at the same time, in each task. Default 16.
func InFlight(n int) Option {
	return func(o *options) { o.inFlight, o.given = n, append(o.given, optInFlight) }
}

// TableRows reads the rows of a table, as they are at the moment.
type TableRows[K, V any] interface {
	// Row returns the row of k and its time.
	Row(k K) (v V, ts record.Timestamp, ok bool)
}

// A TableReader lets processors read a table: see ReaderOf.
type TableReader[K, V any] struct {
	*state.Builder[TableRows[K, V]]
	table Table[K, V]
}

// ReaderOf lets processors read a table that is kept under a name: give it to Connect and get the rows with In. The processors run in the
// same tasks as the table, and their inputs need equal numbers of partitions.
func ReaderOf[K, V any](t Table[K, V]) *TableReader[K, V] {
	switch step := t.b.graph.StepName(t.node); {
	case t.StoreName() == "":
		t.b.mistake("ReaderOf %q: the table is not kept: give it a name", step)
	case t.key == nil:
		t.b.mistake("ReaderOf %q: the serde of the table's key is not known", step)
	}
	open := func(rows state.Bytes) TableRows[K, V] { return rows.(TableRows[K, V]) }
	return &TableReader[K, V]{state.Custom(state.Spec{Name: t.StoreName()}, open), t}
}

func (r *TableReader[K, V]) link(o *options) {
	o.read(r.Spec(), process.Reading[K, V]{Node: int(r.table.node), Key: r.table.key})
	o.uses = append(o.uses, r.Name())
}

// read has a processor read something that is not a store of processors.
func (o *options) read(spec *state.Spec, by process.Link) {
	if o.links == nil {
		o.links = map[*state.Spec]process.Link{}
	}
	o.links[spec] = by
}

// VersionedRows reads the rows of a table that keeps their history.
type VersionedRows[K, V any] interface {
	TableRows[K, V]
	// RowAsOf returns the row that k had at a time, in ms, and the time from which it had it. Behind the history only the newest row is
	// found.
	RowAsOf(k K, at record.Timestamp) (v V, from record.Timestamp, ok bool)
}

// A VersionedReader lets processors read a table that is Versioned: see VersionedReaderOf.
type VersionedReader[K, V any] struct {
	*state.Builder[VersionedRows[K, V]]
	table Table[K, V]
}

// VersionedReaderOf is ReaderOf for a table that is Versioned.
func VersionedReaderOf[K, V any](t Table[K, V]) *VersionedReader[K, V] {
	if t.StoreName() == "" || !t.versioned {
		t.b.mistake("VersionedReaderOf %q: the table is not kept with its history: give it the options Named and Versioned", t.b.graph.StepName(t.node))
	}
	open := func(rows state.Bytes) VersionedRows[K, V] { return rows.(VersionedRows[K, V]) }
	return &VersionedReader[K, V]{state.Custom(state.Spec{Name: t.StoreName()}, open), t}
}

func (r *VersionedReader[K, V]) link(o *options) {
	o.read(r.Spec(), process.ReadingVersions[K, V]{Reading: process.Reading[K, V]{Node: int(r.table.node), Key: r.table.key}})
	o.uses = append(o.uses, r.Name())
}

// A GlobalReader lets processors read a global table: see GlobalReaderOf.
type GlobalReader[K, V any] struct {
	*state.Builder[TableRows[K, V]]
	table GlobalTable[K, V]
}

// GlobalReaderOf lets processors read a global table: give it to Connect and get the rows with In. Any processor can read any key, whatever
// the numbers of partitions. As in a join with the table, a record that is processed again after a crash may find a newer row.
func GlobalReaderOf[K, V any](t GlobalTable[K, V]) *GlobalReader[K, V] {
	open := func(rows state.Bytes) TableRows[K, V] { return rows.(TableRows[K, V]) }
	return &GlobalReader[K, V]{state.Custom(state.Spec{Name: t.StoreName()}, open), t}
}

func (r *GlobalReader[K, V]) link(o *options) {
	o.read(r.Spec(), process.ReadingGlobal[K, V]{Reading: process.Reading[K, V]{Node: int(r.table.node), Key: r.table.key}})
}

// Process sends each record through a processor, with null keys and values, late or not. newProcessor makes one for each task. What it
// forwards may have another key: grouping and joining move it first. Options: Named, Connect, SkipFailed.
func Process[K, V, L, W any](s Stream[K, V], newProcessor func() processor.Processor[K, V, L, W], opts ...Option) Stream[L, W] {
	s.need("Process", newProcessor != nil)
	n, o := s.named(kindProcess, opts, optConnect, optSkipFailed)
	s.connect(&n, o)
	n.Op = process.Process[K, V, L, W]{Make: newProcessor, Stores: o.stores, Links: o.links, Skips: o.skipFailed}
	n.Rekeys = true
	return Stream[L, W]{edge: s.add(n), keyChanged: true}
}

// ProcessValues is Process with a processor that keeps the key, so that nothing has to move behind it.
func ProcessValues[K, V, W any](s Stream[K, V], newProcessor func() processor.FixedKey[K, V, W], opts ...Option) Stream[K, W] {
	s.need("ProcessValues", newProcessor != nil)
	n, o := s.named(kindProcessValues, opts, optConnect, optSkipFailed)
	s.connect(&n, o)
	n.Op = process.FixedKey[K, V, W]{Make: newProcessor, Stores: o.stores, Links: o.links, Skips: o.skipFailed}
	return Stream[K, W]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}

// ProcessTable computes a table from another with a processor, which may keep stores: newProcessor makes one for each task. It is given
// every update, deletes too. Deletes of what was not there go on like others; updates of a Versioned table that are not the newest of their
// key are left out and counted. The result is kept where it is given a name, or where a later step needs it. Options: Named, Connect,
// SkipFailed.
func ProcessTable[K, V, W any](t Table[K, V], newProcessor func() processor.Table[K, V, W], value serde.Serde[W], opts ...Option) Table[K, W] {
	t.need("ProcessTable", newProcessor != nil && value != nil)
	o := t.b.apply(kindProcessTable, opts, optConnect, optSkipFailed)
	n := topology.Node{Name: t.b.newName(kindProcessTable.prefix), Kind: topology.Processor, Inputs: []topology.NodeID{t.node}}
	t.connect(&n, o)
	n.Op = process.Table[K, V, W]{Make: newProcessor, Stores: o.stores, Links: o.links, Skips: o.skipFailed}
	s := Stream[K, W]{edge: t.add(n), key: t.key, value: value}
	store := o.name
	if !o.named {
		store = n.Name + "-rows" // Kafka Streams keeps no such table, and counts no name for it
	}
	return keptTable(s, topology.Node{Name: n.Name + "-rows", Kind: topology.Processor, Inputs: []topology.NodeID{s.node}}, store, o.named)
}

// connect gives a node the stores: the first processor that has a store owns its changelog.
func (e edge) connect(n *topology.Node, o options) {
	n.Uses = append(n.Uses, o.uses...)
	for _, spec := range o.stores {
		switch {
		case spec == nil:
			e.b.mistake("Connect: a store is nil")
			continue
		case spec.Err != nil:
			e.b.mistake("Connect: %v", spec.Err)
		case e.b.stores[spec]:
			n.Uses = append(n.Uses, spec.Name)
			continue
		}
		if e.b.stores == nil {
			e.b.stores = map[*state.Spec]bool{}
		}
		if n.Retentions == nil {
			n.Retentions = map[string]time.Duration{}
		}
		e.b.stores[spec] = true
		if len(spec.Changelog) > 0 {
			e.b.settings(spec.Name, spec.Changelog)
		}
		n.Stores, n.Retentions[spec.Name] = append(n.Stores, spec.Name), spec.Retention
	}
}

// defaultInFlight: enough to hide a service's latency, few enough for one that is small.
const defaultInFlight = 16

// MapAsync computes a new value for each record by a call to the outside, such as a service. The calls of a batch of records run at
// the same time, at most InFlight of them, those of one key one after the other in the records' order. All are done before any result
// goes on, in the order of the records, and so before the commit. The key tells which records belong together: its serde must be known.
//
// A call may be repeated: after a crash, and when another record of the batch has failed. An error or panic makes the record a bad record:
// retry inside f what may pass. f must return by itself in reasonable time, since the batch waits for it; its context ends only with the
// process. A null value that V cannot hold is a bad record. In a task with processors records come one at a time, and so do calls.
//
// Options: Named, InFlight.
func MapAsync[K, V, W any](s Stream[K, V], f func(context.Context, K, V) (W, error), opts ...Option) Stream[K, W] {
	s.need("MapAsync", f != nil)
	s.needKey("MapAsync")
	n, o := s.named(kindMapAsync, opts, optInFlight)
	if !o.has(optInFlight) {
		o.inFlight = defaultInFlight
	}
	if o.inFlight < 1 {
		s.b.mistake("MapAsync: InFlight is %d, but must be at least 1", o.inFlight)
	}
	n.Op = process.MapAsync[K, V, W]{Func: f, Key: appendKey(s.key), InFlight: o.inFlight}
	return Stream[K, W]{edge: s.add(n), key: s.key, keyChanged: s.keyChanged}
}

func appendKey[K any](key serde.Serde[K]) func([]byte, K) ([]byte, error) {
	if key == nil {
		return nil // a mistake already
	}
	return key.Append
}
