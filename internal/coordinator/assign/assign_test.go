package assign

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func topic(i int, partitions int32) Topic {
	return Topic{Name: fmt.Sprintf("t%03d", i), ID: TopicID{byte(i), byte(i >> 8), 1}, Partitions: partitions}
}

// request draws a group: alike means that all members want all topics.
func request(t *rapid.T, alike bool) Request {
	var r Request
	for i := range rapid.IntRange(0, 6).Draw(t, "topics") {
		r.Topics = append(r.Topics, topic(i, int32(rapid.IntRange(0, 12).Draw(t, "partitions"))))
	}
	for i := range rapid.IntRange(0, 7).Draw(t, "members") {
		m := Member{ID: fmt.Sprintf("m%d", i)}
		if rapid.Bool().Draw(t, "static") {
			m.InstanceID = fmt.Sprintf("i%d", 9-i)
		}
		for j := range r.Topics {
			if alike || rapid.Bool().Draw(t, "wants") {
				m.Topics = append(m.Topics, j)
			}
		}
		r.Members = append(r.Members, m)
	}
	return r
}

// checkWhole verifies that every partition of a subscribed topic is with exactly one subscriber, and nothing else is with anybody.
func checkWhole(t *rapid.T, r Request, got []Partitions) {
	if len(got) != len(r.Members) {
		t.Fatalf("%d answers for %d members", len(got), len(r.Members))
	}
	given := 0
	for j, topic := range r.Topics {
		holders := make([]int, topic.Partitions)
		wanted := false
		for m, of := range got {
			wants := slices.Contains(r.Members[m].Topics, j)
			wanted = wanted || wants
			ps := of[topic.ID]
			if len(ps) > 0 && !wants {
				t.Fatalf("%s has %v of %s, which it does not want", r.Members[m].ID, ps, topic.Name)
			}
			if !slices.IsSorted(ps) {
				t.Fatalf("%v is not ascending", ps)
			}
			for _, p := range ps {
				holders[p]++
			}
			given += len(ps)
		}
		for p, n := range holders {
			if wanted && n != 1 || !wanted && n != 0 {
				t.Fatalf("%s/%d is with %d members", topic.Name, p, n)
			}
		}
	}
	all := 0
	for _, of := range got {
		all += of.Count()
	}
	if all != given {
		t.Fatalf("%d partitions of topics that do not exist", all-given)
	}
}

// checkEven verifies that no partition could go to a subscriber with two fewer.
func checkEven(t *rapid.T, r Request, got []Partitions) {
	for j, topic := range r.Topics {
		for m, of := range got {
			for n := range got {
				if len(of[topic.ID]) > 0 && slices.Contains(r.Members[n].Topics, j) && of.Count()-got[n].Count() > 1 {
					t.Fatalf("%s has %d partitions, some of %s, and %s, who wants them, has %d",
						r.Members[m].ID, of.Count(), topic.Name, r.Members[n].ID, got[n].Count())
				}
			}
		}
	}
}

func owning(r Request, owned []Partitions) Request {
	next := Request{Topics: slices.Clone(r.Topics), Members: slices.Clone(r.Members)}
	for i := range next.Members {
		next.Members[i].Owned = owned[i]
	}
	return next
}

// change draws what may happen to a group between two assignments.
func change(t *rapid.T, r Request, alike bool) Request {
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			if len(r.Members) > 0 {
				r.Members = slices.Delete(r.Members, 0, 1)
			}
		case 1:
			m := Member{ID: fmt.Sprintf("n%d", len(r.Members))}
			for j := range r.Topics {
				m.Topics = append(m.Topics, j)
			}
			r.Members = append(r.Members, m)
		case 2:
			if len(r.Topics) > 0 {
				r.Topics[0].Partitions += int32(rapid.IntRange(-2, 3).Draw(t, "grow"))
				r.Topics[0].Partitions = max(r.Topics[0].Partitions, 0)
			}
		case 3:
			if !alike && len(r.Members) > 0 && len(r.Members[0].Topics) > 0 {
				r.Members[0].Topics = r.Members[0].Topics[1:]
			}
		}
	}
	return r
}

