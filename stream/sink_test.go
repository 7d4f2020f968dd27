package stream_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// ways are the ways in which the same input must give the same output.
var ways = []struct {
	name    string
	opts    []streamtest.Option
	restart bool // between any two records
}{
	{name: "straight"},
	{name: "in one batch", opts: []streamtest.Option{streamtest.Batch(100)}},
	{name: "with restarts", restart: true},
	{name: "with workers", opts: []streamtest.Option{streamtest.Workers(3)}},
}

// everyWay runs rows through a topology in all ways and compares what show returns.
func everyWay(t *testing.T, topology *stream.Topology, rows string, want any, show func(*streamtest.Driver) any, opts ...streamtest.Option) {
	t.Helper()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := streamtest.New(t, topology, append(slices.Clone(opts), way.opts...)...)
			for _, row := range strings.Fields(rows) {
				pipe(t, d, row)
				if way.restart {
					d.Restart()
				}
			}
			if diff := cmp.Diff(want, show(d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// texts shows topics.
func texts(topics ...string) func(*streamtest.Driver) any {
	return func(d *streamtest.Driver) any {
		out := map[string]string{}
		for _, topic := range topics {
			out[topic] = readText(d, topic)
		}
		return out
	}
}

type outgoing = stream.Outgoing[*string, *string]

func TestEachRecordChoosesItsTopic(t *testing.T) {
	b := stream.New("app")
	source(b).ToTopics(func(r outgoing) string {
		switch {
		case r.ValueNull || r.Value == nil:
			return "nulls"
		case len(r.Headers) > 0:
			return string(r.Headers[0].Value)
		}
		return fmt.Sprintf("%s-%d", *r.Value, r.Offset%2)
	}, nullable, nullable, []string{"x-0", "x-1", "nulls"})
	to(source(b), "x-0") // meets the records of the other sink
	want := map[string]string{
		"x-0": "a=x@1 a=x@1 b=x@2 ~=x@3 ~=x@3 b=~@4 c=y@5[h:w]", "x-1": "b=x@2", "nulls": "b=~@4", "w": "c=y@5[h:w]",
	}
	everyWay(t, build(t, b), "a=x@1 b=x@2 ~=x@3 b=~@4 c=y@5[h:w]", want, texts("x-0", "x-1", "nulls", "w"), streamtest.TopicPartitions("w", 1))
}

func TestATopicThatDoesNotExistMakesABadRecord(t *testing.T) {
	b := stream.New("app")
	source(b).ToTopics(func(r outgoing) string { return text(r.Value) }, nullable, nullable, nil)
	d := streamtest.New(t, build(t, b), streamtest.TopicPartitions("here", 2))
	pipe(t, d, "a=here@1")
	err := pipeRow(t, d, "a=away@2")
	var bad *task.RecordError
	if !errors.As(err, &bad) || bad.Offset != 1 || !bad.Unwritable || strings.Contains(bad.Error(), "away") {
		t.Errorf("error %v", err)
	}
	if got := readText(d, "here"); got != "a=here@1" {
		t.Error(got)
	}
}

// places shows a topic's keys by partition.
func places(topic string) func(*streamtest.Driver) any {
	return func(d *streamtest.Driver) any {
		out := map[int32]string{}
		for _, r := range streamtest.NewOutput(d, topic, nullable, nullable).ReadAll() {
			out[r.Partition] += text(r.Key) + text(r.Value)
		}
		return out
	}
}

func TestPartitionsOfASinkAreChosen(t *testing.T) {
	b := stream.New("app")
	source(b).To("out", nullable, nullable, stream.PartitionBy(func(r outgoing, n int32) stream.Placement {
		switch text(r.Value) {
		case "none":
			return stream.InNone()
		case "all":
			return stream.InAllPartitions()
		case "ends":
			return stream.InPartitions(n-1, 0)
		case "key":
			return stream.Placement{}
		}
		return stream.InPartition(1)
	}))
	want := map[int32]string{0: "aallaends", 1: "aallakeyb~", 2: "aallaends"}
	all := func(d *streamtest.Driver) any {
		got := places("out")(d)
		if n := d.Dropped()["no partition"]; n > 1 {
			t.Errorf("%d dropped", n)
		}
		return got
	}
	everyWay(t, build(t, b), "a=none@1 a=all@2 a=ends@3 a=key@4 b=~@5", want, all, streamtest.TopicPartitions("out", 3))
}

func TestAPartitionThatDoesNotExistMakesABadRecord(t *testing.T) {
	b := stream.New("app")
	source(b).To("out", nullable, nullable, stream.PartitionBy(func(_ outgoing, n int32) stream.Placement { return stream.InPartitions(0, n) }))
	d := streamtest.New(t, build(t, b), streamtest.Partitions(2))
	if err := pipeRow(t, d, "a=x@1"); err == nil || !strings.Contains(err.Error(), "partition") {
		t.Errorf("error %v", err)
	}
	if got := readText(d, "out"); got != "" {
		t.Errorf("a part of the record was written: %s", got)
	}
}

func TestARepartitionAsksForThePartition(t *testing.T) {
	b := stream.New("app")
	moved := source(b).Repartition("moved", nullable, nullable, stream.Partitions(3), stream.PartitionBy(
		func(r outgoing, n int32) stream.Placement {
			if text(r.Key) == "gone" {
				return stream.InNone()
			}
			return stream.InPartition(n - 1 - int32((*r.Key)[0]-'a'))
		}))
	stream.Count(stream.GroupByKey(moved), stream.Named("counts")).Updates().To("out", nullable, serde.Int64,
		stream.PartitionBy(func(r stream.Outgoing[*string, int64], _ int32) stream.Placement {
			return stream.InPartition(int32(r.Value))
		}))
	topology := build(t, b)
	want := map[string]string{"1": "a b", "2": "a"}
	show := func(d *streamtest.Driver) any {
		out := map[string][]string{}
		for _, r := range streamtest.NewOutput(d, "out", nullable, serde.Int64).ReadAll() {
			out[fmt.Sprint(r.Value)] = append(out[fmt.Sprint(r.Value)], text(r.Key))
		}
		got := map[string]string{}
		for v, keys := range maps.All(out) {
			slices.Sort(keys)
			got[v] = strings.Join(keys, " ")
		}
		return got
	}
	everyWay(t, topology, "a=x@1 b=x@2 gone=x@3 ~=x@4 a=y@5", want, show, streamtest.Partitions(3))
}

func TestSeveralPartitionsAreNoPlaceForARepartition(t *testing.T) {
	b := stream.New("app")
	to(source(b).Repartition("moved", nullable, nullable, stream.PartitionBy(func(outgoing, int32) stream.Placement { return stream.InAllPartitions() })), "out")
	d := streamtest.New(t, build(t, b), streamtest.Partitions(2))
	if err := pipeRow(t, d, "a=x@1"); err == nil || !strings.Contains(err.Error(), "one partition") {
		t.Errorf("error %v", err)
	}
}

func TestWrongPartitionersAreMistakes(t *testing.T) {
	b := stream.New("app")
	source(b).To("out", nullable, nullable, stream.PartitionBy(func(stream.Outgoing[string, string], int32) stream.Placement { return stream.InNone() }))
	source(b).Filter(has("x"), stream.PartitionBy[*string, *string](nil)).ToTopics(nil, nullable, nullable, nil)
	_, err := b.Build()
	for _, want := range []string{"types are not those of the step", "PartitionBy has no meaning here", "ToTopics: a function"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

// fussy writes a number, but not 13.
type fussy struct{ serde.Serde[int64] }

func (f fussy) Append(dst []byte, v int64) ([]byte, error) {
	switch v {
	case 13:
		return nil, errors.New("no 13")
	case 14:
		panic("no 14 at all")
	}
	return f.Serde.Append(dst, v)
}

// numbers counts values and writes the sums so far through a serde that refuses some.
func numbers(t *testing.T) *stream.Topology {
	t.Helper()
	b := stream.New("app")
	in := stream.From(b, "in", serde.String, serde.Int64)
	checked := stream.TryMapValues(in, func(v int64) (int64, error) {
		if v < 0 {
			return 0, stream.Reject("negative")
		}
		return v, nil
	}, stream.Named("check"))
	sums := stream.Aggregate(stream.GroupByKey(checked), 0, func(a, v int64) int64 { return a + v }, serde.Int64, stream.Named("sums"))
	sums.Updates().To("out", serde.String, fussy{serde.Int64}, stream.Named("sink"))
	return build(t, b)
}

func TestAHandlerDecidesAboutEachBadRecord(t *testing.T) {
	topology := numbers(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var asked []string
			h := func(r failure.Record) failure.Decision {
				asked = append(asked, fmt.Sprintf("%s %s@%d %s", r.Phase, r.Topic, r.Offset, r.Step))
				switch {
				case r.Timestamp < 0 || string(r.Key) != "k":
					t.Errorf("record %+v", r)
				case r.Phase == failure.Produce && len(r.Headers) > 0:
					return failure.LeaveOut
				case len(r.Headers) > 0:
					return failure.DeadLetter
				}
				return failure.Continue
			}
			d := streamtest.New(t, topology, append(way.opts, streamtest.OnFailure(h), streamtest.DeadLetterTopic("dead"))...)
			in := streamtest.NewInput(d, "in", serde.String, serde.Int64)
			mark := record.Header{Key: "h", Value: []byte("v")}
			add := func(v int64, headers ...record.Header) {
				in.Pipe("k", v, 1, headers...)
				if way.restart {
					d.Restart()
				}
			}
			add(3)
			add(10)       // 13 cannot be written: the record leaves no trace
			add(-1)       // left out
			add(-1, mark) // a dead letter
			d.Pipe(record.Record{TopicPartition: record.TopicPartition{Topic: "in"}, Timestamp: 1, Key: []byte("k"), Value: []byte("odd")})
			add(10, mark) // 13 is left out, and stays in the sum
			add(1)        // 14 panics
			add(2)
			var got []int64
			for _, r := range streamtest.NewOutput(d, "out", serde.String, serde.Int64).ReadAll() {
				got = append(got, r.Value)
			}
			if diff := cmp.Diff([]int64{3, 15}, got); diff != "" {
				t.Error(diff)
			}
			dead := streamtest.NewOutput(d, "dead", serde.String, serde.Int64).ReadAll()
			if len(dead) != 1 || dead[0].Value != -1 {
				t.Errorf("dead letters %+v", dead)
			}
			want := []string{"produce in@1 sink", "process in@2 check", "process in@3 check", "decode in@4 KSTREAM-SOURCE-0000000000", "produce in@5 sink", "produce in@6 sink"}
			if slices.Sort(asked); !way.restart && len(asked) != len(want) {
				t.Errorf("asked %q", asked)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Compact(asked)); diff != "" {
				t.Error(diff)
			}
			dropped := map[string]int64{"bad record": 4, "dead letter": 1, "unwritten": 1}
			if diff := cmp.Diff(dropped, d.Dropped()); diff != "" && !way.restart {
				t.Error(diff)
			}
		})
	}
}

func TestStopNamesTheRecordAndConsumesNothingOfIt(t *testing.T) {
	d := streamtest.New(t, numbers(t), streamtest.OnFailure(failure.Always(failure.Stop)))
	in := streamtest.NewInput(d, "in", serde.String, serde.Int64)
	in.Pipe("k", 3, 1)
	var bad *task.RecordError
	if err := in.TryPipe("k", 10, 1); !errors.As(err, &bad) || bad.Failure().Phase != failure.Produce || bad.Offset != 1 {
		t.Fatalf("error %v", err)
	}
}

func TestAForeignKeyJoinKnowsHowTheRightTableIsPartitioned(t *testing.T) {
	b := stream.New("app")
	left := stream.TableFrom(b, "left", serde.String, serde.String, stream.Named("left"))
	// The right topic is written by its first letter: a → 0, b → 1, …
	place := func(key string, n int32) int32 { return int32(key[0]-'a') % n }
	source(b).To("right", nullable, nullable, stream.PartitionBy(func(r outgoing, n int32) stream.Placement {
		return stream.InPartition(place(*r.Key, n))
	}))
	right := stream.TableFrom(b, "right", serde.String, serde.String, stream.Named("right"))
	joined := stream.JoinForeign(left, right, func(_, v string) string { return v }, func(v, w string) string { return v + w }, serde.String,
		stream.ForeignPartition(place), stream.Named("joined"))
	joined.Updates().To("out", serde.String, serde.String)
	rows := "a=1@1 b=1@1 c=1@1 d=1@1 left:k=a@2 left:l=b@3 left:m=d@4 d=2@5"
	show := func(d *streamtest.Driver) any {
		rows := strings.Fields(readText(d, "out"))
		for i := range rows {
			rows[i], _, _ = strings.Cut(rows[i], "@") // of a row that comes back through a topic the batches decide
		}
		slices.Sort(rows)
		return strings.Join(rows, " ")
	}
	everyWay(t, build(t, b), rows, "k=a1 l=b1 m=d1 m=d2", show, streamtest.Partitions(4))
}

func TestSplitsAndMergesHaveNames(t *testing.T) {
	b := stream.New("app")
	branches := source(b).SplitNamed("split", func(k, _ *string) bool { return text(k) == "a" })
	to(branches[0].MergeNamed("both", branches[1]), "out")
	topology := build(t, b)
	for _, name := range []string{"Processor: split ", "Processor: split1 ", "Processor: split0 ", "Processor: both "} {
		if !strings.Contains(topology.Describe(), name) {
			t.Errorf("%q is missing in\n%s", name, topology.Describe())
		}
	}
	everyWay(t, topology, "a=x@1 b=y@2", map[string]string{"out": "a=x@1 b=y@2"}, texts("out"))
}

// schemaSerde writes texts, and the schema of a value into a header; it refuses values of a schema it does not know.
type schemaSerde struct{ serde.Serde[*string] }

func (s schemaSerde) DecodeIn(at stream.Surroundings, b []byte) (*string, error) {
	for _, h := range at.Headers {
		if h.Key == "schema" && string(h.Value) != at.Topic+"-1" {
			return nil, errors.New("unknown schema")
		}
	}
	v, err := s.Decode(b)
	if v != nil {
		v = ptr(at.Topic + ":" + *v)
	}
	return v, err
}

func (s schemaSerde) AppendIn(at *stream.Surroundings, dst []byte, v *string) ([]byte, error) {
	if !at.Key {
		at.Headers = append(slices.Clip(at.Headers), record.Header{Key: "schema", Value: []byte(at.Topic + "-1")})
	}
	return s.Append(dst, v)
}

func TestSerdesSeeTheRecordThatTheirBytesStandIn(t *testing.T) {
	b := stream.New("app")
	seeing := schemaSerde{nullable}
	in := stream.From(b, "in", nullable, serde.Serde[*string](seeing))
	in.To("out", seeing, seeing)
	in.ToTopics(func(outgoing) string { return "other" }, nullable, seeing, []string{"other"})
	table := stream.ToTable(in, serde.Serde[*string](seeing), stream.Named("rows")) // keeps what Append writes
	table.Updates().To("rows", nullable, seeing)
	want := map[string]string{
		"out": "a=in:x@1[schema:out-1] b=~@2[h:v][schema:out-1]", "other": "a=in:x@1[schema:other-1] b=~@2[h:v][schema:other-1]",
		"rows": "a=in:x@1[schema:rows-1] b=~@2[h:v][schema:rows-1]",
	}
	topology := build(t, b)
	everyWay(t, topology, "a=x@1 b=~@2[h:v]", want, texts("out", "other", "rows"))
	d := streamtest.New(t, topology)
	if err := pipeRow(t, d, "a=x@1[schema:in-2]"); err == nil || !strings.Contains(err.Error(), "unknown schema") {
		t.Errorf("error %v", err)
	}
}

func TestChangelogTopicsHaveSettings(t *testing.T) {
	settings := map[string]string{"segment.bytes": "1048576"}
	b := stream.New("app")
	seen := state.KeyValue("seen", serde.String, serde.Int64).ChangelogTopic(settings)
	rows := stream.TableFrom(b, "in", serde.String, serde.String, stream.Named("rows"), stream.ChangelogTopic(settings))
	stream.ProcessTable(rows, func() processor.Table[string, string, string] { return &numbering{seen: seen} }, serde.String, stream.Connect(seen))
	for _, st := range build(t, b).Stores {
		if diff := cmp.Diff(settings, st.Settings); diff != "" {
			t.Errorf("%s: %s", st.Name, diff)
		}
	}
	b = stream.New("app")
	stream.TableFrom(b, "in", serde.String, serde.String, stream.ChangelogTopic(settings))
	source := stream.TableFrom(b, "in2", serde.String, serde.String, stream.Named("rows"), stream.ChangelogTopic(map[string]string{"cleanup.policy": "delete"}))
	source.Updates(stream.Named("no-table"), stream.ChangelogTopic(settings))
	_, err := b.Build()
	for _, want := range []string{"needs the option Named", "cleanup.policy is the runtime's own", `no step keeps the table "no-table"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
