package task_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A ticking set counts records of 100 keys over windows.
type ticking struct {
	t    *testing.T
	set  *task.Set
	c    client.Chunk
	next int
}

func newTicking(t *testing.T, w stream.Windows) *ticking {
	s := newSet(t, task.Config{}, func(b *stream.Builder) {
		g := stream.GroupByKey(stream.From(b, "in", serde.Int64, serde.Int64))
		counts := stream.CountWindows(stream.WindowedBy(g, w), stream.Named("counts"))
		counts.Updates().To("out", stream.WindowedSerde(serde.Int64, time.Second), serde.Int64)
	})
	const rows = 1000
	k := &ticking{t: t, set: s, c: client.Chunk{TopicPartition: record.TopicPartition{Topic: "in"}}}
	k.c.Offsets, k.c.Timestamps = make([]record.Offset, rows), make([]record.Timestamp, rows)
	for i := range rows {
		k.c.Keys = append(k.c.Keys, binary.BigEndian.AppendUint64(nil, uint64(i%100)))
		k.c.Values = append(k.c.Values, k.c.Keys[i])
	}
	return k
}

// epoch processes a thousand records, the first of them at from and each a step later than the one before.
func (k *ticking) epoch(from, step record.Timestamp) {
	for i := range k.c.Offsets {
		k.c.Offsets[i], k.c.Timestamps[i] = record.Offset(k.next), from+record.Timestamp(i)*step
		k.next++
	}
	k.c.Next = record.Offset(k.next)
	addChunk(k.t, k.set, k.c)
	mustProcess(k.t, k.set, nowhere{})
	if err := k.set.Seal(nowhere{}); err != nil {
		k.t.Fatal(err)
	}
	k.set.Commit()
}

func TestNoAllocationPerRecordOfAWindow(t *testing.T) {
	for name, w := range map[string]stream.Windows{
		"tumbling": stream.Tumbling(time.Second, 0), "hopping": stream.Hopping(time.Second, time.Second/4, 0),
	} {
		k := newTicking(t, w)
		k.epoch(5000, 0)
		if got := testing.AllocsPerRun(50, func() { k.epoch(5000, 0) }); got > 5 {
			t.Errorf("%s: %.0f allocations for %d records", name, got, len(k.c.Offsets))
		}
	}
}

func TestWindowsThatAreGoneFreeTheirMemory(t *testing.T) {
	for name, w := range map[string]stream.Windows{
		"tumbling": stream.Tumbling(time.Second, 0), "sliding": stream.Sliding(time.Second, 0),
	} {
		k := newTicking(t, w)
		most := 0
		for i := range record.Timestamp(100) {
			k.epoch(1000+i*10_000, 10)
			most = max(most, k.set.Stores()[0].Len())
			k.set.Stores()[0].Dirty()
		}
		if most > 3000 { // of 100,000 windows and more
			t.Errorf("%s: %d windows are kept", name, most)
		}
	}
}

func TestTopicsOfWindows(t *testing.T) {
	k := newTicking(t, stream.Tumbling(time.Hour, 0))
	want := []client.TopicSpec{{
		Name: "app-counts-changelog", Partitions: 1,
		Configs: map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": "90000000", "delete.retention.ms": "90000000", "segment.bytes": "52428800",
			"message.timestamp.type": "CreateTime",
		},
	}}
	if diff := cmp.Diff(want, k.set.Topics()); diff != "" {
		t.Error(diff)
	}
}
