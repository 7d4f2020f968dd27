package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// numbering is a table processor that numbers the updates of each key in a store of its own, and leaves out rows with an x.
type numbering struct {
	seen  *state.Builder[state.KeyValueStore[string, int64]]
	store state.KeyValueStore[string, int64]
}

func (p *numbering) Init(ctx processor.Task) error {
	p.store = p.seen.In(ctx)
	return nil
}

func (p *numbering) Process(_ processor.Task, r processor.Record[string, string]) (string, bool, error) {
	n, _ := p.store.Get(r.Key)
	p.store.Put(r.Key, n+1)
	if r.ValueNull || strings.Contains(r.Value, "x") {
		return "", false, nil
	}
	if r.Value == "bad" {
		return "", false, stream.Reject("it says so")
	}
	return fmt.Sprintf("%s%d", r.Value, n+1), true, nil
}

func (p *numbering) Close() error { return nil }

func TestAProcessorComputesATable(t *testing.T) {
	b := stream.New("app")
	seen := state.KeyValue("seen", serde.String, serde.Int64)
	rows := stream.TableFrom(b, "in", serde.String, serde.String)
	numbered := stream.ProcessTable(rows, func() processor.Table[string, string, string] { return &numbering{seen: seen} }, serde.String,
		stream.Connect(seen), stream.Named("numbered"), stream.SkipFailed())
	numbered.Updates().To("out", serde.String, serde.String)
	letters := stream.GroupTableBy(numbered, func(v string) (string, string) { return v[:1], v }, serde.String, serde.String, stream.Named("letters"))
	stream.CountTable(letters, stream.Named("counts")).Updates().To("counts", serde.String, serde.Int64)
	want := []string{"a=v1@1 b=w1@2 a=v2@3 b=~@4 a=~@5 c=~@6 a=v4@8", "v=1@1 w=1@2 v=1@3 w=0@4 v=0@5 v=1@8"}
	show := func(d *streamtest.Driver) any {
		return []string{readText(d, "out"), read(d, "counts", serde.Int64, formatInt)}
	}
	everyWay(t, build(t, b), "a=v@1 b=w@2 a=v@3 b=~@4 a=x@5 c=~@6 c=bad@7 a=v@8", want, show)
}

func TestATableProcessorSeesTheNewestRowsOnly(t *testing.T) {
	b := stream.New("app")
	rows := stream.TableFrom(b, "in", serde.String, serde.String, stream.Versioned(time.Second), stream.Named("rows"))
	stream.ProcessTable(rows, func() processor.Table[string, string, string] {
		return processor.TableFunc[string, string, string](func(_ processor.Task, r processor.Record[string, string]) (string, bool, error) {
			return r.Value + "!", !r.ValueNull, nil
		})
	}, serde.String).Updates().To("out", serde.String, serde.String)
	everyWay(t, build(t, b), "a=v@5 a=late@3 a=w@6", map[string]string{"out": "a=v!@5 a=w!@6"}, texts("out"))
}

// asking joins a stream by hand with a global table and, as of the records' times, with a versioned one.
func TestProcessorsReadGlobalAndVersionedTables(t *testing.T) {
	b := stream.New("app")
	names := stream.GlobalTableFrom(b, "names", serde.String, serde.String, stream.Named("names"))
	prices := stream.TableFrom(b, "prices", serde.String, serde.String, stream.Named("prices"), stream.Versioned(time.Second))
	byName, byTime := stream.GlobalReaderOf(names), stream.VersionedReaderOf(prices)
	in := stream.From(b, "in", serde.String, serde.String)
	ask := processor.FixedKeyFunc[string, string, string](func(ctx processor.FixedKeyContext[string], r processor.Record[string, string]) error {
		name, _, _ := byName.In(ctx).Row(r.Value)
		price, from, ok := byTime.In(ctx).RowAsOf(r.Key, r.Time)
		ctx.Forward(fmt.Sprintf("%s/%s/%d/%v", name, price, from, ok))
		return nil
	})
	stream.ProcessValues(in, func() processor.FixedKey[string, string, string] { return ask }, stream.Connect(byName, byTime)).To("out", serde.String, serde.String)
	rows := "names:n=Anne@1 prices:k=10@1 prices:k=20@5 k=n@3 k=n@7 k=m@0"
	everyWay(t, build(t, b), rows, map[string]string{"out": "k=Anne/10/1/true@3 k=Anne/20/5/true@7 k=//-1/false@0"}, texts("out"), streamtest.Partitions(2))
}

