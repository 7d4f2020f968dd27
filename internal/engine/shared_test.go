package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// regrouping counts the records of "in" by their values, which takes a repartition, and by their keys, which takes none.
func regrouping(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		text := func(n int64) string { return fmt.Sprint(n) }
		byValue := stream.GroupBy(in, func(v string) string { return v }, serde.String, stream.Named("values"))
		stream.MapTable(stream.Count(byValue, stream.Named("by-value")), text).Updates().To("out", serde.String, serde.String)
		stream.MapTable(stream.Count(stream.GroupByKey(in), stream.Named("by-key")), text).Updates().To("keys", serde.String, serde.String)
	})
}

// counted checks that a topic has every count of each key once, from 1 to what is wanted.
func (w *world) counted(topic string, want map[string]int) {
	w.t.Helper()
	got := map[string][]string{}
	for _, r := range w.read(topic) {
		key, count, _ := strings.Cut(r, "=")
		got[key] = append(got[key], count)
	}
	all := map[string][]string{}
	for key, n := range want {
		for i := range n {
			all[key] = append(all[key], fmt.Sprint(i+1))
		}
	}
	if !maps.EqualFunc(got, all, slices.Equal) {
		w.t.Errorf("%s: got %v, want %v", topic, got, all)
	}
}

// A load is records whose counts are known: keys k0 to k3, of which each partition has two, and values v0 to v4.
type load struct {
	w            *world
	n            int
	keys, values map[string]int
}

func (w *world) load() *load {
	w.topic("keys", 2, nil)
	return &load{w: w, keys: map[string]int{}, values: map[string]int{}}
}

// publish writes n records one by one.
func (l *load) publish(n int) {
	l.w.t.Helper()
	for range n {
		key, value := fmt.Sprint("k", l.n%4), fmt.Sprint("v", l.n%5)
		l.w.publish("in", int32(l.n%2), key+"="+value)
		l.n++
		l.keys[key]++
		l.values[value]++
	}
}

func (l *load) check() {
	l.w.t.Helper()
	l.w.counted("keys", l.keys)
	l.w.counted("out", l.values)
}

// settled waits as long as the longest retry takes, several times. What the workers have written by then may be read: a sleep alone orders
// nothing for the race detector.
func settled() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func TestWorkersShareTheTasksAndHandThemOver(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a := w.hire("a", regrouping(t), nil)
		l.publish(20)
		settled()
		equal(t, "tasks of a alone", map[int]int{0: 2, 1: 2}, g.runs("a"))
		b := w.hire("b", regrouping(t), nil)
		l.publish(20)
		settled()
		equal(t, "tasks of a", map[int]int{0: 1, 1: 1}, g.runs("a"))
		equal(t, "tasks of b", map[int]int{0: 1, 1: 1}, g.runs("b"))
		l.publish(20)
		time.Sleep(time.Second)
		l.check()
		if na, nb := a.rows("by-key"), b.rows("by-key"); na != 2 || nb != 2 {
			t.Errorf("a shows %d and b %d of the 4 rows", na, nb)
		}
		a.stop()
		l.publish(20)
		settled()
		if n := b.rows("by-key"); n != 4 {
			t.Errorf("b shows %d of the 4 rows", n)
		}
		equal(t, "tasks of b alone", map[int]int{0: 2, 1: 2}, g.runs("b"))
		l.check()
		a.begin()
		l.publish(20)
		settled()
		if fields, n := w.event("tasks-restored"); n < 4 || len(fields["tasks"].([]string)) != 2 || fields["records"].(int64) > 32 {
			t.Errorf("%d restores, the last %v: a has its checkpoint, and what others wrote behind it", n, fields)
		}
		a.stop()
		b.stop()
		l.check()
	})
}

