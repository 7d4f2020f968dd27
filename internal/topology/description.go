package topology

import (
	"encoding/json"
	"slices"
)

// A Description is a topology as people and tools look at it. Names are those of the topology's own name as the application.
type Description struct {
	Name              string                   `json:"name"`
	SubTopologies     []SubTopologyDescription `json:"subTopologies"`
	Stores            []StoreDescription       `json:"stores"`
	RepartitionTopics []string                 `json:"repartitionTopics"`
}

// A SubTopologyDescription lists the nodes that share tasks.
type SubTopologyDescription struct {
	ID     int               `json:"id"`
	Global bool              `json:"global,omitempty"` // every process reads all of its topic
	Nodes  []NodeDescription `json:"nodes"`
}

// A NodeDescription is a node, or a half of a Repartition: the sink in front of its topic, or the source behind it.
type NodeDescription struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"` // source, processor or sink
	Topics       []string `json:"topics,omitempty"`
	Pattern      string   `json:"pattern,omitempty"`    // of a source: it reads the topics with such a name, in place of Topics
	Partitions   int32    `json:"partitions,omitempty"` // of a repartition topic, if asked for
	AnyTopic     bool     `json:"anyTopic,omitempty"`   // of a sink: each record chooses its topic, one of Topics or another
	Stores       []string `json:"stores,omitempty"`
	Predecessors []string `json:"predecessors,omitempty"`
	Successors   []string `json:"successors,omitempty"`
}

// A StoreDescription is a store and the topic it is restored from.
type StoreDescription struct {
	Name        string `json:"name"`
	SubTopology int    `json:"subTopology"`
	Changelog   string `json:"changelog"` // empty: it is global, and restored from its source
}

// Words for kinds in a NodeDescription.
const (
	wordSource    = "source"
	wordProcessor = "processor"
	wordSink      = "sink"
)

// Description returns the topology's nodes by sub-topology, its stores and its repartition topics, all in order of creation.
func (t *Topology) Description() Description {
	d := Description{Name: t.Name, Stores: []StoreDescription{}, RepartitionTopics: []string{}}
	for i := range t.Subs {
		d.SubTopologies = append(d.SubTopologies, t.describeSub(&t.Subs[i]))
	}
	for _, st := range t.Stores {
		if !st.Private {
			of := StoreDescription{Name: st.Name, SubTopology: st.Sub}
			if !st.Global {
				of.Changelog = st.Changelog(t.Name)
				if source := t.Node(st.Node).Mirrors; source != "" {
					of.Changelog = source
				}
			}
			d.Stores = append(d.Stores, of)
		}
	}
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.Kind == Repartition {
			d.RepartitionTopics = append(d.RepartitionTopics, RepartitionTopic(t.Name, n.Name))
		}
	}
	return d
}

func (t *Topology) describeSub(sub *SubTopology) SubTopologyDescription {
	d := SubTopologyDescription{ID: sub.ID, Global: sub.Global}
	for _, id := range sub.Nodes {
		n := &t.Nodes[id]
		if n.Kind != Repartition {
			d.Nodes = append(d.Nodes, t.describeNode(n))
			continue
		}
		if slices.Contains(sub.Inputs, id) {
			d.Nodes = append(d.Nodes, NodeDescription{
				Name: n.Name + "-source", Kind: wordSource, Topics: []string{n.Name}, Successors: t.children(n),
			})
		}
		if slices.Contains(sub.Outputs, id) {
			d.Nodes = append(d.Nodes, NodeDescription{
				Name: n.Name + "-sink", Kind: wordSink, Topics: []string{n.Name}, Partitions: n.Partitions, Predecessors: t.parents(n),
			})
		}
	}
	return d
}

func (t *Topology) describeNode(n *Node) NodeDescription {
	d := NodeDescription{Name: n.Name, Topics: n.Topics, AnyTopic: n.AnyTopic, Predecessors: t.parents(n), Successors: t.children(n)}
	switch n.Kind {
	case Source:
		d.Kind = wordSource
		if n.Pattern != nil {
			d.Topics, d.Pattern = nil, n.Pattern.String()
		}
	case Sink:
		d.Kind = wordSink
	case Processor, Repartition:
		d.Kind = wordProcessor
	}
	for _, store := range slices.Concat(n.Stores, n.Uses) {
		if !slices.Contains(n.Private, store) {
			d.Stores = append(d.Stores, store)
		}
	}
	return d
}

func (t *Topology) children(n *Node) []string {
	var names []string
	for _, e := range n.Children {
		names = appendOnce(names, halfName(&t.Nodes[e.To], "-sink"))
	}
	return names
}

func (t *Topology) parents(n *Node) []string {
	var names []string
	for _, id := range n.Inputs {
		names = appendOnce(names, halfName(&t.Nodes[id], "-source"))
	}
	return names
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

// JSON returns the Description as JSON, indented.
func (t *Topology) JSON() ([]byte, error) { return json.MarshalIndent(t.Description(), "", "  ") }
