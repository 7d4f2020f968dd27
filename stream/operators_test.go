package stream_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// Expected rows are what Kafka Streams 4.3 gives, with caching off.
var operators = []struct {
	name    string
	build   func(b *stream.Builder)
	in      string
	out     map[string]string
	dropped map[string]int64
}{
	{
		name: "filter sees null values and passes null keys",
		build: func(b *stream.Builder) {
			to(source(b).Filter(has("x")), "out")
			to(source(b).FilterNot(has("x")), "rest")
		},
		in:  "a=x1@3 ~=x2@1 b=~@2 c=y@5",
		out: map[string]string{"out": "a=x1@3 ~=x2@1", "rest": "b=~@2 c=y@5"},
	},
	{
		name: "filter with key",
		build: func(b *stream.Builder) {
			to(source(b).FilterWithKey(func(k, v *string) bool { return text(k) == text(v) }), "out")
		},
		in:  "a=a@1 a=b@2 ~=~@3",
		out: map[string]string{"out": "a=a@1 ~=~@3"},
	},
	{
		name:  "map values keeps keys, times and headers",
		build: func(b *stream.Builder) { to(stream.MapValues(source(b), add("!")), "out") },
		in:    "a=x@5[h:v] ~=y@1 b=~@2",
		out:   map[string]string{"out": "a=x!@5[h:v] ~=y!@1 b=~@2"},
	},
	{
		name: "map may make keys and values null",
		build: func(b *stream.Builder) {
			to(stream.Map(source(b), func(k, v *string) (*string, *string) { return v, k }), "out")
		},
		in:  "a=x@5[h:v] ~=y@1 b=~@2",
		out: map[string]string{"out": "x=a@5[h:v] y=~@1 ~=b@2"},
	},
	{
		name: "flat map emits in order, with the time and headers of its row",
		build: func(b *stream.Builder) {
			to(stream.FlatMap(source(b), func(k, v *string, emit func(*string, *string)) {
				for _, part := range strings.Split(text(v), ",") {
					if part != "" {
						emit(ptr(part), k)
					}
				}
			}), "out")
		},
		in:  "a=x,y@5[h:v] b=,@6 ~=z@1",
		out: map[string]string{"out": "x=a@5[h:v] y=a@5[h:v] z=~@1"},
	},
	{
		name: "flat map values keeps the key",
		build: func(b *stream.Builder) {
			to(stream.FlatMapValues(source(b), func(v *string) []*string { return []*string{v, nil} }), "out")
		},
		in:  "a=x@5[h:v] ~=z@1",
		out: map[string]string{"out": "a=x@5[h:v] a=~@5[h:v] ~=z@1 ~=~@1"},
	},
	{
		name:  "select key keeps the value",
		build: func(b *stream.Builder) { to(stream.SelectKey(source(b), func(v *string) *string { return v }), "out") },
		in:    "a=x@5 a=~@1",
		out:   map[string]string{"out": "x=x@5 ~=~@1"},
	},
	{
		name: "split: the first branch wins, the rest is the last stream",
		build: func(b *stream.Builder) {
			branches := source(b).Split(has("x"), has("y"))
			to(branches[0], "x")
			to(branches[1], "y")
			to(branches[2], "rest")
		},
		in:  "a=xy@1 a=y@2 a=~@3 b=z@4 b=x@5",
		out: map[string]string{"x": "a=xy@1 b=x@5", "y": "a=y@2", "rest": "a=~@3 b=z@4"},
	},
	{
		name: "branches that are merged again keep the order of the input",
		build: func(b *stream.Builder) {
			branches := source(b).Split(has("x"))
			to(stream.MapValues(branches[0], add("1")).Merge(stream.MapValues(branches[1], add("2"))), "out")
		},
		in:  "a=x@1 a=y@2 a=x@3 a=x@4 a=z@5",
		out: map[string]string{"out": "a=x1@1 a=y2@2 a=x1@3 a=x1@4 a=z2@5"},
	},
	{
		name: "a diamond: both arms see a row before the next row",
		build: func(b *stream.Builder) {
			s := source(b)
			to(s.Filter(has("x")).Merge(stream.MapValues(s, add("!"))), "out")
		},
		in:  "a=x@1 a=y@2 a=x@3",
		out: map[string]string{"out": "a=x@1 a=x!@1 a=y!@2 a=x@3 a=x!@3"},
	},
	{
		name: "through writes a topic and reads it back",
		build: func(b *stream.Builder) {
			to(stream.MapValues(source(b).Through("middle", nullable, nullable), add("!")), "out")
		},
		in:  "a=x@1[h:v] ~=y@2",
		out: map[string]string{"middle": "a=x@1[h:v] ~=y@2", "out": "a=x!@1[h:v] ~=y!@2"},
	},
	{
		name:    "repartition leaves null keys behind; null values travel",
		build:   func(b *stream.Builder) { to(source(b).Repartition("moved", nullable, nullable), "out") },
		in:      "c=w@4 a=x@5[h:v] ~=y@1 b=~@2 b=z@3[h:w]",
		out:     map[string]string{"out": "c=w@4 a=x@5[h:v] b=~@2 b=z@3[h:w]"},
		dropped: map[string]int64{"null key at repartition": 1},
	},
	{
		name: "count drops null keys and values; its time is the highest so far",
		build: func(b *stream.Builder) {
			stream.Count(stream.GroupByKey(source(b)), stream.Named("counts")).Updates().To("numbers", nullable, serde.Int64)
		},
		in:      "a=x@10 ~=y@11 a=~@12 b=y@5 a=z@3[h:v] a=x@20",
		out:     map[string]string{"numbers": "a=1@10 b=1@5 a=2@10[h:v] a=3@20"},
		dropped: map[string]int64{"null key": 1, "null value": 1},
	},
	{
		name: "reduce: the first value stands for itself; a null result deletes, and the next value starts afresh with its own time",
		build: func(b *stream.Builder) {
			to(stream.Reduce(stream.GroupByKey(source(b)), func(old, v *string) *string {
				if text(v) == "k" {
					return nil
				}
				return ptr(*old + "," + *v)
			}, nullable, stream.Named("reduced")).Updates(), "out")
		},
		in:  "a=x@9 a=k@2 a=y@3 a=y@4 a=k@5",
		out: map[string]string{"out": "a=x@9 a=~@9 a=y@3 a=y,y@4 a=~@5"},
	},
	{
		name: "aggregate: null results are handed on again and again",
		build: func(b *stream.Builder) {
			concat := func(a, v *string) *string {
				if text(v) == "k" {
					return nil
				}
				return ptr(strings.TrimPrefix(text(a), "~") + "," + *v)
			}
			to(stream.Aggregate(stream.GroupByKey(source(b)), nil, concat, nullable, stream.Named("agg")).Updates(), "out")
		},
		in:  "a=x@1 a=k@2 a=k@3 a=y@4 b=k@5",
		out: map[string]string{"out": "a=,x@1 a=~@2 a=~@3 a=,y@4 b=~@5"},
	},
	{
		name: "aggregate with key",
		build: func(b *stream.Builder) {
			f := func(k *string, a string, v *string) string { return a + *k + *v }
			stream.AggregateWithKey(stream.GroupByKey(source(b)), "", f, serde.String, stream.Named("agg")).Updates().To("strings", nullable, serde.String)
		},
		in:  "a=x@1 b=y@2 a=z@3",
		out: map[string]string{"strings": "a=ax@1 b=by@2 a=axaz@3"},
	},
	{
		name: "group by: one repartition for several aggregates, null new keys left behind",
		build: func(b *stream.Builder) {
			g := stream.GroupBy(source(b), func(v *string) *string { return v }, nullable, stream.Named("by-value"))
			stream.Count(g, stream.Named("counts")).Updates().To("numbers", nullable, serde.Int64)
			to(stream.Reduce(g, func(_, v *string) *string { return v }, nullable, stream.Named("last")).Updates(), "out")
		},
		in:      "a=x@1 b=x@2 ~=y@3 a=~@4",
		out:     map[string]string{"numbers": "x=1@1 x=2@2 y=1@3", "out": "x=x@1 x=x@2 y=y@3"},
		dropped: map[string]int64{"null key at repartition": 1},
	},
	{
		name: "a table that is not kept hands on every update, also deletes of absent keys and the same value again",
		build: func(b *stream.Builder) {
			to(stream.TableFrom(b, "in", nullable, nullable).Updates(), "out")
		},
		in:      "a=x@1 b=y@2 a=x@3 a=~@4 a=~@5 c=~@6 ~=x@7 b=x@1",
		out:     map[string]string{"out": "a=x@1 b=y@2 a=x@3 a=~@4 a=~@5 c=~@6 b=x@1"},
		dropped: map[string]int64{"null key": 1},
	},
	{
		name: "table filter without old values: a delete for every update that does not pass",
		build: func(b *stream.Builder) {
			to(stream.TableFrom(b, "in", nullable, nullable).Filter(has("x")).Updates(), "out")
		},
		in:  "a=y@1 a=x@2 a=y@3 a=y@4 b=~@5",
		out: map[string]string{"out": "a=~@1 a=x@2 a=~@3 a=~@4 b=~@5"},
	},
	{
		name: "table filter with old values: a delete only for what had passed",
		build: func(b *stream.Builder) {
			to(stream.TableFrom(b, "in", nullable, nullable, stream.Named("kept")).Filter(has("x")).Updates(), "out")
		},
		in:  "a=y@1 a=x@2 a=y@3 a=y@4 b=~@5 a=x@6 a=~@7 a=~@8",
		out: map[string]string{"out": "a=x@2 a=~@3 a=x@6 a=~@7"},
	},
	{
		name: "table map is not called for deletes; a null result is one",
		build: func(b *stream.Builder) {
			t := stream.MapTable(stream.TableFrom(b, "in", nullable, nullable, stream.Named("kept")), func(v *string) *string {
				if *v == "k" {
					return nil
				}
				return ptr(*v + "!")
			})
			to(t.Updates(), "out")
			to(t.FilterNot(has("y")).Keep(nullable, stream.Named("filtered")).Updates(), "filtered-out")
		},
		in:  "a=x@1 a=y@2 a=k@3 a=~@4 b=z@5",
		out: map[string]string{"out": "a=x!@1 a=y!@2 a=~@3 a=~@4 b=z!@5", "filtered-out": "a=x!@1 a=~@2 b=z!@5"},
	},
	{
		name: "a stream that meets itself behind two repartitions",
		build: func(b *stream.Builder) {
			s := source(b)
			around := stream.MapValues(s.Repartition("there", nullable, nullable), add("!")).Repartition("back", nullable, nullable)
			merged := s.Merge(around)
			to(stream.Aggregate(stream.GroupByKey(merged), nil, func(_, v *string) *string { return v }, nullable, stream.Named("last")).Updates(), "out")
		},
		in:  "a=x@1 b=y@2",
		out: map[string]string{"last a": "a=x@1 a=x!@1", "last b": "b=y@2 b=y!@2"},
	},
	{
		name: "to table after a change of key",
		build: func(b *stream.Builder) {
			s := stream.SelectKey(source(b), func(v *string) *string { return ptr(text(v)[:1]) }).Repartition("r", nullable, nullable)
			to(stream.ToTable(s, nullable, stream.Named("t")).Updates(), "out")
		},
		in:  "a=x1@5 b=y@2 c=x2@3",
		out: map[string]string{"out": "x=x1@5 y=y@2 x=x2@3"},
	},
}

