package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

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
	a, b := record.TopicPartition{Topic: "a"}, record.TopicPartition{Topic: "b"}
	reading := newReading(r)
	reading.hold([]record.TopicPartition{a})
	reading.hold([]record.TopicPartition{a, b})
	reading.hold([]record.TopicPartition{b})
	reading.hold(nil)
	want := []string{"pause a/0", "pause b/0", "resume a/0", "resume b/0"}
	if !slices.Equal(r.calls, want) {
		t.Errorf("calls %q, want %q", r.calls, want)
	}
}

// A watchedReader gives what stands in its chunks, each at one look, and tells of it.
type watchedReader struct {
	client.Reader
	chunks []client.Chunk
	news   chan struct{}
	looks  int
}

func (r *watchedReader) Look(int) (next []client.Chunk, err error) {
	r.looks++
	if len(r.chunks) > 0 {
		next, r.chunks = r.chunks[:1], r.chunks[1:]
	}
	return next, nil
}

func (r *watchedReader) News() <-chan struct{} { return r.news }
func (r *watchedReader) Close()                {}

func (r *watchedReader) give(c client.Chunk) {
	r.chunks = append(r.chunks, c)
	r.news <- struct{}{}
}

// The goroutine that polls ends where there is nothing at its first look, stays between chunks, and ends when it may rest.
func TestNobodyPollsWhileNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watchedReader{news: make(chan struct{}, 1)}
		r := newReading(w)
		r.watch()
		r.begin(t.Context(), 1)
		grant := func(want int) {
			t.Helper()
			r.grants <- struct{}{}
			if p := <-r.polled; len(p.chunks) != want || p.err != nil {
				t.Fatalf("polled %d chunks, %v, want %d", len(p.chunks), p.err, want)
			}
		}
		grant(0)
		r.joined.Wait()

		w.give(client.Chunk{Next: 1})
		<-w.News()
		r.again()
		grant(1)
		r.grants <- struct{}{}
		synctest.Wait()
		if len(r.polled) > 0 {
			t.Fatal("it does not wait for the next chunk")
		}
		w.give(client.Chunk{Next: 2})
		if p := <-r.polled; len(p.chunks) != 1 {
			t.Fatalf("polled %d chunks, want the second", len(p.chunks))
		}
		r.grants <- struct{}{}
		synctest.Wait()
		r.rest()
		r.rest() // once more counts for nothing
		if p := <-r.polled; len(p.chunks) != 0 || p.err != nil {
			t.Fatalf("it rests with %d chunks, %v", len(p.chunks), p.err)
		}
		r.joined.Wait()
		if w.looks != 5 {
			t.Errorf("%d looks, want 5", w.looks)
		}
		r.end()
	})
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
