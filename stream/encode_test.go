package stream_test

import (
	"testing"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// counting counts how often it encodes.
type counting struct {
	serde.Serde[string]
	encoded int
}

func (c *counting) Append(dst []byte, v string) ([]byte, error) {
	c.encoded++
	return c.Serde.Append(dst, v)
}

func TestAnAggregateIsEncodedOnceForChangelogAndSink(t *testing.T) {
	run := func(wire func(updates stream.Stream[string, string], value serde.Serde[string])) int {
		value := &counting{Serde: serde.String}
		b := stream.New("app")
		s := stream.From(b, "in", serde.String, serde.String)
		last := stream.Reduce(stream.GroupByKey(s), func(_, v string) string { return v }, serde.Serde[string](value), stream.Named("last"))
		wire(last.Updates(), value)
		d := streamtest.New(t, build(t, b), streamtest.Batch(100))
		pipe(t, d, "a=x@1 b=y@2 a=z@3")
		if got, want := readText(d, "out"), "a=x@1 b=y@2 a=z@3"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		return value.encoded
	}
	all := func(string) bool { return true }
	for name, c := range map[string]struct {
		want  int
		build func(updates stream.Stream[string, string], value serde.Serde[string])
	}{
		"same serde": {3, func(u stream.Stream[string, string], value serde.Serde[string]) { u.To("out", serde.String, value) }},
		"behind filter, merge and split": {3, func(u stream.Stream[string, string], value serde.Serde[string]) {
			u.Filter(all).Merge(u.FilterNot(all)).Split(all)[0].To("out", serde.String, value)
		}},
		"behind a new key": {3, func(u stream.Stream[string, string], value serde.Serde[string]) {
			stream.SelectKeyWithKey(u, func(k, _ string) string { return k }).To("out", serde.String, value)
		}},
		"other serde": {3, func(u stream.Stream[string, string], _ serde.Serde[string]) { u.To("out", serde.String, serde.String) }},
		"other value": {6, func(u stream.Stream[string, string], value serde.Serde[string]) {
			stream.MapValues(u, func(v string) string { return v }).To("out", serde.String, value)
		}},
	} {
		if got := run(c.build); got != c.want {
			t.Errorf("%s: encoded %d times, want %d", name, got, c.want)
		}
	}
}
