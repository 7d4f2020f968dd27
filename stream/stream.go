// Package stream is the typed language for pipelines: streams and tables of Go values, derived from topics and written to topics.
//
// Programs call it to build a topology, and hand the result of Builder.Build to worker.Run, to an embedded node, or to streamtest.
// It calls the internal packages topology and operator.
//
// A Builder and everything made from it belong to one goroutine. The built topology never changes.
//
// A Stream or Table is an edge of the graph: a value that can be used any number of times. Steps that keep the types are methods,
// steps that change them are functions that take the edge first. Functions take the value; their …WithKey forms take key and
// value. Values must be treated as immutable: a step that changes something returns a new value. Mistakes are
// collected, and Build returns them all.
//
// A null key stays null through the steps that keep keys, whose functions see a zero key; grouping drops it. A null value deletes
// a table's row; in a stream it reaches functions only if the type holds null (a pointer, []byte, a type with IsNull() bool),
// and is a bad record otherwise. Two serdes count as the same when they are equal by ==, so keep a made one, such as
// serde.JSON's, in a variable. Running a pipeline, and SQL, are not here.
package stream

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// A Stream is an unbounded sequence of records: every record is a fact of its own. The zero Stream can't be used.
type Stream[K, V any] struct {
	edge
	key        serde.Serde[K] // nil: not known, after a step that changed the key
	value      serde.Serde[V] // nil: not known
	keyChanged bool           // rows may stand in another partition than their key says
}

// step adds a processor that keeps types and keys.
func (s Stream[K, V]) step(k kind, op operator.Spec, opts []Option) Stream[K, V] {
	n, _ := s.named(k, opts)
	n.Op, n.Keeps = op, true
	s.edge = s.add(n)
	return s
}

// Filter keeps the records whose value passes.
func (s Stream[K, V]) Filter(pass func(V) bool, opts ...Option) Stream[K, V] {
	s.need("Filter", pass != nil)
	return s.step(kindFilter, operator.Filter[K, V]{Pass: func(_ K, v V) bool { return pass(v) }}, opts)
}

// FilterNot keeps the records whose value does not pass.
func (s Stream[K, V]) FilterNot(pass func(V) bool, opts ...Option) Stream[K, V] {
	s.need("FilterNot", pass != nil)
	return s.step(kindFilter, operator.Filter[K, V]{Pass: func(_ K, v V) bool { return !pass(v) }}, opts)
}

// FilterWithKey keeps the records that pass.
func (s Stream[K, V]) FilterWithKey(pass func(K, V) bool, opts ...Option) Stream[K, V] {
	s.need("FilterWithKey", pass != nil)
	return s.step(kindFilter, operator.Filter[K, V]{Pass: pass}, opts)
}

// Peek calls see with every record on its way. A record may be seen more than once: after a crash, or when another one failed.
func (s Stream[K, V]) Peek(see func(K, V), opts ...Option) Stream[K, V] {
	s.need("Peek", see != nil)
	return s.step(kindPeek, operator.Peek[K, V]{See: func(k K, v V) error { see(k, v); return nil }}, opts)
}

// ForEach calls do with every record, and ends the branch. A record may be seen more than once, as with Peek. An error makes it a
// bad record.
func (s Stream[K, V]) ForEach(do func(K, V) error, opts ...Option) {
	s.need("ForEach", do != nil)
	n, _ := s.named(kindForEach, opts)
	n.Kind, n.Op = topology.Sink, operator.Peek[K, V]{See: do}
	s.add(n)
}

// Merge joins streams: the records of all, in the order in which they come. A stream that is named twice counts once.
func (s Stream[K, V]) Merge(others ...Stream[K, V]) Stream[K, V] {
	return s.merge(s.b.newName(kindMerge.prefix), others)
}

// MergeNamed is Merge with a name for the step.
func (s Stream[K, V]) MergeNamed(name string, others ...Stream[K, V]) Stream[K, V] {
	return s.merge(name, others)
}

