package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// looking joins each record of "in" with the row that topic "names" has for it.
func looking(t *testing.T) *topology.Topology {
	t.Helper()
	b := stream.New("looking")
	names := stream.TableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	in := stream.From(b, "in", serde.String, serde.String)
	stream.LeftJoinTable(in, names, func(v string, name *string) string {
		if name == nil {
			return v + ":?"
		}
		return v + ":" + *name
	}).To("out", serde.String, serde.String)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// remove publishes a tombstone.
func (w *world) remove(topic, key string) {
	w.t.Helper()
	var b batch.Builder
	b.Append(1000, []byte(key), nil, nil)
	w.publishBatch(topic, 0, b.AppendTo(nil))
}

// outlive writes to a topic that another one follows, until the followed one has lost its tombstones.
func (w *world) outlive(topic, follower string) {
	w.t.Helper()
	for day := range 4 {
		for i := range 60 {
			w.publish(topic, 0, fmt.Sprintf("b=%d %0400d", i, day))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(13 * time.Hour)
	}
	for _, row := range w.read(follower) {
		if strings.HasPrefix(row, "a=") {
			w.t.Fatalf("%s still has %q", follower, row)
		}
	}
}

// A row whose deletion only a tombstone told, which is gone, does not come back from a checkpoint.
func TestACheckpointOlderThanTheTombstonesIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		topology func(*testing.T) *topology.Topology
		follower string // the topic that the table is restored from
		shared   bool   // somebody else has to write it
	}{
		"changelog":    {looking, topology.Changelog("looking", "names"), true},
		"global table": {naming, "names", false},
	} {
		t.Run(name, func(t *testing.T) {
			inSmallWorld(t, func(w *world, _ func() int) {
				w.topic("names", 2, map[string]string{"cleanup.policy": "compact"})
				w.state = kv.NewMemory()
				e := w.engine(c.topology(t), func(o *Options) { o.CheckpointInterval = time.Second })
				w.publish("names", 0, "a=Ada", "b=Bob")
				l := w.start(e)
				time.Sleep(2 * time.Second)
				w.publish("in", 0, "a=1")
				time.Sleep(time.Second)
				l.stop()

				var other *life
				if c.shared {
					other = w.start(w.engine(c.topology(t), func(o *Options) { o.Checkpoints = nil }))
				}
				w.remove("names", "a")
				w.outlive("names", c.follower)
				if c.shared {
					other.stop()
				}
				l = w.start(e)
				time.Sleep(time.Second)
				w.publish("in", 0, "a=2")
				time.Sleep(time.Second)
				l.stop()
				if got, want := w.read("out"), []string{"a=1:Ada", "a=2:?"}; !slices.Equal(got, want) {
					t.Errorf("%q, not %q", got, want)
				}
				if _, n := w.event("checkpoint-too-old"); n != 1 {
					t.Errorf("%d checkpoints were too old", n)
				}
				l = w.start(e) // the checkpoint of before does not count any more
				time.Sleep(time.Second)
				l.stop()
				if _, n := w.event("checkpoint-too-old"); n != 1 {
					t.Errorf("%d checkpoints were too old after the second start", n)
				}
			})
		})
	}
}

// However old a checkpoint is, it counts when the changelog behind it is whole.
func TestAnOldCheckpointCountsWhenNothingIsMissingBehindIt(t *testing.T) {
	inWorld(t, func(w *world) {
		e := w.engine(counting(t), func(o *Options) { o.CheckpointInterval = time.Second })
		w.publish("in", 0, "a=x", "b=x", "c=x")
		l := w.start(e)
		time.Sleep(2 * time.Second)
		w.publish("in", 0, "a=x") // a checkpoint goes with this epoch and counts up to it
		time.Sleep(10 * time.Millisecond)
		w.publish("in", 0, "b=x")
		time.Sleep(10 * time.Millisecond)
		l.crash()
		time.Sleep(72 * time.Hour)
		l = w.start(e)
		time.Sleep(time.Second)
		l.stop()
		if fields, n := w.event("state-restored"); n != 1 || fields["records"] != int64(2) {
			t.Errorf("%d restores, of %v", n, fields)
		}
		if _, n := w.event("checkpoint-too-old"); n != 0 {
			t.Error("the checkpoint was forgotten")
		}
	})
}