// rows counts those that a worker shows of a table of counts.
func (c *colleague) rows(table string) int {
	c.w.t.Helper()
	v, err := ViewOf[string, int64](c.Engine, table)
	if err != nil {
		c.w.t.Fatal(err)
	}
	n := 0
	if err := v.Scan(func(string, int64) bool { n++; return true }); err != nil {
		c.w.t.Fatal(err)
	}
	return n
}

func TestScheduledCallsMoveWithTheirTasks(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		topology := build(t, func(in stream.Stream[string, string]) {
			stream.Process(in, func() processor.Processor[string, string, string, string] { return ticker{} }).To("out", serde.String, serde.String)
		})
		a := w.hire("a", topology, nil)
		time.Sleep(2500 * time.Millisecond)
		b := w.hire("b", topology, nil)
		time.Sleep(2 * time.Second)
		a.stop()
		time.Sleep(2 * time.Second)
		b.stop()
		rows := w.read("out")
		slices.Sort(rows)
		if n := len(slices.Compact(slices.Clone(rows))); n != len(rows) || n < 12 {
			t.Errorf("%d calls, of which %d differ: %v", len(rows), n, rows)
		}
	})
}

func TestTasksGoWithTheirEpoch(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		slow := func(o *Options) { o.EpochInterval = time.Hour }
		a := w.hire("a", regrouping(t), slow)
		time.Sleep(time.Second)
		l.publish(1) // the first epoch need not wait
		time.Sleep(time.Second)
		l.publish(20)
		time.Sleep(time.Second)
		if n := len(w.read("keys")); n != 1 {
			t.Fatalf("%d results are committed already", n)
		}
		b := w.hire("b", regrouping(t), nil)
		time.Sleep(time.Second)
		if n := len(w.read("keys")); n != 21 {
			t.Errorf("%d results were committed when tasks were given up, of 21", n)
		}
		a.stop()
		b.stop()
		w.hire("b", regrouping(t), nil).drain()
		l.check()
	})
}

// drain ends the worker when nothing moves any more.
func (c *colleague) drain() {
	settled()
	c.stop()
}

func TestAnExpelledWorkerCommitsNothingAndComesBack(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a, b := w.hire("a", regrouping(t), nil), w.hire("b", regrouping(t), nil)
		l.publish(10)
		settled()
		var expelled atomic.Int32
		g.beforeCommits(func(worker string) { // it is expelled when it has sealed an epoch
			if worker == "a" && expelled.Load() < 3 {
				expelled.Add(1)
				g.expel("a")
				time.Sleep(time.Second) // the others have taken over
			}
		})
		for range 10 {
			l.publish(10)
			time.Sleep(300 * time.Millisecond)
		}
		settled()
		if n := expelled.Load(); n != 3 {
			t.Fatalf("expelled %d times", n)
		}
		equal(t, "tasks of a", map[int]int{0: 1, 1: 1}, g.runs("a"))
		if fields, n := w.event("engine-retrying"); n < 3 || !errors.Is(fields["error"].(error), client.ErrExpelled) {
			t.Errorf("%d retries, the last of %v", n, fields)
		}
		a.stop()
		b.drain()
		l.check()
	})
}

func TestTasksThatStayWorkWhileOthersAreRestored(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a, b := w.hire("a", regrouping(t), nil), w.hire("b", regrouping(t), nil)
		l.publish(20)
		settled()
		hold := make(chan struct{})
		w.door.failing(func(call string) error {
			if call == "Committed a" {
				<-hold
			}
			return nil
		})
		b.stop() // a gets 0_1 and 1_1, which takes a while
		before := len(w.read("keys"))
		l.publish(20)
		settled()
		if got := len(w.read("keys")) - before; got != 10 {
			t.Errorf("%d results while tasks are restored, of the 10 of the other partition", got)
		}
		c := w.hire("c", regrouping(t), nil) // and has to give them away again, before they are there
		settled()
		close(hold)
		l.publish(20)
		settled()
		l.check()
		if fields, _ := w.event("tasks-restored"); fmt.Sprint(fields["worker"]) != "c" {
			t.Errorf("the last to restore tasks was %v", fields)
		}
		a.stop()
		c.drain()
		l.check()
	})
}