func (s Stream[K, V]) merge(name string, others []Stream[K, V]) Stream[K, V] {
	n := topology.Node{Name: name, Kind: topology.Processor, Inputs: []topology.NodeID{s.node}, Op: operator.Merge[K, V]{}, Keeps: true, Merges: true}
	merged := s
	for _, o := range others {
		if o.b != s.b {
			s.b.mistake("Merge: the streams come from two builders, or one is the zero Stream")
			continue
		}
		if !slices.Contains(n.Inputs, o.node) {
			n.Inputs = append(n.Inputs, o.node)
		}
		if !operator.Same(merged.key, o.key) {
			merged.key = nil
		}
		if !operator.Same(merged.value, o.value) {
			merged.value = nil
		}
		merged.keyChanged = merged.keyChanged || o.keyChanged
	}
	merged.edge = s.add(n)
	return merged
}

// Split sends each record to the first branch whose predicate its value passes. It returns one stream for each predicate, and
// behind them one with the records that pass none. Generated names are those of Kafka Streams without a default branch; with one it
// counts one more: see Builder.SkipNames.
func (s Stream[K, V]) Split(pass ...func(V) bool) []Stream[K, V] {
	withKey := make([]func(K, V) bool, len(pass))
	for i, p := range pass {
		if p != nil {
			withKey[i] = func(_ K, v V) bool { return p(v) }
		}
	}
	return s.SplitWithKey(withKey...)
}

// SplitWithKey is Split with predicates that see the key.
func (s Stream[K, V]) SplitWithKey(pass ...func(K, V) bool) []Stream[K, V] {
	return s.split(pass, nil)
}

// SplitNamed is SplitWithKey with a name for the step; the branches have that name and their numbers, from 1, and 0 for the rest.
func (s Stream[K, V]) SplitNamed(name string, pass ...func(K, V) bool) []Stream[K, V] {
	return s.split(pass, []Option{Named(name)})
}

func (s Stream[K, V]) split(pass []func(K, V) bool, opts []Option) []Stream[K, V] {
	for _, p := range pass {
		s.need("Split", p != nil)
	}
	branches := append(append([]func(K, V) bool{}, pass...), nil) // the last takes the rest
	from := s.step(kindSplit, operator.Split[K, V]{Branches: branches}, opts)
	streams := make([]Stream[K, V], len(branches))
	for i := range streams {
		branch := (i + 1) % len(streams) // Kafka Streams numbers from 1 and gives the rest 0
		streams[i] = from.step(kindSplit, operator.Merge[K, V]{}, []Option{Named(fmt.Sprint(s.b.graph.StepName(from.node), branch))})
	}
	s.b.burn(len(pass))
	return streams
}

// WithSerdes tells the stream the serdes of its keys and values: behind a step that made new ones, where a later step moves, groups or
// joins the records. nil leaves a serde as it is.
func (s Stream[K, V]) WithSerdes(key serde.Serde[K], value serde.Serde[V]) Stream[K, V] {
	if key != nil {
		s.key = key
	}
	if value != nil {
		s.value = value
	}
	return s
}

// To writes the stream to a topic. Records go to the partitions in which Kafka's default partitioner puts their keys; those
// with a null key are spread. Null values are written as null: in a compacted topic they delete their key. A record that a serde refuses, or
// that is larger than its topic takes, is a bad record. Options: Compacted, PartitionBy.
func (s Stream[K, V]) To(topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) {
	s.sink([]string{topic}, operator.Sink[K, V]{Topic: topic, Key: key, Value: value}, opts)
}

// ToTopics writes each record to the topic that choose gives it. The topics that are declared are created if they do not exist; any other
// must exist when its first record comes, else that is a bad record, and so is one for which choose gives none. Everything else is as with
// To. choose sees null keys and values as KeyNull and ValueNull, and must give the same topic for the same record at all times: it may be
// called more than once. Options: Compacted, for the declared topics; PartitionBy.
func (s Stream[K, V]) ToTopics(choose func(Outgoing[K, V]) string, key serde.Serde[K], value serde.Serde[V], declared []string, opts ...Option) {
	s.need("ToTopics", choose != nil)
	s.sink(declared, operator.Sink[K, V]{Choose: choose, Key: key, Value: value}, opts)
}

