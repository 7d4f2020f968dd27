package assign_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/internal/assign"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

func tasksOf(sizes []int) []assign.Task {
	var tasks []assign.Task
	for sub, n := range sizes {
		for p := range n {
			tp := record.TopicPartition{Topic: fmt.Sprint("t", sub), Partition: int32(p)}
			tasks = append(tasks, assign.Task{ID: topology.TaskID{Sub: sub, Partition: int32(p)}, Inputs: []record.TopicPartition{tp}})
		}
	}
	return tasks
}

// spread is the difference between the most and the fewest tasks that members have, of those that count.
func spread(a assign.Assignment, counts func(topology.TaskID) bool) int {
	var sizes []int
	for _, ids := range a {
		n := 0
		for _, id := range ids {
			if counts(id) {
				n++
			}
		}
		sizes = append(sizes, n)
	}
	return slices.Max(sizes) - slices.Min(sizes)
}

func isBalanced(a assign.Assignment, subs int) bool {
	if spread(a, func(topology.TaskID) bool { return true }) > 1 {
		return false
	}
	for sub := range subs {
		if spread(a, func(id topology.TaskID) bool { return id.Sub == sub }) > 1 {
			return false
		}
	}
	return true
}

// moves counts the tasks whose owner is still a member but does not keep them.
func moves(a assign.Assignment, members []assign.Member, exists func(topology.TaskID) bool) int {
	n := 0
	for _, m := range members {
		for _, id := range m.Owned {
			if exists(id) && !slices.Contains(a[m.ID], id) {
				n++
			}
		}
	}
	return n
}

// fewestMoves tries all assignments.
func fewestMoves(tasks []assign.Task, members []assign.Member, subs int) int {
	best := len(tasks) + 1
	a := assign.Assignment{}
	for _, m := range members {
		a[m.ID] = nil
	}
	var try func(i int)
	try = func(i int) {
		if i == len(tasks) {
			if isBalanced(a, subs) {
				best = min(best, moves(a, members, func(id topology.TaskID) bool { return known(tasks, id) }))
			}
			return
		}
		for _, m := range members {
			a[m.ID] = append(a[m.ID], tasks[i].ID)
			try(i + 1)
			a[m.ID] = a[m.ID][:len(a[m.ID])-1]
		}
	}
	try(0)
	return best
}

func known(tasks []assign.Task, id topology.TaskID) bool {
	return slices.ContainsFunc(tasks, func(t assign.Task) bool { return t.ID == id })
}

func TestMembersComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Bool().Draw(t, "small")
		most, workers := 9, 6
		if small {
			most, workers = 3, 3
		}
		owned := map[string][]topology.TaskID{}
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			sizes := rapid.SliceOfN(rapid.IntRange(0, most), 1, 2).Draw(t, "sizes")
			tasks := tasksOf(sizes)
			var members []assign.Member
			for _, id := range rapid.SliceOfNDistinct(rapid.IntRange(0, workers-1), 1, workers, rapid.ID).Draw(t, "members") {
				name := fmt.Sprint("w", id)
				members = append(members, assign.Member{ID: name, Owned: owned[name]})
			}
			a := assign.Balance(tasks, members)
			check(t, a, tasks, members, len(sizes))
			shuffled := rapid.Permutation(members).Draw(t, "order")
			if again := assign.Balance(rapid.Permutation(tasks).Draw(t, "order of tasks"), shuffled); fmt.Sprint(again) != fmt.Sprint(a) {
				t.Fatalf("another order gives %v, not %v", again, a)
			}
			if small {
				got := moves(a, members, func(id topology.TaskID) bool { return known(tasks, id) })
				if want := fewestMoves(tasks, members, len(sizes)); got != want {
					t.Fatalf("%d tasks move, %d need to: %v", got, want, a)
				}
			}
			owned = a
		}
	})
}

func check(t *rapid.T, a assign.Assignment, tasks []assign.Task, members []assign.Member, subs int) {
	owners := map[topology.TaskID]int{}
	for _, ids := range a {
		for _, id := range ids {
			owners[id]++
		}
	}
	for _, task := range tasks {
		if owners[task.ID] != 1 {
			t.Fatalf("%v has %d owners", task.ID, owners[task.ID])
		}
	}
	if len(owners) != len(tasks) || len(a) != len(members) {
		t.Fatalf("%d tasks of %d, %d members of %d", len(owners), len(tasks), len(a), len(members))
	}
	if !isBalanced(a, subs) {
		t.Fatalf("not balanced: %v", a)
	}
	settled := make([]assign.Member, len(members))
	for i, m := range members {
		settled[i] = assign.Member{ID: m.ID, Owned: a[m.ID]}
	}
	if again := assign.Balance(tasks, settled); fmt.Sprint(again) != fmt.Sprint(a) {
		t.Fatalf("what is balanced moves: %v, then %v", a, again)
	}
	steps(t, a, members)
}

