package assign

import (
	"cmp"
	"slices"
)

// Range cuts each topic into spans, one for each of its subscribers, the first ones a partition longer when it does not come out
// even. Subscribers stand in one order for all topics, so that with equal partition counts and equal subscribers a member has the
// same numbers of every topic. Static members come first, by instance id: a member that comes back has its old span.
func Range(r Request) []Partitions {
	out := r.empty()
	rank := func(a, b int) int {
		x, y := &r.Members[a], &r.Members[b]
		if (x.InstanceID != "") != (y.InstanceID != "") {
			if x.InstanceID != "" {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.InstanceID, y.InstanceID), cmp.Compare(x.ID, y.ID))
	}
	for t, members := range r.subscribers() {
		slices.SortFunc(members, rank)
		next, left := int32(0), r.Topics[t].Partitions
		for i, m := range members {
			waiting := int32(len(members) - i)
			span := (left + waiting - 1) / waiting
			for p := next; p < next+span; p++ {
				out[m][r.Topics[t].ID] = append(out[m][r.Topics[t].ID], p)
			}
			next, left = next+span, left-span
		}
	}
	return out
}
