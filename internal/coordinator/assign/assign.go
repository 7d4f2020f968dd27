// Package assign holds the assignors that a group coordinator runs itself (KIP-848): who of a group's members reads which partition.
//
// Package group/consumer calls an Assignor for each new target assignment; it calls nothing.
// Assignors are functions: they own nothing, change nothing of what they are given and keep nothing of it; equal requests have equal
// answers.
// There are two. Uniform spreads all partitions evenly over the members and moves as few as it can. Range gives each member the same
// span of every topic, so that topics with equal keys meet at one member. In both every partition of a subscribed topic goes to
// exactly one of its subscribers.
// Racks are not looked at: there is one node. When a partition really changes hands is not decided here.
package assign

import "slices"

// A TopicID is a topic's id (KIP-516).
type TopicID = [16]byte

// A Topic is one that members may subscribe to; its partitions are 0 to Partitions-1.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions int32
}

// Partitions are partition numbers by topic, ascending and each once. A topic without any is not in the map.
type Partitions map[TopicID][]int32

// Count is the number of partitions.
func (p Partitions) Count() int {
	n := 0
	for _, of := range p {
		n += len(of)
	}
	return n
}

// Has reports whether one partition is among p.
func (p Partitions) Has(id TopicID, partition int32) bool {
	_, ok := slices.BinarySearch(p[id], partition)
	return ok
}

// Tidy brings partitions that came in any order, repetitions included, into order.
func (p Partitions) Tidy() {
	for id, of := range p {
		if len(of) == 0 {
			delete(p, id)
			continue
		}
		slices.Sort(of)
		p[id] = slices.Compact(of)
	}
}

// Equal reports whether p and o hold the same partitions.
func (p Partitions) Equal(o Partitions) bool {
	if len(p) != len(o) {
		return false
	}
	for id, of := range p {
		if !slices.Equal(of, o[id]) {
			return false
		}
	}
	return true
}

// A Member is one reader. Topics are positions in Request.Topics, ascending. Owned is what it was given last time: topics or
// partitions that are gone, and those that it does not subscribe to any more, may be among it.
type Member struct {
	ID         string
	InstanceID string // empty: a dynamic member
	Topics     []int
	Owned      Partitions
}

// A Request is a group as an Assignor sees it: members by id, topics by name, each once.
type Request struct {
	Topics  []Topic
	Members []Member
}

// An Assignor gives each member, in the order of the request, its partitions.
type Assignor func(Request) []Partitions

// The names by which members ask for an assignor.
const (
	UniformName = "uniform"
	RangeName   = "range"
)

// Names are all assignors; the first is for groups whose members ask for none.
func Names() []string { return []string{UniformName, RangeName} }

// Named finds an assignor.
func Named(name string) (Assignor, bool) {
	switch name {
	case UniformName:
		return Uniform, true
	case RangeName:
		return Range, true
	}
	return nil, false
}

// subscribers lists, for each topic, the members that want it, ascending.
func (r *Request) subscribers() [][]int {
	out := make([][]int, len(r.Topics))
	for m := range r.Members {
		for _, t := range r.Members[m].Topics {
			out[t] = append(out[t], m)
		}
	}
	return out
}

// empty makes an answer without partitions.
func (r *Request) empty() []Partitions {
	out := make([]Partitions, len(r.Members))
	for i := range out {
		out[i] = Partitions{}
	}
	return out
}
