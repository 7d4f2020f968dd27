package process_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

type (
	rec = processor.Record[string, string]
	ctx = processor.Context[string, string]
)

// A hand is a processor of functions.
type hand struct {
	init    func(ctx) error
	process func(ctx, rec) error
	end     func() error
}

func (h hand) Init(c ctx) error {
	if h.init == nil {
		return nil
	}
	return h.init(c)
}
func (h hand) Process(c ctx, r rec) error { return h.process(c, r) }
func (h hand) Close() error {
	if h.end == nil {
		return nil
	}
	return h.end()
}

func made(f func() hand) func() processor.Processor[string, string, string, string] {
	return func() processor.Processor[string, string, string, string] { return f() }
}

func from(b *stream.Builder, topic string) stream.Stream[string, string] {
	return stream.From(b, topic, serde.String, serde.String)
}

func built(t *testing.T, b *stream.Builder) *stream.Topology {
	t.Helper()
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func lines(d *streamtest.Driver, topic string) (rows []string) {
	for _, r := range streamtest.NewOutput(d, topic, serde.String, serde.String).ReadAll() {
		rows = append(rows, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Timestamp))
	}
	return rows
}

func pipe(d *streamtest.Driver, topic, key, value string, at record.Timestamp) {
	streamtest.NewInput(d, topic, serde.String, serde.String).Pipe(key, value, at)
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
}

func TestProcessorsShareAStore(t *testing.T) {
	prices := state.KeyValue("prices", serde.String, serde.String)
	b := stream.New("app")
	keep := made(func() hand {
		var st state.KeyValueStore[string, string]
		return hand{
			init:    func(c ctx) error { st = prices.In(c); return nil },
			process: func(_ ctx, r rec) error { st.Put(r.Key, r.Value); return nil },
		}
	})
	look := made(func() hand {
		var st state.KeyValueStore[string, string]
		return hand{
			init: func(c ctx) error { st = prices.In(c); return nil },
			process: func(c ctx, r rec) error {
				price, ts, ok := st.GetTimed(r.Key)
				r.Value = fmt.Sprintf("%s for %s %v since %d", r.Value, price, ok, ts)
				c.Forward(r)
				return nil
			},
		}
	})
	stream.Process(from(b, "prices"), keep, stream.Connect(prices))
	stream.Process(from(b, "orders"), look, stream.Connect(prices)).To("out", serde.String, serde.String)
	topology := built(t, b)
	if len(topology.Subs) != 1 || len(topology.Stores) != 1 {
		t.Fatalf("sub-topologies and stores:\n%s", topology.Describe())
	}
	if _, err := streamtest.Open(topology, streamtest.TopicPartitions("prices", 2)); err == nil {
		t.Error("inputs with 1 and 2 partitions share a store")
	}
	d := streamtest.New(t, topology, streamtest.Partitions(3))
	pipe(d, "prices", "a", "5", 1)
	pipe(d, "orders", "a", "one", 2)
	d.Restart()
	pipe(d, "orders", "a", "two", 3)
	pipe(d, "orders", "b", "three", 4)
	want(t, lines(d, "out"), "a=one for 5 true since 1@2", "a=two for 5 true since 1@3", "b=three for  false since -1@4")
	if v, ok := streamtest.Store(d, prices).Get("a"); v != "5" || !ok {
		t.Errorf("a costs %q, %v", v, ok)
	}
}

func TestAProcessorReadsATable(t *testing.T) {
	b := stream.New("app")
	names := stream.TableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	rows := stream.ReaderOf(names)
	stream.Process(from(b, "in"), made(func() hand {
		var table stream.TableRows[string, string]
		return hand{
			init: func(c ctx) error { table = rows.In(c); return nil },
			process: func(c ctx, r rec) error {
				name, since, ok := table.Row(r.Key)
				r.Value = fmt.Sprintf("%s by %q since %d %v", r.Value, name, since, ok)
				c.Forward(r)
				return nil
			},
		}
	}), stream.Connect(rows)).To("out", serde.String, serde.String)
	topology := built(t, b)
	if len(topology.Subs) != 1 || len(topology.Stores) != 1 {
		t.Fatal(topology.Describe())
	}
	d := streamtest.New(t, topology, streamtest.Partitions(2))
	pipe(d, "in", "a", "x", 1)
	pipe(d, "names", "a", "Ann", 2)
	d.Restart()
	pipe(d, "in", "a", "y", 3)
	want(t, lines(d, "out"), `a=x by "" since -1 false@1`, `a=y by "Ann" since 2 true@3`)
}

