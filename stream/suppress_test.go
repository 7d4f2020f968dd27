package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

const msec = time.Millisecond

// A bench is a topology from topic in to topic out, with string keys and values.
type bench struct {
	*streamtest.Driver
	in  streamtest.Input[string, string]
	out *streamtest.Output[string, string]
}

func newBench(t *testing.T, build func(b *stream.Builder), opts ...streamtest.Option) *bench {
	t.Helper()
	b := stream.New("app")
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology, opts...)
	return &bench{
		Driver: d, in: streamtest.NewInput(d, "in", serde.String, serde.String),
		out: streamtest.NewOutput(d, "out", serde.String, serde.String),
	}
}

// pipe writes rows such as "a=x@3", separated by spaces; a value "~" deletes.
func (b *bench) pipe(rows string) {
	for _, row := range strings.Fields(rows) {
		key, rest, _ := strings.Cut(row, "=")
		value, time, _ := strings.Cut(rest, "@")
		var at record.Timestamp
		fmt.Sscan(time, &at)
		if value == "~" {
			b.in.Delete(key, at)
		} else {
			b.in.Pipe(key, value, at)
		}
	}
}

// want compares what came out since the last time.
func (b *bench) want(t *testing.T, rows string) {
	t.Helper()
	var got []string
	for _, r := range b.out.ReadAll() {
		value := r.Value
		if r.ValueNull {
			value = "~"
		}
		got = append(got, fmt.Sprintf("%s=%s@%d", r.Key, value, r.Timestamp))
	}
	if g := strings.Join(got, " "); g != rows {
		t.Errorf("got  %s\nwant %s", g, rows)
	}
}

func suppressed(opts ...stream.Option) func(b *stream.Builder) {
	return func(b *stream.Builder) {
		stream.TableFrom(b, "in", serde.String, serde.String).SuppressFor(10*msec, opts...).Updates().To("out", serde.String, serde.String)
	}
}

func TestHeldUpdatesSurviveARestart(t *testing.T) {
	b := newBench(t, suppressed())
	b.pipe("a=x@1 b=y@2 a=z@3")
	b.Restart()
	b.want(t, "")
	b.pipe("c=x@12")
	b.Restart()
	b.want(t, "a=z@3 b=y@2")
	b.pipe("d=x@11 d=~@22") // d's place is that of its first update
	b.want(t, "d=~@22 c=x@12")
	if n := len(b.Rows("KTABLE-SUPPRESS-STATE-STORE-0000000004")); n != 1 { // the marks
		t.Errorf("%d rows are left", n)
	}
}

func TestABadRecordLeavesNoTraceInTheBuffer(t *testing.T) {
	refuse := func(v string) string {
		if v == "bad" {
			panic("bad")
		}
		return v
	}
	b := newBench(t, func(b *stream.Builder) {
		t := stream.TableFrom(b, "in", serde.String, serde.String).SuppressFor(10*msec, stream.MaxRecords(2))
		stream.MapValues(t.Updates(), refuse).To("out", serde.String, serde.String)
	}, streamtest.DeadLetter())
	b.pipe("a=x@1 bad=bad@2")
	b.want(t, "")
	b.pipe("c=x@3") // pushes a out
	b.want(t, "a=x@1")
	b.pipe("d=x@30") // bad would go on: this record is given up, and its time was never seen
	b.want(t, "")
	b.pipe("c=y@4")
	b.want(t, "")
	b.pipe("bad=good@5 e=x@12")
	b.want(t, "bad=good@5")
}

func TestAFullBufferStops(t *testing.T) {
	for _, bound := range []stream.Option{stream.MaxRecords(2), stream.MaxBytes(14)} {
		b := newBench(t, suppressed(bound, stream.StopWhenFull()))
		b.pipe("a=x@1 b=x@2 a=y@3")
		err := b.in.TryPipe("c", "x", 4)
		if err == nil || !strings.Contains(err.Error(), "buffer of held-back updates is full") {
			t.Errorf("error %v", err)
		}
	}
}

func TestASuppressedTableIsReadAsItWentOn(t *testing.T) {
	b := newBench(t, func(b *stream.Builder) {
		left := stream.TableFrom(b, "left", serde.String, serde.String)
		right := stream.TableFrom(b, "in", serde.String, serde.String).SuppressFor(10 * msec)
		stream.JoinTables(left, right, func(l, r string) string { return l + r }).Updates().To("out", serde.String, serde.String)
	})
	left := streamtest.NewInput(b.Driver, "left", serde.String, serde.String)
	b.pipe("a=1@1")
	left.Pipe("a", "x", 2)
	b.want(t, "") // 1 did not go on yet
	b.pipe("z=0@11")
	b.want(t, "a=x1@2")
	b.pipe("a=2@12")
	left.Pipe("a", "y", 13)
	b.want(t, "a=y1@13")
	b.pipe("z=0@22")
	b.want(t, "a=y2@13")
}

func TestMistakesOfSuppression(t *testing.T) {
	b := stream.New("app")
	table := stream.TableFrom(b, "in", serde.String, serde.String)
	table.SuppressFor(-msec)
	table.SuppressFor(msec, stream.MaxRecords(0), stream.MaxBytes(-1))
	stream.MapTable(table, func(v string) int { return len(v) }).SuppressFor(msec)
	windows := stream.WindowedSerde(serde.String, 10*msec)
	keyed := stream.ToTable(stream.From(b, "windows", windows, serde.String), serde.String)
	stream.SuppressUntilClose(keyed)
	table.SuppressFor(msec, stream.Uncached())
	_, err := b.Build()
	for _, want := range []string{
		"the time to wait is -1ms", "MaxRecords is 0", "MaxBytes is -1", "serde of the value is not known",
		"not behind an aggregation over windows", "Uncached",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no mistake %q in %v", want, err)
		}
	}
}

// TestFinalResultsOfManyWindows: in batches as one by one, and nothing stays in the buffer.
func TestFinalResultsOfManyWindows(t *testing.T) {
	var want string
	for _, batch := range []int{1, 800} {
		b := newBench(t, func(b *stream.Builder) {
			in := stream.From(b, "in", serde.String, serde.String)
			counts := stream.CountWindows(stream.WindowedBy(stream.GroupByKey(in), stream.Tumbling(10*msec, 5*msec)))
			final := stream.SuppressUntilClose(counts, stream.Named("final")).Updates()
			text := stream.Map(final, func(k stream.Windowed[string], n int64) (string, string) {
				return k.Key, fmt.Sprint(k.Start, ":", n)
			})
			text.To("out", serde.String, serde.String)
		}, streamtest.Batch(batch), streamtest.Partitions(2))
		for i := range 800 {
			b.in.Pipe(fmt.Sprint("k", i%17), "x", record.Timestamp(i))
		}
		got := map[string][]string{}
		n := 0
		for _, r := range b.out.ReadAll() {
			got[r.Key] = append(got[r.Key], r.Value)
			n++
		}
		if text := fmt.Sprint(n, got); want == "" {
			want = text
		} else if text != want {
			t.Errorf("in batches %s\none by one %s", text, want)
		}
		if n < 700 {
			t.Errorf("%d results", n)
		}
		if held := len(b.Rows("final-store")); held > 60 {
			t.Errorf("%d rows are held", held)
		}
	}
}
