package task_test

import (
	"encoding/binary"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

type nowhere struct{}

func (nowhere) Append(record.TopicPartition, record.Timestamp, []byte, []byte, []record.Header) error {
	return nil
}

// TestNoAllocationPerRecord holds the hot path to a few allocations for a whole batch.
func TestNoAllocationPerRecord(t *testing.T) {
	s := newSet(t, task.Config{}, func(b *stream.Builder) {
		in := stream.From(b, "in", serde.Int64, serde.Int64)
		positive := in.Filter(func(n int64) bool { return n >= 0 })
		grouped := stream.GroupBy(stream.MapValues(positive, func(n int64) int64 { return n + 1 }), func(n int64) int64 { return n % 100 }, serde.Int64)
		sums := stream.Aggregate(grouped, 0, func(a, n int64) int64 { return a + n }, serde.Int64, stream.Named("sums"))
		sums.Updates().To("sums", serde.Int64, serde.Int64)
		positive.To("out", serde.Int64, serde.Int64)
	})
	const rows = 1000
	c := client.Chunk{TopicPartition: record.TopicPartition{Topic: "in"}}
	for i := range rows {
		c.Keys = append(c.Keys, binary.BigEndian.AppendUint64(nil, uint64(i)))
		c.Values = append(c.Values, binary.BigEndian.AppendUint64(nil, uint64(i*7)))
		c.Timestamps = append(c.Timestamps, record.Timestamp(i))
	}
	c.Offsets = make([]record.Offset, rows)
	next := record.Offset(0)
	run := func() {
		for i := range c.Offsets {
			c.Offsets[i] = next
			next++
		}
		c.Next = next
		addChunk(t, s, c)
		mustProcess(t, s, nowhere{})
		if err := s.Seal(nowhere{}); err != nil {
			t.Fatal(err)
		}
		s.Commit()
	}
	run()
	if got := testing.AllocsPerRun(50, run); got > 3 {
		t.Errorf("%.0f allocations for %d records", got, rows)
	}
}
