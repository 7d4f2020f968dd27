package topology

import (
	"maps"
	"slices"
)

// Optimize has Build put one Repartition directly behind a step that changes keys, in place of those that groupings and joins need
// further behind, as Kafka Streams' merge.repartition.topics does.
func (g *Graph) Optimize() { g.optimize = true }

// An optimizer rewrites the nodes of a graph. Nodes keep their ids until the end; new ones are numbered behind all others.
type optimizer struct {
	nodes   []Node
	removed map[NodeID]bool
	behind  map[NodeID]NodeID // step that changes keys → the new Repartition behind it
	changes []NodeID          // steps that change keys or merge such streams, in the order in which they are looked at
	moves   map[NodeID][]NodeID
}

// mergeRepartitions returns the nodes with Repartitions merged.
func mergeRepartitions(nodes []Node) []Node {
	o := &optimizer{nodes: nodes, removed: map[NodeID]bool{}, behind: map[NodeID]NodeID{}, moves: map[NodeID][]NodeID{}}
	o.collect()
	o.takeMerges()
	for _, change := range o.changes {
		if len(o.moves[change]) > 0 {
			o.replace(change)
		}
	}
	return o.renumbered()
}

// collect finds the steps that change keys, and the automatic Repartitions between which and them nothing is changed.
func (o *optimizer) collect() {
	for i := range o.nodes {
		n := &o.nodes[i]
		if n.Rekeys {
			o.changes = append(o.changes, n.ID)
			continue
		}
		if n.Kind != Repartition || !n.Automatic {
			continue
		}
		changer := o.find(n.ID, func(p *Node) bool { return p.ID != n.ID && !p.Keeps })
		if changer >= 0 && o.nodes[changer].Rekeys {
			o.moves[changer] = append(o.moves[changer], n.ID)
		}
	}
}

// takeMerges has a step that merges streams whose keys were changed take the place of the steps that changed them.
func (o *optimizer) takeMerges() {
	keyed := slices.Clone(o.changes)
	taken := map[NodeID]bool{}
	for i := range o.nodes {
		merge := NodeID(i)
		if !o.nodes[i].Merges {
			continue
		}
		var moves []NodeID
		for _, changer := range keyed {
			if !o.allBehind(o.moves[changer], merge) || o.childOf(changer, merge) < 0 {
				continue
			}
			taken[changer] = true
			for _, move := range o.moves[changer] {
				if !slices.Contains(moves, move) {
					moves = append(moves, move)
				}
			}
		}
		o.changes, o.moves[merge] = append(o.changes, merge), moves
	}
	o.changes = slices.DeleteFunc(o.changes, func(id NodeID) bool { return taken[id] })
}

func (o *optimizer) allBehind(moves []NodeID, merge NodeID) bool {
	return !slices.ContainsFunc(moves, func(move NodeID) bool { return o.childOf(merge, move) < 0 })
}

// childOf returns the child of a node on the way to one behind it; -1: there is no way.
func (o *optimizer) childOf(above, below NodeID) NodeID {
	return o.find(below, func(n *Node) bool { return slices.Contains(n.Inputs, above) })
}

// find returns the nearest node, from start against the arrows, of which match is true; -1: there is none.
func (o *optimizer) find(start NodeID, match func(*Node) bool) NodeID {
	if match(&o.nodes[start]) {
		return start
	}
	found := NodeID(-1)
	for _, in := range o.nodes[start].Inputs {
		if match(&o.nodes[in]) {
			return in
		}
		found = o.find(in, match)
	}
	return found
}

// replace puts one Repartition behind a step for all that belong to it. It has the name of the first.
func (o *optimizer) replace(changer NodeID) {
	moves := o.moves[changer]
	single := o.nodes[moves[0]]
	single.ID, single.Inputs = NodeID(len(o.nodes)), nil // until all is found that hangs on the changer
	o.nodes = append(o.nodes, single)
	o.behind[changer] = single.ID
	for _, move := range moves {
		if child := o.childOf(changer, move); child >= 0 { // else it hangs on the new one already, by a step that two moves share
			o.relink(child, changer, single.ID)
		}
		above := o.nodes[move].Inputs[0]
		for i := range o.nodes {
			if !o.removed[NodeID(i)] {
				o.relink(NodeID(i), move, above)
			}
		}
		o.removed[move] = true
	}
	o.nodes[single.ID].Inputs = []NodeID{changer}
}

// relink replaces an input of a node.
func (o *optimizer) relink(id, from, to NodeID) {
	for slot, in := range o.nodes[id].Inputs {
		if in == from {
			o.nodes[id].Inputs[slot] = to
		}
	}
}

// renumbered returns the nodes that are left in their order, each new one directly behind the step that it belongs to.
func (o *optimizer) renumbered() []Node {
	numbers := map[NodeID]NodeID{}
	var ordered []Node
	add := func(id NodeID) {
		numbers[id] = NodeID(len(ordered))
		ordered = append(ordered, o.nodes[id])
	}
	added := map[NodeID]bool{}
	for id := range maps.Values(o.behind) {
		added[id] = true
	}
	for i := range o.nodes {
		id := NodeID(i)
		if o.removed[id] || added[id] {
			continue
		}
		add(id)
		if single, ok := o.behind[id]; ok {
			add(single)
		}
	}
	for i := range ordered {
		ordered[i].ID = NodeID(i)
		for slot, in := range ordered[i].Inputs {
			ordered[i].Inputs[slot] = numbers[in]
		}
	}
	return ordered
}
