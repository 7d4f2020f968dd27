package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// crash ends the life without a last commit and checkpoint.
func (l *life) crash() {
	l.w.t.Helper()
	l.w.door.failing(func(call string) error {
		if call == "Commit" {
			return errAway
		}
		return nil
	})
	l.w.publish("in", 0, "crash=1")
	if err := l.failed(); !errors.Is(err, errAway) {
		l.w.t.Fatal(err)
	}
	l.w.door.failing(nil)
}

func TestARestartReplaysOnlyTheTailBehindTheCheckpoint(t *testing.T) {
	for name, c := range map[string]struct {
		checkpoints bool
		interval    time.Duration
		records     int
		want        int64 // records of the changelog that are replayed
	}{
		"with checkpoints":    {true, time.Second, 1000, 4},
		"without checkpoints": {false, time.Second, 1000, 24}, // 20 epochs of one key, then 4 changes
		"with a bounded tail": {true, time.Minute, 3, 1},      // the last of four: a checkpoint goes with every fourth
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				e := w.engine(counting(t), func(o *Options) {
					o.CheckpointInterval, o.CheckpointRecords = c.interval, c.records
					if !c.checkpoints {
						o.Checkpoints = nil
					}
				})
				l := w.start(e)
				for range 20 {
					w.publish("in", 0, "a=x")
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(time.Second)
				w.publish("in", 0, "b=x") // a checkpoint goes with this epoch, which it may not claim to hold
				time.Sleep(10 * time.Millisecond)
				for _, key := range []string{"a", "b", "c"} {
					w.publish("in", 0, key+"=x")
					time.Sleep(10 * time.Millisecond)
				}
				l.crash()
				l = w.start(e)
				time.Sleep(time.Second)
				fields, n := w.event("state-restored")
				if n != 1 || fields["records"] != c.want {
					t.Errorf("replayed %v in %d restores, want %d", fields, n, c.want)
				}
				w.publish("in", 0, "a=x", "b=x", "c=x")
				time.Sleep(time.Second)
				l.stop()
				last := map[string]string{}
				for _, r := range w.read("out") {
					key, count, _ := strings.Cut(r, "=")
					last[key] = count
				}
				equal(t, "the last counts", map[string]string{"crash": "1", "a": "22", "b": "3", "c": "2"}, last)
			})
		})
	}
}

func TestTheTailOfALargeTableIsAtMostAQuarterOfItsRows(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), func(o *Options) { o.CheckpointInterval, o.CheckpointRecords = time.Minute, 3 })
		l := w.start(e)
		const rows = 40
		var all []string
		for k := range rows {
			all = append(all, fmt.Sprint("k", k, "=x"))
		}
		w.publish("in", 0, all...)
		time.Sleep(time.Second)
		for range rows/4 + 5 { // the first is followed by a checkpoint of all
			w.publish("in", 0, "k0=x")
			time.Sleep(10 * time.Millisecond)
		}
		l.crash()
		l = w.start(e)
		time.Sleep(time.Second)
		fields, n := w.event("state-restored")
		if replayed, _ := fields["records"].(int64); n != 1 || replayed > rows/4 {
			t.Errorf("replayed %v in %d restores, want at most %d", fields, n, rows/4)
		}
		l.stop()
	})
}

func TestALongTailIsFollowedByACheckpoint(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), func(o *Options) { o.CheckpointInterval = time.Hour })
		l := w.start(e)
		const batch = 4096
		for n := 0; n <= longTail; n += batch {
			var values []string
			for k := range batch {
				values = append(values, fmt.Sprint("k", n+k, "=x"))
			}
			w.publish("in", 0, values...)
		}
		time.Sleep(time.Second)
		for lives, want := range []func(replayed int64) bool{
			func(replayed int64) bool { return replayed >= longTail },
			func(replayed int64) bool { return replayed <= 4 },
		} {
			l.crash()
			l = w.start(e)
			time.Sleep(time.Second)
			w.publish("in", 0, "a=x")
			time.Sleep(time.Second)
			fields, n := w.event("state-restored")
			if n != lives+1 || !want(fields["records"].(int64)) {
				t.Errorf("life %d replayed %v records", n, fields["records"])
			}
		}
		l.stop()
	})
}

func TestACheckpointOfAnotherChangelogIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), nil)
		l := w.start(e)
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		l.stop()
		const name = "app-counts-changelog"
		was, err := w.door.Topics(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.broker.DeleteTopics([]broker.TopicRef{{Name: name}}).Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.topic(name, was[name].Partitions, map[string]string{"cleanup.policy": "compact"})
		w.publish(name, 0, "x=5", "y=6", "z=7") // as long as the old one, and longer
		w.publish(name, 1, "x=5", "y=6", "z=7")
		err = w.keep(e).failed()
		if Retryable(err) || !errors.Is(err, client.ErrRecreated) || !strings.Contains(err.Error(), name) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestACheckpointAheadOfTheChangelogIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), nil)
		l := w.start(e)
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		l.stop()
		if _, err := w.broker.DeleteTopics([]broker.TopicRef{{Name: "app-counts-changelog"}}).Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		err := w.keep(e).failed()
		if Retryable(err) || !strings.Contains(err.Error(), "counts/0") || !strings.Contains(err.Error(), "ahead of the changelog") {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestAChangelogThatDoesNotDecodeIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), func(o *Options) { o.Checkpoints = nil })
		l := w.start(e)
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		l.stop()
		w.publish("app-counts-changelog", 0, "a=not a number")
		err := w.keep(e).failed()
		if Retryable(err) || !strings.Contains(err.Error(), "app-counts-changelog/0 at 1") {
			t.Errorf("ended with %v", err)
		}
	})
}

func addPartition(w *world, topic string, total int32) {
	w.t.Helper()
	r, err := w.broker.CreatePartitions(topic, total, false).Wait(context.Background())
	if err != nil || r.Err != nil {
		w.t.Fatal(err, r.Err)
	}
}

func TestPartitionsAddedToASourceAreReadWhenThereIsNoState(t *testing.T) {
	inWorld(t, func(w *world) {
		l := w.keep(w.engine(copying(t), nil))
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		addPartition(w, "in", 3)
		w.publish("in", 2, "a=2")
		time.Sleep(time.Minute)
		equal(t, "out", []string{"a=1", "a=2"}, w.read("out"))
		if fields, n := w.event("engine-retrying"); n != 1 || !strings.Contains(fmt.Sprint(fields["error"]), "topic in has 3 partitions now instead of 2") {
			t.Errorf("%d: %v", n, fields)
		}
		l.stop()
	})
}

func TestPartitionsAddedUnderAStateAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), nil)
		l := w.keep(e)
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		addPartition(w, "in", 3)
		w.publish("in", 0, "a=1")
		err := l.failed()
		if !errors.Is(err, ErrPartitions) || !strings.Contains(err.Error(), "app-counts-changelog has 2 partitions where the topology needs 3") {
			t.Errorf("ended with %v", err)
		}
		equal(t, "what came before is committed", []string{"a=1", "a=2"}, w.read("out"))
		if err := w.start(e).failed(); !errors.Is(err, ErrPartitions) {
			t.Errorf("the next run: %v", err)
		}
	})
}

func TestSourcesThatMustMatchAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.topic("three", 3, nil)
		b := stream.New("app")
		both := stream.From(b, "in", serde.String, serde.String).Merge(stream.From(b, "three", serde.String, serde.String))
		stream.Count(stream.GroupByKey(both), stream.Named("counts")).Updates().To("out", serde.String, serde.Int64)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		err = w.keep(w.engine(built, nil)).failed()
		if !errors.Is(err, ErrPartitions) || !strings.Contains(err.Error(), `"three" has 3`) {
			t.Errorf("ended with %v", err)
		}
	})
}

// failingStore cannot write.
type failingStore struct{ kv.Store }

func (s failingStore) NewBatch() kv.Batch { return failingBatch{s.Store.NewBatch()} }

type failingBatch struct{ kv.Batch }

func (failingBatch) Commit(bool) error { return errors.New("disk is full") }

func TestACheckpointThatFailsEndsTheRunAndLosesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		if _, err := store.OpenCheckpoints(w.state, "app"); err != nil {
			t.Fatal(err)
		}
		e := w.engine(counting(t), func(o *Options) { o.Checkpoints, o.CheckpointInterval = failingStore{w.state}, time.Second })
		l := w.keep(e)
		time.Sleep(2 * time.Second)
		w.publish("in", 0, "a=1")
		if err := l.failed(); Retryable(err) || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("ended with %v", err)
		}
		l = w.start(w.engine(counting(t), nil)) // with room on the disk
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		l.stop()
		equal(t, "out", []string{"a=1", "a=2"}, w.read("out"))
	})
}

// narrowStore has no room for a commit until it is given some.
type narrowStore struct {
	kv.Store
	roomy *atomic.Bool
}

