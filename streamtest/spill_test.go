package streamtest

import (
	"testing"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

func TestSpilledTablesLeaveMemory(t *testing.T) {
	b := stream.New("app")
	words := stream.From(b, "words", serde.String, serde.String)
	table := stream.Count(stream.GroupByKey(words), stream.Named("counts"))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := New(t, topology, Spilled())
	in := NewInput(d, "words", serde.String, serde.String)
	for range 3 {
		for _, key := range []string{"a", "b", "c"} {
			in.Pipe(key, "x", 1)
		}
	}
	for _, st := range d.stores() {
		if n := st.Len(); n > 1 {
			t.Errorf("%d rows of %s are in memory", n, st.Name())
		}
	}
	if n, _, err := View(d, table).Get("a"); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
