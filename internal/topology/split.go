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
		for _, store := range n.Uses {
			f.join(2*int(t.owner(store)), 2*i)
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

// owner returns the node that owns a store; -1: none does.
func (t *Topology) owner(store string) NodeID {
	return NodeID(slices.IndexFunc(t.Nodes, func(n Node) bool { return slices.Contains(n.Stores, store) }))
}

// place enters a node into the sub-topologies of its halves.
func (t *Topology) place(id NodeID) {
	n := &t.Nodes[id]
	in, out := &t.Subs[t.reads[id]], &t.Subs[t.writes[id]]
	in.Nodes = append(in.Nodes, id)
	in.Global = in.Global || n.Global
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
		retention, own := n.Retentions[store]
		if !own {
			retention = n.Retention
		}
		t.Stores = append(t.Stores, Store{
			Name: store, Node: id, Sub: in.ID, Retention: retention, Private: slices.Contains(n.Private, store), Global: n.Global,
			Settings: n.Changelogs[store], Published: n.Published,
		})
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
	routed := slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.AnyTopic })
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
		own := n.places(routed)
		if n.Kind == Repartition {
			below = map[string]bool{} // what lies behind is another task's: the order of arrival decides there
		}
		for _, place := range own {
			below[place] = true
		}
		reach[i] = below
	}
	t.markRead()
}

// markRead finds the nodes with state that a join reads on behalf of rows that come through the same node.
func (t *Topology) markRead() {
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if !n.Joins {
			continue
		}
		times := map[NodeID]int{} // how many of the inputs lead back to a node
		for _, in := range n.Inputs {
			for id := range t.inFront(in) {
				times[id]++
			}
		}
		for id, k := range times {
			if k > 1 && len(t.Nodes[id].Stores) > 0 {
				t.Nodes[id].RowWise = true
			}
		}
	}
}

// inFront returns a node and those in front of it up to the next Repartitions.
func (t *Topology) inFront(id NodeID) map[NodeID]bool {
	seen := map[NodeID]bool{}
	todo := []NodeID{id}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[id] && t.Nodes[id].Kind != Repartition {
			seen[id] = true
			todo = append(todo, t.Nodes[id].Inputs...)
		}
	}
	return seen
}

// markUnkeyed finds the Repartitions with a node behind them, however far, that wants rows with a null key.
func (t *Topology) markUnkeyed() {
	wanted := make([]bool, len(t.Nodes))
	for i := len(t.Nodes) - 1; i >= 0; i-- { // children have higher numbers
		n := &t.Nodes[i]
		behind := slices.ContainsFunc(n.Children, func(e Edge) bool { return wanted[e.To] && (e.Slot == 0 || !t.Nodes[e.To].LooksUp) })
		n.KeepsUnkeyed = n.Kind == Repartition && behind
		wanted[i] = n.Unkeyed || behind
	}
}

// places names what a node shares with others: itself, its topic, its stores. routed: some rows choose their topic, so all sinks may meet.
func (n *Node) places(routed bool) []string {
	places := []string{"node " + n.Name}
	switch {
	case n.Kind == Sink && routed:
		places = append(places, "any topic")
	case n.Kind == Sink:
		for _, topic := range n.Topics {
			places = append(places, "topic "+topic)
		}
	}
	for _, store := range slices.Concat(n.Stores, n.Uses) {
		places = append(places, "store "+store)
	}
	return slices.Clip(places)
}
