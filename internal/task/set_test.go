package task_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func copies(b *stream.Builder) { to(from(b, "in"), "out") }

func TestPositions(t *testing.T) {
	s := newSet(t, task.Config{}, copies)
	var out sink
	expect := func(what string, want record.Offset) {
		t.Helper()
		if got := position(s, "in"); got != want {
			t.Errorf("%s: position %d, want %d", what, got, want)
		}
	}
	expect("before any chunk", -1)
	addChunk(t, s, client.Chunk{TopicPartition: record.TopicPartition{Topic: "in"}, Next: 7})
	expect("a chunk without records counts at once", 7)
	c := chunk("in", 10, "a=x@1", "b=y@2", "c=z@3")
	c.Next = 20 // control records follow
	addChunk(t, s, c)
	addChunk(t, s, client.Chunk{TopicPartition: record.TopicPartition{Topic: "in"}, Next: 25})
	expect("nothing is consumed", 7)
	if n, err := s.Process(&out, 1); n != 1 || err != nil {
		t.Fatalf("processed %d, %v", n, err)
	}
	expect("one record is consumed", 11)
	if records, bytes := s.Buffered(record.TopicPartition{Topic: "in"}); records != 2 || bytes != 4 {
		t.Errorf("buffered %d records, %d bytes, want 2 and 4", records, bytes)
	}
	mustProcess(t, s, &out)
	expect("all records are consumed: Next of the last chunk counts", 25)
	if records, bytes := s.BufferedTotal(); records != 0 || bytes != 0 {
		t.Errorf("buffered %d records, %d bytes, want none", records, bytes)
	}
}

