package nexmark_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/test/nexmark"
)

// An input is events as records, and the table that q13 looks up, which is there before them.
type input struct{ side, events []record.Record }

func inputOf(events []nexmark.Event) input {
	const sideRows = 10_000
	at := func(topic string) record.TopicPartition { return record.TopicPartition{Topic: topic} }
	var in input
	for i := range int64(sideRows) {
		in.side = append(in.side, record.Record{
			TopicPartition: at("side_input"), Timestamp: record.Timestamp(events[0].Time() - 1),
			Key: nexmark.Event{Number: i}.Key(), Value: fmt.Appendf(nil, `{"value":"side %d"}`, i),
		})
	}
	for _, e := range events {
		in.events = append(in.events, record.Record{
			TopicPartition: at(e.Topic()), Timestamp: record.Timestamp(e.Time()), Key: e.Key(), Value: e.Value(),
		})
	}
	return in
}

// A shape is how events reach a query.
type shape struct {
	chunk    int  // events at a time
	restarts bool // a crash between chunks
}

// run runs a query over an input.
func run(t *testing.T, name string, in input, s shape) answer {
	t.Helper()
	w := newWorld(t, nexmark.Sources(1)+nexmark.Query(name))
	w.publish(in.side...)
	for chunk := range slices.Chunk(in.events, s.chunk) {
		w.publish(chunk...)
		w.settle(t)
		if s.restarts {
			w.crash(t)
		}
	}
	return w.result(t, strings.ToUpper(name))
}
