package stream_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func pair(a, b string) string { return a + "+" + b }

func TestATableJoinedWithItselfSeesItsRowsOneByOneInABatchToo(t *testing.T) {
	for _, batch := range []int{1, 1000} {
		b := stream.New("self")
		table := stream.MapTable(stream.TableFrom(b, "in", serde.String, serde.String, stream.Named("t")), func(v string) string { return v + "'" })
		stream.JoinTables(table, table, pair).Updates().To("out", serde.String, serde.String)
		topology, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		d := streamtest.New(t, topology, streamtest.Batch(batch))
		in := streamtest.NewInput(d, "in", serde.String, serde.String)
		for i := range 3 {
			in.Pipe("a", fmt.Sprint(i), record.Timestamp(i))
		}
		var got []string
		for _, r := range streamtest.NewOutput(d, "out", serde.String, serde.String).ReadAll() {
			got = append(got, r.Value)
		}
		if want := []string{"0'+0'", "0'+0'", "1'+1'", "1'+1'", "2'+2'", "2'+2'"}; !slices.Equal(got, want) {
			t.Errorf("in batches of %d: got %v, want %v", batch, got, want)
		}
	}
}

func TestAGlobalTableIsTheSameForAllPartitionsAndAfterARestart(t *testing.T) {
	b := stream.New("global")
	names := stream.GlobalTableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	in := stream.From(b, "in", serde.String, serde.String)
	stream.JoinGlobal(in, names, func(v string) string { return v }, pair).To("out", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology, streamtest.Partitions(4), streamtest.TopicPartitions("names", 3))
	name := streamtest.NewInput(d, "names", serde.String, serde.String)
	input := streamtest.NewInput(d, "in", serde.String, serde.String)
	out := streamtest.NewOutput(d, "out", serde.String, serde.String)
	for life := range 2 {
		for i := range 20 {
			name.Pipe(fmt.Sprint("n", i), fmt.Sprint(life), 1)
		}
		d.Restart()
		for i := range 20 {
			input.Pipe(fmt.Sprint("k", 19-i), fmt.Sprint("n", i), 2)
			r, ok := out.Read()
			if want := fmt.Sprintf("n%d+%d", i, life); !ok || r.Value != want {
				t.Fatalf("life %d: got %q, want %q", life, r.Value, want)
			}
		}
	}
}