func TestOperators(t *testing.T) {
	for _, c := range operators {
		for _, batch := range []int{1, 3, 1000} {
			b := stream.New("app")
			c.build(b)
			d := streamtest.New(t, build(t, b), streamtest.Batch(batch))
			pipe(t, d, c.in)
			for topic, want := range c.out {
				got := ""
				switch topic {
				case "numbers":
					got = read(d, topic, number, func(n *int64) string { return formatInt(*n) })
				case "last a", "last b":
					got = ofKey(readText(d, "out"), topic[len("last "):])
				default:
					got = readText(d, topic)
				}
				if got != want {
					t.Errorf("%s (batches of %d): topic %s\n got %s\nwant %s", c.name, batch, topic, got, want)
				}
			}
			if diff := cmp.Diff(emptyIfNil(c.dropped), d.Dropped()); diff != "" {
				t.Errorf("%s: dropped -want +got\n%s", c.name, diff)
			}
		}
	}
}

// ofKey returns the rows of one key: where two inputs meet, how rows of different keys mix depends on what waits at a time.
func ofKey(rows, key string) string {
	var of []string
	for _, row := range strings.Fields(rows) {
		if strings.HasPrefix(row, key+"=") {
			of = append(of, row)
		}
	}
	return strings.Join(of, " ")
}

