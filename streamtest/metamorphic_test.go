package streamtest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

var text = serde.Nullable(serde.String)

func show(s *string) string {
	if s == nil {
		return "~"
	}
	return *s
}

func str(s string) *string { return &s }

// A pipeline is one to which the same input must give the same output, however it is cut.
type pipeline struct {
	name    string
	onePart bool // keys of several partitions meet, so the order depends on the number of partitions
	ordered bool // two inputs: the order is that of the timestamps
	build   func(b *stream.Builder)
	outputs []string
	stores  []string
}

func in(b *stream.Builder) stream.Stream[*string, *string] { return stream.From(b, "in", text, text) }

func out(s stream.Stream[*string, *string], topic string) { s.To(topic, text, text) }

func concat(a, v *string) *string { return str(show(a) + show(v)) }

// forget deletes on values with a 1.
func forget(a, v *string) *string {
	if strings.Contains(show(v), "1") {
		return nil
	}
	return concat(a, v)
}

func contains(part string) func(*string) bool {
	return func(v *string) bool { return strings.Contains(show(v), part) }
}

var pipelines = []pipeline{
	{
		name: "diamond", outputs: []string{"out", "rest"},
		build: func(b *stream.Builder) {
			branches := in(b).Split(contains("1"), contains("2"))
			twice := stream.FlatMapValues(branches[0], func(v *string) []*string { return []*string{v, nil, str("x")} })
			out(branches[1].Merge(twice, branches[0].Filter(contains("2"))), "out")
			out(branches[2].Merge(twice), "rest")
		},
	},
	{
		name: "aggregates", outputs: []string{"out", "reduced", "counts"}, stores: []string{"agg", "reduced", "counts"},
		build: func(b *stream.Builder) {
			g := stream.GroupByKey(in(b))
			out(stream.Aggregate(g, nil, forget, text, stream.Named("agg")).Updates(), "out")
			out(stream.Reduce(g, forget, text, stream.Named("reduced")).Filter(contains("2")).Updates(), "reduced")
			counts := stream.MapTable(stream.Count(g, stream.Named("counts")), func(n int64) *string { return str(fmt.Sprint(n)) })
			out(counts.Updates(), "counts")
		},
	},
	{
		name: "regrouped one to one", outputs: []string{"out"}, stores: []string{"first", "second"},
		build: func(b *stream.Builder) {
			renamed := stream.GroupByWithKey(in(b), func(k, _ *string) *string {
				if k == nil {
					return nil
				}
				return str("k" + *k)
			}, text)
			first := stream.Aggregate(renamed, str(""), concat, text, stream.Named("first"))
			again := stream.GroupByWithKey(first.Updates(), func(k, _ *string) *string { return str(*k + "!") }, text)
			out(stream.Reduce(again, func(_, v *string) *string { return v }, text, stream.Named("second")).Updates(), "out")
		},
	},
	{
		name: "regrouped by value", onePart: true, outputs: []string{"out", "loop"}, stores: []string{"by-value"},
		build: func(b *stream.Builder) {
			byValue := stream.GroupBy(in(b), func(v *string) *string { return v }, text)
			table := stream.Aggregate(byValue, str(""), concat, text, stream.Named("by-value"))
			out(table.Updates(), "loop")
			back := stream.From(b, "loop", text, text)
			out(stream.MapValues(back, func(v *string) *string { return str(show(v) + ".") }), "out")
		},
	},
	{
		name: "tables", outputs: []string{"out", "kept", "raw"}, stores: []string{"table", "kept"},
		build: func(b *stream.Builder) {
			table := stream.TableFrom(b, "in", text, text, stream.Named("table"))
			out(table.FilterNot(contains("2")).Updates(), "out")
			kept := stream.MapTable(table, func(v *string) *string { return forget(str("m"), v) }).Keep(text, stream.Named("kept"))
			out(kept.Updates(), "kept")
			out(table.Filter(contains("2")).Updates().Merge(kept.Updates()), "raw")
		},
	},
	{
		name: "two inputs", ordered: true, outputs: []string{"out"}, stores: []string{"agg"},
		build: func(b *stream.Builder) {
			merged := in(b).Merge(stream.From(b, "in2", text, text))
			out(stream.Aggregate(stream.GroupByKey(merged), str(""), concat, text, stream.Named("agg")).Updates(), "out")
		},
	},
}

func (p pipeline) events(t *rapid.T) []record.Record {
	n := rapid.IntRange(0, 25).Draw(t, "records")
	events := make([]record.Record, n)
	for i := range events {
		e := &events[i]
		e.Topic, e.Timestamp = "in", record.Timestamp(rapid.IntRange(0, 9).Draw(t, "time"))
		if p.ordered {
			e.Topic, e.Timestamp = rapid.SampledFrom([]string{"in", "in2"}).Draw(t, "topic"), record.Timestamp(i)
		}
		e.Key = rapid.SampledFrom([][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), nil}).Draw(t, "key")
		e.Value = rapid.SampledFrom([][]byte{[]byte("1"), []byte("2"), []byte("12"), []byte("3"), {}, nil}).Draw(t, "value")
	}
	return events
}

