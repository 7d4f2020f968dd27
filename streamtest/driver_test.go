package streamtest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// tb collects failures instead of ending the test.
type tb struct{ failures []string }

func (t *tb) Helper() {}
func (t *tb) Fatalf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

func counts(b *stream.Builder) stream.Table[string, int64] {
	words := stream.From(b, "words", serde.String, serde.String)
	table := stream.Count(stream.GroupByKey(words), stream.Named("counts"))
	table.Updates().To("counts-out", serde.String, serde.Int64)
	return table
}

func open(t *testing.T, build func(b *stream.Builder), opts ...streamtest.Option) *streamtest.Driver {
	t.Helper()
	b := stream.New("app")
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return streamtest.New(t, topology, opts...)
}

func TestViewsSeeStateAcrossRestarts(t *testing.T) {
	var table stream.Table[string, int64]
	d := open(t, func(b *stream.Builder) { table = counts(b) }, streamtest.Partitions(3), streamtest.TopicPartitions("counts-out", 2))
	words := streamtest.NewInput(d, "words", serde.String, serde.String)
	for i := range 10 {
		words.Pipe(fmt.Sprint("w", i%4), "x", record.Timestamp(i))
		d.Restart()
	}
	view := streamtest.View(d, table)
	for key, want := range map[string]int64{"w0": 3, "w1": 3, "w2": 2, "w3": 2} {
		if n, ok, err := view.Get(key); n != want || !ok || err != nil {
			t.Errorf("%s: %d %v %v, want %d", key, n, ok, err, want)
		}
	}
	if table.StoreName() != "counts" {
		t.Errorf("store name %q", table.StoreName())
	}
	for _, r := range streamtest.NewOutput(d, "counts-out", serde.String, serde.Int64).ReadAll() {
		if r.Partition < 0 || r.Partition > 1 {
			t.Errorf("%s went to partition %d of 2", r.Key, r.Partition)
		}
	}
}

func TestStreamTimeMovesWithRecordsAndAdvance(t *testing.T) {
	d := open(t, func(b *stream.Builder) { counts(b) })
	if got := d.StreamTime(0); got != record.NoTimestamp {
		t.Errorf("stream time %d before any record", got)
	}
	words := streamtest.NewInput(d, "words", serde.String, serde.String)
	words.Pipe("a", "x", 50)
	words.Pipe("a", "x", 40)
	if got := d.StreamTime(0); got != 50 {
		t.Errorf("stream time %d, want 50", got)
	}
	d.Advance(70)
	if got := d.StreamTime(0); got != 70 {
		t.Errorf("stream time %d, want 70", got)
	}
}

func TestABadRecordEndsTheTestUnlessItIsTried(t *testing.T) {
	b := stream.New("app")
	stream.From(b, "in", serde.String, serde.Int64).To("out", serde.String, serde.Int64)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	failing := &tb{}
	d := streamtest.New(failing, topology)
	in := streamtest.NewInput(d, "in", serde.String, serde.Int64)
	in.Pipe("a", 1, 1)
	short := record.Record{TopicPartition: record.TopicPartition{Topic: "in"}, Timestamp: 2, Key: []byte("b"), Value: []byte("short")}
	if err := d.TryPipe(short); err == nil || len(failing.failures) != 0 {
		t.Fatalf("TryPipe: error %v, failures %v", err, failing.failures)
	}
	in.Pipe("c", 3, 3)
	if len(failing.failures) != 1 || !strings.Contains(failing.failures[0], "bad record in/0 at offset 1") {
		t.Errorf("failures %v", failing.failures)
	}
	out := streamtest.NewOutput(d, "out", serde.String, serde.Int64)
	if r, ok := out.Read(); !ok || r.Key != "a" || r.Value != 1 {
		t.Errorf("the record before the bad one: %+v %v", r, ok)
	}
	if _, ok := out.Read(); ok {
		t.Error("something came behind the bad record")
	}
	if err := d.TryRestart(); err == nil {
		t.Error("a restart makes the bad record good")
	}
}

