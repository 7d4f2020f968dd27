package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func pairOf(l, r *string) string { return text(l) + "+" + text(r) }

func TestJoinPairsRecordsThatAreClose(t *testing.T) {
	b := stream.New("app")
	left, right := stream.From(b, "in", nullable, nullable), stream.From(b, "in2", nullable, nullable)
	stream.Join(left, right, stream.Within(5*ms, 10*ms), pairOf, stream.Named("j"), stream.StoresNamed("s")).To("inner", nullable, serde.String)
	stream.LeftJoin(left, right, stream.Within(5*ms, 10*ms), func(l *string, r **string) string {
		if r == nil {
			return text(l) + "+"
		}
		return pairOf(l, *r)
	}).To("left", nullable, serde.String)
	stream.OuterJoin(left, right, stream.Within(5*ms, 10*ms).Grace(20*ms), func(l, r **string) string {
		switch {
		case r == nil:
			return text(*l) + "+"
		case l == nil:
			return "+" + text(*r)
		}
		return pairOf(*l, *r)
	}).To("outer", nullable, serde.String)
	d := streamtest.New(t, build(t, b))
	pipe(t, d, "in:a=A@10[h:x] in2:a=b@4 in2:a=c@5[h:y] in2:a=d@20 in:~=E@21 in2:~=f@22 in:b=~@23 in:a=G@100 in:z=H@200")
	for topic, want := range map[string]string{
		"inner": "a=A+c@10[h:y] a=A+d@20",
		"left":  "a=A+c@10[h:y] a=A+d@20 ~=E+@21 a=G+@100",
		"outer": "a=+b@4 a=A+c@10[h:y] a=A+d@20 ~=E+@21 ~=+f@22 a=G+@100",
	} {
		if got := read(d, topic, serde.String, func(s string) string { return s }); got != want {
			t.Errorf("%s:\n got %s\nwant %s", topic, got, want)
		}
	}
}

// A stream that is joined with itself has two ways to one step: rows must take them one by one, however many come together.
func TestJoinWithItselfIsTheSameInBatches(t *testing.T) {
	var rows []string
	for i := range 300 {
		rows = append(rows, fmt.Sprintf("%c=%d@%d", 'a'+i%3, i, i+i%7))
	}
	var want string
	for _, batch := range []int{1, 300} {
		for _, opts := range [][]stream.BuilderOption{nil, {stream.Optimized()}} {
			b := stream.New("app", opts...)
			s := stream.From(b, "in", nullable, nullable)
			stream.JoinWithKey(s, s, stream.Within(10*ms, 4*ms).Grace(100*ms), func(_, l, r *string) string { return pairOf(l, r) }).To("out", nullable, serde.String)
			d := streamtest.New(t, build(t, b), streamtest.Batch(batch))
			pipe(t, d, strings.Join(rows, " "))
			got := read(d, "out", serde.String, func(s string) string { return s })
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("batches of %d, %d options: the results differ", batch, len(opts))
			}
		}
	}
	if n := strings.Count(want, "+"); n < 900 {
		t.Errorf("only %d results", n)
	}
}

// As in Kafka Streams, whatever is in front of it.
func TestAnOptimizedJoinWithItselfKeepsOneStore(t *testing.T) {
	for _, sources := range [][]string{{"in"}, {"in", "in2"}} {
		b := stream.New("app", stream.Optimized())
		s := stream.From(b, sources[0], nullable, nullable)
		for _, topic := range sources[1:] {
			s = s.Merge(stream.From(b, topic, nullable, nullable))
		}
		stream.LeftJoin(s, s, stream.Within(ms, ms), func(l *string, _ **string) string { return text(l) }).To("out", nullable, serde.String)
		text := build(t, b).Describe()
		if !strings.Contains(text, "KSTREAM-JOINTHIS") || strings.Contains(text, "KSTREAM-OUTEROTHER") || strings.Contains(text, "SHARED") {
			t.Errorf("%d sources: not one store:\n%s", len(sources), text)
		}
	}
}

func TestJoinsWithoutNamesShareTheMoveOfAStream(t *testing.T) {
	b := stream.New("app")
	s := stream.SelectKey(stream.From(b, "in", nullable, nullable), func(v *string) *string { return v }).WithSerdes(nullable, nullable)
	table := stream.TableFrom(b, "in2", nullable, nullable)
	stream.JoinTable(s, table, pairOf).To("one", nullable, serde.String)
	stream.LeftJoinTable(s, table, func(l *string, r **string) string {
		if r == nil {
			return text(l)
		}
		return pairOf(l, *r)
	}).To("two", nullable, serde.String)
	stream.JoinTable(s, table, pairOf, stream.Named("own")).To("three", nullable, serde.String)
	topology := build(t, b)
	if text := topology.Describe(); strings.Count(text, "-sink (topic: ") != 2 || !strings.Contains(text, "own-repartition") {
		t.Errorf("not two moves:\n%s", text)
	}
	d := streamtest.New(t, topology, streamtest.Partitions(3))
	pipe(t, d, "in2:x=T@1 in:k=x@2 in:k=~@3 in:k=y@4")
	for topic, want := range map[string]string{"one": "x=x+T@2", "two": "x=x+T@2 y=y@4", "three": "x=x+T@2"} {
		if got := read(d, topic, serde.String, func(s string) string { return s }); got != want {
			t.Errorf("%s: got %s, want %s", topic, got, want)
		}
	}
}

func TestJoinMistakes(t *testing.T) {
	b := stream.New("app")
	s, other := stream.From(b, "in", nullable, nullable), stream.From(b, "in2", nullable, nullable)
	table := stream.TableFrom(b, "in3", nullable, nullable)
	stream.Join(s, other, stream.Within(-10*ms, 5*ms), pairOf)
	stream.Join(s, other, stream.Within(5*ms, 5*ms).Grace(-ms), pairOf)
	stream.Join(s, other, stream.Within(time.Microsecond, 0), pairOf)
	stream.Join(stream.MapValues(s, func(v *string) string { return text(v) }), other, stream.Within(ms, ms), func(string, *string) string { return "" })
	stream.Join(stream.SelectKey(s, func(*string) int { return 1 }), stream.SelectKey(other, func(*string) int { return 1 }), stream.Within(0, 0), pairOf)
	stream.Join(s, other, stream.Within(ms, ms), pairOf, stream.Grace(ms))
	stream.JoinTable(s, table, pairOf, stream.Grace(5*ms))
	stream.JoinTable(s, table, pairOf, stream.StoresNamed("s"))
	stream.Join[*string, *string, *string, string](s, other, stream.Within(ms, ms), nil)
	_, err := b.Build()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		"before and after together is -5ms", "the grace is -1ms", "before is 1µs", "the serde of the value is not known",
		"the serde of the key is not known", "option Grace has no meaning", "Grace needs a versioned table", "option StoresNamed has no meaning",
		"Join: a function or serde is nil",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no mistake says %q:\n%v", want, err)
		}
	}
}

func TestJoinTableNeedsEqualPartitions(t *testing.T) {
	b := stream.New("app")
	stream.JoinTable(stream.From(b, "in", nullable, nullable), stream.TableFrom(b, "in2", nullable, nullable), pairOf).To("out", nullable, serde.String)
	_, err := streamtest.Open(build(t, b), streamtest.TopicPartitions("in", 2), streamtest.TopicPartitions("in2", 3))
	if err == nil || !strings.Contains(err.Error(), "equal numbers of partitions") {
		t.Errorf("got %v", err)
	}
}
