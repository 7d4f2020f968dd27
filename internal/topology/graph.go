package topology

import (
	"errors"
	"fmt"
	"slices"
)

// A Graph is a topology that is being built.
type Graph struct {
	name       string
	nodes      []Node
	optimize   bool
	consistent bool
}

// NewGraph starts an empty graph. The name becomes the topology's name and the default application name.
func NewGraph(name string) *Graph { return &Graph{name: name} }

// Name returns the graph's name.
func (g *Graph) Name() string { return g.name }

// Len returns the number of nodes so far, which is the next node's id.
func (g *Graph) Len() int { return len(g.nodes) }

// Add appends a node, whose inputs must have been added before, and returns its id.
func (g *Graph) Add(n Node) NodeID {
	n.ID = NodeID(len(g.nodes))
	n.Inputs, n.Topics, n.Stores = slices.Clone(n.Inputs), slices.Clone(n.Topics), slices.Clone(n.Stores)
	g.nodes = append(g.nodes, n)
	return n.ID
}

// Build checks the graph and returns it as a topology, or all its mistakes joined. The graph may be built again.
func (g *Graph) Build() (*Topology, error) {
	t := &Topology{Name: g.name, Consistent: g.consistent, Nodes: slices.Clone(g.nodes)}
	for i := range t.Nodes {
		t.Nodes[i].Stores, t.Nodes[i].Inputs = slices.Clone(t.Nodes[i].Stores), slices.Clone(t.Nodes[i].Inputs)
	}
	if g.optimize {
		t.Nodes = mergeRepartitions(t.Nodes)
	}
	if err := errors.Join(t.check()...); err != nil {
		return nil, err
	}
	t.connect()
	t.split()
	t.markRowWise()
	t.markUnkeyed()
	return t, nil
}

// check returns one sentence for each mistake.
func (t *Topology) check() []error {
	var mistakes []error
	add := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if reason := badName(t.Name); reason != "" {
		add("the topology's name %q %s", t.Name, reason)
	}
	if len(t.Nodes) == 0 {
		add("the topology %q has no steps: begin with a source", t.Name)
	}
	nodes, stores := map[string]bool{}, map[string]string{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if reason := badName(n.Name); reason != "" {
			add("the step name %q %s", n.Name, reason)
		}
		if nodes[n.Name] {
			add("two steps are named %q: every name may be used once", n.Name)
		}
		nodes[n.Name] = true
		for _, topic := range n.Topics {
			if reason := badName(topic); reason != "" {
				add("step %q: the topic name %q %s", n.Name, topic, reason)
			}
		}
		for _, store := range n.Stores {
			if owner, taken := stores[store]; taken && owner != n.Name {
				add("the steps %q and %q both want the store %q: give one of them another name", owner, n.Name, store)
			}
			stores[store] = n.Name
		}
	}
	for i := range t.Nodes {
		for _, store := range t.Nodes[i].Uses {
			if t.owner(store) < 0 {
				add("step %q uses the store %q, which no step has", t.Nodes[i].Name, store)
			}
		}
	}
	return append(mistakes, append(t.checkTopics(), t.checkPublished()...)...)
}

// checkPublished finds topics that hold the changes of a table and get records of others, too: the table would be restored from both.
func (t *Topology) checkPublished() []error {
	var mistakes []error
	for _, topic := range t.Published() {
		writers := 0
		for i := range t.Nodes {
			if n := &t.Nodes[i]; n.Kind == Sink && slices.Contains(n.Topics, topic) {
				writers++
			}
		}
		if writers > 1 {
			mistakes = append(mistakes, fmt.Errorf("the topic %q is the changelog of a published table: no other step may write to it", topic))
		}
	}
	return mistakes
}

// checkTopics finds topics that two sources read: they would share one position.
func (t *Topology) checkTopics() []error {
	var mistakes []error
	readers := map[string]string{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Kind != Source {
			continue
		}
		if len(n.Topics) == 0 && n.Pattern == nil {
			mistakes = append(mistakes, fmt.Errorf("source %q names no topic", n.Name))
		}
		for _, topic := range n.Topics {
			if other, taken := readers[topic]; taken {
				mistakes = append(mistakes, fmt.Errorf("the sources %q and %q both read topic %q: read it once and use the stream twice",
					other, n.Name, topic))
			}
			readers[topic] = n.Name
		}
	}
	return mistakes
}

// maxName is Kafka's limit for a topic name, in bytes.
const maxName = 249

// badName says what is wrong with a name that becomes a topic name or part of one, by Kafka's rule.
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case name == "." || name == "..":
		return "is not allowed"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return fmt.Sprintf("contains %q: letters, digits, '.', '_' and '-' are allowed", rune(c))
		}
	}
	return ""
}

// connect fills the children. Nodes are visited in order of creation, so children come out in that order.
func (t *Topology) connect() {
	for i := range t.Nodes {
		t.Nodes[i].Children = nil
	}
	for i := range t.Nodes {
		for slot, in := range t.Nodes[i].Inputs {
			parent := &t.Nodes[in]
			parent.Children = append(parent.Children, Edge{To: NodeID(i), Slot: slot})
		}
	}
}

// StepName returns the name of a node that was added.
func (g *Graph) StepName(id NodeID) string { return g.nodes[id].Name }

// Node returns a node that was added, as it is now.
func (g *Graph) Node(id NodeID) Node { return g.nodes[id] }

// Uncached marks the node that has a store, so that no record cache stands behind it; ok is false when there is none.
func (g *Graph) Uncached(store string) (ok bool) {
	for i := range g.nodes {
		if slices.Contains(g.nodes[i].Stores, store) {
			g.nodes[i].Uncached, ok = true, true
		}
	}
	return ok
}

// Changelog has the changelog topic of a store made with settings; ok is false when no node has the store.
func (g *Graph) Changelog(store string, settings map[string]string) (ok bool) {
	for i := range g.nodes {
		if slices.Contains(g.nodes[i].Stores, store) {
			if g.nodes[i].Changelogs == nil {
				g.nodes[i].Changelogs = map[string]map[string]string{}
			}
			g.nodes[i].Changelogs[store], ok = settings, true
		}
	}
	return ok
}

// Consistent marks the topology as such.
func (g *Graph) Consistent() { g.consistent = true }

// Keep gives a node that was added a store.
func (g *Graph) Keep(id NodeID, store string) { g.nodes[id].Stores = append(g.nodes[id].Stores, store) }

// ChangesKeys tells whether a node that was added makes new keys, or hands on the rows of one that does as they are.
func (g *Graph) ChangesKeys(id NodeID) bool {
	n := g.nodes[id]
	for n.Keeps && !n.Rekeys && len(n.Inputs) == 1 {
		n = g.nodes[n.Inputs[0]]
	}
	return n.Rekeys
}
