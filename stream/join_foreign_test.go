package stream_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// foreignKeyOf is what stands before the "|" of a value; it fails for values with a "!".
func foreignKeyOf(_, v string) *string {
	if strings.Contains(v, "!") {
		panic("no foreign key")
	}
	fk, _, _ := strings.Cut(v, "|")
	if fk == "" {
		return nil
	}
	return &fk
}

// A foreignVariant is a join of "left" and "right" by foreign key.
type foreignVariant struct {
	outer     bool // a left join
	regrouped bool // the left table stands behind a repartition
}

// build joins into the table "joined" and writes its updates to "out".
func (f foreignVariant) build(t *testing.T) (*stream.Topology, stream.Table[string, string]) {
	t.Helper()
	b := stream.New("foreign")
	l := stream.TableFrom(b, "left", serde.String, nullable)
	if f.regrouped {
		g := stream.GroupTableByWithKey(l, func(k string, v *string) (string, *string) { return k, v }, serde.String, nullable)
		l = stream.AggregateTable(g, nil, func(_, v *string) *string { return v }, func(_, _ *string) *string { return nil }, nullable)
	}
	r := stream.TableFrom(b, "right", nullable, serde.String)
	foreignKey := func(k string, v *string) *string { return foreignKeyOf(k, *v) }
	opts := []stream.Option{stream.Named("joined"), stream.JoinNamed("fk")}
	var joined stream.Table[string, string]
	if f.outer {
		joined = stream.LeftJoinForeign(l, r, foreignKey, func(v, w *string) string { return *v + "," + orNone(w) }, serde.String, opts...)
	} else {
		joined = stream.JoinForeign(l, r, foreignKey, func(v *string, w string) string { return *v + "," + w }, serde.String, opts...)
	}
	joined.Updates().To("out", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology, joined
}

func orNone(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

// nestedLoop joins two tables.
func nestedLoop(left, right map[string]string, outer bool) map[string]string {
	joined := map[string]string{}
	for k, v := range left {
		w := "none"
		found := false
		if fk := foreignKeyOf(k, v); fk != nil {
			if r, ok := right[*fk]; ok {
				w, found = r, true
			}
		}
		if found || outer {
			joined[k] = v + "," + w
		}
	}
	return joined
}

// foreignModes are ways to run a join, all of which must end with the same table.
var foreignModes = []struct {
	name    string
	restart bool
	opts    []streamtest.Option
}{
	{name: "record by record"},
	{name: "restarts", restart: true},
	{name: "together", opts: []streamtest.Option{streamtest.Batch(1000)}},
	{name: "some together, restarts", restart: true, opts: []streamtest.Option{streamtest.Batch(7), streamtest.Partitions(2)}},
	{name: "more left partitions", opts: []streamtest.Option{streamtest.TopicPartitions("left", 4), streamtest.TopicPartitions("right", 2)}},
	{name: "more right partitions", opts: []streamtest.Option{
		streamtest.TopicPartitions("left", 2), streamtest.TopicPartitions("right", 5), streamtest.Batch(9),
	}},
	{name: "workers", restart: true, opts: []streamtest.Option{streamtest.Workers(2), streamtest.Partitions(3)}},
	{name: "workers by chance, together", opts: []streamtest.Option{
		streamtest.Workers(2), streamtest.Shuffled(1), streamtest.Partitions(3), streamtest.Batch(1000),
	}},
	{name: "workers by chance, other partitions", restart: true, opts: []streamtest.Option{
		streamtest.Workers(3), streamtest.Shuffled(2), streamtest.TopicPartitions("left", 4), streamtest.TopicPartitions("right", 2), streamtest.Batch(9),
	}},
}

// A foreignRun is a run of the join with the tables that it should see.
type foreignRun struct {
	d           *streamtest.Driver
	rng         *rand.Rand
	left, right map[string]string
}

// pipe writes a random record. Left values with a "!" fail, and must change nothing.
func (r *foreignRun) pipe(i int) {
	at := record.Timestamp(r.rng.IntN(100))
	topic, table := "left", r.left
	key, value := fmt.Sprint("k", r.rng.IntN(6)), fmt.Sprint(string(" abab"[r.rng.IntN(5)]), "|", i)
	value = strings.TrimSpace(value)
	switch n := r.rng.IntN(10); {
	case n < 3:
		topic, table, key, value = "right", r.right, string("ab"[r.rng.IntN(2)]), fmt.Sprint("r", i)
	case n < 4:
		value += "!"
	}
	rec := record.Record{TopicPartition: record.TopicPartition{Topic: topic}, Timestamp: at, Key: []byte(key), Value: []byte(value)}
	switch {
	case r.rng.IntN(4) == 0:
		rec.Value = nil
		delete(table, key)
	case !strings.Contains(value, "!"):
		table[key] = value
	}
	r.d.Pipe(rec)
}

func TestForeignKeyJoinEndsAsANestedLoop(t *testing.T) {
	for _, variant := range []foreignVariant{{}, {outer: true}, {regrouped: true}, {outer: true, regrouped: true}} {
		topology, joined := variant.build(t)
		for _, mode := range foreignModes {
			t.Run(fmt.Sprintf("%s, %+v", mode.name, variant), func(t *testing.T) {
				for seed := range uint64(15) {
					d := streamtest.New(t, topology, append([]streamtest.Option{streamtest.DeadLetter()}, mode.opts...)...)
					r := &foreignRun{d: d, rng: rand.New(rand.NewPCG(seed, 1)), left: map[string]string{}, right: map[string]string{}}
					for i := range 40 {
						r.pipe(i)
						if mode.restart && i%5 == 0 {
							d.Restart()
						}
					}
					want := nestedLoop(r.left, r.right, variant.outer)
					if diff := cmp.Diff(want, tableRows(t, d, joined)); diff != "" {
						t.Fatalf("seed %d: the table: -want +got\n%s", seed, diff)
					}
					if diff := cmp.Diff(want, lastOf(d, "out")); diff != "" {
						t.Fatalf("seed %d: the topic: -want +got\n%s", seed, diff)
					}
				}
			})
		}
	}
}

func tableRows[V any](t *testing.T, d *streamtest.Driver, table stream.Table[string, V]) map[string]V {
	t.Helper()
	rows := map[string]V{}
	if err := streamtest.View(d, table).Scan(func(k string, v V) bool { rows[k] = v; return true }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// lastOf returns the last value of each key of a topic, without deleted ones.
func lastOf(d *streamtest.Driver, topic string) map[string]string {
	last := map[string]string{}
	for _, r := range streamtest.NewOutput(d, topic, serde.String, serde.String).ReadAll() {
		if r.ValueNull {
			delete(last, r.Key)
		} else {
			last[r.Key] = r.Value
		}
	}
	return last
}

// Left rows of one input record that change the same key are in flight together: the answer for the first one is out of date.
func TestForeignKeyJoinLeavesOutOvertakenAnswers(t *testing.T) {
	b := stream.New("overtaken")
	in := stream.FlatMapValues(stream.From(b, "left", serde.String, serde.String), func(v string) []string { return strings.Split(v, ";") })
	l := stream.ToTable(in, serde.String, stream.Named("l"))
	r := stream.TableFrom(b, "right", nullable, serde.String)
	stream.JoinForeign(l, r, foreignKeyOf, func(v, w string) string { return v + "," + w }, serde.String).Updates().To("out", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology)
	streamtest.NewInput(d, "right", serde.String, serde.String).Pipe("a", "x", 1)
	streamtest.NewInput(d, "left", serde.String, serde.String).Pipe("k", "a|1;a|2", 2)
	rows := streamtest.NewOutput(d, "out", serde.String, serde.String).ReadAll()
	if len(rows) != 1 || rows[0].Value != "a|2,x" {
		t.Errorf("got %v, want only a|2,x", rows)
	}
}

// A table may be joined with itself; then subscriptions and answers stay in its sub-topology.
func TestForeignKeyJoinOfATableWithItself(t *testing.T) {
	b := stream.New("self")
	people := stream.TableFrom(b, "people", serde.String, serde.String)
	boss := func(_, v string) string { return strings.Split(v, "|")[0] }
	pair := func(v, w string) string { return v + "," + w }
	joined := stream.JoinForeign(people, people, boss, pair, serde.String, stream.Named("joined"))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(30) {
		d := streamtest.New(t, topology, streamtest.Partitions(3), streamtest.Batch(8))
		rng := rand.New(rand.NewPCG(seed, 3))
		in := streamtest.NewInput(d, "people", serde.String, serde.String)
		rows := map[string]string{}
		for i := range 40 {
			key := string("abc"[rng.IntN(3)])
			if rng.IntN(4) == 0 {
				in.Delete(key, record.Timestamp(rng.IntN(50)))
				delete(rows, key)
				continue
			}
			rows[key] = fmt.Sprint(string("abcd"[rng.IntN(4)]), "|", i)
			in.Pipe(key, rows[key], record.Timestamp(rng.IntN(50)))
		}
		want := map[string]string{}
		for k, v := range rows {
			if w, ok := rows[boss(k, v)]; ok {
				want[k] = pair(v, w)
			}
		}
		if diff := cmp.Diff(want, tableRows(t, d, joined)); diff != "" {
			t.Fatalf("seed %d: -want +got\n%s", seed, diff)
		}
	}
}

// A result is read by whoever joins it again, and knows its old values, also when it was given no store.
func TestForeignKeyJoinIsATable(t *testing.T) {
	b := stream.New("again")
	l := stream.TableFrom(b, "left", serde.String, serde.String)
	r := stream.TableFrom(b, "right", nullable, serde.String)
	joined := stream.JoinForeign(l, r, foreignKeyOf, func(v, w string) string { return v + "," + w }, serde.String)
	byRight := stream.GroupTableBy(joined, func(v string) (string, string) {
		_, w, _ := strings.Cut(v, ",")
		return w, v
	}, serde.String, serde.String)
	counts := stream.CountTable(byRight, stream.Named("counts"))
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology, streamtest.Partitions(3))
	left, right := streamtest.NewInput(d, "left", serde.String, serde.String), streamtest.NewInput(d, "right", serde.String, serde.String)
	right.Pipe("a", "x", 1)
	for i := range 1000 {
		left.Pipe(fmt.Sprint("k", i), "a|1", 2)
	}
	right.Pipe("a", "y", 3)
	left.Delete("k0", 4)
	got := maps.Collect(maps.All(tableRows(t, d, counts)))
	if diff := cmp.Diff(map[string]int64{"x": 0, "y": 999}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestForeignKeyJoinMistakes(t *testing.T) {
	b := stream.New("mistakes")
	l := stream.TableFrom(b, "left", serde.String, serde.String)
	r := stream.MapTable(stream.TableFrom(b, "right", nullable, serde.String), strings.ToUpper)
	stream.JoinForeign(l, r, foreignKeyOf, func(v, w string) string { return v + w }, serde.String)
	stream.JoinForeign[string, string, *string, string, string](l, r, nil, nil, nil, stream.Partitions(2))
	_, err := b.Build()
	for _, want := range []string{"serde of the right table's values is not known", "a function or serde is nil", "Partitions has no meaning"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