// A result is what a run leaves: the rows of all output topics and stores.
type result struct {
	outputs map[string][]string
	stores  map[string]map[string]string
}

// cut says how the input is cut.
type cut struct {
	batch      int
	restart    func(i int) bool // before record i
	partitions int32
	workers    int    // 0: one does everything in memory
	shuffled   uint64 // 0: not
}

func (p pipeline) run(t *rapid.T, events []record.Record, c cut) result {
	b := stream.New("app")
	p.build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	opts := []streamtest.Option{streamtest.Batch(c.batch), streamtest.Partitions(c.partitions)}
	if c.workers > 0 {
		opts = append(opts, streamtest.Workers(c.workers))
	}
	if c.shuffled > 0 {
		opts = append(opts, streamtest.Shuffled(c.shuffled))
	}
	d := streamtest.New(t, topology, opts...)
	for i, e := range events {
		switch {
		case c.restart(i) && c.workers > 0 && i%2 == 0:
			d.Rebalance(1 + i%(c.workers+1))
		case c.restart(i) && i%3 == 0:
			d.CrashAfter(1 + i%5)
		case c.restart(i) && i%3 == 1:
			d.Crash(events[i:min(i+1+i%7, len(events))]...)
		case c.restart(i):
			d.Restart()
		}
		d.Pipe(e)
	}
	r := result{outputs: map[string][]string{}, stores: map[string]map[string]string{}}
	for _, topic := range p.outputs {
		for _, o := range streamtest.NewOutput(d, topic, text, text).ReadAll() {
			r.outputs[topic] = append(r.outputs[topic], fmt.Sprintf("%s=%s@%d", show(o.Key), show(o.Value), o.Timestamp))
		}
	}
	for _, name := range p.stores {
		r.stores[name] = d.Rows(name)
	}
	return r
}

// byKey groups rows by key; null keys, which several partitions may hold, are left out.
func (r result) byKey() result {
	grouped := result{outputs: map[string][]string{}, stores: r.stores}
	for topic, rows := range r.outputs {
		for _, row := range rows {
			if key, _, _ := strings.Cut(row, "="); key != "~" {
				grouped.outputs[topic+" "+key] = append(grouped.outputs[topic+" "+key], row)
			}
		}
	}
	return grouped
}

func (r result) String() string {
	var lines []string
	for _, topic := range slices.Sorted(maps.Keys(r.outputs)) {
		lines = append(lines, topic+": "+strings.Join(r.outputs[topic], " "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.stores)) {
		lines = append(lines, fmt.Sprintf("store %s: %v", name, r.stores[name]))
	}
	return strings.Join(lines, "\n")
}

func TestResultsDoNotDependOnHowTheInputIsCut(t *testing.T) {
	never := func(int) bool { return false }
	for _, p := range pipelines {
		t.Run(p.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				events := p.events(t)
				want := p.run(t, events, cut{batch: 1, restart: never, partitions: 1})
				check := func(what string, c cut) {
					got, want := p.run(t, events, c), want
					if c.partitions > 1 {
						got, want = got.byKey(), want.byKey()
					}
					if diff := cmp.Diff(want.String(), got.String()); diff != "" {
						t.Fatalf("%s: -want +got\n%s", what, diff)
					}
				}
				restart := rapid.SliceOfN(rapid.Bool(), len(events), len(events)).Draw(t, "restart")
				restarts := func(i int) bool { return restart[i] }
				for _, batch := range []int{2, 5, 100} {
					check(fmt.Sprintf("batches of %d", batch), cut{batch: batch, restart: never, partitions: 1})
					check(fmt.Sprintf("batches of %d and restarts", batch), cut{batch: batch, restart: restarts, partitions: 1})
				}
				check("restart before every record", cut{batch: 1, restart: func(int) bool { return true }, partitions: 1})
				check("workers", cut{batch: 1, restart: restarts, partitions: 1, workers: 2})
				if !p.onePart {
					check("2 partitions", cut{batch: 1, restart: never, partitions: 2})
					check("4 partitions, batches and restarts", cut{batch: 3, restart: restarts, partitions: 4})
					check("workers with 4 partitions", cut{batch: 3, restart: restarts, partitions: 4, workers: 3})
					check("workers by chance", cut{batch: 5, restart: restarts, partitions: 4, workers: 3, shuffled: 1 + uint64(len(events))})
				}
			})
		})
	}
}