func (s narrowStore) Room() error {
	if s.roomy.Load() {
		return nil
	}
	return kv.ErrFull
}

func TestACheckpointIsPostponedWhileTheDiskIsFull(t *testing.T) {
	inWorld(t, func(w *world) {
		var roomy atomic.Bool
		change := func(o *Options) { o.Checkpoints, o.CheckpointInterval = narrowStore{w.state, &roomy}, time.Second }
		w.publish("in", 0, "a=1", "b=1")
		l := w.start(w.engine(counting(t), change))
		time.Sleep(3 * time.Second)
		w.publish("in", 0, "a=1")
		time.Sleep(time.Second)
		l.stop()
		equal(t, "out", []string{"a=1", "b=1", "a=2"}, w.read("out"))
		if _, n := w.event("checkpoint-postponed"); n < 2 {
			t.Errorf("%d checkpoints were postponed", n)
		}
		l = w.start(w.engine(counting(t), change)) // nothing was written: all is read again
		time.Sleep(time.Second)
		if fields, _ := w.event("state-restored"); fields["records"] != int64(3) {
			t.Errorf("%v changes were replayed without a checkpoint", fields["records"])
		}
		roomy.Store(true) // what changed before there was room is in the checkpoint, too
		w.publish("in", 0, "c=1")
		time.Sleep(2 * time.Second)
		l.stop()
		l = w.start(w.engine(counting(t), change))
		time.Sleep(time.Second)
		if fields, n := w.event("state-restored"); n != 1 {
			t.Errorf("%v changes were replayed behind a checkpoint", fields["records"])
		}
		w.publish("in", 0, "b=1")
		time.Sleep(time.Second)
		l.stop()
		equal(t, "out", []string{"a=1", "b=1", "a=2", "c=1", "b=2"}, w.read("out"))
	})
}

// Without checkpoints the stores must forget all the same which rows changed, or deleted keys would stay in memory for good.
func TestWithoutCheckpointsChangedRowsAreForgotten(t *testing.T) {
	set, err := task.New(task.Config{Topology: counting(t), Partitions: map[string]int32{"in": 1, "out": 1}})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{o: Options{}.withDefaultsFor(t), shards: []*shard{newShard(set)}}
	row := client.Chunk{TopicPartition: record.TopicPartition{Topic: "in"}, Offsets: []record.Offset{0}, Timestamps: []record.Timestamp{1}, Keys: [][]byte{[]byte("a")}, Values: [][]byte{[]byte("x")}, Next: 1}
	if err := set.Add(row); err != nil {
		t.Fatal(err)
	}
	var out discard
	if _, err := set.Process(out, 10); err != nil {
		t.Fatal(err)
	}
	if err := set.Seal(out); err != nil {
		t.Fatal(err)
	}
	set.Commit()
	if !s.checkpointDue(s.lastCkpt + s.o.CheckpointInterval) {
		t.Error("without checkpoints it is never due")
	}
	s.checkpoint(map[record.TopicPartition]record.Offset{set.Changelog(set.Stores()[0]): 1})
	if set.Stores()[0].Dirty() != nil || s.writing {
		t.Error("the changed row is still remembered")
	}
}

type discard struct{}

func (discard) Append(record.TopicPartition, record.Timestamp, []byte, []byte, []record.Header) error {
	return nil
}

func (o Options) withDefaultsFor(t *testing.T) Options {
	o.Topology = counting(t)
	return o.withDefaults()
}

// A worker that stands still behind a commit while others go on must not take what they have written for its own.
func TestACheckpointDoesNotClaimWhatASuccessorWrote(t *testing.T) {
	inWorld(t, func(w *world) {
		second := w.engine(counting(t), func(o *Options) { o.Checkpoints = nil })
		first := w.engine(counting(t), func(o *Options) { o.CheckpointInterval = time.Second })
		l := w.start(first)
		time.Sleep(2 * time.Second)
		over := false
		w.door.failing(func(call string) error {
			if call == "Ends" && !over {
				over = true
				other := w.start(second)
				w.publish("in", 0, "b=1")
				time.Sleep(time.Second)
				other.stop()
			}
			return nil
		})
		w.publish("in", 0, "a=1")
		if err := l.failed(); !errors.Is(err, client.ErrFenced) {
			t.Errorf("ended with %v", err)
		}
		w.publish("in", 0, "a=1", "b=1")
		l = w.start(first)
		time.Sleep(time.Second)
		l.stop()
		equal(t, "out", []string{"a=1", "b=1", "a=2", "b=2"}, w.read("out"))
	})
}