func TestAStoreKeepsHeaders(t *testing.T) {
	b := stream.New("app")
	last := state.KeyValue("last", serde.String, state.HeadedSerde(serde.String))
	in := stream.From(b, "in", serde.String, serde.String)
	keep := processor.Func[string, string, string, string](
		func(ctx processor.Context[string, string], r processor.Record[string, string]) error {
			s := last.In(ctx)
			if had, ts, ok := s.GetTimed(r.Key); ok {
				ctx.Forward(processor.Record[string, string]{Key: r.Key, Value: had.Value, Time: ts, Headers: had.Headers})
			}
			s.Put(r.Key, state.Headed[string]{Value: r.Value, Headers: r.Headers})
			return nil
		})
	stream.Process(in, func() processor.Processor[string, string, string, string] { return keep }, stream.Connect(last)).To("out", serde.String, serde.String)
	everyWay(t, build(t, b), "a=x@1[h:v] a=y@2 a=z@3", map[string]string{"out": "a=x@1[h:v] a=y@2"}, texts("out"))
}

func TestHeadedValuesSurviveTheirBytes(t *testing.T) {
	s := state.HeadedSerde(serde.Nullable(serde.String))
	for _, v := range []state.Headed[*string]{
		{Value: ptr("")},
		{Value: ptr("v"), Headers: []record.Header{{Key: "", Value: []byte{}}, {Key: "null"}, {Key: "k", Value: []byte("w")}}},
	} {
		b, err := s.Append([]byte{}, v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Decode(b)
		if err != nil || fmt.Sprintf("%q", got.Headers) != fmt.Sprintf("%q", v.Headers) || *got.Value != *v.Value {
			t.Errorf("%q became %q (%v)", v.Headers, got.Headers, err)
		}
		for i := 0; i < len(b) && len(v.Headers) > 0; i++ {
			_, _ = s.Decode(b[:i]) // whatever is cut off, it does not panic
		}
	}
	if b, err := s.Append([]byte{}, state.Headed[*string]{}); b != nil || err != nil {
		t.Errorf("null became %v, %v", b, err)
	}
}

func TestAJoinWithAGlobalTableSeesBothKeys(t *testing.T) {
	b := stream.New("app")
	names := stream.GlobalTableFrom(b, "names", serde.String, serde.String)
	in := stream.From(b, "in", serde.String, serde.String)
	by := func(_, v string) string { return v }
	stream.JoinGlobalWithKeys(in, names, by, func(k, g, v, w string) string { return k + g + v + w }).To("out", serde.String, serde.String)
	stream.LeftJoinGlobalWithKeys(in, names, by, func(k, g, _ string, w *string) string { return fmt.Sprint(k, g, w != nil) }).To("left", serde.String, serde.String)
	everyWay(t, build(t, b), "names:n=Anne@1 k=n@3 k=m@4", map[string]string{"out": "k=knnAnne@3", "left": "k=kntrue@3 k=kmfalse@4"}, texts("out", "left"))
}

// A row that a filter takes out of a table is a delete like others: its processor must not see the value that was there.
func TestAProcessorOfATableSeesNoValueOfADelete(t *testing.T) {
	b := stream.New("app")
	rows := stream.TableFrom(b, "in", serde.String, serde.String).Filter(func(v string) bool { return v != "x" })
	seen := stream.ProcessTable(rows, func() processor.Table[string, string, string] {
		return processor.TableFunc[string, string, string](func(_ processor.Task, r processor.Record[string, string]) (string, bool, error) {
			return fmt.Sprintf("%q,%t", r.Value, r.ValueNull), true, nil
		})
	}, serde.String)
	seen.Updates().To("out", serde.String, serde.String)
	everyWay(t, build(t, b), "a=y@1 a=x@2 b=x@3", map[string]string{"out": `a="y",false@1 a="",true@2 b="",true@3`}, texts("out"))
}
