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