func emptyIfNil(m map[string]int64) map[string]int64 {
	if m == nil {
		return map[string]int64{}
	}
	return m
}

func TestPeekAndForEachSeeEveryRecord(t *testing.T) {
	b := stream.New("app")
	var peeked, done []string
	see := func(to *[]string) func(k, v *string) {
		return func(k, v *string) { *to = append(*to, text(k)+"="+text(v)) }
	}
	source(b).Peek(see(&peeked)).ForEach(func(k, v *string) error { see(&done)(k, v); return nil })
	d := streamtest.New(t, build(t, b))
	pipe(t, d, "a=x@1 ~=y@2 b=~@3")
	want := []string{"a=x", "~=y", "b=~"}
	if diff := cmp.Diff([][]string{want, want}, [][]string{peeked, done}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNullKeysOfTypesThatCannotHoldThem(t *testing.T) {
	t.Run("a null key is a zero key to functions and null again at the sink", func(t *testing.T) {
		b := stream.New("app")
		s := stream.From(b, "in", serde.String, serde.String)
		stream.MapValuesWithKey(s, func(k, v string) string { return "(" + k + ")" + v }).To("out", serde.String, serde.String)
		d := streamtest.New(t, build(t, b), streamtest.Batch(10))
		pipe(t, d, "a=x@1 ~=y@2 b=z@3")
		if got, want := readText(d, "out"), "a=(a)x@1 ~=()y@2 b=(b)z@3"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a null key keeps its bit through flat map values, merge and split, and is dropped by grouping", func(t *testing.T) {
		b := stream.New("app")
		s := stream.From(b, "in", serde.String, serde.String)
		halves := stream.FlatMapValues(s, func(v string) []string { return []string{v, v + "2"} }).Split(func(v string) bool { return len(v) > 1 })
		merged := halves[0].Merge(halves[1])
		merged.To("out", serde.String, serde.String)
		stream.Count(stream.GroupByKey(merged), stream.Named("counts")).Updates().To("numbers", serde.String, serde.Int64)
		d := streamtest.New(t, build(t, b), streamtest.Batch(10))
		pipe(t, d, "a=x@1 ~=y@2 a=z@3")
		if got, want := readText(d, "out"), "a=x@1 a=x2@1 ~=y@2 ~=y2@2 a=z@3 a=z2@3"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := read(d, "numbers", serde.Int64, formatInt), "a=1@1 a=2@1 a=3@3 a=4@3"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := d.Dropped()["null key"]; got != 2 {
			t.Errorf("dropped %d null keys, want 2", got)
		}
	})
}

func TestNullValuesOfTypesThatCannotHoldThem(t *testing.T) {
	t.Run("a null value in a stream is a bad record", func(t *testing.T) {
		b := stream.New("app")
		stream.From(b, "in", serde.String, serde.String).To("out", serde.String, serde.String)
		d := streamtest.New(t, build(t, b))
		err := pipeRow(t, d, "a=~@1")
		if err == nil || !strings.Contains(err.Error(), "null value") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("a null value in a table is a delete, also at the sink", func(t *testing.T) {
		b := stream.New("app")
		table := stream.TableFrom(b, "in", serde.String, serde.String, stream.Named("t"))
		table.Updates().To("out", serde.String, serde.String)
		table.Filter(func(v string) bool { return v != "y" }).Updates().To("filtered", serde.String, serde.String)
		d := streamtest.New(t, build(t, b), streamtest.Batch(10))
		pipe(t, d, "a=x@1 a=~@2 a=y@3 b=~@4 a=z@5")
		if got, want := readText(d, "out"), "a=x@1 a=~@2 a=y@3 b=~@4 a=z@5"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := readText(d, "filtered"), "a=x@1 a=~@2 a=z@5"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a delete crosses a repartition and is dropped by an aggregate", func(t *testing.T) {
		b := stream.New("app")
		updates := stream.TableFrom(b, "in", serde.String, serde.String).Updates().Repartition("r", serde.String, serde.String)
		updates.To("out", serde.String, serde.String)
		stream.Count(stream.GroupByKey(updates), stream.Named("counts")).Updates().To("numbers", serde.String, serde.Int64)
		d := streamtest.New(t, build(t, b), streamtest.Batch(10))
		pipe(t, d, "a=x@1 a=~@2 b=y@3 a=z@4")
		if got, want := readText(d, "out"), "a=x@1 a=~@2 b=y@3 a=z@4"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := read(d, "numbers", serde.Int64, formatInt), "a=1@1 b=1@3 a=2@4"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a delete among updates reaches no function", func(t *testing.T) {
		b := stream.New("app")
		updates := stream.TableFrom(b, "in", serde.String, serde.String).Updates()
		stream.MapValues(updates, strings.ToUpper).To("out", serde.String, serde.String)
		d := streamtest.New(t, build(t, b))
		pipe(t, d, "a=x@1")
		if err := pipeRow(t, d, "a=~@2"); err == nil || !strings.Contains(err.Error(), "MAPVALUES") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("Nullable lets functions see deletes", func(t *testing.T) {
		b := stream.New("app")
		updates := stream.Nullable(stream.TableFrom(b, "in", serde.String, serde.String).Updates())
		stream.MapValues(updates, text).To("out", serde.String, serde.String)
		d := streamtest.New(t, build(t, b), streamtest.Batch(10))
		pipe(t, d, "a=x@1 a=~@2 b=y@3")
		if got, want := readText(d, "out"), "a=x@1 a=~@2 b=y@3"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestNullFilteredValuesOfNullableTypesBecomeDeletesAtTheSink(t *testing.T) {
	// The aggregate's encoded bytes travel with the updates; a filter must hide them.
	b := stream.New("app")
	last := stream.Reduce(stream.GroupByKey(source(b)), func(_, v *string) *string { return v }, nullable, stream.Named("last"))
	to(last.Filter(has("x")).Updates(), "out")
	d := streamtest.New(t, build(t, b), streamtest.Batch(10))
	pipe(t, d, "a=x@1 a=y@2 a=y@3 a=x@4")
	if got, want := readText(d, "out"), "a=x@1 a=~@2 a=x@4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