func TestARestoreThatFailsIsTriedAgain(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a, b := w.hire("a", regrouping(t), nil), w.hire("b", regrouping(t), nil)
		l.publish(20)
		settled()
		failures := 2
		w.door.failing(func(call string) error {
			if call == "Committed a" && failures > 0 {
				failures--
				return errAway
			}
			return nil
		})
		b.stop()
		l.publish(20)
		settled()
		if failures != 0 {
			t.Errorf("%d failures are left", failures)
		}
		l.check()
		a.stop()
		l.check()
	})
}

func TestWorkersFollowNewPartitions(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		a, b := w.hire("a", copying(t), nil), w.hire("b", copying(t), nil)
		w.publish("in", 0, "a=1")
		settled()
		addPartition(w, "in", 4)
		w.publish("in", 2, "a=2")
		w.publish("in", 3, "a=3")
		settled()
		got := w.read("out")
		slices.Sort(got)
		equal(t, "out", []string{"a=1", "a=2", "a=3"}, got)
		equal(t, "tasks of a", map[int]int{0: 2}, g.runs("a"))
		a.stop()
		b.stop()
	})
}

func TestEveryWorkerReadsTheGlobalTables(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		w.topic("names", 2, nil)
		w.publish("names", 0, "a=Ada")
		fast := func(o *Options) { o.CheckpointInterval = time.Second }
		a, b := w.hire("a", naming(t), fast), w.hire("b", naming(t), fast)
		c := w.hire("c", naming(t), fast) // it stands by: there are two tasks
		settled()
		w.publish("names", 1, "b=Bob")
		time.Sleep(time.Second)
		for p := range int32(2) {
			w.publish("in", p, "a=1", "b=2")
		}
		time.Sleep(time.Second)
		got := w.read("out")
		slices.Sort(got)
		equal(t, "out", []string{"a=1:Ada", "a=1:Ada", "b=2:Bob", "b=2:Bob"}, got)
		a.stop()
		b.stop()
		w.publish("names", 0, "c=Cem")
		settled()
		w.publish("in", 0, "c=3")
		time.Sleep(time.Second)
		if got := w.read("out"); len(got) != 5 || !slices.Contains(got, "c=3:Cem") {
			t.Errorf("the one that stood by has not taken over: %v", got)
		}
		c.stop()
	})
}

func TestWhatWasReadOfRepartitionTopicsIsDeleted(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a := w.hire("a", regrouping(t), nil)
		l.publish(20)
		time.Sleep(time.Minute)
		l.publish(1)
		time.Sleep(time.Minute)
		tps := []record.TopicPartition{{Topic: "app-values-repartition"}, {Topic: "app-values-repartition", Partition: 1}}
		starts, err := w.door.Starts(context.Background(), tps...)
		if err != nil {
			t.Fatal(err)
		}
		if fields, n := w.event("repartition-trim-failed"); n > 0 {
			t.Error(fields)
		}
		if gone := starts[tps[0]] + starts[tps[1]]; gone < 20 {
			t.Errorf("%d of 20 read records are deleted", gone)
		}
		a.stop()
		w.hire("b", regrouping(t), nil).drain()
		l.check()
	})
}

func TestAWorkerKeepsItsName(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		a := w.hire("", copying(t), nil)
		time.Sleep(time.Second)
		first := g.names()
		a.stop()
		a.begin()
		time.Sleep(time.Second)
		if second := g.names(); len(first) != 1 || first[0] == "" || !slices.Equal(first, second) {
			t.Errorf("%q, then %q", first, second)
		}
		a.stop()
	})
}

func (g *group) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.seats))
}

