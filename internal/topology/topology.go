// Package topology holds the graph of a pipeline: its nodes, the sub-topologies they fall into, its stores and its topics.
//
// The typed DSL (and later SQL) adds nodes to a Graph and builds it once; package task runs the built Topology. It calls nobody.
//
// A Graph belongs to the goroutine that builds it. A Topology never changes after Build and may be shared freely.
//
// Nodes are numbered in order of creation; edges only lead to later nodes, so the graph has no cycle and the numbering is a
// topological order. A Repartition node is cut in two: its upstream half is a sink of one sub-topology, its downstream half a
// source of another. Sub-topologies are the connected components that remain, numbered by their first node.
//
// How a node computes is not known here: Node.Op is opaque and belongs to package operator.
package topology

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Kind says what a node is to the graph.
type Kind uint8

// The kinds of nodes.
const (
	Source      Kind = iota + 1 // reads topics
	Processor                   // anything between
	Sink                        // writes a topic, or ends a branch
	Repartition                 // moves rows to the task that owns their key
)

// A NodeID is a node's index in Topology.Nodes.
type NodeID int

// An Edge leads to a child and one of its inputs.
type Edge struct {
	To   NodeID
	Slot int // index in the child's Inputs
}

// A Node is one step of the pipeline. Whoever adds it fills the first group of fields; Build computes the second.
type Node struct {
	Name       string // unique in the topology
	Kind       Kind
	Op         any                          // how it computes: see package operator
	Inputs     []NodeID                     // one per slot; none for a Source
	Topics     []string                     // read by a Source; written by a Sink: at most one, unless each row chooses
	Pattern    *regexp.Regexp               // of a Source: it reads the topics with such a name, leftmost-longest; Topics come with Resolve
	Stores     []string                     // the stores it owns
	Retention  time.Duration                // how long the changelogs of its stores keep a record, by the records' time; 0: for good
	Retentions map[string]time.Duration     // Retention of single stores, where they differ
	Changelogs map[string]map[string]string // settings of its stores' changelog topics, by store, where they are made
	Private    []string                     // of its stores: the runtime\'s own, which descriptions leave out
	Mirrors    string                       // the topic that the store is a copy of: optimized descriptions name it as the changelog
	Published  string                       // the topic that the Sink behind it writes each change of its store to, in place of a changelog
	Uses       []string                     // stores of other nodes that it uses: it belongs to their sub-topology and has their partitions
	Partitions int32                        // of a Repartition: asked for explicitly, else 0
	Uncached   bool                         // no record cache stands behind its table
	FromEnd    bool                         // of a Source: partitions without a committed position are read from their end
	Ago        time.Duration                // with FromEnd: not from the end, but from the first record that is at most so old
	AnyTopic   bool                         // of a Sink: each row chooses its topic, one of Topics or another that exists
	Compacted  bool                         // a Sink's topic keeps the last record of each key, if the pipeline creates it
	Global     bool                         // of a Source and the table behind it: one task of every process reads all partitions of the topic
	Joins      bool                         // it reads the tables of its inputs by key, so all of them need equal numbers of partitions
	LooksUp    bool                         // the tables of all inputs but the first are only looked up: updates of these make no rows
	Unkeyed    bool                         // rows with a null key are worth something to it: a Repartition in front of it, however far, keeps them
	// What optimizing looks at: see Graph.Optimize.
	Rekeys    bool // it makes new keys
	Keeps     bool // rows leave it as they came, of the same types
	Merges    bool // it puts streams together, and keeps rows
	Automatic bool // of a Repartition: it is there because a step behind it needs it

	ID           NodeID
	Children     []Edge // in order of the children's creation
	KeepsUnkeyed bool   // of a Repartition: it moves rows with a null key too
	// RowWise: two of the children lead to the same place (a node, an output topic, a store), so the order of rows there is
	// only right when each row visits all children before the next row starts. Or the node keeps state that a join behind it reads on
	// behalf of the node's own rows.
	RowWise bool
}

