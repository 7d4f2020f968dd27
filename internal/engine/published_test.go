package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// joining publishes into "joined" what each key's values are together.
func joining(t *testing.T) *topology.Topology {
	return build(t, func(in stream.Stream[string, string]) {
		stream.Aggregate(stream.GroupByKey(in), "", func(a, v string) string { return a + v }, serde.String,
			stream.Named("joined-values"), stream.Published("joined"))
	})
}

func TestAPublishedTableIsRestoredFromItsTopic(t *testing.T) {
	for name, c := range map[string]struct {
		checkpoints bool
		want        int64 // records that are replayed
	}{"with checkpoints": {true, 2}, "without checkpoints": {false, 5}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				e := w.engine(joining(t), func(o *Options) {
					o.CheckpointInterval = time.Second
					if !c.checkpoints {
						o.Checkpoints = nil
					}
				})
				l := w.start(e)
				w.publish("in", 1, "a=1", "b=1", "a=2") // where the default partitioner does not put both keys
				time.Sleep(2 * time.Second)
				w.publish("in", 1, "b=2") // a checkpoint goes with this epoch, which it may not claim to hold
				time.Sleep(10 * time.Millisecond)
				w.publish("in", 1, "a=3")
				time.Sleep(10 * time.Millisecond)
				l.crash()
				l = w.start(e)
				time.Sleep(time.Second)
				if fields, n := w.event("state-restored"); n != 1 || fields["records"] != c.want {
					t.Errorf("replayed %v in %d restores, want %d", fields, n, c.want)
				}
				w.publish("in", 1, "a=4", "b=3")
				time.Sleep(time.Second)
				l.stop()
				got := slices.DeleteFunc(w.read("joined"), func(s string) bool { return strings.HasPrefix(s, "crash=") })
				equal(t, "joined", []string{"a=1", "b=1", "a=12", "b=12", "a=123", "a=1234", "b=123"}, got)
				infos, err := w.door.Topics(context.Background(), "joined", topology.Changelog("app", "joined-values"))
				if err != nil || len(infos) != 1 || infos["joined"].Partitions != 2 || infos["joined"].Configs["cleanup.policy"] != "compact" {
					t.Errorf("topics: %+v, %v", infos, err)
				}
			})
		})
	}
}

func TestATopicThatCannotHoldAPublishedTableIsRefused(t *testing.T) {
	compact := map[string]string{"cleanup.policy": "compact"}
	for name, c := range map[string]struct {
		topic      string
		partitions int32
		configs    map[string]string
		want       string
	}{
		"more partitions":       {"joined", 3, compact, "topic joined has 3 partitions"},
		"fewer, with records":   {"joined", 1, compact, "topic joined has 1 partitions, cleanup.policy is compact, "},
		"deletes, with records": {"joined", 2, nil, "cleanup.policy is the default, message.timestamp.type is the default and there are records in partition 0"},
		"does both, with some":  {"joined", 2, map[string]string{"cleanup.policy": "compact,delete"}, "cleanup.policy is compact,delete, "},
		"takes its own times": {
			"joined", 2,
			map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"},
			"message.timestamp.type is LogAppendTime and there are records",
		},
		"a changelog from before": {topology.Changelog("app", "joined-values"), 2, compact, "the table joined-values has its rows in app-joined-values-changelog"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.topic(c.topic, c.partitions, c.configs)
				w.publish(c.topic, 0, "a=1")
				err := w.keep(w.engine(joining(t), nil)).failed()
				if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrPublished) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// Who makes the topic, or reads it, before the pipeline has started need not know what the table needs.
func TestAnEmptyTopicIsMadeFitForAPublishedTable(t *testing.T) {
	for name, configs := range map[string]map[string]string{"deletes": {"cleanup.policy": "delete", "retention.ms": "5000"}, "times": {"message.timestamp.type": "LogAppendTime"}, "defaults": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.topic("joined", 1, configs)
				e := w.engine(joining(t), func(o *Options) { o.Checkpoints = nil })
				l := w.start(e)
				w.publish("in", 1, "a=1")
				time.Sleep(time.Second)
				l.stop()
				l = w.start(e)
				w.publish("in", 1, "a=2")
				time.Sleep(time.Second)
				l.stop()
				equal(t, "joined", []string{"a=1", "a=12"}, w.read("joined"))
				infos, err := w.door.Topics(context.Background(), "joined")
				got := infos["joined"]
				if err != nil || got.Partitions != 2 || got.Configs["cleanup.policy"] != "compact" || got.Configs["retention.ms"] != configs["retention.ms"] ||
					got.Configs["message.timestamp.type"] != "CreateTime" {
					t.Errorf("topics: %+v, %v", infos, err)
				}
			})
		})
	}
}

// A change that its topic does not take is not made, even where outputs that cannot be written are left out alone.
func TestAPublishedTableHasNothingThatItsTopicHasNot(t *testing.T) {
	inWorld(t, func(w *world) {
		w.topic("joined", 2, map[string]string{"cleanup.policy": "compact", "max.message.bytes": "1000"})
		e := w.engine(joining(t), func(o *Options) {
			o.OnFailure = func(r failure.Record) failure.Decision {
				if r.Phase == failure.Produce {
					return failure.LeaveOut
				}
				return failure.DeadLetter
			}
		})
		l := w.start(e)
		w.publish("in", 0, "a=1", "a="+strings.Repeat("x", 900), "b=1", "a=2")
		time.Sleep(time.Second)
		l.stop()
		equal(t, "joined", []string{"a=1", "b=1", "a=12"}, w.read("joined"))
		equal(t, "dead letters", 1, len(w.read("in.dead")))
	})
}

func TestAPublishedTableGoesWithItsTasks(t *testing.T) {
	inWorld(t, func(w *world) {
		l := w.start(w.engine(joining(t), nil))
		for p := range int32(2) {
			w.publish("in", p, fmt.Sprintf("key-%d=x", p))
		}
		time.Sleep(time.Second)
		l.stop()
		for _, c := range w.chunks("joined") {
			for i, key := range c.Keys {
				if want := fmt.Sprintf("key-%d", c.Partition); string(key) != want {
					t.Errorf("%s is in %v at %d", key, c.TopicPartition, record.Offset(i))
				}
			}
		}
	})
}
