package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// naming joins each record of "in" with the name that the global topic "names" has for it.
func naming(t *testing.T) *topology.Topology {
	t.Helper()
	b := stream.New("naming")
	names := stream.GlobalTableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	in := stream.From(b, "in", serde.String, serde.String)
	stream.LeftJoinGlobalWithKey(in, names, func(k, _ string) string { return k }, func(_, v string, name *string) string {
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

func TestAGlobalTableIsWholeBeforeStreamsAreReadAndIsNoCommittedPosition(t *testing.T) {
	for name, checkpoints := range map[string]bool{"with checkpoints": true, "without checkpoints": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.topic("names", 2, nil)
				e := w.engine(naming(t), func(o *Options) {
					o.CheckpointInterval = time.Second
					if !checkpoints {
						o.Checkpoints = nil
					}
				})
				w.publish("names", 0, "a=Ada")
				w.publish("names", 1, "b=Bob")
				w.publish("in", 0, "a=1", "b=1", "c=1")
				l := w.start(e)
				time.Sleep(2 * time.Second)
				w.publish("names", 1, "c=Cyd") // behind the checkpoint
				time.Sleep(time.Second)
				w.publish("in", 1, "c=2")
				time.Sleep(time.Second)
				l.stop()

				w.publish("names", 0, "a=Abe")
				w.publish("in", 0, "a=3", "b=3", "c=3")
				l = w.start(e)
				time.Sleep(time.Second)
				got := w.read("out")
				want := []string{"a=1:Ada", "b=1:Bob", "c=1:?", "c=2:Cyd", "a=3:Abe", "b=3:Bob", "c=3:Cyd"}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				committed, err := w.door.Committed(context.Background(), "naming")
				if err != nil {
					t.Fatal(err)
				}
				for tp := range committed {
					if tp.Topic == "names" {
						t.Errorf("a position of %v is committed", tp)
					}
				}
				l.stop()
			})
		})
	}
}
