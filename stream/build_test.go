package stream_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", file, diff)
	}
}

func TestDescribe(t *testing.T) {
	b := stream.New("shop")
	orders := stream.From(b, "orders", serde.String, serde.String)
	returns := stream.From(b, "returns", serde.String, serde.String)
	big := orders.Filter(func(v string) bool { return len(v) > 3 }).Merge(returns)
	branches := big.Split(func(v string) bool { return v > "m" })
	branches[0].Through("late", serde.String, serde.String).Peek(func(string, string) {})
	byValue := stream.GroupBy(branches[1], func(v string) int64 { return int64(len(v)) }, serde.Int64, stream.Named("by-length"), stream.Partitions(3))
	counts := stream.Count(byValue, stream.Named("lengths"))
	counts.Updates().To("length-counts", serde.Int64, serde.Int64)
	prices := stream.TableFrom(b, "prices", serde.String, serde.Int64, stream.Named("prices"))
	stream.MapTable(prices, func(n int64) string { return "" }).Keep(serde.String, stream.Named("labels"))
	stream.FlatMapValues(orders, func(v string) []string { return nil }).ForEach(func(string, string) error { return nil }, stream.Named("print"))
	golden(t, "describe.txt", build(t, b).Describe())
}

func TestMistakesAreToldTogether(t *testing.T) {
	b := stream.New("shop")
	orders := stream.From(b, "orders", serde.String, serde.String)
	stream.From(b, "orders", serde.String, serde.Bytes)
	stream.TableFrom(b, "orders", serde.String, serde.String)
	stream.GroupByKey(stream.SelectKey(orders, func(v string) string { return v }))
	other := stream.From(b, "others", odd[string]{serde.String}, serde.String)
	grouped := stream.GroupByKey(orders)
	stream.GroupByKey(orders.Merge(other))
	stream.Count(grouped, stream.Named("counts"))
	stream.Count(grouped, stream.Named("counts"))
	stream.Count(grouped)
	orders.Filter(nil)
	orders.To("bad topic", serde.String, nil)
	orders.Filter(func(string) bool { return true }, stream.Partitions(2))
	orders.Repartition("moved", serde.String, serde.String, stream.Partitions(0))
	orders.Merge(stream.From(stream.New("elsewhere"), "x", serde.String, serde.String))
	_, err := b.Build()
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "mistakes.txt", err.Error()+"\n")
}

// odd is a serde that is equal to no other.
type odd[T any] struct{ serde.Serde[T] }

func TestReadingATopicTwiceGivesTheSameStream(t *testing.T) {
	b := stream.New("app")
	to(source(b), "out1")
	to(source(b), "out2")
	if got := build(t, b).SourceTopics(); len(got) != 1 {
		t.Errorf("source topics %v", got)
	}
}
