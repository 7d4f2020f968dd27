package assign

// Shares are found as a flow of least cost: a unit is a task, which goes from its sub-topology to a member and on to the end. The way to a
// member has room for as many tasks as the even share, rounded up. Those up to the share rounded down count most; then those that the
// member has already. More tasks on a way are never worth more, so the best flow is found by one augmenting path after the other.

// An edge of the network; the one with the next odd or even number leads back.
type edge struct {
	to, room int
	cost     int
}

type network struct {
	edges []edge
	from  [][]int // edges by node
}

func (n *network) connect(from, to, room, cost int) {
	if room <= 0 {
		return
	}
	n.from[from] = append(n.from[from], len(n.edges))
	n.from[to] = append(n.from[to], len(n.edges)+1)
	n.edges = append(n.edges, edge{to: to, room: room, cost: cost}, edge{to: from, cost: -cost})
}

// shares returns how many tasks of each sub-topology each member gets.
func (b *balance) shares() [][]int {
	start, end := len(b.subs)+b.members, len(b.subs)+b.members+1
	n := &network{from: make([][]int, end+1)}
	even := b.tasks + 1 // worth more than all that could be kept
	for s, ids := range b.subs {
		n.connect(start, s, len(ids), 0)
		least := len(ids) / b.members
		most := (len(ids) + b.members - 1) / b.members
		for m := range b.members {
			kept, to := b.owned[s][m], len(b.subs)+m
			n.connect(s, to, min(least, kept), -even-1)
			n.connect(s, to, least-kept, -even)
			n.connect(s, to, min(most, kept)-least, -1)
			n.connect(s, to, most-max(least, kept), 0)
		}
	}
	for m := range b.members {
		least := b.tasks / b.members
		n.connect(len(b.subs)+m, end, least, -even)
		n.connect(len(b.subs)+m, end, (b.tasks+b.members-1)/b.members-least, 0)
	}
	for n.augment(start, end) {
	}
	shares := make([][]int, len(b.subs))
	for s := range b.subs {
		shares[s] = make([]int, b.members)
		for _, e := range n.from[s] {
			if to := n.edges[e].to; e%2 == 0 && to != start {
				shares[s][to-len(b.subs)] += n.edges[e^1].room
			}
		}
	}
	return shares
}

// augment sends what it can along the cheapest way that has room; false: there is none.
func (n *network) augment(start, end int) bool {
	const far = int(^uint(0) >> 2)
	cost, by := make([]int, len(n.from)), make([]int, len(n.from))
	for i := range cost {
		cost[i] = far
	}
	cost[start] = 0
	for changed := true; changed; {
		changed = false
		for node := range n.from {
			if cost[node] == far {
				continue
			}
			for _, e := range n.from[node] {
				if to := n.edges[e].to; n.edges[e].room > 0 && cost[node]+n.edges[e].cost < cost[to] {
					cost[to], by[to], changed = cost[node]+n.edges[e].cost, e, true
				}
			}
		}
	}
	if cost[end] == far {
		return false
	}
	room := far
	for node := end; node != start; node = n.edges[by[node]^1].to {
		room = min(room, n.edges[by[node]].room)
	}
	for node := end; node != start; node = n.edges[by[node]^1].to {
		n.edges[by[node]].room -= room
		n.edges[by[node]^1].room += room
	}
	return true
}
