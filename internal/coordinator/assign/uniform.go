package assign

import (
	"cmp"
	"slices"
)

// Uniform spreads the partitions evenly and keeps them where they are as far as it can. When all members want the same topics their
// numbers of partitions differ by one at most, and no other even answer moves fewer. When they differ no partition could go to
// another subscriber of its topic that has two fewer.
func Uniform(r Request) []Partitions {
	s := newSpread(r)
	s.keep()
	if s.alike() {
		s.trim()
	}
	s.place()
	s.balance()
	return s.answer()
}

// A spread is an answer in the making.
type spread struct {
	Request
	wanted [][]int   // by topic: its subscribers
	holder [][]int   // by topic and partition: the member, or nobody
	held   [][][]int // by topic and subscriber (its position in wanted): the partitions it holds, in no order
	load   []int     // by member: the partitions it holds
}

const nobody = -1

func newSpread(r Request) *spread {
	s := &spread{Request: r, wanted: r.subscribers(), load: make([]int, len(r.Members))}
	s.holder = make([][]int, len(r.Topics))
	s.held = make([][][]int, len(r.Topics))
	for t := range r.Topics {
		s.holder[t] = slices.Repeat([]int{nobody}, int(r.Topics[t].Partitions))
		s.held[t] = make([][]int, len(s.wanted[t]))
	}
	return s
}

// give hands a partition that nobody holds to the i-th subscriber of its topic.
func (s *spread) give(t, i, p int) {
	m := s.wanted[t][i]
	s.holder[t][p] = m
	s.held[t][i] = append(s.held[t][i], p)
	s.load[m]++
}

// take takes the last of its partitions of a topic from the i-th subscriber.
func (s *spread) take(t, i int) int {
	last := len(s.held[t][i]) - 1
	p := s.held[t][i][last]
	s.held[t][i] = s.held[t][i][:last]
	s.holder[t][p] = nobody
	s.load[s.wanted[t][i]]--
	return p
}

// keep leaves partitions with the members that own them and still want them.
func (s *spread) keep() {
	for t, members := range s.wanted {
		for i, m := range members {
			for _, p := range s.Members[m].Owned[s.Topics[t].ID] {
				if int(p) < len(s.holder[t]) && s.holder[t][p] == nobody {
					s.give(t, i, int(p))
				}
			}
		}
	}
}

// alike reports whether all members want the same topics.
func (s *spread) alike() bool {
	for i := range s.Members {
		if !slices.Equal(s.Members[i].Topics, s.Members[0].Topics) {
			return false
		}
	}
	return true
}

// trim takes from members that want the same topics what is above their share: the whole part of the mean, and one more for as many
// of them as it takes, those first that hold the most.
func (s *spread) trim() {
	total := 0
	for t := range s.Topics {
		if len(s.wanted[t]) > 0 {
			total += len(s.holder[t])
		}
	}
	if len(s.Members) == 0 || total == 0 {
		return
	}
	share, more := total/len(s.Members), total%len(s.Members)
	order := make([]int, len(s.Members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.load[b], s.load[a]) })
	for _, m := range order {
		limit := share
		if more > 0 {
			limit++
			more--
		}
		for t := len(s.Topics) - 1; t >= 0 && s.load[m] > limit; t-- {
			if i, ok := slices.BinarySearch(s.wanted[t], m); ok {
				for len(s.held[t][i]) > 0 && s.load[m] > limit {
					s.take(t, i)
				}
			}
		}
	}
}

// place gives every partition without holder to the subscriber with the lowest load, topics with few subscribers first: the others
// leave more choice for later.
func (s *spread) place() {
	order := make([]int, len(s.Topics))
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(s.wanted[a]), len(s.wanted[b])) })
	for _, t := range order {
		if len(s.wanted[t]) == 0 {
			continue
		}
		q := s.byLoad(t)
		for p, m := range s.holder[t] {
			if m == nobody {
				s.give(t, q[0], p)
				s.sink(t, q)
			}
		}
	}
}

// byLoad lists the subscribers of a topic as a heap, the lowest load on top.
func (s *spread) byLoad(t int) []int {
	q := make([]int, len(s.wanted[t]))
	for i := range q {
		q[i] = i
	}
	slices.SortFunc(q, func(a, b int) int { return s.compare(t, a, b) })
	return q
}

func (s *spread) compare(t, a, b int) int {
	return cmp.Or(cmp.Compare(s.load[s.wanted[t][a]], s.load[s.wanted[t][b]]), cmp.Compare(a, b))
}

// sink brings the top of the heap, whose load has grown, to its place.
func (s *spread) sink(t int, q []int) {
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(q) && s.compare(t, q[c], q[least]) < 0 {
				least = c
			}
		}
		if least == i {
			return
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}

// balance moves partitions from one subscriber of a topic to another that has two fewer at least, until there are none such. The
// sum of the squares of all loads falls with each move: it ends.
func (s *spread) balance() {
	for moved := true; moved; {
		moved = false
		for t := range s.Topics {
			for s.move(t) {
				moved = true
			}
		}
	}
}

// move carries out one move within a topic.
func (s *spread) move(t int) bool {
	from, to := nobody, nobody
	for i, m := range s.wanted[t] {
		if len(s.held[t][i]) > 0 && (from == nobody || s.load[m] > s.load[s.wanted[t][from]]) {
			from = i
		}
		if to == nobody || s.load[m] < s.load[s.wanted[t][to]] {
			to = i
		}
	}
	if from == nobody || s.load[s.wanted[t][from]]-s.load[s.wanted[t][to]] < 2 {
		return false
	}
	s.give(t, to, s.take(t, from))
	return true
}

func (s *spread) answer() []Partitions {
	out := s.empty()
	for t := range s.Topics {
		id := s.Topics[t].ID
		for p, m := range s.holder[t] {
			if m != nobody {
				out[m][id] = append(out[m][id], int32(p))
			}
		}
	}
	return out
}