func TestAConsistentTopologyIsNotShared(t *testing.T) {
	b := stream.New("app", stream.Consistent())
	stream.From(b, "in", serde.String, serde.String).To("out", serde.String, serde.String)
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Topology: built, Door: &gatedDoor{}, Shared: true}); !errors.Is(err, ErrShared) || Retryable(err) {
		t.Errorf("got %v", err)
	}
}

func TestOneWorkerTakesOverWhatManyHaveShared(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		l := w.load()
		a := w.hire("a", regrouping(t), func(o *Options) { o.EpochInterval = time.Hour })
		l.publish(1)
		time.Sleep(time.Second)
		l.publish(20)
		time.Sleep(time.Second)
		if err := w.start(w.engine(regrouping(t), nil)).failed(); !errors.Is(err, ErrShared) || Retryable(err) || !strings.Contains(err.Error(), "1 share app now (a)") {
			t.Errorf("beside a: %v", err)
		}
		a.stop() // it commits rows for others to read
		if n := len(w.read("out")); n >= 21 {
			t.Fatalf("%d results are there already", n)
		}
		alone := w.keep(w.engine(regrouping(t), nil))
		l.publish(20)
		settled()
		if fields, n := w.event("repartitions-drained"); n != 1 || fields["records"] != int64(20) {
			t.Errorf("%d times, %v", n, fields)
		}
		alone.stop()
		l.check()
		alone = w.keep(w.engine(regrouping(t), nil))
		settled()
		if _, n := w.event("repartitions-drained"); n != 1 {
			t.Errorf("the topics were read again")
		}
		alone.stop()
		w.hire("a", regrouping(t), nil).drain()
		l.check()
	})
}

// A slowStore takes its time for each checkpoint.
type slowStore struct {
	kv.Store
	time func() time.Duration
}

func (s slowStore) NewBatch() kv.Batch { return slowBatch{s.Store.NewBatch(), s.time} }

type slowBatch struct {
	kv.Batch
	time func() time.Duration
}

func (b slowBatch) Commit(sync bool) error {
	time.Sleep(b.time())
	return b.Batch.Commit(sync)
}

// end is stop for a worker that may just have been expelled.
func (c *colleague) end() {
	c.w.t.Helper()
	c.cancel()
	if err := <-c.ended; err != nil && !errors.Is(err, client.ErrExpelled) {
		c.w.t.Errorf("ended with %v", err)
	}
}

// Whatever happens to the workers, every record counts once.
func TestSharedWorkAddsUpWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inSharedWorld(t, func(w *world, g *group) {
				r := rand.New(rand.NewPCG(seed, 5))
				l := w.load()
				crew := map[string]*colleague{}
				var expel sync.Map // at their next commit
				g.beforeCommits(func(worker string) {
					if _, now := expel.LoadAndDelete(worker); now {
						g.expel(worker)
					}
				})
				for step := range 60 {
					name := string(rune('a' + r.IntN(4)))
					c := crew[name]
					switch draw := r.IntN(10); {
					case c == nil && (draw < 5 || step == 0):
						crew[name] = w.hire(name, regrouping(t), func(o *Options) {
							o.EpochInterval = time.Duration(r.IntN(3)) * 100 * time.Millisecond
							o.CheckpointInterval = time.Duration(1+r.IntN(3)) * time.Second
							slow := time.Duration(r.IntN(4)) * time.Second
							o.Checkpoints = slowStore{o.Checkpoints, func() time.Duration { return slow }}
						})
					case c != nil && c.life == nil:
						c.begin()
					case c != nil && draw == 0:
						c.end()
						c.life = nil
					case c != nil && draw == 1:
						g.expel(name)
					case c != nil && draw == 2:
						expel.Store(name, true)
					default:
						l.publish(1 + r.IntN(6))
					}
					if r.IntN(3) > 0 {
						time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
					}
				}
				crew["z"] = w.hire("z", regrouping(t), nil)
				settled()
				l.check()
				for _, c := range crew {
					if c.life != nil {
						c.end()
					}
				}
				l.check()
			})
		})
	}
}
