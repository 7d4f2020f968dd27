package task_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func regrouped(b *stream.Builder) {
	s := stream.From(b, "in", serde.String, serde.String)
	byValue := stream.GroupBy(s, func(v string) string { return v }, serde.String)
	stream.Count(byValue, stream.Named("counts")).Updates().To("out", serde.String, serde.Int64)
}

// sharedSet makes the set with one task of a topology.
func sharedSet(build func(b *stream.Builder), c task.Config, ids ...topology.TaskID) (*task.Set, error) {
	b := stream.New("app")
	build(b)
	t, err := b.Build()
	if err != nil {
		return nil, err
	}
	c.Topology, c.Tasks = t, ids
	if c.Partitions == nil {
		c.Partitions = map[string]int32{"in": 2, "out": 1}
	}
	return task.New(c)
}

func TestTasksApartExchangeOverTopics(t *testing.T) {
	front, err := sharedSet(regrouped, task.Config{}, topology.TaskID{Sub: 0, Partition: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(front.Sources()), "[in/1]"; got != want {
		t.Errorf("the first task reads %s, want %s", got, want)
	}
	topics := fmt.Sprint(front.Topics())
	if !strings.Contains(topics, "{app-counts-repartition 2 map[cleanup.policy:delete message.timestamp.type:CreateTime retention.ms:-1 segment.bytes:52428800]}") {
		t.Errorf("the repartition topic is missing: %s", topics)
	}
	headers := []record.Header{{Key: "h", Value: []byte("1")}}
	err = front.Add(client.Chunk{
		TopicPartition: record.TopicPartition{Topic: "in", Partition: 1}, Next: 1, Offsets: []record.Offset{0}, Timestamps: []record.Timestamp{7},
		Keys: [][]byte{nil}, Values: [][]byte{[]byte("v")}, Headers: [][]record.Header{headers},
	})
	if err != nil {
		t.Fatal(err)
	}
	var sent sink
	if _, err := front.Process(&sent, 10); err != nil {
		t.Fatal(err)
	}
	if len(sent.full) != 1 || len(sent.full[0].Headers) != 1 {
		t.Fatalf("sent %v", sent.full)
	}
	r := sent.full[0]
	back, err := sharedSet(regrouped, task.Config{}, topology.TaskID{Sub: 1, Partition: r.Partition})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(back.Sources()), fmt.Sprintf("[app-counts-repartition/%d]", r.Partition); got != want {
		t.Errorf("the second task reads %s, want %s", got, want)
	}
	err = back.Add(client.Chunk{
		TopicPartition: r.TopicPartition, Next: 5, Offsets: []record.Offset{4}, Timestamps: []record.Timestamp{r.Timestamp},
		Keys: [][]byte{r.Key}, Values: [][]byte{r.Value}, Headers: [][]record.Header{r.Headers},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got sink
	if _, err := back.Process(&got, 10); err != nil {
		t.Fatal(err)
	}
	if want := "out/0 v=\x00\x00\x00\x00\x00\x00\x00\x01@7"; got.take() != want {
		t.Errorf("got %v, want %s", got.rows, want)
	}
	if next := back.Positions()[r.TopicPartition]; next != 5 {
		t.Errorf("the position is %d, want 5", next)
	}
}

func TestTasksApartMistakes(t *testing.T) {
	global := func(b *stream.Builder) {
		g := stream.GlobalTableFrom(b, "in", serde.String, serde.String)
		s := stream.From(b, "in2", serde.String, serde.String)
		stream.JoinGlobal(s, g, func(v string) string { return v }, func(v, w string) string { return v + w }).To("out", serde.String, serde.String)
	}
	unknown := func(b *stream.Builder) {
		s := stream.MapValues(stream.From(b, "in", serde.String, serde.String), func(v string) int { return len(v) })
		moved := stream.SelectKeyWithKey(s, func(k string, _ int) string { return k }).WithSerdes(serde.String, nil)
		stream.Count(stream.GroupByKey(moved), stream.Named("counts"))
	}
	in2 := map[string]int32{"in": 1, "in2": 1, "out": 1}
	for want, make := range map[string]func() (*task.Set, error){
		"no such task": func() (*task.Set, error) { return sharedSet(regrouped, task.Config{}, topology.TaskID{Sub: 2}) },
		"given twice": func() (*task.Set, error) {
			return sharedSet(regrouped, task.Config{}, topology.TaskID{}, topology.TaskID{})
		},
		"global tables": func() (*task.Set, error) {
			return sharedSet(global, task.Config{Partitions: in2}, topology.TaskID{Sub: 1})
		},
		"counts-repartition: it runs over topic app-counts-repartition": func() (*task.Set, error) {
			return sharedSet(unknown, task.Config{}, topology.TaskID{Sub: 0})
		},
	} {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}
