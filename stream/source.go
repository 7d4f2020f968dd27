package stream

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
)

// From reads a topic as a stream. Reading a topic again with the same serdes gives the same stream. Option: SkipInvalidTime.
func From[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	return FromTopics(b, []string{topic}, key, value, opts...)
}

// FromTopics reads several topics as one stream. Records that wait in several of them are taken by their timestamps.
func FromTopics[K, V any](b *Builder, topics []string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	return addSource(b, sourceSpec[K, V]{topics: topics, key: key, value: value, options: b.apply("source", opts, optSkipTime)})
}

// TableFrom reads a topic as a table: the last value of each key, and a null value deletes it. With Named it is kept in a store,
// which views can read and which knows old values; without, only its updates pass. Records with a null key are dropped.
func TableFrom[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Table[K, V] {
	o := b.apply("table", opts, optSkipTime)
	spec := sourceSpec[K, V]{topics: []string{topic}, key: key, value: value, options: o, table: true}
	spec.options.name, spec.options.named = b.defaultName("source"), false
	s := addSource(b, spec)
	n := topology.Node{Name: o.name, Kind: topology.Processor, Inputs: []topology.NodeID{s.node}}
	store := ""
	if o.named {
		store, n.Stores = o.name, []string{o.name}
	} else {
		n.Name = b.defaultName("table")
	}
	n.Op = operator.ToTable[K, V]{Store: store, Key: key, Value: value}
	return Table[K, V]{edge: s.add(n), key: key, value: value, store: store}
}

// A sourceSpec says how topics are read.
type sourceSpec[K, V any] struct {
	topics  []string
	key     serde.Serde[K]
	value   serde.Serde[V]
	options options
	table   bool
}

// A source is one that was added.
type source[K, V any] struct {
	sourceSpec[K, V]
	stream Stream[K, V]
}

// same tells whether the other spec reads the same in the same way.
func (s sourceSpec[K, V]) same(o sourceSpec[K, V]) bool {
	return strings.Join(s.topics, " ") == strings.Join(o.topics, " ") && operator.Same(s.key, o.key) && operator.Same(s.value, o.value) &&
		!s.table && !o.table && s.options.skipTime == o.options.skipTime
}

func addSource[K, V any](b *Builder, spec sourceSpec[K, V]) Stream[K, V] {
	at := edge{b: b}
	at.need("source of "+strings.Join(spec.topics, ", "), spec.key != nil && spec.value != nil)
	kind := topology.Source
	for _, topic := range spec.topics {
		known, read := b.sources[topic]
		if !read {
			continue
		}
		if s, ok := known.(source[K, V]); ok && s.same(spec) {
			return s.stream
		}
		b.mistake("topic %q is read twice in different ways (serdes, options, other topics, or as a table): read it once and use the result twice", topic)
		kind = topology.Processor // in the source's place, so that the mistake is told once
		break
	}
	op := operator.Source[K, V]{Key: spec.key, Value: spec.value, Deletes: spec.table, SkipBadTime: spec.options.skipTime}
	at = at.add(topology.Node{Name: spec.options.name, Kind: kind, Topics: spec.topics, Op: op})
	s := source[K, V]{sourceSpec: spec, stream: Stream[K, V]{edge: at, key: spec.key, value: spec.value}}
	for _, topic := range spec.topics {
		b.sources[topic] = s
	}
	return s.stream
}
