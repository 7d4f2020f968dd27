package stream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/operator/process"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/state"
)

// A Topology is what Builder.Build returns: it never changes, and Describe gives it as text.
type Topology = topology.Topology

// A Builder collects the steps of a topology.
type Builder struct {
	graph    *topology.Graph
	sources  map[string]any // topic → the source[K, V] that reads it
	mistakes []error
	names    int // made so far: see newName
	optimize bool
	cuts     bool                 // Consistent
	explicit bool                 // generated names of stores and topics are mistakes
	stores   map[*state.Spec]bool // those that processors have

	changelogs      map[string]map[string]string // settings of changelog topics, by store
	uncached        []string                     // stores without a record cache
	unnamedUncached int                          // steps that were given Uncached and have told no store yet

	joinMoves map[topology.NodeID]topology.NodeID // step that changed the key → the last move behind it that a join made
}

// New starts a topology. The name becomes the application's name unless it is run under another: it fixes the names of changelog
// topics and of the committed positions, so keep it for good. Letters, digits, '.', '_' and '-' are allowed.
func New(name string, opts ...BuilderOption) *Builder {
	b := &Builder{graph: topology.NewGraph(name), sources: map[string]any{}, joinMoves: map[topology.NodeID]topology.NodeID{}}
	for _, opt := range opts {
		opt(b)
	}
	return b
}

// Build returns the topology, or every mistake that was made in building it.
func (b *Builder) Build() (*Topology, error) {
	b.markUncached()
	b.markChangelogs()
	t, err := b.graph.Build()
	if err == nil && b.explicit {
		err = errors.Join(generatedNames(t)...)
	}
	if err := errors.Join(append(slices.Clone(b.mistakes), err)...); err != nil {
		return nil, fmt.Errorf("topology %q cannot be built:\n%w", b.graph.Name(), err)
	}
	return t, nil
}

func (b *Builder) mistake(format string, args ...any) {
	b.mistakes = append(b.mistakes, fmt.Errorf(format, args...))
}

// An Option adjusts a step.
type Option func(*options)

type options struct {
	name       string
	named      bool
	partitions int32
	skipTime   bool
	partTime   bool
	changelog  map[string]string
	fromEnd    bool
	ago        time.Duration
	times      any // an operator.TimeFunc[K, V]
	place      any // an operator.PlaceFunc[K, V]
	compacted  bool
	published  string
	history    time.Duration

	maxRecords   int64
	maxBytes     int64
	stopWhenFull bool
	onClose      bool
	tellOld      bool

	joinName   string
	keptAs     string
	foreign    any // a func(F, int32) int32
	storesName string
	grace      time.Duration

	stores     []*state.Spec
	links      map[*state.Spec]process.Link
	uses       []string // stores of tables
	skipFailed bool
	inFlight   int

	given []optionKind
}

// has tells whether an option was given.
func (o *options) has(kind optionKind) bool { return slices.Contains(o.given, kind) }

type optionKind string

const (
	optNamed      optionKind = "Named"
	optPartitions optionKind = "Partitions"
	optSkipTime   optionKind = "SkipInvalidTime"
	optPartTime   optionKind = "UsePartitionTime"
	optTimes      optionKind = "Timestamps"
	optCompacted  optionKind = "Compacted"
)

// Named gives a step its name. For a step that keeps state it is the name of the store, fixes the changelog topic's name
// (<application>-<name>-changelog), and must never change while the state is to be kept.
func Named(name string) Option {
	return func(o *options) { o.name, o.named, o.given = name, true, append(o.given, optNamed) }
}

// Partitions sets the number of partitions of a repartition. Default: as many as the largest input in front of it, or as
// those it shares state with.
func Partitions(n int32) Option {
	return func(o *options) { o.partitions, o.given = n, append(o.given, optPartitions) }
}

// Compacted has a sink's topic created with cleanup.policy=compact, if it does not exist yet: the last record of each key is kept
// for good, whatever retention says, so a service that comes late, or was down for long, finds them all. A record without a key is a
// bad record there.
func Compacted() Option {
	return func(o *options) { o.compacted, o.given = true, append(o.given, optCompacted) }
}

// apply reads the options of a step, of which Named and the allowed ones are possible.
func (b *Builder) apply(k kind, opts []Option, allowed ...optionKind) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	for _, kind := range o.given {
		if kind != optNamed && kind != optUncached && kind != optChangelog && !slices.Contains(allowed, kind) {
			b.mistake("%s: the option %s has no meaning here", k.word, kind)
		}
	}
	if slices.Contains(o.given, optPartitions) && o.partitions < 1 {
		b.mistake("%s: Partitions is %d, but must be at least 1", k.word, o.partitions)
		o.partitions = 0
	}
	b.noteUncached(&o)
	b.noteChangelog(k, &o)
	return o
}

