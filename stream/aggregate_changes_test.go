package stream_test

import (
	"testing"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// largest publishes each key's largest value so far; a "" is never one.
func largest(t *testing.T) *stream.Topology {
	b := stream.New("app")
	grouped := stream.GroupByKey(stream.From(b, "in", serde.String, serde.String))
	table := stream.AggregateChanges(grouped, "", func(a, v string) (string, bool) { return max(a, v), v > a }, serde.String, stream.Named("largest"))
	table.Updates().To("out", serde.String, serde.String)
	return build(t, b)
}

func TestWhatChangesNoAggregateIsNotTold(t *testing.T) {
	// The fourth row comes with a later time, which must not become that of the fifth.
	everyWay(t, largest(t), "a=5@1 b=@2 a=3@2 a=5@9 a=7@3 b=2@1 b=1@4", map[string]string{"out": "a=5@1 a=7@3 b=2@1"}, texts("out"))
}

func TestWhatChangesNoAggregateChangesNoRow(t *testing.T) {
	d := streamtest.New(t, largest(t))
	pipe(t, d, "a=5@1 a=5@2 b=@3")
	if got := readText(d, "app-largest-changelog"); got != "a=5@1" {
		t.Errorf("changelog: %v", got)
	}
	if rows := d.Rows("largest"); len(rows) != 1 || rows["a"] != "5" {
		t.Errorf("rows: %v", rows)
	}
}