func TestChunksThatWouldCountTwiceAreRefused(t *testing.T) {
	s := newSet(t, task.Config{}, copies)
	addChunk(t, s, chunk("in", 5, "a=x@1", "a=y@2"))
	ragged := chunk("in", 9, "a=x@1")
	ragged.Keys = nil
	for name, c := range map[string]client.Chunk{
		"overlap":         chunk("in", 6, "a=y@2"),
		"unknown topic":   chunk("out", 0, "a=x@1"),
		"ragged columns":  ragged,
		"empty, backward": {TopicPartition: record.TopicPartition{Topic: "in"}, Next: 3},
	} {
		if err := s.Add(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	addChunk(t, s, chunk("in", 9, "a=z@3")) // a gap is the reader's business
	var out sink
	mustProcess(t, s, &out)
	if got, want := out.take(), lines("out/0 a=x@1", "out/0 a=y@2", "out/0 a=z@3"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheInputWithTheLowestTimestampGoesFirst(t *testing.T) {
	s := newSet(t, task.Config{}, func(b *stream.Builder) { to(from(b, "a").Merge(from(b, "b")), "out") })
	addChunk(t, s, chunk("b", 0, "b=1@2", "b=2@3", "b=3@1", "b=4@9"))
	addChunk(t, s, chunk("a", 0, "a=1@3", "a=2@1", "a=3@5"))
	var out sink
	mustProcess(t, s, &out)
	want := lines(
		"out/0 b=1@2",
		"out/0 a=1@3", // a tie goes to the first source
		"out/0 a=2@1", // behind its head, out of order
		"out/0 b=2@3",
		"out/0 b=3@1",
		"out/0 a=3@5",
		"out/0 b=4@9",
	)
	if got := out.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := s.StreamTime(0); got != 9 {
		t.Errorf("stream time %d, want 9", got)
	}
	s.Advance(20)
	if got := s.StreamTime(0); got != 20 {
		t.Errorf("stream time %d after Advance, want 20", got)
	}
}

func TestTasksBehindAnExchangeFinishWithinProcess(t *testing.T) {
	s := newSet(t, task.Config{Partitions: map[string]int32{"in": 2, "counts": 4}}, func(b *stream.Builder) {
		g := stream.GroupBy(from(b, "in"), func(v string) string { return v }, serde.String, stream.Partitions(3))
		counts := stream.Count(g, stream.Named("counts"))
		counts.Updates().To("counts", serde.String, serde.Int64)
	})
	var want []record.TopicPartition
	for p := range int32(2) {
		want = append(want, record.TopicPartition{Topic: "in", Partition: p})
	}
	if diff := cmp.Diff(want, s.Sources()); diff != "" {
		t.Errorf("sources -want +got\n%s", diff)
	}
	if got := len(s.Stores()); got != 3 {
		t.Errorf("%d stores, want one for each partition of the exchange", got)
	}
	spec := client.TopicSpec{Name: "app-counts-changelog", Partitions: 3, Configs: map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "52428800", "message.timestamp.type": "CreateTime",
	}}
	if diff := cmp.Diff([]client.TopicSpec{spec}, s.Topics()); diff != "" {
		t.Errorf("topics -want +got\n%s", diff)
	}
	c := chunk("in", 0, "~=x@1", "~=y@2", "~=x@3")
	addChunk(t, s, c)
	c.Partition = 1
	addChunk(t, s, c)
	var out sink
	n, err := s.Process(&out, 3)
	if err != nil || n != 3 || len(out.full) != 3 {
		t.Fatalf("processed %d with %d rows, %v", n, len(out.full), err)
	}
	mustProcess(t, s, &out)
	last := map[string]string{}
	for _, r := range out.full {
		if want := operator.Partition(r.Key, 4); r.Partition != want {
			t.Errorf("key %s went to partition %d, want %d", r.Key, r.Partition, want)
		}
		last[string(r.Key)] = string(r.Value)
	}
	if last["x"] != "\x00\x00\x00\x00\x00\x00\x00\x04" || last["y"] != "\x00\x00\x00\x00\x00\x00\x00\x02" {
		t.Errorf("last counts %q", last)
	}
	out.take()
	if err := s.Seal(&out); err != nil {
		t.Fatal(err)
	}
	s.Commit()
	for _, r := range out.full {
		want := record.TopicPartition{Topic: "app-counts-changelog", Partition: operator.Partition(r.Key, 3)}
		if r.TopicPartition != want {
			t.Errorf("the change of %s went to %s, want %s", r.Key, r.TopicPartition, want)
		}
	}
	view, err := task.ViewOf[string, int64](s, "counts")
	if err != nil {
		t.Fatal(err)
	}
	if n, ok, err := view.Get("x"); n != 4 || !ok || err != nil {
		t.Errorf("view of x: %d %v %v", n, ok, err)
	}
	if _, err := task.ViewOf[string, string](s, "counts"); err == nil {
		t.Error("a view with the wrong types: no error")
	}
	if _, err := task.ViewOf[string, int64](s, "none"); err == nil {
		t.Error("a view of no store: no error")
	}
}

func TestRecordsWithoutKeyGoWhereTheirOffsetSays(t *testing.T) {
	s := newSet(t, task.Config{Partitions: map[string]int32{"out": 3}}, copies)
	addChunk(t, s, chunk("in", 4, "~=x@1", "~=y@2", "~=z@3", "k=v@4"))
	var out sink
	mustProcess(t, s, &out)
	want := lines("out/1 ~=x@1", "out/2 ~=y@2", "out/0 ~=z@3", fmt.Sprintf("out/%d k=v@4", operator.Partition([]byte("k"), 3)))
	if got := out.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnOutputErrorIsReturned(t *testing.T) {
	s := newSet(t, task.Config{}, copies)
	addChunk(t, s, chunk("in", 0, "a=x@1"))
	full := errors.New("disk full")
	if _, err := s.Process(&sink{err: full}, 10); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	b := stream.New("app")
	copies(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]task.Config{
		"no topology":        {},
		"unknown partitions": {Topology: topology},
		"unknown sink":       {Topology: topology, Partitions: map[string]int32{"in": 1}},
		"too many rows":      {Topology: topology, Partitions: map[string]int32{"in": 1, "out": 1}, BatchRows: operator.MaxRows + 1},
		"negative size":      {Topology: topology, Partitions: map[string]int32{"in": 1, "out": 1}, MaxRecordBytes: -1},
	} {
		if _, err := task.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
