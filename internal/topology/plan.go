package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Plan is a topology together with the partition counts it will run with.
type Plan struct {
	Topology *Topology
	Tasks    []int32          // number of tasks of each sub-topology
	Counts   map[NodeID]int32 // partitions of each Repartition
}

// Plan works out the number of tasks from the partition counts of the source topics.
//
// A sub-topology has as many tasks as the largest of its inputs has partitions. The inputs that reach the same state must have
// equal counts, else equal keys would meet in different tasks. A Repartition takes the count it was given; else that of the
// inputs it shares state with; else the largest of the inputs in front of it, as Kafka Streams does.
func (t *Topology) Plan(partitions map[string]int32) (*Plan, error) {
	p := &planner{t: t, topics: partitions, counts: map[NodeID]int32{}}
	if err := p.checkTopics(); err != nil {
		return nil, err
	}
	p.groups = t.stateGroups()
	p.count()
	if err := p.checkGroups(); err != nil {
		return nil, err
	}
	plan := &Plan{Topology: t, Tasks: make([]int32, len(t.Subs)), Counts: map[NodeID]int32{}}
	for i, sub := range t.Subs {
		if sub.Global {
			plan.Tasks[i] = 1
			continue
		}
		for _, id := range sub.Inputs {
			plan.Tasks[i] = max(plan.Tasks[i], p.counts[id])
			if t.Nodes[id].Kind == Repartition {
				plan.Counts[id] = p.counts[id]
			}
		}
	}
	return plan, nil
}

type planner struct {
	t      *Topology
	topics map[string]int32
	counts map[NodeID]int32 // of Sources (their largest topic) and Repartitions
	groups [][]NodeID       // inputs that must have equal counts
}

func (p *planner) checkTopics() error {
	var mistakes []error
	for _, topic := range p.t.SourceTopics() {
		if p.topics[topic] < 1 {
			mistakes = append(mistakes, fmt.Errorf("source topic %q: the number of partitions is not known", topic))
		}
	}
	return errors.Join(mistakes...)
}

// count assigns all counts. Nodes in front of a Repartition have lower numbers, so one pass settles those that depend only on
// what is in front; the groups may raise some, which later Repartitions follow in the next pass.
func (p *planner) count() {
	for range len(p.t.Nodes) + 1 {
		changed := false
		for i := range p.t.Nodes {
			n := &p.t.Nodes[i]
			var c int32
			switch n.Kind {
			case Source:
				for _, topic := range n.Topics {
					c = max(c, p.topics[topic])
				}
			case Repartition:
				c = p.repartition(n)
			default:
				continue
			}
			changed = changed || c != p.counts[n.ID]
			p.counts[n.ID] = c
		}
		if !changed {
			return
		}
	}
}

func (p *planner) repartition(n *Node) int32 {
	if n.Partitions > 0 {
		return n.Partitions
	}
	var shared int32
	for _, group := range p.groups {
		if !slices.Contains(group, n.ID) {
			continue
		}
		for _, id := range group {
			other := &p.t.Nodes[id]
			if id != n.ID && (other.Kind == Source && len(other.Topics) > 0 || other.Partitions > 0) {
				return p.counts[id] // fixed from outside: it decides
			}
			shared = max(shared, p.counts[id])
		}
	}
	for _, id := range p.t.inputsOf(n.Inputs) {
		shared = max(shared, p.counts[id])
	}
	return shared
}

func (p *planner) checkGroups() error {
	var mistakes []error
	for _, group := range p.groups {
		if group = p.matched(group); len(group) == 0 {
			continue
		}
		var names []string
		equal := true
		first := p.firstCount(group[0])
		for _, id := range group {
			n := &p.t.Nodes[id]
			if n.Kind == Repartition {
				names = append(names, fmt.Sprintf("the repartition %q has %d", n.Name, p.counts[id]))
				equal = equal && p.counts[id] == first
			}
			for _, topic := range sourceTopics(n) {
				names = append(names, fmt.Sprintf("topic %q has %d", topic, p.topics[topic]))
				equal = equal && p.topics[topic] == first
			}
		}
		if !equal {
			mistakes = append(mistakes, fmt.Errorf("inputs that share state need equal numbers of partitions: %s; put a repartition in front of one",
				strings.Join(names, ", ")))
		}
	}
	return errors.Join(mistakes...)
}

// matched leaves out sources whose pattern matches no topic: they have no partitions, and nothing to share.
func (p *planner) matched(group []NodeID) []NodeID {
	return slices.DeleteFunc(slices.Clone(group), func(id NodeID) bool { return p.t.Nodes[id].Pattern != nil && len(p.t.Nodes[id].Topics) == 0 })
}

func (p *planner) firstCount(id NodeID) int32 {
	if topics := sourceTopics(&p.t.Nodes[id]); len(topics) > 0 {
		return p.topics[topics[0]]
	}
	return p.counts[id]
}

func sourceTopics(n *Node) []string {
	if n.Kind != Source {
		return nil
	}
	return n.Topics
}

// stateGroups returns, for each node with stores or that reads those in front of it, the inputs that reach it; equal groups once.
func (t *Topology) stateGroups() [][]NodeID {
	var groups [][]NodeID
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if len(n.Stores) == 0 && !n.Joins {
			continue
		}
		group := t.inputsOf(slices.Concat(n.Inputs, t.inputsOfUsers(n)))
		if len(group) > 0 && !slices.ContainsFunc(groups, func(g []NodeID) bool { return slices.Equal(g, group) }) {
			groups = append(groups, group)
		}
	}
	return groups
}

// inputsOfUsers returns the nodes in front of those that use a node's stores.
func (t *Topology) inputsOfUsers(owner *Node) (inputs []NodeID) {
	for i := range t.Nodes {
		for _, store := range t.Nodes[i].Uses {
			if slices.Contains(owner.Stores, store) {
				inputs = append(inputs, t.Nodes[i].Inputs...)
			}
		}
	}
	return inputs
}

// inputsOf returns the Sources and Repartitions from which rows reach the given nodes without crossing another Repartition.
func (t *Topology) inputsOf(nodes []NodeID) []NodeID {
	var inputs []NodeID
	seen := map[NodeID]bool{}
	todo := slices.Clone(nodes)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		n := &t.Nodes[id]
		if n.Kind == Source || n.Kind == Repartition {
			inputs = append(inputs, id)
			continue
		}
		todo = append(todo, n.Inputs...)
	}
	slices.Sort(inputs)
	return inputs
}
