package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

const ms = time.Millisecond

// A windowPipeline concatenates values over windows from "in" to "out".
type windowPipeline struct {
	t       *testing.T
	windows stream.Windows
	opts    []stream.Option
	with    []streamtest.Option

	d     *streamtest.Driver
	table stream.Table[stream.Windowed[string], string]
	in    streamtest.Input[string, string]
	out   *streamtest.Output[stream.Windowed[string], string]
}

func (p *windowPipeline) start() *windowPipeline {
	p.t.Helper()
	b := stream.New("app")
	in := stream.From(b, "in", serde.String, serde.String)
	p.table = stream.AggregateWindows(stream.WindowedBy(stream.GroupByKey(in), p.windows), "", func(a, v string) string {
		if v == "bad" {
			panic("bad")
		}
		return a + v
	}, serde.String, append([]stream.Option{stream.Named("w")}, p.opts...)...)
	keys := stream.WindowedSerde(serde.String, 10*ms)
	p.table.Updates().To("out", keys, serde.String)
	topology, err := b.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	p.d = streamtest.New(p.t, topology, p.with...)
	p.in = streamtest.NewInput(p.d, "in", serde.String, serde.String)
	p.out = streamtest.NewOutput(p.d, "out", keys, serde.String)
	return p
}

// pipe takes rows such as "a=x@5".
func (p *windowPipeline) pipe(rows string) {
	for row := range strings.FieldsSeq(rows) {
		k, rest, _ := strings.Cut(row, "=")
		v, at, _ := strings.Cut(rest, "@")
		var ts int64
		if _, err := fmt.Sscan(at, &ts); err != nil {
			p.t.Fatal(err)
		}
		p.in.Pipe(k, v, record.Timestamp(ts))
	}
}

// outputs are the rows written, such as "a[0,10]=x@5".
func (p *windowPipeline) outputs() string {
	var rows []string
	for _, r := range p.out.ReadAll() {
		rows = append(rows, fmt.Sprintf("%s[%d,%d]=%s@%d", r.Key.Key, r.Key.Start, r.Key.End, r.Value, r.Timestamp))
	}
	return strings.Join(rows, " ")
}

