package task_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

const secret = "4111111111111111"

// fails rejects, panics or overflows at marked values.
func fails(v string) (string, error) {
	switch {
	case strings.HasPrefix(v, "error"):
		return "", fmt.Errorf("bad value %s", v)
	case strings.HasPrefix(v, "reject"):
		return "", stream.Reject("the card is no card")
	case strings.HasPrefix(v, "panic"):
		panic("bad value " + v)
	case strings.HasPrefix(v, "index"):
		return string(v[len(v)]), nil
	}
	return v, nil
}

// behind counts values, hands them on, and fails behind the exchange: everything in front has happened then.
func behind(b *stream.Builder) {
	s := from(b, "in")
	stream.Count(stream.GroupByKey(s), stream.Named("seen")).Updates().To("seen", serde.String, serde.Int64)
	g := stream.GroupBy(s, func(v string) string { return v[:1] }, serde.String)
	last := stream.Reduce(g, func(a, v string) string {
		out, err := fails(v)
		if err != nil {
			panic(err)
		}
		return a + "," + out
	}, serde.String, stream.Named("last"))
	to(last.Updates(), "out")
}

func TestABadRecordStopsBeforeAnythingOfIt(t *testing.T) {
	s := newSet(t, task.Config{Partitions: map[string]int32{"out": 1}}, behind)
	addChunk(t, s, chunk("in", 10, "a=p1@1", "a=p2@2", "a=panic@3", "a=p4@4"))
	var out sink
	n, err := s.Process(&out, 100)
	bad := recordError(t, err)
	if n != 2 || bad.Topic != "in" || bad.Offset != 12 || !strings.HasPrefix(bad.Node, "KSTREAM-REDUCE-") {
		t.Errorf("processed %d, error %+v", n, bad)
	}
	want := lines("seen/0 a=\x00\x00\x00\x00\x00\x00\x00\x01@1", "out/0 p=p1@1", "seen/0 a=\x00\x00\x00\x00\x00\x00\x00\x02@2", "out/0 p=p1,p2@2")
	got := strings.Split(out.take(), "\n")
	if diff := cmp.Diff(sorted(want), sorted(strings.Join(got, "\n"))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if at := position(s, "in"); at != 12 {
		t.Errorf("position %d, want 12", at)
	}
	if n, again := s.Process(&out, 100); n != 0 || again != err {
		t.Errorf("processed %d again, error %v", n, again)
	}
	if err := s.Seal(&out); err != nil {
		t.Fatal(err)
	}
	s.Commit()
	view, err := task.ViewOf[string, int64](s, "seen")
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := view.Get("a"); n != 2 {
		t.Errorf("the store counts %d records, want the 2 before the bad one", n)
	}
}

func sorted(text string) []string {
	rows := strings.Split(text, "\n")
	slices.Sort(rows)
	return rows
}

func TestReasonsShowNothingFromTheRecord(t *testing.T) {
	cases := []struct{ value, reason string }{
		{"error " + secret, "the step rejected the record"},
		{"reject " + secret, "the card is no card"},
		{"panic " + secret, "the step's function panicked with a string"},
		{"index " + secret, "the step's function panicked: runtime error: index out of range [22] with length 22"},
	}
	for _, c := range cases {
		s := newSet(t, task.Config{}, func(b *stream.Builder) { to(stream.TryMapValues(from(b, "in"), fails, stream.Named("check")), "out") })
		addChunk(t, s, chunk("in", 0, "a="+c.value+"@1"))
		bad := recordError(t, process(s, &sink{}))
		if bad.Reason != c.reason || bad.Node != "check" {
			t.Errorf("%s: %s: %q, want %q", c.value, bad.Node, bad.Reason, c.reason)
		}
		if strings.Contains(bad.Error(), secret) {
			t.Errorf("the error quotes the record: %v", bad)
		}
		if bad.Unwrap() == nil {
			t.Error("the cause is lost")
		}
	}
}

func TestUndecodableRecords(t *testing.T) {
	numbers := func(b *stream.Builder) {
		stream.From(b, "in", serde.String, serde.Int64).To("out", serde.String, serde.Int64)
	}
	rows := []string{"a=11111111@1", "b=short@2", "c=22222222@3", "d=~@4", "e=33333333@-5", "f=44444444@6"}
	t.Run("stop", func(t *testing.T) {
		s := newSet(t, task.Config{}, numbers)
		addChunk(t, s, chunk("in", 0, rows...))
		var out sink
		bad := recordError(t, process(s, &out))
		if bad.Offset != 1 || !strings.HasPrefix(bad.Reason, "the value cannot be decoded: ") {
			t.Errorf("got %v", bad)
		}
		if got := out.take(); got != "out/0 a=11111111@1" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("dead letter", func(t *testing.T) {
		s := newSet(t, deadLetters(task.Config{}), numbers)
		c := chunk("in", 0, rows...)
		c.Headers = make([][]record.Header, len(rows))
		c.Headers[1] = []record.Header{{Key: "trace", Value: []byte("7")}}
		addChunk(t, s, c)
		var out sink
		mustProcess(t, s, &out)
		letter := out.full[0]
		want := lines("in.dead/0 b=short@2", "in.dead/0 d=~@4", "in.dead/0 e=33333333@0", "out/0 a=11111111@1", "out/0 c=22222222@3", "out/0 f=44444444@6")
		if got := out.take(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		var headers []string
		for _, h := range letter.Headers {
			headers = append(headers, h.Key+"="+string(h.Value))
		}
		wantHeaders := []string{
			"trace=7", "mainstem.app=app", "mainstem.topic=in", "mainstem.partition=0", "mainstem.offset=1", "mainstem.timestamp=2",
			"mainstem.node=KSTREAM-SOURCE-0000000000", "mainstem.reason=the value cannot be decoded: int64: at byte 5: 5 bytes where 8 are needed",
		}
		if diff := cmp.Diff(wantHeaders, headers); diff != "" {
			t.Errorf("headers -want +got\n%s", diff)
		}
		if got := s.Dropped()["dead letter"]; got != 3 {
			t.Errorf("%d dead letters are counted, want 3", got)
		}
		if got := s.Topics(); len(got) != 1 || got[0].Name != "in.dead" || got[0].Partitions != 1 {
			t.Errorf("topics %v", got)
		}
	})
	t.Run("negative times may be skipped", func(t *testing.T) {
		s := newSet(t, task.Config{}, func(b *stream.Builder) {
			to(stream.From(b, "in", serde.String, serde.String, stream.SkipInvalidTime()), "out")
		})
		addChunk(t, s, chunk("in", 0, "a=x@-1", "b=y@0"))
		var out sink
		mustProcess(t, s, &out)
		if got := out.take(); got != "out/0 b=y@0" || s.Dropped()["invalid timestamp"] != 1 {
			t.Errorf("got %s, dropped %v", got, s.Dropped())
		}
	})
}

// panicking is a serde whose decoding and encoding panic at marked values, as a user's own might.
type panicking struct{ serde.Serde[string] }

func (p panicking) Decode(b []byte) (string, error) {
	if string(b) == "in" {
		panic("decode")
	}
	return p.Serde.Decode(b)
}

func (p panicking) Append(dst []byte, v string) ([]byte, error) {
	if v == "out" {
		panic("encode")
	}
	return p.Serde.Append(dst, v)
}

func TestAPanickingSerdeMakesABadRecord(t *testing.T) {
	values := panicking{serde.String}
	for _, kept := range []bool{false, true} {
		s := newSet(t, deadLetters(task.Config{}), func(b *stream.Builder) {
			s := stream.From(b, "in", serde.String, values)
			if kept {
				s = stream.Reduce(stream.GroupByKey(s), func(_, v string) string { return v }, values, stream.Named("last")).Updates()
			}
			s.To("out", serde.String, values)
		})
		addChunk(t, s, chunk("in", 0, "a=x@1", "b=in@2", "c=out@3", "d=y@4"))
		var out sink
		mustProcess(t, s, &out)
		want := []string{"in.dead/0 b=in@2", "in.dead/0 c=out@3", "out/0 a=x@1", "out/0 d=y@4"}
		if diff := cmp.Diff(want, sorted(out.take())); diff != "" {
			t.Errorf("kept %v: -want +got\n%s", kept, diff)
		}
	}
}

func TestAnOutputThatIsTooLargeMakesABadRecord(t *testing.T) {
	double := func(v string) string { return v + v }
	for name, build := range map[string]func(b *stream.Builder){
		"sink": func(b *stream.Builder) { to(stream.MapValues(from(b, "in"), double), "out") },
		"store": func(b *stream.Builder) {
			stream.Reduce(stream.GroupByKey(stream.MapValues(from(b, "in"), double)), func(_, v string) string { return v }, serde.String, stream.Named("s"))
		},
	} {
		s := newSet(t, task.Config{MaxRecordBytes: 9}, build)
		addChunk(t, s, chunk("in", 0, "k=1234@1", "k=12345@2"))
		bad := recordError(t, process(s, &sink{}))
		if bad.Offset != 1 || !errors.Is(bad, operator.ErrTooLarge) || bad.Reason != "record is too large: 11 bytes, the limit is 9" {
			t.Errorf("%s: got %v", name, bad)
		}
	}
}

func TestManyBadRecordsDoNotHoldUpTheOthers(t *testing.T) {
	s := newSet(t, deadLetters(task.Config{}), behind)
	var rows []string
	for i := range 3000 {
		value := fmt.Sprintf("p%d", i)
		if i%3 == 2 {
			value = "panic"
		}
		rows = append(rows, fmt.Sprintf("k%d=%s@%d", i%7, value, i))
	}
	addChunk(t, s, chunk("in", 0, rows...))
	calls := 0
	var out sink
	for {
		n, err := s.Process(&out, 500)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		calls++
	}
	if got := s.Dropped()["dead letter"]; got != 1000 || calls > 20 {
		t.Errorf("%d dead letters in %d calls", got, calls)
	}
	if got := len(out.full); got != 1000+2*2000 {
		t.Errorf("%d rows", got)
	}
}

// TestARecordThatFailsLeavesNoTrace compares a run over records some of which fail, with one over the others alone.
func TestARecordThatFailsLeavesNoTrace(t *testing.T) {
	build := func(b *stream.Builder) {
		s := from(b, "in")
		checked := stream.TryMapValues(s.Filter(func(v string) bool { return v != "skip" }), func(v string) (string, error) {
			if v == "early" {
				return "", errors.New("no")
			}
			return v, nil
		})
		to(checked.Merge(s), "merged")
		behind(b)
	}
	values := []string{"p1", "p2", "q1", "skip", "early", "panic", "error", "index", "reject"}
	rapid.Check(t, func(rt *rapid.T) {
		var all, good []string
		first := map[string]bool{} // a first value does not pass the reducer
		for i := range rapid.IntRange(0, 40).Draw(rt, "records") {
			value := rapid.SampledFrom(values).Draw(rt, "value")
			row := fmt.Sprintf("%s=%s@%d", rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key"), value, i)
			_, err := tried(value)
			fails := value == "early" || err && first[value[:1]]
			if !fails {
				first[value[:1]] = true
				good = append(good, row)
			}
			all = append(all, row)
		}
		run := func(rows []string, rowsAtOnce int) []string {
			s := newSet(t, deadLetters(task.Config{BatchRows: rowsAtOnce}), build)
			addChunk(t, s, chunk("in", 0, rows...))
			var out sink
			mustProcess(t, s, &out)
			if err := s.Seal(&out); err != nil {
				t.Fatal(err)
			}
			return byTopic(out.rows)
		}
		want := run(good, 1024)
		for _, n := range []int{1, 3, 1024} {
			if diff := cmp.Diff(want, run(all, n)); diff != "" {
				rt.Fatalf("%d rows at once: -without the failing +with\n%s", n, diff)
			}
		}
	})
}

// tried tells whether fails fails.
func tried(v string) (s string, failed bool) {
	defer func() {
		if recover() != nil {
			failed = true
		}
	}()
	s, err := fails(v)
	return s, err != nil
}

// byTopic orders rows by topic, keeping the order within a topic, and leaves dead letters out. Of changelogs the last value of
// each key counts: a key that was changed and changed back may appear in them.
func byTopic(rows []string) []string {
	var kept []string
	for _, topic := range []string{"merged/", "seen/", "out/"} {
		for _, row := range rows {
			if strings.HasPrefix(row, topic) {
				kept = append(kept, row)
			}
		}
	}
	state := map[string]string{}
	for _, row := range rows {
		if key, value, _ := strings.Cut(row, "="); strings.HasPrefix(row, "app-") {
			state[key] = value
			if strings.HasPrefix(value, "~") {
				delete(state, key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(state)) {
		kept = append(kept, key+"="+state[key])
	}
	return kept
}