// TestAFailedRecordLeavesNothing also goes through units of many rows, which are undone and tried again.
func TestAFailedRecordLeavesNothing(t *testing.T) {
	counts := state.KeyValue("counts", serde.String, serde.Int64)
	b := stream.New("app")
	count := made(func() hand {
		var st state.KeyValueStore[string, int64]
		return hand{
			init: func(c ctx) error {
				st = counts.In(c)
				c.Schedule(100*time.Millisecond, processor.StreamClock, func(now record.Timestamp) error {
					var sum int64
					for _, n := range st.All(state.Descending) {
						sum += n
					}
					c.Forward(rec{Key: "all", Value: fmt.Sprint(sum), Time: now})
					return nil
				})
				return nil
			},
			process: func(c ctx, r rec) error {
				n, _ := st.Get(r.Key)
				st.Put(r.Key, n+1)
				c.Forward(r)
				switch {
				case strings.HasSuffix(r.Value, "7"):
					return stream.Reject("it ends in 7")
				case strings.HasSuffix(r.Value, "13"):
					panic(r.Value)
				}
				return nil
			},
		}
	})
	stream.Process(from(b, "in"), count, stream.Connect(counts)).To("out", serde.String, serde.String)
	topology := built(t, b)
	var first []string
	for _, batch := range []int{1, 1000} {
		d := streamtest.New(t, topology, streamtest.Batch(batch), streamtest.DeadLetter())
		for i := range 1000 {
			pipe(d, "in", fmt.Sprint("k", i%10), fmt.Sprint(i), record.Timestamp(i))
			if batch == 1 && i%100 == 50 {
				d.Restart()
			}
		}
		got := lines(d, "out")
		if first == nil {
			first = got
		}
		want(t, got, first...)
		want(t, got[:1], "k0=0@0")
		if st := streamtest.Store(d, counts); true {
			seven, _ := st.Get("k7")
			three, _ := st.Get("k3")
			if _, ok := st.Get("k0"); seven != 0 || three != 90 || !ok || st.Len() != 9 {
				t.Errorf("k7 %d, k3 %d, rows %d", seven, three, st.Len())
			}
		}
		if n := d.Dropped()["dead letter"]; batch > 1 && n != 110 {
			t.Errorf("%d dead letters", n)
		}
		if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "all=") })); n != 10 {
			t.Errorf("%d punctuations", n)
		}
	}
}

func TestForwarding(t *testing.T) {
	b := stream.New("app")
	out := stream.Process(from(b, "in"), made(func() hand {
		return hand{process: func(c ctx, r rec) error {
			source, ok := c.Source()
			r.Value += fmt.Sprint(" from ", source.Topic, source.Offset, ok, " of ", c.Partition())
			c.Forward(r)
			r.KeyNull, r.Headers = true, []record.Header{{Key: "h"}}
			c.ForwardTo("left", r)
			c.Commit()
			if r.Key == "lost" {
				c.ForwardTo("nowhere", r)
			}
			return nil
		}}
	}))
	out.Filter(func(string) bool { return true }, stream.Named("left")).To("left", serde.String, serde.String)
	out.Filter(func(string) bool { return true }, stream.Named("right")).To("right", serde.String, serde.String)
	d := streamtest.New(t, built(t, b))
	pipe(d, "in", "a", "x", 1)
	left := streamtest.NewOutput(d, "left", serde.String, serde.String).ReadAll()
	if len(left) != 2 || left[0].KeyNull || !left[1].KeyNull || len(left[0].Headers) != 0 || len(left[1].Headers) != 1 {
		t.Errorf("left: %+v", left)
	}
	want(t, lines(d, "right"), "a=x from in0 true of 0@1")
	err := streamtest.NewInput(d, "in", serde.String, serde.String).TryPipe("lost", "y", 2)
	var bad *task.RecordError
	if !errors.As(err, &bad) || !strings.Contains(bad.Error(), "does not follow") {
		t.Errorf("error %v", err)
	}
}

// TestSchedulesSurviveRestarts: those of Init go on where they were, whatever the clock.
func TestSchedulesSurviveRestarts(t *testing.T) {
	b := stream.New("app")
	stream.Process(from(b, "in"), made(func() hand {
		return hand{
			init: func(c ctx) error {
				call := func(name string) func(record.Timestamp) error {
					return func(now record.Timestamp) error {
						c.Forward(rec{Key: name, Value: fmt.Sprint(c.StreamTime(), " ", c.WallTime()), Time: now})
						return nil
					}
				}
				c.Schedule(10*time.Millisecond, processor.StreamClock, call("stream"))
				c.Schedule(10*time.Millisecond, processor.WallClock, call("wall"))
				return nil
			},
			process: func(ctx, rec) error { return nil },
		}
	})).To("out", serde.String, serde.String)
	topology := built(t, b)
	run := func(restart func(*streamtest.Driver)) []string {
		d := streamtest.New(t, topology)
		for i, at := range []record.Timestamp{3, 9, 12, 5, 19, 47, 48, 50} {
			pipe(d, "in", "a", "x", at)
			restart(d)
			d.AdvanceWallTime(time.Duration(i*3) * time.Millisecond)
			restart(d)
		}
		return lines(d, "out")
	}
	once := run(func(*streamtest.Driver) {})
	want(t, run((*streamtest.Driver).Restart), once...)
	want(t, once[:2], "stream=3 0@3", "stream=12 3@12")
	if n := len(once); n != 9 {
		t.Errorf("%d calls: %v", n, once)
	}
}

