package task_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// sink collects what a set emits, as text: topic/partition key=value@time.
type sink struct {
	rows []string
	full []record.Record
	err  error
}

func (s *sink) Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error {
	if s.err != nil {
		return s.err
	}
	s.rows = append(s.rows, fmt.Sprintf("%s %s=%s@%d", tp, show(key), show(value), ts))
	s.full = append(s.full, record.Record{TopicPartition: tp, Timestamp: ts, Key: clone(key), Value: clone(value), Headers: headers})
	return nil
}

func (s *sink) take() string {
	rows := strings.Join(s.rows, "\n")
	s.rows, s.full = nil, nil
	return rows
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func show(b []byte) string {
	if b == nil {
		return "~"
	}
	return string(b)
}

func lines(rows ...string) string { return strings.Join(rows, "\n") }

// newSet builds a topology and makes its set; partitions are 1 unless given.
func newSet(t *testing.T, c task.Config, build func(b *stream.Builder)) *task.Set {
	t.Helper()
	b := stream.New("app")
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c.Topology = topology
	if c.Partitions == nil {
		c.Partitions = map[string]int32{}
	}
	for _, topic := range append(topology.SourceTopics(), topology.SinkTopics()...) {
		if c.Partitions[topic] == 0 {
			c.Partitions[topic] = 1
		}
	}
	s, err := task.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// chunk makes a chunk of topic/0 of rows "key=value@time" from an offset on.
func chunk(topic string, from record.Offset, rows ...string) client.Chunk {
	c := client.Chunk{TopicPartition: record.TopicPartition{Topic: topic}, Next: from + record.Offset(len(rows))}
	for i, row := range rows {
		key, rest, _ := strings.Cut(row, "=")
		value, at, _ := strings.Cut(rest, "@")
		var ts int64
		if _, err := fmt.Sscan(at, &ts); err != nil {
			panic(err)
		}
		c.Offsets, c.Timestamps = append(c.Offsets, from+record.Offset(i)), append(c.Timestamps, record.Timestamp(ts))
		c.Keys, c.Values = append(c.Keys, bytes(key)), append(c.Values, bytes(value))
	}
	c.End = c.Next
	return c
}

func bytes(s string) []byte {
	if s == "~" {
		return nil
	}
	return []byte(s)
}

func addChunk(t *testing.T, s *task.Set, c client.Chunk) {
	t.Helper()
	if err := s.Add(c); err != nil {
		t.Fatal(err)
	}
}

// process runs the set until nothing is buffered or an error comes.
func process(s *task.Set, out task.Output) error {
	for {
		n, err := s.Process(out, 100)
		if n == 0 || err != nil {
			return err
		}
	}
}

func mustProcess(t *testing.T, s *task.Set, out task.Output) {
	t.Helper()
	if err := process(s, out); err != nil {
		t.Fatal(err)
	}
}

func position(s *task.Set, topic string) record.Offset {
	at, ok := s.Positions()[record.TopicPartition{Topic: topic}]
	if !ok {
		return -1
	}
	return at
}

func recordError(t *testing.T, err error) *task.RecordError {
	t.Helper()
	var bad *task.RecordError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want a RecordError", err)
	}
	return bad
}

func from(b *stream.Builder, topic string) stream.Stream[string, string] {
	return stream.From(b, topic, serde.String, serde.String)
}

func to(s stream.Stream[string, string], topic string) { s.To(topic, serde.String, serde.String) }

func deadLetters(c task.Config) task.Config {
	c.DeadLetters = true
	c.OnBadRecord = func(*task.RecordError) task.Decision { return task.DeadLetter }
	return c
}
