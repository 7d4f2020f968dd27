package topology

import (
	"fmt"
	"strings"
)

// Describe returns the topology as text in the shape of Kafka Streams' TopologyDescription, which people and tools can read.
// A Repartition shows as a sink of one sub-topology and a source of the other, with its topic's name without the application.
func (t *Topology) Describe() string {
	var b strings.Builder
	b.WriteString("Topologies:\n")
	for _, sub := range t.Description().SubTopologies {
		of := ""
		if sub.Global {
			of = " for global store (will not generate tasks)"
		}
		fmt.Fprintf(&b, "   Sub-topology: %d%s\n", sub.ID, of)
		for i := range sub.Nodes {
			sub.Nodes[i].write(&b)
		}
	}
	return b.String()
}

func (n *NodeDescription) write(b *strings.Builder) {
	switch n.Kind {
	case wordSource:
		topics := "[" + strings.Join(n.Topics, ", ") + "]"
		if n.Pattern != "" {
			topics = n.Pattern
		}
		fmt.Fprintf(b, "    Source: %s (topics: %s)\n      --> %s\n", n.Name, topics, orNone(n.Successors))
	case wordSink:
		topic := "no topic"
		switch {
		case n.AnyTopic:
			topic = "topic: each record's own" + strings.Join(append([]string{""}, n.Topics...), ", ")
		case len(n.Topics) > 0:
			topic = "topic: " + n.Topics[0]
		}
		if n.Partitions > 0 {
			topic += fmt.Sprintf(", partitions: %d", n.Partitions)
		}
		fmt.Fprintf(b, "    Sink: %s (%s)\n      <-- %s\n", n.Name, topic, orNone(n.Predecessors))
	default:
		fmt.Fprintf(b, "    Processor: %s (stores: [%s])\n      --> %s\n      <-- %s\n",
			n.Name, strings.Join(n.Stores, ", "), orNone(n.Successors), orNone(n.Predecessors))
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// DOT returns the topology as a graph in Graphviz' language: a box for each sub-topology, topics as cylinders, stores as folders.
func (t *Topology) DOT() string {
	d := dot{topics: map[string]bool{}}
	description := t.Description()
	fmt.Fprintf(&d.text, "digraph %q {\n  rankdir=LR\n  node [shape=box]\n", t.Name)
	for i := range description.SubTopologies {
		d.subTopology(&description.SubTopologies[i])
	}
	for _, line := range d.outside {
		d.text.WriteString(line)
	}
	d.text.WriteString("}\n")
	return d.text.String()
}

// A dot is a DOT text that is being written.
type dot struct {
	text    strings.Builder
	outside []string // lines for what lies between sub-topologies
	topics  map[string]bool
}

func (d *dot) subTopology(sub *SubTopologyDescription) {
	fmt.Fprintf(&d.text, "  subgraph cluster_%d {\n    label=\"Sub-topology %d\"\n", sub.ID, sub.ID)
	stores := map[string]bool{}
	for _, n := range sub.Nodes {
		fmt.Fprintf(&d.text, "    %q\n", n.Name)
		for _, store := range n.Stores {
			if !stores[store] {
				stores[store] = true
				fmt.Fprintf(&d.text, "    %q [label=%q shape=folder]\n", "store "+store, store)
			}
			fmt.Fprintf(&d.text, "    %q -> %q [dir=both style=dashed]\n", n.Name, "store "+store)
		}
		for _, next := range n.Successors {
			fmt.Fprintf(&d.text, "    %q -> %q\n", n.Name, next)
		}
		for _, topic := range n.Topics {
			d.topic(&n, topic)
		}
		if n.Pattern != "" {
			d.topic(&n, n.Pattern)
		}
	}
	d.text.WriteString("  }\n")
}

func (d *dot) topic(n *NodeDescription, topic string) {
	id := "topic " + topic
	if !d.topics[topic] {
		d.topics[topic] = true
		d.outside = append(d.outside, fmt.Sprintf("  %q [label=%q shape=cylinder]\n", id, topic))
	}
	if n.Kind == wordSource {
		d.outside = append(d.outside, fmt.Sprintf("  %q -> %q\n", id, n.Name))
		return
	}
	d.outside = append(d.outside, fmt.Sprintf("  %q -> %q\n", n.Name, id))
}
