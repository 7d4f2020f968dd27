package stream

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// From reads a topic as a stream. Reading a topic again with the same serdes gives the same stream. Options: Named, and those
// of time: Timestamps, SkipInvalidTime, UsePartitionTime; FromEnd, FromAgo.
func From[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	return FromTopics(b, []string{topic}, key, value, opts...)
}

// FromTopics reads several topics as one stream. Records that wait in several of them are taken by their timestamps.
func FromTopics[K, V any](b *Builder, topics []string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	o := b.apply(kindSource, opts, append(slices.Clone(timeOptions), optFromEnd, optFromAgo)...)
	return addSource(b, sourceSpec[K, V]{topics: topics, key: key, value: value, options: o})
}

// FromPattern reads all topics whose whole name matches a regular expression (as package regexp has them) as one stream. A topic that is made
// or deleted later is noticed within seconds: the application then goes on from what it has committed, with it or without. Where the stream
// is grouped or joined, all of its topics need the same number of partitions. A topic that the application writes itself, its own and its
// dead letters among them, does not match, nor do the brokers' own. No other source may name a topic that matches.
// Options: Named, SkipInvalidTime, FromEnd, FromAgo.
func FromPattern[K, V any](b *Builder, pattern string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Stream[K, V] {
	o := b.apply(kindSource, opts, optSkipTime, optFromEnd, optFromAgo)
	expression, err := regexp.Compile(pattern)
	if err != nil {
		b.mistake("FromPattern: %v", err)
		expression = regexp.MustCompile("^$")
	}
	expression.Longest()
	return addSource(b, sourceSpec[K, V]{pattern: expression, key: key, value: value, options: o})
}

// TableFrom reads a topic as a table: the last value of each key, and a null value deletes it. With Named it is kept in a store,
// which views can read and which knows old values; without, it is kept only where a later step needs that, and else only its updates
// pass. Records with a null key are dropped.
func TableFrom[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Table[K, V] {
	o := b.apply(kindTableSource, opts, append(slices.Clone(timeOptions), optVersioned, optKeptAs)...)
	store := o.storeName(func() string { return b.newStoreName(topic + "-") })
	spec := sourceSpec[K, V]{topics: []string{topic}, key: key, value: value, options: o, table: true}
	spec.options.named = false
	if o.has(optKeptAs) {
		spec.options.name, spec.options.named = o.keptAs+"-source", true
	}
	s := addSource(b, spec)
	n := topology.Node{Name: b.newName(kindTableSource.prefix), Kind: topology.Processor, Inputs: []topology.NodeID{s.node}}
	if b.optimize {
		n.Mirrors = topic
	}
	if o.has(optVersioned) {
		o.name = store
		return versionedTable(s, kindTableSource, n, o)
	}
	return keptTable(s, n, store, o.named)
}

// keptTable adds the step that makes a table of a stream, kept in a store now or as soon as a later step needs it.
func keptTable[K, V any](s Stream[K, V], n topology.Node, store string, now bool) Table[K, V] {
	op := &table.ToTable[K, V]{Key: s.key, Value: s.value}
	n.Op = op
	t := Table[K, V]{edge: s.add(n), key: s.key, value: s.value}
	t.keep = func() {
		if op.Store == "" {
			op.Store = store
			t.b.graph.Keep(t.node, store)
		}
	}
	t.old = func(force bool) bool {
		if force {
			t.keep()
		}
		return op.Store != ""
	}
	if now || s.b.cuts {
		t.keep()
	}
	if now {
		t.store = store
	}
	return t
}

// FromEnd has a stream begin with what comes after the application's first start, as auto.offset.reset=latest does. By default it begins
// with what its topics hold. It counts for partitions of which the application has no committed position; the position is committed soon
// after the start, so that nothing that comes later is skipped by a crash.
func FromEnd() Option {
	return func(o *options) { o.fromEnd, o.given = true, append(o.given, optFromEnd) }
}

// FromAgo is FromEnd for a stream that is to begin earlier: in each partition with the first record whose time lies at most d before now, and
// where there is none with the end. It is auto.offset.reset=by_duration of Kafka (KIP-1106).
func FromAgo(d time.Duration) Option {
	return func(o *options) { o.fromEnd, o.ago, o.given = true, d, append(o.given, optFromAgo) }
}

const (
	optFromEnd optionKind = "FromEnd"
	optFromAgo optionKind = "FromAgo"
)

var timeOptions = []optionKind{optTimes, optSkipTime, optPartTime}

// A sourceSpec says how topics are read.
type sourceSpec[K, V any] struct {
	topics  []string
	pattern *regexp.Regexp // in place of topics
	key     serde.Serde[K]
	value   serde.Serde[V]
	options options
	table   bool
	global  bool // all partitions go into one table
}

// A source is one that was added.
type source[K, V any] struct {
	sourceSpec[K, V]
	stream Stream[K, V]
}

// names are those under which a builder knows the source.
func (s sourceSpec[K, V]) names() []string {
	if s.pattern != nil {
		return []string{"pattern " + s.pattern.String()} // no topic's name
	}
	return s.topics
}

// same tells whether the other spec reads the same in the same way.
func (s sourceSpec[K, V]) same(o sourceSpec[K, V]) bool {
	return strings.Join(s.names(), " ") == strings.Join(o.names(), " ") && operator.Same(s.key, o.key) && operator.Same(s.value, o.value) &&
		!s.table && !o.table && s.options.skipTime == o.options.skipTime && s.options.partTime == o.options.partTime &&
		s.options.times == nil && o.options.times == nil && s.options.fromEnd == o.options.fromEnd && s.options.ago == o.options.ago
}

func addSource[K, V any](b *Builder, spec sourceSpec[K, V]) Stream[K, V] {
	at := edge{b: b}
	at.need("source of "+strings.Join(spec.names(), ", "), spec.key != nil && spec.value != nil)
	if spec.options.has(optFromAgo) && spec.options.ago <= 0 {
		b.mistake("FromAgo is %v, but must be positive", spec.options.ago)
	}
	kind := topology.Source
	for _, topic := range spec.names() {
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
	op := operator.Source[K, V]{Key: spec.key, Value: spec.value, Deletes: spec.table, Topics: len(spec.topics)}
	timed(b, &op, spec.options)
	n := topology.Node{
		Name: b.stepName(kindSource, spec.options), Kind: kind, Topics: spec.topics, Pattern: spec.pattern, Global: spec.global,
		FromEnd: spec.options.fromEnd, Ago: spec.options.ago,
	}
	if op.Time != nil || op.PartitionTimes {
		op.Store = n.Name + "-times"
		n.Stores, n.Private = []string{op.Store}, []string{op.Store}
	}
	n.Op = op
	at = at.add(n)
	s := source[K, V]{sourceSpec: spec, stream: Stream[K, V]{edge: at, key: spec.key, value: spec.value}}
	for _, topic := range spec.names() {
		b.sources[topic] = s
	}
	return s.stream
}

// A RecordSerde is a serde that also sees the record that its bytes stand in: its topic and headers. From, TableFrom, To and ToTopics use its
// DecodeIn and AppendIn, which may add headers; tables, stores and repartitions use Decode and Append.
type RecordSerde[T any] = operator.RecordSerde[T]

// Surroundings are where the bytes of a key or value stand: the topic, whether they are the key's, and the record's headers.
type Surroundings = operator.Surroundings

// An Incoming is a record as the function of Timestamps sees it: Key and Value, with KeyNull and ValueNull where their types cannot hold
// null, the record's own Timestamp, its Headers, and the PartitionTime, which is the highest time taken from the record's partition so
// far, record.NoTimestamp before the first.
type Incoming[K, V any] = operator.Incoming[K, V]

// Timestamps has a source take the times of its records from the function, in ms; K and V are the source's types. The time decides
// which of several topics' records comes next, and everything else that depends on time. A negative time is invalid: a bad record,
// unless SkipInvalidTime or UsePartitionTime say otherwise. An error makes the record a bad one too (see Reject). f may be called more
// than once for a record, and must be a pure function.
func Timestamps[K, V any](f func(Incoming[K, V]) (record.Timestamp, error)) Option {
	return func(o *options) {
		o.given = append(o.given, optTimes)
		if f != nil {
			o.times = operator.TimeFunc[K, V](f)
		}
	}
}

// SkipInvalidTime lets a source drop and count records with a negative time. By default they are bad records.
func SkipInvalidTime() Option {
	return func(o *options) { o.skipTime, o.given = true, append(o.given, optSkipTime) }
}

// UsePartitionTime gives records with a negative time the highest time taken from their partition so far. Where there is none yet they
// are bad records, or skipped with SkipInvalidTime.
func UsePartitionTime() Option {
	return func(o *options) { o.partTime, o.given = true, append(o.given, optPartTime) }
}

// timed has the source take its records' times as the options say.
func timed[K, V any](b *Builder, op *operator.Source[K, V], o options) {
	for _, kind := range o.given {
		if kind != optTimes {
			continue
		}
		f, ok := o.times.(operator.TimeFunc[K, V])
		if !ok {
			b.mistake("Timestamps: the function is nil, or its types are not those of the source")
		}
		op.Time = f
	}
	op.SkipBadTime, op.PartitionTimes = o.skipTime, o.partTime
}
