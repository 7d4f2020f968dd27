// Package assign decides which worker of an application runs which task.
//
// Whoever leads the group of workers calls Balance when workers or tasks come and go, and Step for what may change hands at once; it calls
// nobody.
//
// The functions are pure: they keep nothing, change nothing of what they are given, and equal requests have equal answers, whatever the
// order of members and tasks.
//
// The rules, in this order: each task has exactly one owner; the tasks of each sub-topology are spread evenly, so that members differ by one
// at most; so are all tasks together; and of all ways to do that one is taken in which the fewest tasks change hands. Tasks that do go where
// their state is stored, as far as the members that have it get any.
//
// Membership, generations and fencing are not here, nor how workers agree: see the group protocol.
package assign

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A Task is one to be run.
type Task struct {
	ID     topology.TaskID
	Inputs []record.TopicPartition // what it reads; whoever runs the task owns them
}

// A Member is a worker with the tasks that it runs now. Tasks that do not exist are ignored; of several members that claim a task the
// first by id counts.
type Member struct {
	ID    string // unique
	Owned []topology.TaskID
	// Stored are tasks whose state the member has on its disk, by how new it is. Those that nobody runs count as run by who has the newest.
	Stored map[topology.TaskID]int64
}

// An Assignment gives members their tasks, by the members' ids, in order of the tasks. Every member is in it.
type Assignment map[string][]topology.TaskID

// Inputs returns all that the tasks of a member read, in order: what it is assigned in terms of the group protocol.
func (a Assignment) Inputs(member string, tasks []Task) []record.TopicPartition {
	var tps []record.TopicPartition
	for _, t := range tasks {
		if slices.Contains(a[member], t.ID) {
			tps = append(tps, t.Inputs...)
		}
	}
	slices.SortFunc(tps, func(a, b record.TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return tps
}

// Balance returns who shall run which task. Without members nobody does.
func Balance(tasks []Task, members []Member) Assignment {
	a := Assignment{}
	members = sorted(members)
	if len(members) == 0 {
		return a
	}
	b := newBalance(tasks, members)
	shares := b.shares()
	for m := range members {
		a[members[m].ID] = []topology.TaskID{}
	}
	for s, ids := range b.subs {
		var free []topology.TaskID
		keeps := b.keeps(s, shares[s], members)
		for _, id := range ids {
			if m, kept := keeps[id]; kept {
				shares[s][m]--
				a[members[m].ID] = append(a[members[m].ID], id)
			} else {
				free = append(free, id)
			}
		}
		free = giveStored(a, free, shares[s], members)
		for m := range members {
			n := shares[s][m]
			a[members[m].ID], free = append(a[members[m].ID], free[:n]...), free[n:]
		}
	}
	for _, ids := range a {
		slices.SortFunc(ids, topology.TaskID.Compare)
	}
	return a
}

// keeps returns which tasks of a sub-topology stay, with their owners: as many as the shares allow. What an owner has too many of goes
// first where others have it stored who get more than they run.
func (b *balance) keeps(s int, shares []int, members []Member) map[topology.TaskID]int {
	byOwner := make([][]topology.TaskID, len(members))
	for _, id := range b.subs[s] {
		if m, owned := b.owner[id]; owned {
			byOwner[m] = append(byOwner[m], id)
		}
	}
	wanted := func(id topology.TaskID) int {
		for m := range members {
			if _, stored := members[m].Stored[id]; stored && shares[m] > len(byOwner[m]) {
				return 1
			}
		}
		return 0
	}
	kept := map[topology.TaskID]int{}
	for m, ids := range byOwner {
		slices.SortStableFunc(ids, func(x, y topology.TaskID) int { return cmp.Compare(wanted(x), wanted(y)) })
		for _, id := range ids[:min(shares[m], len(ids))] {
			kept[id] = m
		}
	}
	return kept
}

// giveStored gives tasks to members that have them stored and get some, and returns the others.
func giveStored(a Assignment, free []topology.TaskID, shares []int, members []Member) []topology.TaskID {
	return slices.DeleteFunc(free, func(id topology.TaskID) bool {
		best := -1
		for m := range members {
			next, stored := members[m].Stored[id]
			if stored && shares[m] > 0 && (best < 0 || next > members[best].Stored[id]) {
				best = m
			}
		}
		if best >= 0 {
			shares[best]--
			a[members[best].ID] = append(a[members[best].ID], id)
		}
		return best >= 0
	})
}

func sorted(members []Member) []Member {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return members
}

// A balance is what shares are computed from.
type balance struct {
	subs    [][]topology.TaskID     // by sub-topology, in order
	owner   map[topology.TaskID]int // index of the member that runs it now
	owned   [][]int                 // how many tasks of a sub-topology a member runs now
	members int
	tasks   int
}

func newBalance(tasks []Task, members []Member) *balance {
	b := &balance{owner: map[topology.TaskID]int{}, members: len(members)}
	ids := make([]topology.TaskID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	slices.SortFunc(ids, topology.TaskID.Compare)
	ids = slices.Compact(ids)
	b.tasks = len(ids)
	for i, id := range ids {
		if i == 0 || id.Sub != ids[i-1].Sub {
			b.subs = append(b.subs, nil)
			b.owned = append(b.owned, make([]int, len(members)))
		}
		b.subs[len(b.subs)-1] = append(b.subs[len(b.subs)-1], id)
	}
	for m := range members {
		for _, id := range members[m].Owned {
			s := slices.IndexFunc(b.subs, func(ids []topology.TaskID) bool { return slices.Contains(ids, id) })
			if _, claimed := b.owner[id]; s >= 0 && !claimed {
				b.owner[id] = m
				b.owned[s][m]++
			}
		}
	}
	b.claimStored(members)
	return b
}

// claimStored counts tasks that nobody runs as run by who has the newest state of them.
func (b *balance) claimStored(members []Member) {
	for s, ids := range b.subs {
		for _, id := range ids {
			best := -1
			for m := range members {
				if next, stored := members[m].Stored[id]; stored && (best < 0 || next > members[best].Stored[id]) {
					best = m
				}
			}
			if _, claimed := b.owner[id]; !claimed && best >= 0 {
				b.owner[id] = best
				b.owned[s][best]++
			}
		}
	}
}

// Step returns what each member may run now, on the way to target: what it runs and keeps, and what nobody else runs any more. A task that
// moves is so given up first and given to its new owner in a later step, when its old one has committed. done tells that target is reached.
func Step(target Assignment, members []Member) (now Assignment, done bool) {
	runs := map[topology.TaskID]string{}
	for _, m := range sorted(members) {
		for _, id := range m.Owned {
			if _, claimed := runs[id]; !claimed {
				runs[id] = m.ID
			}
		}
	}
	now, done = Assignment{}, true
	for member, ids := range target {
		now[member] = []topology.TaskID{}
		for _, id := range ids {
			if owner, taken := runs[id]; taken && owner != member {
				done = false
				continue
			}
			now[member] = append(now[member], id)
		}
	}
	return now, done
}
