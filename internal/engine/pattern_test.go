package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// patterned counts what the topics named in-… hold, by key, and writes it to in-counts.
func patterned(t *testing.T) *topology.Topology {
	t.Helper()
	b := stream.New("app")
	all := stream.FromPattern(b, "in-.*", serde.String, serde.String)
	counts := stream.Count(stream.GroupByKey(all), stream.Named("counts"))
	stream.MapValues(counts.Updates(), func(n int64) string { return strings.Repeat("i", int(n)) }).To("in-counts", serde.String, serde.String)
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestTopicsOfAPatternComeAndGo(t *testing.T) {
	inWorld(t, func(w *world) {
		l := w.keep(w.engine(patterned(t), nil)) // nothing matches
		time.Sleep(time.Second)
		w.topic("in-a", 1, nil)
		w.publish("in-a", 0, "k=1")
		time.Sleep(time.Minute)
		equal(t, "with in-a", []string{"k=i"}, w.read("in-counts"))
		equal(t, "topics", []string{"in-a"}, l.SourceTopics())

		w.topic("in-b", 1, nil)
		w.publish("in-b", 0, "k=1", "j=1")
		w.publish("in-a", 0, "k=2")
		time.Sleep(time.Minute)
		equal(t, "topics", []string{"in-a", "in-b"}, l.SourceTopics())
		equal(t, "how often k was counted", "k=iii", last(w.read("in-counts"), "k"))

		if r, err := w.broker.DeleteTopics([]broker.TopicRef{{Name: "in-a"}}).Wait(context.Background()); err != nil || r[0].Err != nil {
			t.Fatal(err, r)
		}
		time.Sleep(time.Minute)
		w.publish("in-b", 0, "k=3", "j=2")
		time.Sleep(time.Minute)
		equal(t, "topics", []string{"in-b"}, l.SourceTopics())
		equal(t, "how often k was counted", "k=iiii", last(w.read("in-counts"), "k"))
		equal(t, "how often j was counted", "j=ii", last(w.read("in-counts"), "j"))
		l.stop()
	})
}

// inputs are the partitions that a worker was told to read.
func (g *group) inputs(worker string) []record.TopicPartition {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seats[worker]; s != nil && s.grant != nil {
		return s.grant.Inputs
	}
	return nil
}

// last returns the last of the rows with a key.
func last(rows []string, key string) (found string) {
	for _, row := range rows {
		if strings.HasPrefix(row, key+"=") {
			found = row
		}
	}
	return found
}

func TestATopicThatAnotherSourceNamesEndsTheRun(t *testing.T) {
	inWorld(t, func(w *world) {
		b := stream.New("app")
		stream.FromPattern(b, "in.*", serde.String, serde.String).To("out", serde.String, serde.String)
		stream.From(b, "in", serde.String, serde.Bytes).To("out", serde.String, serde.Bytes)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l := w.keep(w.engine(built, nil))
		if err := l.failed(); !strings.Contains(err.Error(), `both read topic "in"`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStreamBeginsSomeTimeAgo(t *testing.T) {
	inWorld(t, func(w *world) {
		b := stream.New("app")
		stream.From(b, "in", serde.String, serde.String, stream.FromAgo(time.Hour)).To("out", serde.String, serde.String)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		publish := func(partition int32, ages ...time.Duration) {
			var rs batch.Builder
			for _, age := range ages {
				rs.Append(record.Timestamp(time.Now().Add(-age).UnixMilli()), []byte("k"), []byte(age.String()), nil)
			}
			w.publishBatch("in", partition, rs.AppendTo(nil))
		}
		publish(0, 3*time.Hour, 59*time.Minute, 2*time.Hour) // the order of offsets counts
		publish(1, 3*time.Hour, 2*time.Hour)                 // none is young enough
		l := w.start(w.engine(built, nil))
		time.Sleep(time.Second)
		synctest.Wait()
		equal(t, "positions", [2]record.Offset{3, 2}, w.committed("app"))
		l.stop()
		publish(1, 5*time.Hour) // while nobody runs: a position is committed, so it counts
		l = w.start(w.engine(built, nil))
		time.Sleep(time.Second)
		equal(t, "out", []string{"k=59m0s", "k=2h0m0s", "k=5h0m0s"}, w.read("out"))
		l.stop()
	})
}

func TestWorkersShareTheTopicsOfAPattern(t *testing.T) {
	inSharedWorld(t, func(w *world, g *group) {
		a, b := w.hire("a", patterned(t), nil), w.hire("b", patterned(t), nil)
		settled()
		for i, topic := range []string{"in-x", "in-y"} {
			w.topic(topic, 2, nil)
			settled()
			w.publish(topic, 0, "k=1", "k=2")
			w.publish(topic, 1, "j=1")
			settled()
			equal(t, "how often k was counted", "k="+strings.Repeat("i", 2*i+2), last(w.read("in-counts"), "k"))
			equal(t, "how often j was counted", "j="+strings.Repeat("i", i+1), last(w.read("in-counts"), "j"))
			equal(t, "partitions of a", 1+i, len(g.inputs("a")))
			equal(t, "partitions of b", 1+i, len(g.inputs("b")))
		}
		a.stop()
		b.stop()
	})
}
