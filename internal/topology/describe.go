package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Describe returns the topology as text in the shape of Kafka Streams' TopologyDescription, which people and tools can read.
// A Repartition shows as a sink of one sub-topology and a source of the other, with its topic's name without the application.
func (t *Topology) Describe() string {
	var b strings.Builder
	b.WriteString("Topologies:\n")
	for i := range t.Subs {
		sub := &t.Subs[i]
		fmt.Fprintf(&b, "   Sub-topology: %d\n", sub.ID)
		for _, id := range sub.Nodes {
			n := &t.Nodes[id]
			if n.Kind != Repartition {
				t.describeNode(&b, n)
				continue
			}
			if slices.Contains(sub.Inputs, id) {
				t.describeRepartition(&b, n, true)
			}
			if slices.Contains(sub.Outputs, id) {
				t.describeRepartition(&b, n, false)
			}
		}
	}
	return b.String()
}

func (t *Topology) describeNode(b *strings.Builder, n *Node) {
	switch n.Kind {
	case Source:
		fmt.Fprintf(b, "    Source: %s (topics: [%s])\n      --> %s\n", n.Name, strings.Join(n.Topics, ", "), t.children(n))
	case Sink:
		if len(n.Topics) == 0 {
			fmt.Fprintf(b, "    Sink: %s (no topic)\n      <-- %s\n", n.Name, t.parents(n))
			return
		}
		fmt.Fprintf(b, "    Sink: %s (topic: %s)\n      <-- %s\n", n.Name, n.Topics[0], t.parents(n))
	default:
		fmt.Fprintf(b, "    Processor: %s (stores: [%s])\n      --> %s\n      <-- %s\n",
			n.Name, strings.Join(n.Stores, ", "), t.children(n), t.parents(n))
	}
}

func (t *Topology) describeRepartition(b *strings.Builder, n *Node, reads bool) {
	topic := n.Name + "-repartition"
	if reads {
		fmt.Fprintf(b, "    Source: %s-source (topics: [%s])\n      --> %s\n", n.Name, topic, t.children(n))
		return
	}
	if n.Partitions > 0 {
		topic += fmt.Sprintf(", partitions: %d", n.Partitions)
	}
	fmt.Fprintf(b, "    Sink: %s-sink (topic: %s)\n      <-- %s\n", n.Name, topic, t.parents(n))
}

func (t *Topology) children(n *Node) string {
	var names []string
	for _, e := range n.Children {
		child := &t.Nodes[e.To]
		names = appendOnce(names, halfName(child, "-sink"))
	}
	return orNone(names)
}

func (t *Topology) parents(n *Node) string {
	var names []string
	for _, id := range n.Inputs {
		names = appendOnce(names, halfName(&t.Nodes[id], "-source"))
	}
	return orNone(names)
}

func halfName(n *Node, half string) string {
	if n.Kind == Repartition {
		return n.Name + half
	}
	return n.Name
}

func appendOnce(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