func TestWindowsAndSessionsFreeMemory(t *testing.T) {
	windows := state.Windows("windows", serde.String, serde.Int64, 100*time.Millisecond)
	sessions := state.Sessions("sessions", serde.String, serde.Int64, 100*time.Millisecond)
	b := stream.New("app")
	stream.Process(from(b, "in"), made(func() hand {
		var win state.WindowStore[string, int64]
		var ses state.SessionStore[string, int64]
		return hand{
			init: func(c ctx) error { win, ses = windows.In(c), sessions.In(c); return nil },
			process: func(_ ctx, r rec) error {
				win.Put(r.Key, int64(r.Time), r.Time)
				ses.Put(state.Session[string]{Key: r.Key, Start: r.Time, End: r.Time + 1}, 1)
				return nil
			},
		}
	}), stream.Connect(windows, sessions))
	d := streamtest.New(t, built(t, b))
	for i := range 1000 {
		pipe(d, "in", "k", "x", record.Timestamp(i))
		if i == 500 {
			d.Restart()
		}
	}
	pipe(d, "in", "k", "late", 10)
	win, ses := streamtest.Store(d, windows), streamtest.Store(d, sessions)
	n := 0
	for start := range win.FetchRange("k", 0, 2000, state.Descending) {
		if n++; start < 900 {
			t.Errorf("window %d is still there", start)
		}
	}
	m := 0
	for range ses.FetchKey("k", state.Ascending) {
		m++
	}
	if n != 100 || m != 100 || d.Dropped()["expired"] != 2 {
		t.Errorf("%d windows, %d sessions, dropped %v", n, m, d.Dropped())
	}
	if rows := len(d.Rows("windows")); rows < 100 {
		t.Errorf("%d rows in the changelog", rows)
	}
}

func TestMistakes(t *testing.T) {
	seen := state.KeyValue("seen", serde.String, serde.Int64)
	pass := func(ctx, rec) error { return nil }
	for name, c := range map[string]struct {
		h    hand
		want string
	}{
		"not connected":     {hand{init: func(c ctx) error { seen.In(c); return nil }, process: pass}, "not connected"},
		"no interval":       {hand{init: func(c ctx) error { c.Schedule(0, processor.WallClock, nil); return nil }, process: pass}, "interval"},
		"init fails":        {hand{init: func(ctx) error { return errors.New("no") }, process: pass}, "Init of KSTREAM-PROCESSOR-0000000001: no"},
		"forwards too soon": {hand{init: func(c ctx) error { c.Forward(rec{Time: -1}); return nil }, process: pass}, "forwards in Init"},
	} {
		b := stream.New("app")
		stream.Process(from(b, "in"), made(func() hand { return c.h }))
		if _, err := streamtest.Open(built(t, b)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := stream.New("app")
	bad := state.Windows[string, string]("w", serde.String, nil, 0)
	stream.Process(from(b, "in"), made(func() hand { return hand{process: pass} }), stream.Connect(bad, nil, state.KeyValue("w", serde.String, serde.String)))
	_, err := b.Build()
	if err == nil || !strings.Contains(err.Error(), `store "w": a serde is nil`) || !strings.Contains(err.Error(), "a store is nil") {
		t.Errorf("build: %v", err)
	}
}

func TestAFailingScheduledCallStops(t *testing.T) {
	for _, clock := range []processor.Clock{processor.StreamClock, processor.WallClock} {
		b := stream.New("app")
		stream.Process(from(b, "in"), made(func() hand {
			return hand{
				init: func(c ctx) error {
					c.Schedule(10*time.Millisecond, clock, func(now record.Timestamp) error {
						if now > 15 {
							panic("boom")
						}
						return nil
					})
					return nil
				},
				process: func(c ctx, r rec) error { c.Forward(r); return nil },
			}
		})).To("out", serde.String, serde.String)
		d, err := streamtest.Open(built(t, b), streamtest.DeadLetter())
		if err != nil {
			t.Fatal(err)
		}
		in := streamtest.NewInput(d, "in", serde.String, serde.String)
		for i := range 3 {
			err = errors.Join(err, in.TryPipe("a", "x", record.Timestamp(10*i)), d.TryAdvanceWallTime(10*time.Millisecond))
		}
		var failed *task.PunctuationError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("error %v", err)
		}
	}
}

func TestCloseComesAtTheEnd(t *testing.T) {
	var calls []string
	b := stream.New("app")
	note := func(name string) func() processor.Processor[string, string, string, string] {
		return made(func() hand {
			return hand{
				init:    func(ctx) error { calls = append(calls, "open "+name); return nil },
				process: func(c ctx, r rec) error { c.Forward(r); return nil },
				end:     func() error { calls = append(calls, "close "+name); return nil },
			}
		})
	}
	stream.Process(stream.Process(from(b, "in"), note("first")), note("second")).To("out", serde.String, serde.String)
	d := streamtest.New(t, built(t, b))
	d.Restart()
	want(t, calls, "open first", "open second", "close first", "close second", "open first", "open second")
}