func (s Stream[K, V]) sink(topics []string, op operator.Sink[K, V], opts []Option) {
	s.need("To", op.Key != nil && op.Value != nil)
	n, o := s.named(kindSink, opts, optCompacted, optPartitionBy)
	n.Kind, n.Topics, n.Compacted, n.AnyTopic = topology.Sink, topics, o.compacted, op.Choose != nil
	op.Keyed, op.Place = o.compacted, placeFunc[K, V](s.b, kindSink, o)
	n.Op = op
	s.add(n)
}

// An Outgoing is a record on its way into a topic, as the functions of ToTopics and PartitionBy see it: Key and Value, with KeyNull and
// ValueNull where their types cannot hold null, its Timestamp and Headers, and From and Offset, the input record that it follows from.
type Outgoing[K, V any] = operator.Outgoing[K, V]

// A Placement says into which partitions of its topic a record goes. The zero Placement is that of Kafka's default partitioner.
type Placement = operator.Placement

// InPartition puts a record into one partition, counted from 0. One that the topic does not have makes it a bad record.
func InPartition(p int32) Placement { return operator.InPartition(p) }

// InPartitions puts a record into each of several partitions (KIP-837).
func InPartitions(p ...int32) Placement { return operator.InPartitions(p...) }

// InAllPartitions puts a record into every partition.
func InAllPartitions() Placement { return operator.InAllPartitions() }

// InNone drops a record, which is counted.
func InNone() Placement { return operator.InNone() }

const optPartitionBy optionKind = "PartitionBy"

// PartitionBy has f say into which of the n partitions of its topic a record goes; K and V are the step's types. f must give the same for
// the same record at all times. In a Repartition it must give one partition, or none, and for a key always the same one if the records are
// grouped or joined behind it; records with a null key stay behind there and do not reach f. A panic makes the record a bad record.
func PartitionBy[K, V any](f func(r Outgoing[K, V], n int32) Placement) Option {
	return func(o *options) {
		o.given = append(o.given, optPartitionBy)
		if f != nil {
			o.place = operator.PlaceFunc[K, V](f)
		}
	}
}

// placeFunc is that of the option PartitionBy, nil without it.
func placeFunc[K, V any](b *Builder, k kind, o options) operator.PlaceFunc[K, V] {
	if !o.has(optPartitionBy) {
		return nil
	}
	f, ok := o.place.(operator.PlaceFunc[K, V])
	if !ok {
		b.mistake("%s: the function of PartitionBy is nil, or its types are not those of the step", k.word)
	}
	return f
}

// Through writes the stream to a topic and reads it back, as To and From would.
func (s Stream[K, V]) Through(topic string, key serde.Serde[K], value serde.Serde[V]) Stream[K, V] {
	s.To(topic, key, value)
	return From(s.b, topic, key, value)
}

// Repartition moves each record to the partition of its key, so that a stream whose key was changed can be grouped. Records with
// a null key stay behind. The topic, where the move needs one, is <application>-<name>-repartition; an empty name becomes one that
// counts. Options: Partitions, PartitionBy.
func (s Stream[K, V]) Repartition(name string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	s.need("Repartition", key != nil && value != nil)
	o := s.b.apply(kindRepartition, opts, optPartitions, optPartitionBy)
	if name == "" {
		name = s.b.newName(kindRepartition.prefix)
	}
	s.b.burn(repartitionNames)
	n := topology.Node{Name: name + "-repartition", Inputs: []topology.NodeID{s.node}}
	n.Kind, n.Partitions = topology.Repartition, o.partitions
	n.Op = operator.Repartition[K, V]{Key: key, Value: value, By: placeFunc[K, V](s.b, kindRepartition, o)}
	return Stream[K, V]{edge: s.add(n), key: key, value: value}
}