func TestDeadLettersGoOn(t *testing.T) {
	d := open(t, func(b *stream.Builder) {
		in := stream.From(b, "in", serde.String, serde.String)
		stream.TryMapValues(in, func(v string) (string, error) {
			if v == "bad" {
				return "", errors.New("no")
			}
			return v, nil
		}).To("out", serde.String, serde.String)
	}, streamtest.DeadLetter(), streamtest.Batch(10))
	in := streamtest.NewInput(d, "in", serde.String, serde.String)
	for i, v := range []string{"x", "bad", "y"} {
		in.Pipe("k", v, record.Timestamp(i))
	}
	in.PipeNullKey("z", 3)
	in.Delete("k", 4) // a null value in a stream of strings
	var got []string
	for _, r := range streamtest.NewOutput(d, "out", serde.String, serde.String).ReadAll() {
		got = append(got, fmt.Sprint(r.Key, r.KeyNull, r.Value))
	}
	if want := "[kfalsex kfalsey truez]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if dead := streamtest.NewOutput(d, "in.dead", serde.String, serde.String).ReadAll(); len(dead) != 2 || dead[0].Value != "bad" || !dead[1].ValueNull {
		t.Errorf("dead letters %+v", dead)
	}
	if got := d.Dropped()["dead letter"]; got != 2 {
		t.Errorf("%d dead letters are counted", got)
	}
	if !strings.Contains(d.Describe(), "(topic: out)") {
		t.Errorf("describe: %s", d.Describe())
	}
}

// TestOldValuesThatNobodyReadsAreNotComputed: behind a map of a table stands a stream in one case, in the other a group that takes old rows back.
func TestOldValuesThatNobodyReadsAreNotComputed(t *testing.T) {
	for name, c := range map[string]struct {
		behind func(stream.Table[string, int64])
		old    bool // the function sees them
	}{
		"stream": {func(m stream.Table[string, int64]) { m.Updates().To("out", serde.String, serde.Int64) }, false},
		"two maps": {func(m stream.Table[string, int64]) {
			stream.MapTable(m, func(n int64) int64 { return n }).Updates().To("out", serde.String, serde.Int64)
		}, false},
		"group": {func(m stream.Table[string, int64]) {
			byOne := stream.GroupTableBy(m, func(n int64) (string, int64) { return "all", n }, serde.String, serde.Int64)
			stream.CountTable(byOne).Updates().To("out", serde.String, serde.Int64)
		}, true},
	} {
		calls := 0
		d := open(t, func(b *stream.Builder) {
			c.behind(stream.MapTable(counts(b), func(n int64) int64 { calls++; return 10 * n }).WithSerde(serde.Int64))
		})
		words := streamtest.NewInput(d, "words", serde.String, serde.String)
		for range 3 {
			words.Pipe("a", "x", 1)
		}
		if calls < 3 || calls > 3 != c.old {
			t.Errorf("%s: %d calls for 3 new values, old ones too: %v", name, calls, c.old)
		}
	}
}

func TestACrashLosesTheEpochInFlight(t *testing.T) {
	for name, opts := range map[string][]streamtest.Option{
		"one worker": nil, "spilled": {streamtest.Spilled()}, "shared": {streamtest.Partitions(3), streamtest.Workers(2)}, "cached": {streamtest.Cached(1 << 20)},
	} {
		t.Run(name, func(t *testing.T) {
			tasks := 0
			d := open(t, func(b *stream.Builder) {
				words := stream.From(b, "words", serde.String, serde.String)
				moved := stream.SelectKey(words, func(word string) string { tasks++; return word })
				stream.Count(stream.GroupByKey(moved.WithSerdes(serde.String, serde.String), stream.Named("moved")), stream.Named("counts")).Updates().To("counts-out", serde.String, serde.Int64)
			}, opts...)
			words := streamtest.NewInput(d, "words", serde.String, serde.String)
			word := func(i int) record.Record {
				return record.Record{TopicPartition: record.TopicPartition{Topic: "words"}, Key: []byte{byte('a' + i)}, Value: []byte{byte('x' + i%2)}, Timestamp: record.Timestamp(i)}
			}
			words.Pipe("a", "x", 0)
			d.Crash(word(1), word(2), word(3))
			if tasks != 4 {
				t.Errorf("%d records were taken, want 4 of which 3 are lost", tasks)
			}
			for i := range 6 {
				d.CrashAfter(1 + i%2)
				d.Pipe(word(i))
			}
			if tasks <= 4+6 {
				t.Errorf("%d records were taken: no crash repeated one", tasks)
			}
			last := map[string]int64{}
			for _, r := range streamtest.NewOutput(d, "counts-out", serde.String, serde.Int64).ReadAll() {
				if r.Value != last[r.Key]+1 {
					t.Errorf("%s has %d behind %d", r.Key, r.Value, last[r.Key])
				}
				last[r.Key] = r.Value
			}
			if last["x"] != 4 || last["y"] != 3 {
				t.Errorf("counts %v, want 4 and 3", last)
			}
		})
	}
}
