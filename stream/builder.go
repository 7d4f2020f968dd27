package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/topology"
)

// A Topology is what Builder.Build returns: it never changes, and Describe gives it as text.
type Topology = topology.Topology

// A Builder collects the steps of a topology.
type Builder struct {
	graph    *topology.Graph
	sources  map[string]any // topic → the source[K, V] that reads it
	mistakes []error
}

// New starts a topology. The name becomes the application's name unless it is run under another: it fixes the names of changelog
// topics and of the committed positions, so keep it for good. Letters, digits, '.', '_' and '-' are allowed.
func New(name string) *Builder {
	return &Builder{graph: topology.NewGraph(name), sources: map[string]any{}}
}

// Build returns the topology, or every mistake that was made in building it.
func (b *Builder) Build() (*Topology, error) {
	t, err := b.graph.Build()
	if err := errors.Join(append(slices.Clone(b.mistakes), err)...); err != nil {
		return nil, fmt.Errorf("topology %q cannot be built:\n%w", b.graph.Name(), err)
	}
	return t, nil
}

func (b *Builder) mistake(format string, args ...any) {
	b.mistakes = append(b.mistakes, fmt.Errorf(format, args...))
}

// defaultName names a step by its kind and number, as in map-values-3.
func (b *Builder) defaultName(kind string) string { return fmt.Sprintf("%s-%d", kind, b.graph.Len()) }

// An Option adjusts a step.
type Option func(*options)

type options struct {
	name       string
	named      bool
	partitions int32
	skipTime   bool
	compacted  bool
	given      []optionKind
}

type optionKind string

const (
	optNamed      optionKind = "Named"
	optPartitions optionKind = "Partitions"
	optSkipTime   optionKind = "SkipInvalidTime"
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

// SkipInvalidTime lets a source drop and count records with a negative timestamp. By default they are bad records.
func SkipInvalidTime() Option {
	return func(o *options) { o.skipTime, o.given = true, append(o.given, optSkipTime) }
}

// Compacted has a sink's topic created with cleanup.policy=compact, if it does not exist yet: the last record of each key is kept
// for good, whatever retention says, so a service that comes late, or was down for long, finds them all. A record without a key is a
// bad record there.
func Compacted() Option {
	return func(o *options) { o.compacted, o.given = true, append(o.given, optCompacted) }
}

// apply reads the options of a step, of which Named and the allowed ones are possible.
func (b *Builder) apply(step string, opts []Option, allowed ...optionKind) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	for _, kind := range o.given {
		if kind != optNamed && !slices.Contains(allowed, kind) {
			b.mistake("%s: the option %s has no meaning here", step, kind)
		}
	}
	if slices.Contains(o.given, optPartitions) && o.partitions < 1 {
		b.mistake("%s: Partitions is %d, but must be at least 1", step, o.partitions)
		o.partitions = 0
	}
	if !o.named {
		o.name = b.defaultName(step)
	}
	return o
}

// An edge is where a stream or table leaves a node.
type edge struct {
	b    *Builder
	node topology.NodeID
}

// named begins a processor behind the edge.
func (e edge) named(kind string, opts []Option, allowed ...optionKind) (topology.Node, options) {
	o := e.b.apply(kind, opts, allowed...)
	return topology.Node{Name: o.name, Kind: topology.Processor, Inputs: []topology.NodeID{e.node}}, o
}

// stateful begins a processor with a store, which must have a name.
func (e edge) stateful(kind string, opts []Option) topology.Node {
	n, o := e.named(kind, opts)
	if !o.named {
		e.b.mistake("%s keeps state and needs a name: stream.Named(\"…\") fixes its store and its changelog topic", strings.ReplaceAll(n.Name, "\"", ""))
	}
	n.Stores = []string{n.Name}
	return n
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
