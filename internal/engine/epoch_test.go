package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOneEpochIsUnderWayWhileTheNextFills(t *testing.T) {
	inWorld(t, func(w *world) {
		release := w.door.holding()
		l := w.start(w.engine(copying(t), nil))
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		for i := range 5 {
			w.publish("in", 0, fmt.Sprintf("b=%d", i))
			time.Sleep(time.Second) // far longer than the interval
		}
		if st := l.Status(); st.Processed != 6 || st.Epochs != 0 {
			t.Errorf("%d processed, %d epochs durable", st.Processed, st.Epochs)
		}
		equal(t, "visible", []string{}, w.read("out"))
		if n := len(w.door.epochs()); n != 1 {
			t.Errorf("%d commits while the first is held", n)
		}
		if !l.Committing() {
			t.Error("the held epoch is not told")
		}
		w.door.released() // before: the next commit may begin at once
		release <- nil
		time.Sleep(time.Second)
		es := w.door.epochs()
		if len(es) != 2 || len(es[0].records) != 1 || len(es[1].records) != 5 {
			t.Errorf("epochs %v", es)
		}
		equal(t, "positions of the first", map[record.TopicPartition]record.Offset{{Topic: "in"}: 1}, es[0].positions)
		if len(w.read("out")) != 6 || w.door.most != 1 {
			t.Errorf("%d visible, %d commits at once", len(w.read("out")), w.door.most)
		}
		if l.Committing() {
			t.Error("an epoch is told that is folded")
		}
		l.stop()
	})
}

func TestASlowDiskStopsTheReading(t *testing.T) {
	inWorld(t, func(w *world) {
		release := w.door.holding()
		l := w.start(w.engine(copying(t), func(o *Options) { o.EpochBytes, o.PollBytes = 20_000, 20_000 }))
		const n = 100
		for i := range n {
			w.publish("in", int32(i%2), "k="+strings.Repeat("x", 5000))
		}
		time.Sleep(time.Minute)
		ends, err := w.door.Ends(context.Background(), record.TopicPartition{Topic: "in"}, record.TopicPartition{Topic: "in", Partition: 1})
		if st := l.Status(); err != nil || st.Processed == 0 || st.Processed > n/2 || l.Lag(ends) < n-st.Processed || l.Lag(ends) > n {
			t.Errorf("%d of %d processed, lag %d while nothing can be committed (%v)", st.Processed, n, l.Lag(ends), err)
		}
		if w.door.held > 80_000 {
			t.Errorf("%d bytes gathered behind a commit that is held", w.door.held)
		}
		w.door.released()
		release <- nil
		time.Sleep(time.Minute)
		if got := len(w.read("out")); got != n {
			t.Errorf("%d of %d copied in the end", got, n)
		}
		if st := l.Status(); l.Lag(ends) != 0 || st.Processed != n {
			t.Errorf("%d processed, lag %d", st.Processed, l.Lag(ends))
		}
		l.stop()
	})
}

func TestRecordsThatBecomeManyAreCommittedInPieces(t *testing.T) {
	inWorld(t, func(w *world) {
		many := build(t, func(in stream.Stream[string, string]) {
			stream.FlatMapValues(in, func(v string) []string { return make([]string, 40) }).To("out", serde.String, serde.String)
		})
		l := w.start(w.engine(many, func(o *Options) { o.EpochBytes = 100_000 }))
		values := make([]string, 6000) // one chunk, three turns of the loop
		for i := range values {
			values[i] = "k=v"
		}
		w.publish("in", 0, values...)
		time.Sleep(time.Second)
		if got := len(w.read("out")); got != 6000*40 {
			t.Errorf("%d records", got)
		}
		if n := len(w.door.epochs()); n < 3 {
			t.Errorf("%d epochs of up to %d bytes", n, w.door.size)
		}
		l.stop()
	})
}

func TestCommitsKeepTheirDistance(t *testing.T) {
	inWorld(t, func(w *world) {
		var at []time.Time
		w.door.failing(func(call string) error {
			if call == "Commit" {
				at = append(at, time.Now())
			}
			return nil
		})
		l := w.start(w.engine(copying(t), func(o *Options) { o.EpochInterval = 50 * time.Millisecond }))
		for i := range 100 {
			w.publish("in", 0, fmt.Sprintf("k=%d", i))
			time.Sleep(7 * time.Millisecond)
		}
		l.stop()
		if len(at) < 13 || len(at) > 16 {
			t.Errorf("%d commits in 700 ms", len(at))
		}
		for i := 1; i < len(at)-1; i++ { // the last is the end's
			if d := at[i].Sub(at[i-1]); d < 50*time.Millisecond {
				t.Errorf("commit %d comes %s after the one before", i, d)
			}
		}
		if got := len(w.read("out")); got != 100 {
			t.Errorf("%d records", got)
		}
	})
}

func TestPositionsAloneWaitLonger(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{2 * time.Millisecond: 100 * time.Millisecond, time.Second: time.Second} {
		inWorld(t, func(w *world) {
			l := w.start(w.engine(copying(t), func(o *Options) { o.EpochInterval = interval }))
			w.publish("in", 0, "k=first")
			time.Sleep(2 * time.Second)
			if n := len(w.door.epochs()); n != 1 {
				t.Fatalf("%d commits", n)
			}
			w.publish("in", 0, "k=0")
			synctest.Wait()
			w.publish("in", 1, "k=drop it", "k=drop that")
			time.Sleep(want - time.Millisecond)
			if n := len(w.door.epochs()); n != 2 {
				t.Errorf("interval %s: %d commits %s after a record that gives nothing", interval, n, want-time.Millisecond)
			}
			time.Sleep(2 * time.Millisecond)
			es := w.door.epochs()
			if len(es) != 3 || len(es[2].records) != 0 || es[2].positions[record.TopicPartition{Topic: "in", Partition: 1}] != 2 {
				t.Errorf("interval %s: %v", interval, es)
			}
			l.stop()
		})
	}
}