// steps follows the cooperative rule until the target is reached: at no time a task has two owners.
func steps(t *rapid.T, target assign.Assignment, members []assign.Member) {
	members = slices.Clone(members)
	for range 3 {
		now, done := assign.Step(target, members)
		for _, m := range members {
			for other, ids := range now {
				for _, id := range ids {
					if other != m.ID && slices.Contains(m.Owned, id) {
						t.Fatalf("%v is given to %s while %s runs it", id, other, m.ID)
					}
				}
			}
		}
		for i := range members {
			members[i].Owned = now[members[i].ID]
		}
		if done {
			if fmt.Sprint(now) != fmt.Sprint(target) {
				t.Fatalf("ends with %v, not %v", now, target)
			}
			return
		}
	}
	t.Fatalf("the target is not reached: %v", target)
}

func TestInputs(t *testing.T) {
	tasks := tasksOf([]int{2, 1})
	a := assign.Balance(tasks, []assign.Member{{ID: "a", Owned: []topology.TaskID{{Sub: 0, Partition: 1}}}, {ID: "b"}})
	want := "map[a:[0_1] b:[0_0 1_0]]"
	if got := fmt.Sprint(a); got != want && got != "map[a:[0_1 1_0] b:[0_0]]" {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(a.Inputs("a", tasks)[0]); got != "t0/1" {
		t.Errorf("a reads %s", got)
	}
	if len(assign.Balance(tasks, nil)) != 0 {
		t.Error("nobody has tasks")
	}
}

func id(sub int, partition int32) topology.TaskID {
	return topology.TaskID{Sub: sub, Partition: partition}
}

func TestTasksGoWhereTheirStateIs(t *testing.T) {
	tasks := tasksOf([]int{4})
	all := []topology.TaskID{id(0, 0), id(0, 1), id(0, 2), id(0, 3)}
	for name, c := range map[string]struct {
		members []assign.Member
		want    string
	}{
		"one that comes back": {
			[]assign.Member{{ID: "a", Owned: all}, {ID: "b", Stored: map[topology.TaskID]int64{id(0, 0): 5, id(0, 2): 5}}},
			"map[a:[0_1 0_3] b:[0_0 0_2]]",
		},
		"all are new, and the newest state counts": {
			[]assign.Member{
				{ID: "a", Stored: map[topology.TaskID]int64{id(0, 0): 9, id(0, 1): 5, id(0, 2): 5}},
				{ID: "b", Stored: map[topology.TaskID]int64{id(0, 0): 5, id(0, 1): 7, id(0, 2): 6}},
			},
			"map[a:[0_0 0_3] b:[0_1 0_2]]",
		},
		"no more than its share": {
			[]assign.Member{{ID: "a"}, {ID: "b", Stored: map[topology.TaskID]int64{id(0, 0): 1, id(0, 1): 1, id(0, 2): 1}}},
			"map[a:[0_2 0_3] b:[0_0 0_1]]",
		},
	} {
		if got := fmt.Sprint(assign.Balance(tasks, c.members)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	tasks := tasksOf([]int{2, 1})
	claim := assign.Claim(assign.Member{Owned: []topology.TaskID{id(0, 1), id(7, 0)}, Stored: map[topology.TaskID]int64{id(1, 0): 4711}})
	if want := `{"version":1,"owned":["0_1","7_0"],"stored":{"1_0":4711}}`; string(claim) != want {
		t.Errorf("claim %s, want %s", claim, want)
	}
	m, err := assign.ParseClaim("a", claim, tasks)
	if got, want := fmt.Sprint(m), "{a [0_1] map[1_0:4711]}"; got != want || err != nil {
		t.Errorf("read %s, want %s: %v", got, want, err)
	}
	order := assign.Order([]topology.TaskID{id(0, 1), id(1, 0)})
	if want := `{"version":1,"tasks":["0_1","1_0"]}`; string(order) != want {
		t.Errorf("order %s, want %s", order, want)
	}
	ids, err := assign.ParseOrder(order, tasksOf([]int{2}))
	if fmt.Sprint(ids) != "[0_1]" || !errors.Is(err, assign.ErrUnknownTask) {
		t.Errorf("read %v: %v", ids, err)
	}
	if ids, err := assign.ParseOrder(nil, tasks); ids != nil || err != nil {
		t.Errorf("an empty order: %v %v", ids, err)
	}
	for _, b := range []string{`{"version":2}`, "", "x"} {
		if _, err := assign.ParseClaim("a", []byte(b), tasks); !errors.Is(err, assign.ErrVersion) {
			t.Errorf("claim %q: %v", b, err)
		}
	}
}
