package topology

import "slices"

// Loops tells where rows come back to the sub-topology that they left, to a step that reads a table which they changed: that of a
// foreign-key join. circular are the inputs of such rows. Each of these must come back before the next is taken, else it would be
// joined with a later state of the table; until then only rows of the repartitions on the way, those in between, may be taken.
func (t *Topology) Loops() (circular, between map[NodeID]bool) {
	circular, between = map[NodeID]bool{}, map[NodeID]bool{}
	far := make(map[NodeID]map[NodeID]bool) // the repartitions that rows of an input reach, by the input
	for _, sub := range t.Subs {
		for _, id := range sub.Inputs {
			far[id] = t.repartitionsBehind(id)
		}
	}
	for _, sub := range t.Subs {
		for _, from := range sub.Inputs {
			for _, back := range sub.Inputs {
				if !far[from][back] || !t.meetAtJoin(from, back) {
					continue
				}
				circular[from] = true
				for id := range far[from] {
					if id == back || far[id][back] {
						between[id] = true
					}
				}
			}
		}
	}
	return circular, between
}

// repartitionsBehind returns the Repartitions that rows of an input reach, through any number of others.
func (t *Topology) repartitionsBehind(input NodeID) map[NodeID]bool {
	found := map[NodeID]bool{}
	for id := range t.behind(input, func(NodeID) bool { return true }) {
		if id != input && t.Nodes[id].Kind == Repartition {
			found[id] = true
		}
	}
	return found
}

// meetAtJoin tells whether rows of two inputs of a sub-topology reach the same join in it.
func (t *Topology) meetAtJoin(a, b NodeID) bool {
	within := func(id NodeID) bool { return t.Nodes[id].Kind != Repartition }
	others := t.behind(b, within)
	for id := range t.behind(a, within) {
		if t.Nodes[id].Joins && others[id] {
			return true
		}
	}
	return false
}

// behind returns a node and those that its rows reach, as far as through says; the node itself is always passed.
func (t *Topology) behind(from NodeID, through func(NodeID) bool) map[NodeID]bool {
	seen := map[NodeID]bool{}
	todo := []NodeID{from}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = slices.Delete(todo, len(todo)-1, len(todo))
		if seen[id] {
			continue
		}
		seen[id] = true
		if id != from && !through(id) {
			continue
		}
		for _, e := range t.Nodes[id].Children {
			todo = append(todo, e.To)
		}
	}
	return seen
}
