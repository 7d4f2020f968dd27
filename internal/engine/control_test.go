package engine

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// notices collects what an engine tells, as text.
type notices struct {
	mu  sync.Mutex
	all []string
}

func (n *notices) hear(o *Options) {
	o.Listen = func(told Notice) {
		n.mu.Lock()
		defer n.mu.Unlock()
		switch e := told.(type) {
		case StateChange:
			n.all = append(n.all, fmt.Sprintf("%s→%s", e.From, e.To))
		case RestoreBegin:
			n.all = append(n.all, fmt.Sprintf("restore %s %s %d-%d", e.Store, e.Changelog, e.From, e.End))
		case RestoreEnd:
			n.all = append(n.all, fmt.Sprintf("restored %s %s: %d", e.Store, e.Changelog, e.Records))
		case Retry:
			n.all = append(n.all, "retry")
		case BadRecord:
			n.all = append(n.all, fmt.Sprintf("bad %s/%d: %d", e.Record.TopicPartition, e.Record.Offset, e.Decision))
		}
	}
}

func (n *notices) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.all
	n.all = nil
	return all
}

// ticking copies "in" to "out", and writes tick=<n> every second.
func ticking(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		stream.Process(in, func() processor.Processor[string, string, string, string] { return &tickingProcessor{} }).To("out", serde.String, serde.String)
	})
}

type tickingProcessor struct{ n int }

func (k *tickingProcessor) Init(ctx processor.Context[string, string]) error {
	ctx.Schedule(time.Second, processor.WallClock, func(now record.Timestamp) error {
		k.n++
		ctx.Forward(processor.Record[string, string]{Key: "tick", Value: fmt.Sprint(k.n), Time: now})
		return nil
	})
	return nil
}

func (k *tickingProcessor) Process(ctx processor.Context[string, string], r processor.Record[string, string]) error {
	ctx.Forward(r)
	return nil
}

func (k *tickingProcessor) Close() error { return nil }

func TestAPausedEngineTakesNothingAndCommitsWhatItTook(t *testing.T) {
	inWorld(t, func(w *world) {
		var told notices
		e := w.engine(ticking(t), told.hear)
		l := w.start(e)
		w.publish("in", 0, "a=1")
		time.Sleep(1500 * time.Millisecond)
		e.Pause()
		time.Sleep(10 * time.Millisecond)
		for i := range 3 {
			w.publish("in", int32(i%2), fmt.Sprintf("b=%d", i))
			time.Sleep(10 * time.Second)
		}
		equal(t, "while paused", []string{"a=1", "tick=1", "tick=1"}, sorted(w.read("out")))
		if st := e.Status(); st.State != StatePaused || !e.Paused() {
			t.Errorf("state %s", st.State)
		}
		e.Resume()
		time.Sleep(400 * time.Millisecond) // the delayed calls are one
		equal(t, "resumed", []string{"a=1", "b=0", "b=1", "b=2", "tick=1", "tick=1", "tick=2", "tick=2"}, sorted(w.read("out")))
		e.Pause()
		l.stop() // a paused engine stops in order
		equal(t, "states", []string{
			"stopped→starting", "starting→restoring", "restoring→running", "running→paused", "paused→running", "running→paused", "paused→stopped",
		}, told.take())
		l = w.start(e) // and starts paused
		w.publish("in", 0, "c=1")
		time.Sleep(10 * time.Second)
		if out := w.read("out"); slices.Contains(out, "c=1") {
			t.Errorf("out holds %v", out)
		}
		e.Resume()
		time.Sleep(time.Second)
		if out := w.read("out"); !slices.Contains(out, "c=1") {
			t.Errorf("out holds %v", out)
		}
		l.stop()
	})
}

func TestRestoringAndDecisionsAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		var told notices
		l := w.start(w.engine(counting(t), func(o *Options) { o.Checkpoints = nil }))
		w.publish("in", 0, "a=1", "b=1")
		time.Sleep(time.Second)
		l.stop()
		e := w.engine(counting(t), func(o *Options) {
			o.Checkpoints = nil
			told.hear(o)
			o.OnFailure = func(r failure.Record) failure.Decision { return failure.Continue }
		})
		l = w.start(e)
		w.publish("in", 0, "a=2")
		time.Sleep(time.Second)
		want := []string{
			"stopped→starting", "starting→restoring", "restore counts app-counts-changelog/0 0-2", "restored counts app-counts-changelog/0: 2",
			"restoring→running",
		}
		equal(t, "notices", want, told.take())
		equal(t, "counts", []string{"a=1", "a=2", "b=1"}, sorted(w.read("out")))
		f := e.Status().Figures
		if len(f.Tasks) != 2 || f.Tasks[0].Rows != 1 || len(f.Stores) != 2 || f.Stores[0].Rows != 2 || f.Stores[0].Bytes == 0 {
			t.Errorf("figures %+v", f)
		}
		if c := e.Status().Commits; c.Count == 0 {
			t.Error("no commit was measured")
		}
		l.stop()
	})
}

func TestAHandlerGoesOnPastWhatItLeavesOut(t *testing.T) {
	inWorld(t, func(w *world) {
		var told notices
		l := w.start(w.engine(copying(t), func(o *Options) {
			told.hear(o)
			o.OnFailure = func(r failure.Record) failure.Decision {
				if string(r.Value) == "bad two" {
					return failure.DeadLetter
				}
				return failure.Continue
			}
			o.DeadLetterTopic = "rejects"
		}))
		told.take()
		w.publish("in", 0, "a=1", "a=bad one", "a=bad two", "a=2")
		time.Sleep(time.Second)
		equal(t, "out", []string{"a=1", "a=2"}, w.read("out"))
		equal(t, "rejects", []string{"a=bad two"}, w.read("rejects"))
		equal(t, "notices", []string{"bad in/0/1: 2", "bad in/0/2: 1"}, told.take())
		equal(t, "dropped", map[string]int64{"bad record": 1, "dead letter": 1}, l.Status().Dropped)
		l.stop()
	})
}

func TestAStreamFromTheEndCommitsWhereItBegins(t *testing.T) {
	inWorld(t, func(w *world) {
		b := stream.New("app")
		stream.From(b, "in", serde.String, serde.String, stream.FromEnd()).To("out", serde.String, serde.String)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		w.publish("in", 0, "a=old", "b=old")
		l := w.start(w.engine(built, nil))
		time.Sleep(time.Second)
		if p := w.committed("app"); p != [2]record.Offset{2, 0} {
			t.Errorf("positions %v", p)
		}
		l.stop()
		w.publish("in", 0, "a=new") // while nobody runs
		l = w.start(w.engine(built, nil))
		time.Sleep(time.Second)
		equal(t, "out", []string{"a=new"}, w.read("out"))
		l.stop()
	})
}