// An edge is where a stream or table leaves a node.
type edge struct {
	b    *Builder
	node topology.NodeID
}

// named begins a processor behind the edge.
func (e edge) named(k kind, opts []Option, allowed ...optionKind) (topology.Node, options) {
	o := e.b.apply(k, opts, allowed...)
	return topology.Node{Name: e.b.stepName(k, o), Kind: topology.Processor, Inputs: []topology.NodeID{e.node}}, o
}

// stepName is the name of a step that keeps no state.
func (b *Builder) stepName(k kind, o options) string {
	switch {
	case o.named:
		return o.name
	case k.prefix == "":
		return fmt.Sprintf("%s-%d", strings.ToLower(k.word), b.graph.Len())
	}
	return b.newName(k.prefix)
}

// stateful begins a processor with a store, which the option Named names.
func (e edge) stateful(k kind, opts []Option, allowed ...optionKind) (topology.Node, options) {
	o := e.b.apply(k, opts, allowed...)
	n := topology.Node{Kind: topology.Processor, Inputs: []topology.NodeID{e.node}}
	if !o.named {
		o.name = e.b.newStoreName(k.prefix)
		e.b.storeNamed(&o)
	}
	n.Name = e.b.newName(k.prefix)
	n.Stores = []string{o.name}
	return n, o
}

func (e edge) add(n topology.Node) edge {
	e.node = e.b.graph.Add(n)
	return e
}

// need records a missing argument of a step.
func (e edge) need(step string, present bool) {
	if !present {
		e.b.mistake("%s: a function or serde is nil", step)
	}
}

const optUncached optionKind = "Uncached"

// Uncached has the updates of a kept table handed on one by one also where record caches hold back those of others (see the cache
// options of package worker and streamtest). The step must keep a table.
func Uncached() Option {
	return func(o *options) { o.given = append(o.given, optUncached) }
}

const optChangelog optionKind = "ChangelogTopic"

// ChangelogTopic has the changelog topic of a kept table made with settings of your own, such as segment.bytes or min.insync.replicas; one that
// exists stays as it is. The step must be Named. What the runtime relies on (cleanup.policy, and retention of window stores) cannot be set.
func ChangelogTopic(settings map[string]string) Option {
	return func(o *options) { o.changelog, o.given = maps.Clone(settings), append(o.given, optChangelog) }
}

// noteChangelog remembers the settings of a store's changelog topic.
func (b *Builder) noteChangelog(k kind, o *options) {
	if !o.has(optChangelog) {
		return
	}
	if !o.named {
		b.mistake("%s: ChangelogTopic needs the option Named, which names the store", k.word)
		return
	}
	b.settings(o.name, o.changelog)
}

// settings sets those of a store's changelog topic.
func (b *Builder) settings(store string, settings map[string]string) {
	for _, reserved := range []string{"cleanup.policy", "retention.ms"} {
		if _, given := settings[reserved]; given {
			b.mistake("the changelog topic of the store %q: %s is the runtime's own", store, reserved)
		}
	}
	if b.changelogs == nil {
		b.changelogs = map[string]map[string]string{}
	}
	b.changelogs[store] = settings
}

// markChangelogs gives the stores their settings.
func (b *Builder) markChangelogs() {
	for _, store := range slices.Sorted(maps.Keys(b.changelogs)) {
		if !b.graph.Changelog(store, b.changelogs[store]) {
			b.mistake("ChangelogTopic: no step keeps the table %q", store)
		}
	}
}

// noteUncached remembers the store of a step that was given Uncached. A step without a name tells it later.
func (b *Builder) noteUncached(o *options) {
	switch {
	case !o.has(optUncached):
	case o.named:
		b.uncached = append(b.uncached, o.name)
	default:
		b.unnamedUncached++
	}
}

// storeNamed tells the generated name of a step's store.
func (b *Builder) storeNamed(o *options) {
	if !o.named && o.has(optUncached) {
		b.unnamedUncached--
		b.uncached = append(b.uncached, o.name)
	}
}

// markUncached marks the stores that were given Uncached.
func (b *Builder) markUncached() {
	for _, store := range b.uncached {
		if !b.graph.Uncached(store) {
			b.mistake("Uncached: the step %q keeps no table of this name", store)
		}
	}
	if b.unnamedUncached > 0 {
		b.mistake("Uncached: a step that keeps no table of its own, or only where others need it, must be Named")
	}
	b.uncached, b.unnamedUncached = nil, 0
}