func TestUniformGivesEveryPartitionOnceEvenlyAndMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alike := rapid.Bool().Draw(t, "alike")
		r := request(t, alike)
		got := Uniform(r)
		checkWhole(t, r, got)
		checkEven(t, r, got)

		same := owning(r, got)
		for i, of := range Uniform(same) {
			if !of.Equal(got[i]) {
				t.Fatalf("nothing changed, but %s has %v and had %v", r.Members[i].ID, of, got[i])
			}
		}
		next := change(t, owning(r, got), alike)
		after := Uniform(next)
		checkWhole(t, next, after)
		checkEven(t, next, after)
		if alike {
			checkMoves(t, next, after)
		}
	})
}

// checkMoves verifies for members that want the same that a member gives nothing away while it is not above its share. The share of
// those that held the most is one larger when it does not come out even.
func checkMoves(t *rapid.T, r Request, after []Partitions) {
	total := 0
	for _, topic := range r.Topics {
		total += int(topic.Partitions)
	}
	for i, m := range r.Members {
		had, kept := 0, 0
		for j, topic := range r.Topics {
			for _, p := range m.Owned[topic.ID] {
				if slices.Contains(m.Topics, j) && p < topic.Partitions {
					had++
					if after[i].Has(topic.ID, p) {
						kept++
					}
				}
			}
		}
		if share := total / len(r.Members); kept < min(had, share) {
			t.Fatalf("%s had %d partitions and keeps %d, its share is %d", m.ID, had, kept, share)
		}
	}
}

func TestRangeGivesEveryPartitionOnceInSpansThatMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alike := rapid.Bool().Draw(t, "alike")
		r := request(t, alike)
		got := Range(r)
		checkWhole(t, r, got)
		for _, of := range got {
			for _, ps := range of {
				if int(ps[len(ps)-1]-ps[0]) != len(ps)-1 {
					t.Fatalf("%v is no span", ps)
				}
			}
		}
		for i, a := range r.Topics {
			for _, of := range got {
				for n := range got {
					if alike && len(of[a.ID])-len(got[n][a.ID]) > 1 {
						t.Fatalf("%v and %v of one topic", of[a.ID], got[n][a.ID])
					}
				}
				for _, b := range r.Topics[i+1:] {
					if alike && a.Partitions == b.Partitions && !slices.Equal(of[a.ID], of[b.ID]) {
						t.Fatalf("%v of one topic and %v of the other", of[a.ID], of[b.ID])
					}
				}
			}
		}
	})
}

func TestRangeOrdersStaticMembersByInstance(t *testing.T) {
	r := Request{Topics: []Topic{topic(0, 3)}, Members: []Member{
		{ID: "a", Topics: []int{0}}, {ID: "b", InstanceID: "2", Topics: []int{0}}, {ID: "c", InstanceID: "1", Topics: []int{0}},
	}}
	got := Range(r)
	for i, want := range []int32{2, 1, 0} {
		if of := got[i][r.Topics[0].ID]; len(of) != 1 || of[0] != want {
			t.Errorf("%s has %v, want %d", r.Members[i].ID, of, want)
		}
	}
}

func TestUniformDealsATopicOut(t *testing.T) {
	r := Request{Topics: []Topic{topic(0, 4), topic(1, 4)}, Members: []Member{{ID: "a", Topics: []int{0, 1}}, {ID: "b", Topics: []int{0, 1}}}}
	for i, of := range Uniform(r) {
		for _, topic := range r.Topics {
			if len(of[topic.ID]) != 2 {
				t.Errorf("%s has %v of %s", r.Members[i].ID, of[topic.ID], topic.Name)
			}
		}
	}
}

// A thousand members and ten thousand partitions, then half of the members: what takes an assignor too long shows here.
func TestUniformStaysEvenInLargeGroups(t *testing.T) {
	var r Request
	for i := range 200 {
		r.Topics = append(r.Topics, topic(i, 50))
	}
	for i := range 1000 {
		m := Member{ID: fmt.Sprintf("m%04d", i)}
		for j := range r.Topics {
			if (i+j)%3 > 0 {
				m.Topics = append(m.Topics, j)
			}
		}
		r.Members = append(r.Members, m)
	}
	half := owning(r, Uniform(r))
	half.Members = half.Members[500:]
	for _, of := range Uniform(half) {
		if n := of.Count(); n < 19 || n > 21 {
			t.Fatalf("%d partitions, the mean is 20", n)
		}
	}
}
