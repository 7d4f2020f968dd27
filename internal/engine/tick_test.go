package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A ticker forwards at each full second since its first start, whatever comes in between.
type ticker struct{}

func (ticker) Init(ctx processor.Context[string, string]) error {
	ctx.Schedule(time.Second, processor.WallClock, func(now record.Timestamp) error {
		ctx.Forward(processor.Record[string, string]{Key: fmt.Sprint("p", ctx.Partition()), Value: fmt.Sprint(now), Time: now})
		return nil
	})
	return nil
}

func (ticker) Process(processor.Context[string, string], processor.Record[string, string]) error {
	return nil
}
func (ticker) Close() error { return nil }

func TestScheduledCallsComeByTheClock(t *testing.T) {
	inWorld(t, func(w *world) {
		b := stream.New("app")
		in := stream.From(b, "in", serde.String, serde.String)
		stream.Process(in, func() processor.Processor[string, string, string, string] { return ticker{} }).To("out", serde.String, serde.String)
		topology, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l := w.start(w.engine(topology, nil))
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		l.stop()
		time.Sleep(100 * time.Millisecond)
		l = w.start(w.engine(topology, nil))
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		l.stop()
		if rows := w.read("out"); len(rows) != 6 {
			t.Errorf("rows %v", rows)
		}
	})
}

// An engine that got nothing between two looks at its topics gives back memory, once, and goes on as if it had not.
func TestAnIdleEngineRests(t *testing.T) {
	inWorld(t, func(w *world) {
		b := stream.New("app")
		in := stream.From(b, "in", serde.String, serde.String)
		counts := stream.Count(stream.GroupByKey(in), stream.Named("counts"))
		stream.MapValues(counts.Updates(), func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
		topology, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l := w.start(w.engine(topology, func(o *Options) { o.TopicsInterval = time.Second }))
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		for i, rests := range []int{1, 2} {
			w.publish("in", 0, "a=1")
			if wait(1100 * time.Millisecond); w.door.rested() != rests-1 {
				t.Errorf("round %d: it rests although it had something to do", i)
			}
			if wait(5 * time.Second); w.door.rested() != rests {
				t.Errorf("round %d: it rested %d times", i, w.door.rested())
			}
		}
		w.publish("in", 0, "a=1")
		wait(time.Second)
		l.stop()
		if rows := fmt.Sprint(w.read("out")); rows != "[a=1 a=2 a=3]" {
			t.Errorf("rows %s", rows)
		}
	})
}

func TestCallsAreBounded(t *testing.T) {
	var mu sync.Mutex
	running, most, sum := 0, 0, 0
	calls(100, 5, func(_ context.Context, i int) {
		mu.Lock()
		running++
		most, sum = max(most, running), sum+i
		mu.Unlock()
		mu.Lock()
		running--
		mu.Unlock()
	})
	if most > 5 || sum != 4950 {
		t.Errorf("%d at the same time, sum %d", most, sum)
	}
}