// view are the rows that views see, sorted.
func (p *windowPipeline) view() string {
	var rows []string
	err := streamtest.View(p.d, p.table).Scan(func(k stream.Windowed[string], v string) bool {
		rows = append(rows, fmt.Sprintf("%s[%d,%d]=%s", k.Key, k.Start, k.End, v))
		return true
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}

func TestUnlimitedWindows(t *testing.T) {
	p := (&windowPipeline{t: t, windows: stream.Unlimited(5)}).start()
	p.pipe("a=x@4 a=y@5 a=z@1000000000000 a=u@7")
	want := "a[5,9223372036854775807]=yzu"
	if got := p.view(); got != want {
		t.Errorf("view %s, want %s", got, want)
	}
}

func TestCustomWindows(t *testing.T) {
	quarters := func(at record.Timestamp) []record.Timestamp { // of size 10, at 3, 13, …
		if at < 3 {
			return nil
		}
		return []record.Timestamp{(at-3)/10*10 + 3}
	}
	p := (&windowPipeline{t: t, windows: stream.Custom(10*ms, 0, quarters), opts: []stream.Option{stream.EmitOnClose()}}).start()
	p.pipe("a=x@2 a=y@3 a=z@12 a=u@23 a=late@12 a=v@43")
	if got, want := p.outputs(), "a[3,13]=yz@12 a[23,33]=u@23"; got != want {
		t.Errorf("outputs %s, want %s", got, want)
	}
	wrong := func(record.Timestamp) []record.Timestamp { return []record.Timestamp{20} }
	p = (&windowPipeline{t: t, windows: stream.Custom(10*ms, 0, wrong)}).start()
	if err := p.in.TryPipe("a", "x", 5); err == nil {
		t.Error("a window that does not hold its record is taken")
	}
}

func TestAnUpdateHasTheHighestTimeOfItsRecords(t *testing.T) {
	p := (&windowPipeline{t: t, windows: stream.Hopping(10*ms, 5*ms, 10*ms)}).start()
	p.pipe("a=x@9 a=y@6")
	want := "a[0,10]=x@9 a[5,15]=x@9 a[0,10]=xy@9 a[5,15]=xy@9"
	if got := p.outputs(); got != want {
		t.Errorf("outputs %s, want %s", got, want)
	}
}

func TestViewsHideWindowsThatAreGone(t *testing.T) {
	for _, restart := range []bool{false, true} {
		p := (&windowPipeline{t: t, windows: stream.Tumbling(10*ms, 5*ms).Retention(30 * ms)}).start()
		p.pipe("a=x@1 a=y@11 a=z@31 b=u@2000 a=late@1980")
		if restart {
			p.d.Restart()
		}
		if got, want := p.view(), "b[2000,2010]=u"; got != want {
			t.Errorf("view %s, want %s (restart %v)", got, want, restart)
		}
		if _, ok, err := streamtest.View(p.d, p.table).Get(stream.Windowed[string]{Key: "a", Start: 10}); ok || err != nil {
			t.Errorf("a window that is gone is found (%v, restart %v)", err, restart)
		}
	}
}

func TestAFailedRecordDoesNotMoveTimeOrWindows(t *testing.T) {
	for _, batch := range []int{1, 10} {
		p := (&windowPipeline{
			t: t, windows: stream.Tumbling(10*ms, 0*ms), opts: []stream.Option{stream.EmitOnClose()},
			with: []streamtest.Option{streamtest.DeadLetter(), streamtest.Batch(batch)},
		}).start()
		p.pipe("a=x@1 a=bad@5000 a=y@2 a=z@12 a=bad@13 a=v@13 a=w@20")
		if got, want := p.outputs(), "a[0,10]=xy@2 a[10,20]=zv@13"; got != want {
			t.Errorf("outputs %s, want %s (batch %d)", got, want, batch)
		}
	}
}

func TestWindowsOverManyPartitionsAndBatches(t *testing.T) {
	for _, w := range []stream.Windows{
		stream.Tumbling(10*ms, time.Hour), stream.Hopping(10*ms, 3*ms, time.Hour), stream.Sliding(10*ms, time.Hour),
	} {
		var views []string
		for _, with := range [][]streamtest.Option{
			nil, {streamtest.Batch(1000)}, {streamtest.Partitions(4)}, {streamtest.Partitions(4), streamtest.Batch(300)},
		} {
			p := (&windowPipeline{t: t, windows: w, with: with}).start()
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range 2000 {
				p.in.Pipe(fmt.Sprint("k", rng.IntN(20)), fmt.Sprint(i%10), record.Timestamp(100+i/2+rng.IntN(40)))
				if i == 1000 {
					p.d.Restart()
				}
			}
			views = append(views, p.view())
		}
		for _, v := range views[1:] {
			if diff := cmp.Diff(views[0], v); diff != "" {
				t.Fatalf("results differ:\n%s", diff)
			}
		}
	}
}

// TestSlidingWindowsAreThoseOfTheRecords compares with the windows that all records of a key make together, whatever their order.
func TestSlidingWindowsAreThoseOfTheRecords(t *testing.T) {
	const difference = 10
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		p := (&windowPipeline{t: t, windows: stream.Sliding(difference*ms, time.Hour)}).start()
		var times []int
		for range 15 {
			at := difference + rng.IntN(60)
			times = append(times, at)
			p.pipe(fmt.Sprintf("a=x@%d", at))
		}
		want := map[string]bool{}
		for _, at := range times {
			for _, start := range []int{at - difference, at + 1} {
				n := 0
				for _, other := range times {
					if other >= start && other <= start+difference {
						n++
					}
				}
				if n > 0 {
					want[fmt.Sprintf("a[%d,%d]=%s", start, start+difference, strings.Repeat("x", n))] = true
				}
			}
		}
		got := map[string]bool{}
		for _, row := range strings.Fields(p.view()) {
			got[row] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("windows of %v:\n%s", times, diff)
		}
	}
}

func TestWrongWindowsAreMistakes(t *testing.T) {
	for want, w := range map[string]stream.Windows{
		"zero Windows": {},
		"the size is 0s, but must be at least 1ms":                          stream.Tumbling(0, 0),
		"the grace is -1ms, but must be at least 0s":                        stream.Tumbling(10*ms, -1*ms),
		"the advance is 11ms, more than the size of 10ms":                   stream.Hopping(10*ms, 11*ms, 0),
		"the advance is 0s, but must be at least 1ms":                       stream.Hopping(10*ms, 0, 0),
		"the time difference is -1ms":                                       stream.Sliding(-1*ms, 0),
		"the retention is 24ms, but must be at least 25ms":                  stream.Sliding(10*ms, 5*ms).Retention(24 * ms),
		"the size is 1.5ms, but must be whole milliseconds":                 stream.Tumbling(1500*time.Microsecond, 0),
		"the function that gives the starts is nil":                         stream.Custom(10*ms, 0, nil),
		"the start is -1, but must not be negative":                         stream.Unlimited(-1),
		"Tumbling windows: the retention is 5ms, but must be at least 10ms": stream.Tumbling(10*ms, 0).Retention(5 * ms),
	} {
		b := stream.New("app")
		stream.CountWindows(stream.WindowedBy(stream.GroupByKey(stream.From(b, "in", serde.String, serde.String)), w))
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestCountWindowsCountsNullValues(t *testing.T) {
	b := stream.New("app")
	in := stream.TableFrom(b, "in", serde.String, serde.String).Updates() // deletes are null, which a string cannot hold
	counts := stream.CountWindows(stream.WindowedBy(stream.GroupByKey(in), stream.Tumbling(10*ms, 0)))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology)
	records := streamtest.NewInput(d, "in", serde.String, serde.String)
	records.Pipe("a", "x", 1)
	records.Delete("a", 2)
	n, ok, err := streamtest.View(d, counts).Get(stream.Windowed[string]{Key: "a", Start: 0, End: 10})
	if n != 2 || !ok || err != nil {
		t.Errorf("count %d, %v, %v, want 2", n, ok, err)
	}
}

func TestChangelogsOfWindowsAreCutByTime(t *testing.T) {
	b := stream.New("app")
	g := stream.GroupByKey(stream.From(b, "in", serde.String, serde.String))
	stream.CountWindows(stream.WindowedBy(g, stream.Tumbling(time.Hour, time.Minute)), stream.Named("hourly"))
	stream.CountWindows(stream.WindowedBy(g, stream.Unlimited(0)), stream.Named("ever"))
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	retention := map[string]time.Duration{}
	for _, s := range built.Stores {
		retention[topology.Changelog("app", s.Name)] = s.Retention
	}
	want := map[string]time.Duration{"app-hourly-changelog": time.Hour + time.Minute, "app-ever-changelog": 0}
	if diff := cmp.Diff(want, retention); diff != "" {
		t.Error(diff)
	}
}
