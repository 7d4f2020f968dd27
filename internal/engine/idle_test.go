package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A partition of which much waits for an empty one is not read any further: once its task has gone on without the other, it must be again.
func TestWhatWaitedForAnIdlePartitionIsReadOn(t *testing.T) {
	inWorld(t, func(w *world) {
		const records = 40
		w.topic("other", 2, nil)
		large := "k=" + strings.Repeat("x", 900_000)
		for range records {
			w.publish("in", 0, large)
		}
		b := stream.New("app")
		from := func(topic string) stream.Stream[string, string] {
			return stream.From(b, topic, serde.String, serde.String)
		}
		stream.MapValues(from("in").Merge(from("other")), func(v string) string { return "x" }).To("out", serde.String, serde.String)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l := w.start(w.engine(built, func(o *Options) { o.MaxIdle, o.PollBytes = 100*time.Millisecond, 1<<20 }))
		time.Sleep(time.Minute)
		if got := len(w.read("out")); got != records {
			t.Errorf("%d of %d records have been processed", got, records)
		}
		l.stop()
	})
}
