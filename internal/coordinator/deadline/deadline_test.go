package deadline

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimersOfOneTimeComeInTheOrderTheyWereSet(t *testing.T) {
	var q Queue[string]
	a, b, c := &Timer[string]{Of: "a"}, &Timer[string]{Of: "b"}, &Timer[string]{Of: "c"}
	q.Set(a, 5)
	q.Set(b, 5)
	q.Set(c, 3)
	q.Set(a, 5) // moved behind b
	if q.Due(2) != nil {
		t.Fatal("something due before its time")
	}
	var got []string
	for x := q.Due(5); x != nil; x = q.Due(5) {
		got = append(got, x.Of)
	}
	if !slices.Equal(got, []string{"c", "b", "a"}) {
		t.Errorf("due: %v", got)
	}
	if _, ok := q.Next(); ok || a.Pending() {
		t.Error("the queue is not empty afterwards")
	}
}

// The queue against a plain list that is searched every time.
func TestQueueAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[int]
		timers := make([]Timer[int], 12)
		type entry struct {
			id int
			at time.Duration
		}
		var list []entry
		drop := func(id int) { list = slices.DeleteFunc(list, func(e entry) bool { return e.id == id }) }
		for range rapid.IntRange(1, 80).Draw(t, "ops") {
			id := rapid.IntRange(0, len(timers)-1).Draw(t, "id")
			at := time.Duration(rapid.IntRange(0, 20).Draw(t, "at"))
			timers[id].Of = id
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0, 1:
				q.Set(&timers[id], at)
				drop(id)
				list = append(list, entry{id, at})
			case 2:
				q.Clear(&timers[id])
				drop(id)
			case 3:
				want := -1
				for i, e := range list {
					if e.at <= at && (want < 0 || e.at < list[want].at) {
						want = i
					}
				}
				got := q.Due(at)
				if (got == nil) != (want < 0) || got != nil && got.Of != list[want].id {
					t.Fatalf("Due(%d) = %v, want entry %d of %v", at, got, want, list)
				}
				if want >= 0 {
					drop(list[want].id)
				}
			}
			next, ok := q.Next()
			if ok != (len(list) > 0) {
				t.Fatalf("Next = %v with %d timers set", ok, len(list))
			}
			for _, e := range list {
				if e.at < next {
					t.Fatalf("Next = %d, but %d is set for %d", next, e.id, e.at)
				}
			}
		}
	})
}