// A Store is a named table that a node owns.
type Store struct {
	Name      string
	Node      NodeID
	Sub       int
	Private   bool
	Global    bool              // it is restored from the topic that it is read from
	Retention time.Duration     // of its changelog; 0: for good
	Settings  map[string]string // of its changelog topic, beside those of the runtime
	Published string            // the topic that is its changelog; empty: one of its own
}

// Changelog returns the topic that holds the store's changes in application app.
func (s *Store) Changelog(app string) string { return cmp.Or(s.Published, Changelog(app, s.Name)) }

// A SubTopology is a part of the graph whose nodes share tasks: one task for each partition.
type SubTopology struct {
	ID      int
	Global  bool     // it has one task, which reads all partitions of its topics
	Nodes   []NodeID // in order of creation; a Repartition is listed in the two it connects
	Inputs  []NodeID // the Sources, and the Repartitions it reads, in order of creation
	Outputs []NodeID // the Sinks, and the Repartitions it writes
	Stores  []string
}

// A Topology is a whole, checked pipeline.
type Topology struct {
	Name string
	// Consistent: tables hand on their updates when an epoch ends, as net changes of one cut of the inputs.
	Consistent bool
	Nodes      []Node
	Subs       []SubTopology
	Stores     []Store // in order of creation

	reads  map[NodeID]int // sub-topology that a node's input side belongs to
	writes map[NodeID]int // sub-topology that its output side belongs to: differs for a Repartition
}

// Node returns the node with this id.
func (t *Topology) Node(id NodeID) *Node { return &t.Nodes[id] }

// SourceTopics returns the topics the pipeline reads, in order of creation, each once.
func (t *Topology) SourceTopics() []string { return t.topics(Source) }

// TopicsFromEnd returns the source topics that are read from their end where no position is committed, or from the first record that is
// at most so old; 0: from the end.
func (t *Topology) TopicsFromEnd() map[string]time.Duration {
	topics := map[string]time.Duration{}
	for i := range t.Nodes {
		for _, topic := range t.Nodes[i].Topics {
			if t.Nodes[i].FromEnd {
				topics[topic] = t.Nodes[i].Ago
			}
		}
	}
	return topics
}

// SinkTopics returns the topics the pipeline writes, in order of creation, each once.
func (t *Topology) SinkTopics() []string { return t.topics(Sink) }

// Published returns the topics that are changelogs of stores: they have as many partitions as the store has tasks.
func (t *Topology) Published() []string {
	var topics []string
	for i := range t.Nodes {
		if topic := t.Nodes[i].Published; topic != "" {
			topics = append(topics, topic)
		}
	}
	return topics
}

// Compacted reports whether the topic is to be created as one that keeps the last record of each key.
func (t *Topology) Compacted(topic string) bool {
	return slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.Compacted && slices.Contains(n.Topics, topic) })
}

func (t *Topology) topics(k Kind) []string {
	var names []string
	seen := map[string]bool{}
	for i := range t.Nodes {
		if t.Nodes[i].Kind != k {
			continue
		}
		for _, name := range t.Nodes[i].Topics {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// Changelog returns the name of a store's changelog topic in application app.
func Changelog(app, store string) string { return app + "-" + store + "-changelog" }

// RepartitionTopic returns the name that a Repartition's topic has in application app where it runs over a topic.
func RepartitionTopic(app, node string) string { return app + "-" + node }

// Internal tells by its name, as Kafka Streams does, whether a topic is application app's own changelog or repartition topic, which nobody
// else has to be able to read.
func Internal(app, topic string) bool {
	return strings.HasPrefix(topic, app+"-") && (strings.HasSuffix(topic, "-changelog") || strings.HasSuffix(topic, "-repartition"))
}

// DeadLetter returns the name of the topic that takes the bad records of a source topic.
func DeadLetter(topic string) string { return topic + deadSuffix }

const deadSuffix = ".dead"
