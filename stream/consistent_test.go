package stream_test

import (
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// consistent drives a consistent topology over the topics a and b, to out.
func consistent(t *testing.T, build func(b *stream.Builder), opts ...streamtest.Option) (a, b streamtest.Input[string, string], out *streamtest.Output[string, string]) {
	t.Helper()
	builder := stream.New("app", stream.Consistent())
	build(builder)
	topology, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology, append(opts, streamtest.Batch(100))...)
	a, b = streamtest.NewInput(d, "a", serde.String, serde.String), streamtest.NewInput(d, "b", serde.String, serde.String)
	return a, b, streamtest.NewOutput(d, "out", serde.String, serde.String)
}

func wantRows(t *testing.T, out *streamtest.Output[string, string], want string) {
	t.Helper()
	got := ""
	for _, r := range out.ReadAll() {
		v := r.Value
		if r.ValueNull {
			v = "~"
		}
		got += fmt.Sprintf("%s=%s@%d ", r.Key, v, r.Timestamp)
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAStreamMeetsTheTableAtTheCut(t *testing.T) {
	for _, partitions := range []int32{1, 3} {
		a, b, out := consistent(t, func(b *stream.Builder) {
			orders := stream.From(b, "a", serde.String, serde.String)
			names := stream.TableFrom(b, "b", serde.String, serde.String)
			stream.LeftJoinTable(orders, names, func(v string, name *string) string {
				if name == nil {
					return v + "-"
				}
				return v + *name
			}).To("out", serde.String, serde.String)
		}, streamtest.Partitions(partitions))
		a.Pipe("k", "1", 1)
		b.Pipe("k", "x", 5)
		a.Pipe("k", "2", 7)
		b.Pipe("k", "y", 9)
		wantRows(t, out, "k=1y@1 k=2y@7 ")
		b.Delete("k", 10)
		a.Pipe("k", "3", 11)
		wantRows(t, out, "k=3-@11 ")
	}
}

func TestATableJoinedWithItselfChangesOnce(t *testing.T) {
	a, _, out := consistent(t, func(b *stream.Builder) {
		in := stream.TableFrom(b, "a", serde.String, serde.String)
		short := stream.MapTable(in, func(v string) string { return v[:1] })
		joined := stream.JoinTables(in, short, func(v, w string) string { return v + "/" + w })
		groups := stream.GroupTableByWithKey(joined, func(_, v string) (string, string) { return "all", v }, serde.String, serde.String)
		count := stream.CountTable(groups, stream.Named("n"))
		joined.Updates().To("out", serde.String, serde.String)
		stream.MapValues(count.Updates(), func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
	})
	a.Pipe("k", "one", 1)
	a.Pipe("k", "two", 2)
	a.Pipe("gone", "x", 3)
	a.Delete("gone", 4)
	wantRows(t, out, "k=two/t@2 all=1@2 ")
	a.Pipe("k", "three", 5)
	a.Pipe("j", "four", 6)
	wantRows(t, out, "k=three/t@5 j=four/f@6 all=2@6 ")
	a.Delete("k", 7)
	wantRows(t, out, "k=~@7 all=1@7 ")
}
