package until_test

import (
	"context"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/until"
	"github.com/mainstemio/mainstem/record"
)

// A log is a door whose readers give chunks of two partitions by turns; it notes what is paused.
type log struct {
	client.Door
	chunks []client.Chunk
	paused map[record.TopicPartition]bool
}

func (l *log) OpenReader(context.Context, map[record.TopicPartition]record.Offset) (client.Reader, error) {
	return &logReader{log: l}, nil
}

type logReader struct {
	client.Reader
	*log
}

func (r *logReader) Pause(tp record.TopicPartition)  { r.paused[tp] = true }
func (r *logReader) Resume(tp record.TopicPartition) { delete(r.paused, tp) }

func (r *logReader) Poll(context.Context, int) ([]client.Chunk, error) {
	if len(r.chunks) == 0 {
		return nil, context.Canceled
	}
	next := r.chunks[:1]
	r.chunks = r.chunks[1:]
	return slices.Clone(next), nil
}

func chunk(tp record.TopicPartition, next record.Offset, offsets ...record.Offset) client.Chunk {
	c := client.Chunk{TopicPartition: tp, Offsets: offsets, Next: next, End: 100}
	for range offsets {
		c.Timestamps, c.Keys, c.Values = append(c.Timestamps, 0), append(c.Keys, nil), append(c.Values, nil)
	}
	return c
}

func TestAPartitionEndsWhereItWasTold(t *testing.T) {
	a, b, c := record.TopicPartition{Topic: "a"}, record.TopicPartition{Topic: "b"}, record.TopicPartition{Topic: "c"}
	l := &log{paused: map[record.TopicPartition]bool{}, chunks: []client.Chunk{
		chunk(a, 5, 3, 4), chunk(a, 9, 5, 6, 8), chunk(a, 12, 9, 10), chunk(b, 300, 200), chunk(a, 20, 13),
	}}
	r, err := until.Door(l, map[record.TopicPartition]record.Offset{a: 7, c: 4}).OpenReader(t.Context(), map[record.TopicPartition]record.Offset{a: 3, b: 200, c: 4})
	if err != nil {
		t.Fatal(err)
	}
	if !l.paused[c] {
		t.Error("a partition that is at its end already is read")
	}
	var got []record.Offset
	var next record.Offset
	for {
		chunks, err := r.Poll(t.Context(), 1)
		if err != nil {
			break
		}
		for _, x := range chunks {
			got = append(got, x.Offsets...)
			if x.TopicPartition == a {
				next = x.Next
			}
		}
		r.Resume(a)
	}
	if !slices.Equal(got, []record.Offset{3, 4, 5, 6, 200}) || next != 7 || !l.paused[a] {
		t.Errorf("read %v, position %d, paused %v", got, next, l.paused)
	}
}
