package task_test

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// heapBytes is what is in use on the heap.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A million keys of 8 bytes that are counted take three times the bytes of keys and counts at most, with all that a running topology holds:
// when they are new and no checkpoint has them, and when each has changed.
func TestAMillionCountsTakeThreeTimesTheirBytes(t *testing.T) {
	const keys, rows = 1_000_000, 1000
	before := heapBytes()
	s := newSet(t, task.Config{}, func(b *stream.Builder) {
		in := stream.From(b, "in", serde.Int64, serde.Bytes)
		stream.Count(stream.GroupByKey(in), stream.Named("counts")).Updates().To("out", serde.Int64, serde.Int64)
	})
	c := client.Chunk{
		TopicPartition: record.TopicPartition{Topic: "in"}, Offsets: make([]record.Offset, rows), Timestamps: make([]record.Timestamp, rows),
		Keys: make([][]byte, rows), Values: make([][]byte, rows),
	}
	for i := range rows {
		c.Keys[i], c.Values[i] = make([]byte, 8), []byte("v")
	}
	n := 0
	count := func() {
		for range keys / rows {
			for i := range rows {
				binary.BigEndian.PutUint64(c.Keys[i], uint64(n%keys)*0x9e3779b97f4a7c15)
				c.Offsets[i], c.Timestamps[i] = record.Offset(n), 1_790_000_000_000+record.Timestamp(n)
				n++
			}
			c.Next = record.Offset(n)
			addChunk(t, s, c)
			mustProcess(t, s, nowhere{})
			if err := s.Seal(nowhere{}); err != nil {
				t.Fatal(err)
			}
			s.Commit()
		}
	}
	for _, when := range []string{"new", "changed"} {
		count()
		took := heapBytes() - before
		t.Logf("%s: %.1f bytes a key, %.2f times their own", when, float64(took)/keys, float64(took)/(16*keys))
		if took > 3*16*keys {
			t.Errorf("%s: %d bytes for %d", when, took, 16*keys)
		}
	}
	runtime.KeepAlive(s)
}
