package stream

import (
	"fmt"
	"regexp"

	"github.com/mainstemio/mainstem/internal/topology"
)

// A BuilderOption adjusts a whole topology.
type BuilderOption func(*Builder)

// Optimized has the topology made smaller, as topology.optimization=all does in Kafka Streams: a step that changed the keys is followed
// by one repartition for all that need one behind it, and a stream joined with itself is kept once. It changes the names of topics and
// stores, so give it from the start, or with another application name. Descriptions then name the topic of a TableFrom as the changelog
// of its store, as Kafka Streams' do; the store keeps a changelog of its own all the same, so that it outlives what the topic deletes.
func Optimized() BuilderOption {
	return func(b *Builder) {
		b.optimize = true
		b.graph.Optimize()
	}
}

// Consistent has the topology emit only what holds for all of its inputs at once. Updates of tables are held back until the epoch ends (see
// EpochInterval of package worker and of the node; streamtest ends one with every batch). Then they follow from one cut of the inputs, a
// position in each partition: what leaves up to the end of an epoch is what the same steps would give if they saw just the input up to
// the cut, and each key of a table changes at most once. So two ways from one source never show different states of it: a sum over
// accounts stays what it is while money moves between them, and an outer join of two tables that come from the same records is
// never seen with one side missing. In Kafka Streams, and here by default, such rows appear for a moment.
//
// A record of a stream is a fact: it leaves whenever there is one, but is joined with tables, global tables and the tables that processors
// read (ReaderOf) only when the epoch ends, and then finds them at the cut, also with what came after it in its epoch. Updates hands on net
// changes: counting them counts epochs. A row that changes and changes back gives an update to what it was; one that comes and goes within an
// epoch gives none. The tables that views read are those of one cut, too.
//
// Every table is kept in a store, also one from a topic without a name. Cache options and Uncached do not count. What an epoch changes is
// held in memory until it ends. A topic that the topology both writes and reads is an input like others: its records come back in a
// later epoch. Global tables are at the cut of their own topic that the process has read. A suppressed table is late by what it
// holds back: each of its rows holds for a cut, but they need not be of the same one. See docs/consistent.md.
func Consistent() BuilderOption {
	return func(b *Builder) {
		b.cuts = true
		b.graph.Consistent()
	}
}

// ExplicitNames makes it a mistake if a store or a repartition has a generated name. Such names change when steps are added or removed
// in front, and the state is lost with its name (KIP-1111).
func ExplicitNames() BuilderOption { return func(b *Builder) { b.explicit = true } }

// generated is what newName makes.
var generated = regexp.MustCompile(`-\d{10}(-|$)`)

// generatedNames returns a mistake for each store and repartition whose name was generated.
func generatedNames(t *Topology) []error {
	var mistakes []error
	for _, st := range t.Stores {
		if !st.Private && generated.MatchString(st.Name) {
			mistakes = append(mistakes, fmt.Errorf("the store %q of step %q has a generated name: give it one with stream.Named",
				st.Name, t.Node(st.Node).Name))
		}
	}
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.Kind == topology.Repartition && generated.MatchString(n.Name) {
			mistakes = append(mistakes, fmt.Errorf("the repartition %q has a generated name: name the grouping, join or step that needs it", n.Name))
		}
	}
	return mistakes
}
