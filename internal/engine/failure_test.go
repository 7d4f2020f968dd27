package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func TestABadRecordStopsBehindEverythingBeforeIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "a=1", "a=2", "a=bad one", "a=3")
		w.publish("in", 1, "b=1")
		e := w.engine(copying(t), nil)
		for run := range 2 { // the second run stops at the same record and publishes nothing again
			err := w.start(e).failed()
			var bad *task.RecordError
			if !errors.As(err, &bad) || bad.TopicPartition != (record.TopicPartition{Topic: "in"}) || bad.Offset != 2 {
				t.Fatalf("run %d: %v", run, err)
			}
			if text := err.Error(); !strings.Contains(text, "in/0 at offset 2") || strings.Contains(text, "one") || strings.Contains(text, "secret") {
				t.Errorf("run %d: %q names the record without its content", run, text)
			}
			if st := e.Status(); st.State != StateFailed || !errors.As(st.Err, &bad) {
				t.Errorf("run %d: %+v", run, st)
			}
			if p := w.committed("app"); p[0] != 2 || p[1] > 1 {
				t.Errorf("run %d: positions %v", run, p)
			}
		}
		if out := fmt.Sprint(sorted(w.read("out"))); out != "[a=1 a=2]" && out != "[a=1 a=2 b=1]" {
			t.Errorf("out holds %s", out)
		}
		if err := w.keep(e).failed(); Retryable(err) {
			t.Errorf("%v is retryable", err)
		}
		if _, n := w.event("engine-retrying"); n != 0 {
			t.Error("a bad record was tried again")
		}
	})
}

func TestDeadLettersHoldTheOriginalAndTheReason(t *testing.T) {
	inWorld(t, func(w *world) {
		var b batch.Builder
		b.Append(77, []byte("key"), []byte("bad one"), []record.Header{{Key: "mine", Value: []byte("x")}})
		b.Append(78, []byte("key"), []byte("good"), nil)
		w.publishBatch("in", 1, b.AppendTo(nil))
		l := w.start(w.engine(copying(t), func(o *Options) { o.DeadLetter = true }))
		time.Sleep(time.Second)
		if st := l.Status(); st.State != StateRunning || st.Dropped["dead letter"] != 1 {
			t.Errorf("%+v", st)
		}
		l.stop()
		equal(t, "out", []string{"key=good"}, w.read("out"))
		chunks := w.chunks("in.dead")
		if len(chunks) != 1 || len(chunks[0].Offsets) != 1 {
			t.Fatalf("dead letters %v", chunks)
		}
		c := chunks[0]
		if string(c.Keys[0]) != "key" || string(c.Values[0]) != "bad one" || c.Timestamps[0] != 77 || c.Partition != 1 {
			t.Errorf("dead letter %v %q=%q at %d", c.TopicPartition, c.Keys[0], c.Values[0], c.Timestamps[0])
		}
		headers := map[string]string{}
		for _, h := range c.Headers[0] {
			headers[h.Key] = string(h.Value)
		}
		want := map[string]string{
			"mine": "x", "mainstem.app": "app", "mainstem.topic": "in", "mainstem.partition": "1", "mainstem.offset": "0",
			"mainstem.timestamp": "77", "mainstem.node": headers["mainstem.node"], "mainstem.reason": "the step's function panicked with a string",
		}
		equal(t, "headers", want, headers)
		if headers["mainstem.node"] == "" {
			t.Error("the step is not named")
		}
	})
}

func TestASecondInstanceTakesOver(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.keep(w.engine(counting(t), nil))
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		second := w.start(w.engine(counting(t), nil))
		w.publish("in", 0, "a=1", "a=1")
		err := first.failed()
		if !errors.Is(err, client.ErrFenced) {
			t.Errorf("the first ended with %v", err)
		}
		time.Sleep(time.Second)
		second.stop()
		equal(t, "out", []string{"a=1", "a=2", "a=3"}, w.read("out"))
		equal(t, "positions", [2]record.Offset{3, 0}, w.committed("app"))
	})
}

func TestAGapIsNamedAndNothingIsSkipped(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "a=1", "a=2")
		e := w.engine(copying(t), nil)
		l := w.start(e)
		time.Sleep(time.Second)
		l.stop()
		w.publish("in", 0, "a=3", "a=4", "a=5")
		r, err := w.broker.DeleteRecords(record.TopicPartition{Topic: "in"}, 4).Wait(context.Background())
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		err = w.keep(e).failed()
		if !errors.Is(err, client.ErrGap) || !strings.Contains(err.Error(), "in/0 at 2") {
			t.Errorf("ended with %v", err)
		}
		equal(t, "out", []string{"a=1", "a=2"}, w.read("out"))
	})
}

func TestADeletedSourceNeedsADecision(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "a=1", "a=2")
		l := w.keep(w.engine(copying(t), nil))
		time.Sleep(time.Second)
		if _, err := w.broker.DeleteTopics([]broker.TopicRef{{Name: "in"}}).Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := l.failed(); !errors.Is(err, client.ErrUnknownTopic) || !strings.Contains(err.Error(), "in/") {
			t.Errorf("ended with %v", err)
		}
		if infos, _ := w.door.Topics(context.Background(), "in"); len(infos) != 0 {
			t.Error("the topic was made again without anybody asking for it")
		}
	})
}

func TestARecreatedSourceIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "a=1", "a=2")
		l := w.keep(w.engine(copying(t), nil))
		time.Sleep(time.Second)
		deleted := w.broker.DeleteTopics([]broker.TopicRef{{Name: "in"}})
		made := w.broker.CreateTopics([]broker.TopicSpec{{Name: "in", Partitions: 2, Replication: 1}}, false)
		_, err := deleted.Wait(context.Background())
		_, err2 := made.Wait(context.Background())
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if err := l.failed(); !errors.Is(err, client.ErrRecreated) && !errors.Is(err, client.ErrUnknownTopic) {
			t.Errorf("ended with %v", err)
		}
	})
}

var errAway = errors.New("the broker is away")

func TestKeepTriesAgainAfterErrorsThatPass(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish("in", 0, "a=1")
		tries := 0
		w.door.failing(func(call string) error {
			if call != "OpenProducer" {
				return nil
			}
			if tries++; tries <= 8 {
				return errAway
			}
			return nil
		})
		began := time.Now()
		e := w.engine(copying(t), nil)
		l := w.keep(e)
		if st := e.Status(); !errors.Is(st.Err, errAway) {
			t.Errorf("while it waits: %+v", st)
		}
		time.Sleep(350 * time.Millisecond) // behind the third try
		if fields, n := w.event("engine-retrying"); n != 3 || fields["wait"] != 400*time.Millisecond {
			t.Errorf("%d tries after %s, %v", n, time.Since(began), fields)
		}
		time.Sleep(2 * time.Minute)
		if fields, n := w.event("engine-retrying"); n != 8 || fields["wait"] != maxBackoff {
			t.Errorf("%d tries, then %v", n, fields)
		}
		equal(t, "out", []string{"a=1"}, w.read("out"))
		if st := e.Status(); st.State != StateRunning || st.Err != nil {
			t.Errorf("%+v", st)
		}

		failed := false // a commit in the middle of the work
		w.door.failing(func(call string) error {
			if call == "Commit" && !failed {
				failed = true
				return errAway
			}
			return nil
		})
		w.publish("in", 0, "a=2")
		time.Sleep(time.Minute)
		if fields, n := w.event("engine-retrying"); n != 9 || fields["wait"] != minBackoff {
			t.Errorf("%d tries, then %v: it had been well for a minute", n, fields)
		}
		equal(t, "out", []string{"a=1", "a=2"}, w.read("out"))
		l.stop()
	})
}

func TestTheEndDuringABackoffIsClean(t *testing.T) {
	inWorld(t, func(w *world) {
		w.door.failing(func(string) error { return errAway })
		l := w.keep(w.engine(copying(t), nil))
		time.Sleep(time.Minute)
		l.stop()
	})
}

func TestALastEpochThatIsLostIsAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		l := w.keep(w.engine(copying(t), func(o *Options) { o.EpochInterval = time.Hour }))
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		w.publish("in", 0, "a=2")
		synctest.Wait()
		w.door.failing(func(call string) error { return errAway })
		l.cancel()
		if err := <-l.ended; !errors.Is(err, errAway) {
			t.Errorf("ended with %v, though the last epoch was not committed", err)
		}
	})
}

func TestRetryableErrorsAreTheBrokersOwn(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errAway, false}, // not the broker's
		{away(errAway), true},
		{fmt.Errorf("run app: %w", away(errAway)), true},
		{errors.Join(away(errAway), away(client.ErrFenced)), false},
		{away(client.ErrGap), false},
		{away(client.ErrRecreated), false},
		{away(client.ErrTooLarge), false},
		{away(client.ErrUnknownTopic), false},
		{starting(client.ErrUnknownTopic), true}, // made a moment ago
		{starting(client.ErrGap), false},
		{away(context.Canceled), false},
		{away(context.DeadlineExceeded), true},
		{fmt.Errorf("%w: counts", ErrPartitions), false},
		{errors.Join(&task.RecordError{}, away(errAway)), false},
	} {
		if got := Retryable(c.err); got != c.want {
			t.Errorf("Retryable(%v) is %t", c.err, got)
		}
	}
}

func TestNewWantsATopologyAndADoor(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, o := range []Options{{}, {Topology: copying(t)}, {Door: w.door}} {
			if _, err := New(o); err == nil {
				t.Errorf("accepted %+v", o)
			}
		}
	})
}

// The figures are read by pages at any time: go test -race is what this is for.
func TestFiguresMayBeReadWhileItRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		dropping := build(t, func(in stream.Stream[string, string]) {
			stream.Count(stream.GroupByKey(in), stream.Named("counts")).Updates().To("out", serde.String, serde.Int64)
		})
		e := w.engine(dropping, nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e.Status().Dropped["null key"] < 200 {
				time.Sleep(time.Microsecond)
			}
		}()
		l := w.start(e)
		for range 200 {
			w.publish("in", 0, "no key")
			time.Sleep(time.Millisecond)
		}
		<-done
		l.stop()
	})
}
