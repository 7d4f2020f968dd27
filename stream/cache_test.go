package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

const roomy = 1 << 20

// counted counts by key, and in a second kept table how often counts moved on to their last digit.
func counted(b *stream.Builder) {
	in := stream.From(b, "in", serde.String, serde.String)
	counts := stream.Count(stream.GroupByKey(in), stream.Named("counts"))
	text := stream.MapTable(counts, func(n int64) string { return fmt.Sprint(n) }).Keep(serde.String, stream.Named("text"))
	text.Updates().To("out", serde.String, serde.String)
}

func TestTwoCachesBehindEachOther(t *testing.T) {
	b := newBench(t, counted, streamtest.Cached(roomy), streamtest.ManualCommit())
	b.pipe("a=x@1 b=x@2 a=x@3 c=x@4")
	b.want(t, "")
	if got := b.Rows("text"); len(got) != 0 {
		t.Errorf("the second table has %v", got)
	}
	b.Commit()
	b.want(t, "b=1@2 a=2@3 c=1@4")
	b.Commit()
	b.want(t, "")
	b.pipe("c=x@5")
	b.Restart() // commits
	b.want(t, "c=2@5")
}

func TestACacheBehindAnExchangeWaitsForItsOwnCommit(t *testing.T) {
	b := newBench(t, func(b *stream.Builder) {
		in := stream.TableFrom(b, "in", serde.String, serde.String, stream.Named("rows"))
		groups := stream.GroupTableBy(in, func(v string) (string, string) { return v, v }, serde.String, serde.String)
		counts := stream.CountTable(groups, stream.Named("groups"))
		stream.MapValues(counts.Updates(), func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
	}, streamtest.Cached(roomy), streamtest.ManualCommit())
	b.pipe("a=x@1 b=x@2 a=y@3")
	b.Commit()
	b.want(t, "")
	b.Commit()
	b.want(t, "x=1@2 y=1@3")
	b.pipe("a=~@4")
	b.Restart() // whatever is held goes on first
	b.want(t, "y=0@4")
}

// TestAFullCacheHandsOnWhatDidNotChangeForLongest: room for about three keys.
func TestAFullCacheHandsOnWhatDidNotChangeForLongest(t *testing.T) {
	b := newBench(t, func(b *stream.Builder) {
		in := stream.From(b, "in", serde.String, serde.String)
		counts := stream.Count(stream.GroupByKey(in), stream.Named("counts"))
		stream.MapValues(counts.Updates(), func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
	}, streamtest.Cached(500), streamtest.ManualCommit())
	b.pipe("a=x@1 b=x@2 c=x@3 a=x@4 c=x@5")
	b.want(t, "")
	b.pipe("d=x@6 b=x@7")
	early := b.out.ReadAll()
	if len(early) == 0 || early[0].Key != "b" || early[0].Value != "1" {
		t.Errorf("early: %v", early)
	}
	b.Commit()
	n := map[string]int{}
	for _, r := range append(early, b.out.ReadAll()...) {
		var v int
		fmt.Sscan(r.Value, &v)
		n[r.Key] = v
	}
	if got := fmt.Sprint(n); got != "map[a:2 b:2 c:2 d:1]" {
		t.Errorf("last counts %s", got)
	}
}

func TestABadRecordLeavesTheCacheAsItWas(t *testing.T) {
	b := newBench(t, func(b *stream.Builder) {
		in := stream.From(b, "in", serde.String, serde.String)
		joined := stream.Reduce(stream.GroupByKey(in), func(a, v string) string {
			if v == "bad" {
				panic("bad")
			}
			return a + v
		}, serde.String, stream.Named("joined"))
		joined.Updates().To("out", serde.String, serde.String)
	}, streamtest.Cached(roomy), streamtest.ManualCommit(), streamtest.DeadLetter(), streamtest.Batch(6))
	b.pipe("a=x@1 b=y@2 a=z@3 a=bad@4 b=bad@5 c=1@6")
	b.Commit()
	b.want(t, "b=y@2 a=xz@3 c=1@6")
}

func TestAnUpdateThatFailsOnItsWay(t *testing.T) {
	build := func(b *stream.Builder) {
		in := stream.TableFrom(b, "in", serde.String, serde.String, stream.Named("rows"))
		stream.MapValues(in.Updates(), func(v string) string {
			if strings.HasPrefix(v, "bad") {
				panic("bad")
			}
			return v
		}).To("out", serde.String, serde.String)
	}
	b := newBench(t, build, streamtest.Cached(roomy), streamtest.ManualCommit(), streamtest.DeadLetter())
	b.pipe("a=x@1 b=bad@2 c=z@3")
	b.Commit()
	b.want(t, "a=x@1 c=z@3")
	dead := streamtest.NewOutput(b.Driver, "in.dead", serde.String, serde.Bytes).ReadAll()
	if len(dead) != 1 || dead[0].Key != "b" || !dead[0].ValueNull {
		t.Errorf("dead letters %v", dead)
	}
	b.pipe("b=good@4")
	b.Commit()
	b.want(t, "b=good@4")

	stops := newBench(t, build, streamtest.Cached(roomy), streamtest.ManualCommit())
	stops.pipe("a=x@1 b=bad@2")
	if err := stops.TryCommit(); err == nil || !strings.Contains(err.Error(), "in/0 at offset 1") {
		t.Errorf("error %v", err)
	}
}

// TestCachesGiveTheSameLastRows: one by one, in batches, in several tasks, with and without room.
func TestCachesGiveTheSameLastRows(t *testing.T) {
	for _, opts := range [][]streamtest.Option{
		{},
		{streamtest.Cached(roomy)},
		{streamtest.Cached(roomy), streamtest.Batch(1000), streamtest.Partitions(3)},
		{streamtest.Cached(1000), streamtest.Batch(97), streamtest.Partitions(3)},
	} {
		b := newBench(t, counted, opts...)
		for i := range 1000 {
			b.in.Pipe(fmt.Sprint("k", i*i%37), "x", record.Timestamp(i))
		}
		last := map[string]string{}
		for _, r := range b.out.ReadAll() {
			last[r.Key] = r.Value
		}
		if len(last) != 19 || last["k0"] != "28" || last["k1"] != "54" {
			t.Errorf("last rows %v", last)
		}
	}
}

func TestUncachedTablesHandOnEveryUpdate(t *testing.T) {
	for _, option := range [][]stream.Option{{stream.Named("counts"), stream.Uncached()}, {stream.Uncached()}} {
		b := newBench(t, func(b *stream.Builder) {
			in := stream.From(b, "in", serde.String, serde.String)
			counts := stream.Count(stream.GroupByKey(in), option...)
			stream.MapValues(counts.Updates(), func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
		}, streamtest.Cached(roomy), streamtest.ManualCommit())
		b.pipe("a=x@1 a=x@2")
		b.want(t, "a=1@1 a=2@2")
	}
}
