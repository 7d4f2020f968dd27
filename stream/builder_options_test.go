package stream_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func TestExplicitNamesRefuseGeneratedOnes(t *testing.T) {
	b := stream.New("app", stream.ExplicitNames())
	s := stream.From(b, "in", serde.String, serde.String)
	stream.Count(stream.GroupBy(s, strings.ToUpper, serde.String))
	_, err := b.Build()
	if err == nil || strings.Count(err.Error(), "generated name") != 2 {
		t.Errorf("got error %v", err)
	}

	b = stream.New("app", stream.ExplicitNames())
	s = stream.From(b, "in", serde.String, serde.String)
	stream.Count(stream.GroupBy(s, strings.ToUpper, serde.String), stream.Named("counts"))
	stream.TableFrom(b, "updates-only", serde.String, serde.String)
	if _, err := b.Build(); err != nil {
		t.Error(err)
	}
}

func TestKeptAsNamesWhatIsKeptWhereItIsNeeded(t *testing.T) {
	stores := func(joined bool) (names []string, moves []string) {
		b := stream.New("app", stream.ExplicitNames())
		left := stream.TableFrom(b, "left", serde.String, serde.String, stream.KeptAs("lefts"))
		byFirst := stream.SelectKey(stream.From(b, "right", serde.String, serde.String), func(v string) string { return v[:1] })
		right := stream.ToTable(byFirst.WithSerdes(serde.String, serde.String), serde.String, stream.KeptAs("rights"))
		if joined {
			stream.JoinTables(left, right, func(v, w string) string { return v + w }).Updates().To("out", serde.String, serde.String)
		}
		d := build(t, b).Description()
		for _, s := range d.Stores {
			names = append(names, s.Name)
		}
		return names, d.RepartitionTopics
	}
	if names, moves := stores(true); !slices.Equal(names, []string{"lefts", "rights"}) || !slices.Equal(moves, []string{"app-rights-repartition"}) {
		t.Errorf("stores %q, moves %q", names, moves)
	}
	if names, _ := stores(false); len(names) != 0 {
		t.Errorf("stores %q that nobody needs", names)
	}
}

func TestSkipNamesKeepsTheNamesBehind(t *testing.T) {
	store := func(change func(*stream.Builder, stream.Stream[string, string]) stream.Stream[string, string]) string {
		b := stream.New("app")
		s := change(b, stream.From(b, "in", serde.String, serde.String))
		return stream.Count(stream.GroupByKey(s)).StoreName()
	}
	before := store(func(_ *stream.Builder, s stream.Stream[string, string]) stream.Stream[string, string] {
		return s.Filter(func(string) bool { return true })
	})
	after := store(func(b *stream.Builder, s stream.Stream[string, string]) stream.Stream[string, string] {
		b.SkipNames(1)
		return s
	})
	if before != after {
		t.Errorf("before %s, after %s", before, after)
	}
}

// twoCounts counts the words of lines in two ways behind one step that changes the key.
func twoCounts(t *testing.T, opts ...stream.BuilderOption) *stream.Topology {
	t.Helper()
	b := stream.New("app", opts...)
	words := stream.SelectKey(stream.From(b, "in", serde.String, serde.String), func(v string) string { return v[:1] }).
		WithSerdes(serde.String, serde.String)
	stream.Count(stream.GroupByKey(words), stream.Named("all")).Updates().To("counts", serde.String, serde.Int64)
	long := words.Filter(func(v string) bool { return len(v) > 2 })
	stream.Reduce(stream.GroupByKey(long), func(a, v string) string { return a + v }, serde.String, stream.Named("long")).
		Updates().To("joined", serde.String, serde.String)
	return build(t, b)
}

func TestOptimizedMergesRepartitionsAndGivesTheSame(t *testing.T) {
	plain, optimized := twoCounts(t), twoCounts(t, stream.Optimized())
	if n := len(plain.Description().RepartitionTopics); n != 2 {
		t.Errorf("%d repartitions without optimizing", n)
	}
	golden(t, "optimized.txt", optimized.Describe())
	for _, partitions := range []int32{1, 3} {
		var outputs []string
		for _, topology := range []*stream.Topology{plain, optimized} {
			d := streamtest.New(t, topology, streamtest.Partitions(partitions), streamtest.Batch(100))
			pipe(t, d, "k=one@1 l=two@2 k=at@3 m=three@4 l=to@5 k=only@6")
			rows := strings.Fields(read(d, "counts", serde.Int64, formatInt) + " " + readText(d, "joined"))
			slices.Sort(rows)
			outputs = append(outputs, strings.Join(rows, " "))
		}
		if outputs[0] != outputs[1] {
			t.Errorf("%d partitions: plain %s, optimized %s", partitions, outputs[0], outputs[1])
		}
	}
}
