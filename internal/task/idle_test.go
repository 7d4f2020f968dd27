package task_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// An idleSet reads topics a and b and waits 100 ms for one of them.
type idleSet struct {
	t   *testing.T
	set *task.Set
	out sink
}

func newIdleSet(t *testing.T) *idleSet {
	t.Helper()
	set := newSet(t, task.Config{MaxIdle: 100 * time.Millisecond}, func(b *stream.Builder) {
		to(stream.FromTopics(b, []string{"a", "b"}, serde.String, serde.String), "out")
	})
	return &idleSet{t: t, set: set}
}

// at processes at a wall-clock time and returns what was emitted.
func (s *idleSet) at(now record.Timestamp) string {
	s.t.Helper()
	if err := s.set.Tick(&s.out, now); err != nil {
		s.t.Fatal(err)
	}
	mustProcess(s.t, s.set, &s.out)
	return s.out.take()
}

func TestATaskWaitsForAnEmptyPartition(t *testing.T) {
	s := newIdleSet(t)
	addChunk(t, s.set, chunk("a", 0, "k=1@10", "k=2@20"))
	if got := s.at(1000) + s.at(1099); got != "" {
		t.Errorf("nothing is known of b, but %s was emitted", got)
	}
	addChunk(t, s.set, chunk("b", 0, "k=3@15"))
	if got, want := s.at(1099), lines("out/0 k=1@10", "out/0 k=3@15"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.at(1198); got != "" {
		t.Errorf("b is empty again, but %s was emitted", got)
	}
	if got, want := s.at(1199), "out/0 k=2@20"; got != want {
		t.Errorf("after the wait got %s, want %s", got, want)
	}
	addChunk(t, s.set, chunk("a", 2, "k=4@30"))
	if got, want := s.at(1200), "out/0 k=4@30"; got != want {
		t.Errorf("b was waited for already: got %s, want %s", got, want)
	}
}

func TestATaskWaitsForWhatIsKnownToBeInATopic(t *testing.T) {
	s := &idleSet{t: t, set: newSet(t, task.Config{}, func(b *stream.Builder) {
		to(stream.FromTopics(b, []string{"a", "b"}, serde.String, serde.String), "out")
	})}
	if err := s.set.Expect(record.TopicPartition{Topic: "b"}, 2); err != nil {
		t.Fatal(err)
	}
	addChunk(t, s.set, chunk("a", 0, "k=1@10", "k=2@20"))
	if got := s.at(1000); got != "" {
		t.Errorf("two records of b are not here yet, but %s was emitted", got)
	}
	c := chunk("b", 0, "k=3@15")
	c.End = 2
	addChunk(t, s.set, c)
	if got, want := s.at(1001), lines("out/0 k=1@10", "out/0 k=3@15"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c = chunk("b", 1, "k=4@30")
	c.End = 2
	addChunk(t, s.set, c)
	if got, want := s.at(1002), lines("out/0 k=2@20", "out/0 k=4@30"); got != want {
		t.Errorf("got %s, want %s: b has no more", got, want)
	}
	if err := s.set.Expect(record.TopicPartition{Topic: "c"}, 2); err == nil {
		t.Error("records of a topic that nobody reads were expected")
	}
}

func TestATaskDoesNotWaitForRecordsThatWillNotCome(t *testing.T) {
	s := &idleSet{t: t, set: newSet(t, task.Config{}, func(b *stream.Builder) {
		to(stream.FromTopics(b, []string{"a", "b"}, serde.String, serde.String), "out")
	})}
	if err := s.set.Expect(record.TopicPartition{Topic: "b"}, 5); err != nil {
		t.Fatal(err)
	}
	addChunk(t, s.set, chunk("a", 0, "k=1@10"))
	empty := chunk("b", 0)
	empty.Next, empty.End = 5, 5 // control records and aborted ones only
	addChunk(t, s.set, empty)
	if got, want := s.at(1000), "out/0 k=1@10"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A set that rests between any two epochs does what one does that never rests.
func TestASetThatRestsGoesOn(t *testing.T) {
	run := func(rest bool) string {
		s := newSet(t, task.Config{}, func(b *stream.Builder) {
			words := from(b, "in").Filter(func(v string) bool { return v != "x" })
			counts := stream.Count(stream.GroupBy(words, func(v string) string { return v }, serde.String), stream.Named("counts"))
			to(stream.MapValues(counts.Updates(), func(n int64) string { return fmt.Sprint(n) }), "out")
		})
		var out sink
		var got []string
		for i := range record.Offset(4) {
			addChunk(t, s, chunk("in", 3*i, fmt.Sprintf("a=%d@1", i%2), "b=x@2", "b=0@3"))
			mustProcess(t, s, &out)
			if err := s.Seal(&out); err != nil {
				t.Fatal(err)
			}
			s.Commit()
			got = append(got, out.take())
			if rest {
				s.Rest()
			}
		}
		return strings.Join(got, "\n")
	}
	if got, want := run(true), run(false); got != want || !strings.Contains(want, "out/0 0=6@3") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