func TestTheEndCommitsWhatWasProcessed(t *testing.T) {
	inWorld(t, func(w *world) {
		release := w.door.holding()
		l := w.start(w.engine(counting(t), func(o *Options) { o.EpochInterval = time.Hour }))
		w.publish("in", 0, "a=1")
		time.Sleep(2 * time.Hour)
		w.publish("in", 1, "b=1", "b=1")
		synctest.Wait()
		l.cancel() // one epoch is under way, the other forms
		synctest.Wait()
		if st := l.Status().State; st != StateRunning {
			t.Errorf("it is %s while an epoch is under way", st)
		}
		w.door.released()
		release <- nil
		l.stop()
		equal(t, "out", []string{"a=1", "b=1", "b=2"}, sorted(w.read("out")))
		equal(t, "positions", [2]record.Offset{1, 2}, w.committed("app"))
		if st := l.Status(); st.State != StateStopped || st.Err != nil || st.Epochs != 2 || st.Emitted != 5 || st.LastEpoch.IsZero() {
			t.Errorf("%+v", st)
		}

		again := w.start(w.engine(counting(t), nil))
		if fields, n := w.event("state-restored"); n != 0 {
			t.Errorf("replayed %v after a clean end", fields)
		}
		w.publish("in", 1, "b=1")
		time.Sleep(time.Second)
		again.stop()
		equal(t, "out in the end", []string{"a=1", "b=1", "b=2", "b=3"}, sorted(w.read("out")))
	})
}

func intoASmallTopic(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		in.To("out", serde.String, serde.String)
		in.To("small", serde.String, serde.String)
	})
}

func TestAnOutputAboveItsTopicsLimitMakesABadRecord(t *testing.T) {
	inWorld(t, func(w *world) {
		w.topic("small", 1, map[string]string{"max.message.bytes": "1000"})
		l := w.start(w.engine(intoASmallTopic(t), nil))
		w.publish("in", 0, "a=fits", "b="+strings.Repeat("x", 2000), "c=behind it")
		err := l.failed()
		var bad *task.RecordError
		if !errors.As(err, &bad) || bad.Offset != 1 || !errors.Is(err, operator.ErrTooLarge) || strings.Contains(err.Error(), "xxx") {
			t.Errorf("ended with %v", err)
		}
		equal(t, "out", []string{"a=fits"}, w.read("out")) // not half of the second record's outputs
		equal(t, "small", []string{"a=fits"}, w.read("small"))

		l = w.start(w.engine(intoASmallTopic(t), func(o *Options) { o.DeadLetter = true }))
		time.Sleep(time.Second)
		l.stop()
		equal(t, "small with dead letters", []string{"a=fits", "c=behind it"}, w.read("small"))
		equal(t, "dead letters", 1, len(w.read("in.dead")))
	})
}

func TestAnOutputThatItsTopicDoesNotTakeAnyMoreLeavesNothingBehind(t *testing.T) {
	inWorld(t, func(w *world) {
		w.topic("small", 1, map[string]string{"max.message.bytes": "100000"})
		e := w.engine(intoASmallTopic(t), nil)
		l := w.start(e)
		w.publish("in", 0, "a=fits")
		time.Sleep(time.Second)
		smaller := []broker.ConfigChange{{Name: "max.message.bytes", Op: "set", Value: "1000"}}
		if r, err := w.broker.AlterTopicConfigs("small", smaller, false, false).Wait(context.Background()); err != nil || r.Err != nil {
			t.Fatal(r.Err, err)
		}
		w.publish("in", 0, "a="+strings.Repeat("x", 2000))
		err := l.failed()
		if !errors.Is(err, client.ErrTooLarge) || Retryable(err) || !strings.Contains(err.Error(), "small") {
			t.Errorf("ended with %v", err)
		}
		equal(t, "out", []string{"a=fits"}, w.read("out")) // not half of the second record's outputs
		equal(t, "small", []string{"a=fits"}, w.read("small"))
		equal(t, "positions", [2]record.Offset{1, 0}, w.committed("app"))
		if st := e.Status(); st.State != StateFailed || !errors.Is(st.Err, client.ErrTooLarge) {
			t.Errorf("%+v", st)
		}
	})
}

func TestALargeRecordFindsRoomAmongTheDeadLetters(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "key=bad "+strings.Repeat("x", 1_048_400))
		l := w.start(w.engine(copying(t), func(o *Options) { o.DeadLetter = true }))
		time.Sleep(time.Second)
		l.stop()
		equal(t, "dead letters", 1, len(w.read("in.dead")))
	})
}

func TestACompactedTopicIsCreatedSoAndTakesNoRecordWithoutAKey(t *testing.T) {
	inWorld(t, func(w *world) {
		topo := build(t, func(in stream.Stream[string, string]) { in.To("last", serde.String, serde.String, stream.Compacted()) })
		l := w.start(w.engine(topo, func(o *Options) { o.DeadLetter = true }))
		w.publish("in", 0, "a=1", "without a key", "a=2")
		time.Sleep(time.Second)
		l.stop()
		infos, err := w.door.Topics(context.Background(), "last")
		if err != nil || infos["last"].Configs["cleanup.policy"] != "compact" {
			t.Errorf("%+v, %v", infos["last"], err)
		}
		equal(t, "last", []string{"a=1", "a=2"}, w.read("last"))
		equal(t, "dead letters", 1, len(w.read("in.dead")))
	})
}
