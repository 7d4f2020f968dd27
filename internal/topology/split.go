package topology

import "slices"

// split cuts the graph at its Repartitions and numbers the connected components by their first node.
//
// Every node has two halves in a union-find forest, which are joined at once unless the node is a Repartition: 2i receives,
// 2i+1 sends.
func (t *Topology) split() {
	f := newForest(2 * len(t.Nodes))
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Kind != Repartition {
			f.join(2*i, 2*i+1)
		}
		for _, in := range n.Inputs {
			f.join(2*int(in)+1, 2*i)
		}
	}
	t.reads, t.writes = map[NodeID]int{}, map[NodeID]int{}
	numbers := map[int]int{} // root → sub-topology
	number := func(half int) int {
		root := f.find(half)
		sub, known := numbers[root]
		if !known {
			sub = len(t.Subs)
			numbers[root] = sub
			t.Subs = append(t.Subs, SubTopology{ID: sub})
		}
		return sub
	}
	for i := range t.Nodes {
		id := NodeID(i)
		t.reads[id], t.writes[id] = number(2*i), number(2*i+1)
		t.place(id)
	}
}

// place enters a node into the sub-topologies of its halves.
func (t *Topology) place(id NodeID) {
	n := &t.Nodes[id]
	in, out := &t.Subs[t.reads[id]], &t.Subs[t.writes[id]]
	in.Nodes = append(in.Nodes, id)
	if out != in {
		out.Nodes = append(out.Nodes, id)
	}
	switch n.Kind {
	case Source:
		in.Inputs = append(in.Inputs, id)
	case Sink:
		in.Outputs = append(in.Outputs, id)
	case Repartition:
		in.Outputs = append(in.Outputs, id)
		out.Inputs = append(out.Inputs, id)
	case Processor:
	}
	for _, store := range n.Stores {
		in.Stores = append(in.Stores, store)
		t.Stores = append(t.Stores, Store{Name: store, Node: id, Sub: in.ID})
	}
}

// A forest is a union-find structure.
type forest []int

func newForest(n int) forest {
	f := make(forest, n)
	for i := range f {
		f[i] = i
	}
	return f
}

func (f forest) find(i int) int {
	for f[i] != i {
		f[i] = f[f[i]]
		i = f[i]
	}
	return i
}

func (f forest) join(a, b int) { f[f.find(a)] = f.find(b) }

// markRowWise finds the nodes where a batch must be handed on row by row: those two of whose children reach the same place.
func (t *Topology) markRowWise() {
	reach := make([]map[string]bool, len(t.Nodes))
	for i := len(t.Nodes) - 1; i >= 0; i-- { // children have higher numbers
		n := &t.Nodes[i]
		below := map[string]bool{}
		for _, e := range n.Children {
			for place := range reach[e.To] {
				if below[place] {
					n.RowWise = true
				}
			}
			for place := range reach[e.To] {
				below[place] = true
			}
		}
		own := n.places()
		if n.Kind == Repartition {
			below = map[string]bool{} // what lies behind is another task's: the order of arrival decides there
		}
		for _, place := range own {
			below[place] = true
		}
		reach[i] = below
	}
}

// places names what a node shares with others: itself, its topic, its stores.
func (n *Node) places() []string {
	places := []string{"node " + n.Name}
	if n.Kind == Sink {
		for _, topic := range n.Topics {
			places = append(places, "topic "+topic)
		}
	}
	for _, store := range n.Stores {
		places = append(places, "store "+store)
	}
	return slices.Clip(places)
}
