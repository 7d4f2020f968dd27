package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A lateDoor reads some partitions a few polls later than the others, as a slow fetch does.
type lateDoor struct {
	client.Door
	late []record.TopicPartition
}

func (d *lateDoor) OpenReader(ctx context.Context, from map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r, err := d.Door.OpenReader(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, tp := range d.late {
		if _, read := from[tp]; read {
			r.Pause(tp)
		}
	}
	return &lateReader{Reader: r, late: d.late}, nil
}

type lateReader struct {
	client.Reader
	late  []record.TopicPartition
	polls int
}

func (r *lateReader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	if r.polls++; r.polls == 2 {
		for _, tp := range r.late {
			r.Resume(tp)
		}
	}
	return r.Reader.Poll(ctx, maxBytes)
}

func TestATaskSeesATableThatWasThereBeforeTheStream(t *testing.T) {
	inWorld(t, func(w *world) {
		w.topic("names", 2, nil)
		w.publish("names", 0, "a=Ann")
		w.publish("in", 0, "b=nobody", "a=1", "a=2")
		b := stream.New("app")
		names := stream.TableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
		in := stream.From(b, "in", serde.String, serde.String)
		stream.JoinTable(in, names, func(v, name string) string { return v + name }).To("out", serde.String, serde.String)
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		late := &lateDoor{Door: w.door, late: []record.TopicPartition{{Topic: "names"}}}
		e := w.start(w.engine(built, func(o *Options) { o.Door = late }))
		if got, want := w.read("out"), []string{"a=1Ann", "a=2Ann"}; !slices.Equal(got, want) {
			t.Errorf("joined %q, want %q", got, want)
		}
		e.stop()
	})
}

func TestReadingAheadOfAnotherPartitionIsBounded(t *testing.T) {
	r := &countingReader{}
	held := map[record.TopicPartition]bool{}
	a, b := record.TopicPartition{Topic: "a"}, record.TopicPartition{Topic: "b"}
	reading := &reading{reader: r}
	reading.hold(held, []record.TopicPartition{a})
	reading.hold(held, []record.TopicPartition{a, b})
	reading.hold(held, []record.TopicPartition{b})
	reading.hold(held, nil)
	want := []string{"pause a/0", "pause b/0", "resume a/0", "resume b/0"}
	if !slices.Equal(r.calls, want) {
		t.Errorf("calls %q, want %q", r.calls, want)
	}
}

type countingReader struct {
	client.Reader
	calls []string
}

func (r *countingReader) Pause(tp record.TopicPartition) {
	r.calls = append(r.calls, "pause "+tp.String())
}

func (r *countingReader) Resume(tp record.TopicPartition) {
	r.calls = append(r.calls, "resume "+tp.String())
}
