package mainstem_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/view"
	"github.com/mainstemio/mainstem/worker"
)

// post sends a request without a body.
func (n *node) post(path string) int {
	n.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(n.http+path, "", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// states collects the states that a pipeline enters.
func states() (chan worker.State, mainstem.PipelineOption) {
	entered := make(chan worker.State, 100)
	return entered, mainstem.Listen(func(e mainstem.Event) {
		if change, ok := e.(worker.StateChange); ok {
			entered <- change.To
		}
	})
}

// reach waits for a state.
func reach(t *testing.T, entered <-chan worker.State, want worker.State) {
	t.Helper()
	for {
		select {
		case got := <-entered:
			if got == want {
				return
			}
		case <-within(t).Done():
			t.Fatalf("the pipeline did not become %s", want)
		}
	}
}

func TestAPipelineIsPausedAndResumed(t *testing.T) {
	n := open(t, t.TempDir())
	entered, listening := states()
	p := must[*mainstem.Pipeline](t)(n.Run(echo(t, "one"), listening))
	reach(t, entered, worker.Running)
	n.publish("in", "a")
	n.read("out-of-one", 1)
	if code := n.post("/v1/pipelines/one/pause"); code != http.StatusOK {
		t.Fatalf("pause: %d", code)
	}
	reach(t, entered, worker.Paused)
	must[*mainstem.Pipeline](t)(n.Run(echo(t, "two"))) // reads the same topic
	n.publish("in", "b", "c")
	n.read("out-of-two", 3)
	if st := p.Status(); st.Processed != 1 || st.State != worker.Paused {
		t.Errorf("processed %d while %s", st.Processed, st.State)
	}
	n.await("/metrics", func(text string) bool { return strings.Contains(text, `mainstem_pipeline_paused{pipeline="one"} 1`) })
	if code := n.post("/v1/pipelines/one/resume"); code != http.StatusOK {
		t.Fatalf("resume: %d", code)
	}
	reach(t, entered, worker.Running)
	if diff := cmp.Diff([]string{"one a", "one b", "one c"}, n.read("out-of-one", 3)); diff != "" {
		t.Error(diff)
	}
	if code := n.post("/v1/pipelines/none/pause"); code != http.StatusNotFound {
		t.Errorf("unknown pipeline: %d", code)
	}
	if _, err := n.Pipeline("none"); !errors.Is(err, mainstem.ErrNoPipeline) {
		t.Errorf("error %v", err)
	}
}

// kept counts values in a table, and keeps the last in a store.
func kept(t *testing.T) (*stream.Topology, stream.Table[string, int64], *state.Builder[state.KeyValueStore[string, string]]) {
	t.Helper()
	b := stream.New("kept")
	last := state.KeyValue("last", serde.String, serde.String)
	in := stream.From(b, "in", serde.String, serde.String)
	checked := stream.TryMapValues(in, func(v string) (string, error) {
		if v == "odd" {
			return "", stream.Reject("odd")
		}
		return v, nil
	}, stream.Named("check"))
	keep := processor.FixedKeyFunc[string, string, string](
		func(ctx processor.FixedKeyContext[string], r processor.Record[string, string]) error {
			last.In(ctx).Put(r.Key+"/"+r.Value, r.Value)
			ctx.Forward(r.Value)
			return nil
		})
	values := stream.ProcessValues(checked, func() processor.FixedKey[string, string, string] { return keep }, stream.Connect(last), stream.Named("keep"))
	counts := stream.Count(stream.GroupByKey(values), stream.Named("counts"))
	counts.Updates().To("counts", serde.String, serde.Int64)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology, counts, last
}

func TestTablesAndStoresOfAPipelineCanBeRead(t *testing.T) {
	n := open(t, t.TempDir())
	topology, counts, last := kept(t)
	var failed []failure.Record
	p := must[*mainstem.Pipeline](t)(n.Run(topology, mainstem.OnFailure(func(r failure.Record) failure.Decision {
		failed = append(failed, r)
		return failure.Continue
	})))
	n.publish("in", "b", "odd", "a", "c")
	n.read("counts", 3)
	n.await("/metrics", func(text string) bool { // what is visible is committed a moment before the tables show it
		return strings.Contains(text, `mainstem_store_rows{partition="0",pipeline="kept",store="last"} 3`)
	})
	rows := view.Of(p.Tables(), counts)
	if got, ok, err := rows.Get("k"); got != 3 || !ok || err != nil {
		t.Errorf("row %d, %v, %v", got, ok, err)
	}
	if _, ok, err := rows.Get("other"); ok || err != nil {
		t.Errorf("another row: %v, %v", ok, err)
	}
	scanned := map[string]int64{}
	if err := rows.Scan(func(k string, v int64, _ record.Timestamp) bool { scanned[k] = v; return true }); err != nil || scanned["k"] != 3 {
		t.Errorf("rows %v, %v", scanned, err)
	}
	var up, down []string
	err := view.Read(p.Tables(), last, func(s state.KeyValueStore[string, string]) error {
		for _, v := range s.All(state.Ascending) {
			up = append(up, v)
		}
		for _, v := range s.Range("k/a", "k/b", state.Descending) {
			down = append(down, v)
		}
		return nil
	})
	if want := []string{"a", "b", "c"}; err != nil || !slices.Equal(up, want) || !slices.Equal(down, []string{"b", "a"}) {
		t.Errorf("values %v and %v, %v", up, down, err)
	}
	if err := view.Read(p.Tables(), last, func(s state.KeyValueStore[string, string]) error { s.Put("x", "y"); return nil }); err == nil {
		t.Error("a view was changed")
	}
	if _, _, err := view.Named[string, string](p.Tables(), "none").Get("k"); err == nil {
		t.Error("a store that does not exist was read")
	}
	if st := p.Status(); len(failed) != 1 || failed[0].Step != "check" || string(failed[0].Value) != "odd" || st.Dropped["bad record"] != 1 {
		t.Errorf("failed %+v, dropped %v", failed, st.Dropped)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := rows.Get("k"); !errors.Is(err, view.ErrNotReadable) {
		t.Errorf("error of a closed node: %v", err)
	}
}

func TestMetricsTellTasksStepsAndStores(t *testing.T) {
	n := open(t, t.TempDir())
	topology, _, _ := kept(t)
	must[*mainstem.Pipeline](t)(n.Run(topology))
	n.publish("in", "a", "b", "c")
	n.read("counts", 3)
	wants := []string{
		`mainstem_task_records_total{pipeline="kept",task="0_0"} 3`,
		`mainstem_node_records_total{node="keep",pipeline="kept"} 3`,
		`mainstem_node_records_total{node="check",pipeline="kept"} 3`,
		`mainstem_store_rows{partition="0",pipeline="kept",store="last"} 3`,
		`mainstem_store_rows{partition="0",pipeline="kept",store="counts"} 1`,
	}
	text := n.await("/metrics", func(text string) bool {
		return !slices.ContainsFunc(wants, func(want string) bool { return !strings.Contains(text, want+"\n") })
	})
	for _, name := range []string{"mainstem_task_busy_seconds_total", "mainstem_task_stream_time_seconds", "mainstem_store_bytes"} {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^%s\{.*\} [1-9]`, name)).MatchString(text) && !strings.Contains(text, name+"{") {
			t.Errorf("%s is missing", name)
		}
	}
	if !regexp.MustCompile(`(?m)^mainstem_pipeline_commit_seconds_count\{pipeline="kept"\} [1-9]`).MatchString(text) {
		t.Error("no commits are counted")
	}
}

func TestRecordsFindTopicsThatTheTopologyDoesNotName(t *testing.T) {
	n := open(t, t.TempDir())
	b := stream.New("router")
	stream.From(b, "in", serde.String, serde.String).ToTopics(func(r stream.Outgoing[string, string]) string { return r.Value },
		serde.String, serde.String, []string{"declared"})
	var missing []string
	n.publish("there", "first") // makes the topic
	must[*mainstem.Pipeline](t)(n.Run(must[*stream.Topology](t)(b.Build()), mainstem.OnFailure(func(r failure.Record) failure.Decision {
		if r.Phase == failure.Produce {
			missing = append(missing, string(r.Value))
		}
		return failure.Continue
	})))
	n.publish("in", "there", "away", "declared", "there")
	if diff := cmp.Diff([]string{"first", "there", "there"}, n.read("there", 3)); diff != "" {
		t.Error(diff)
	}
	n.read("declared", 1)
	if diff := cmp.Diff([]string{"away"}, missing); diff != "" {
		t.Error(diff)
	}
}

func TestAStreamBeginsAtTheEndOnceOnly(t *testing.T) {
	n := open(t, t.TempDir())
	n.publish("in", "old")
	b := stream.New("late")
	stream.From(b, "in", serde.String, serde.String, stream.FromEnd()).To("out", serde.String, serde.String)
	topology := must[*stream.Topology](t)(b.Build())
	// The first run commits where it began, though nothing comes.
	p := must[*mainstem.Pipeline](t)(n.Run(topology))
	n.await("/metrics", func(text string) bool {
		return strings.Contains(text, `mainstem_pipeline_epochs_total{pipeline="late"} 1`)
	})
	if st := p.Status(); st.Processed != 0 {
		t.Errorf("%d records were processed", st.Processed)
	}
	n.publish("in", "new")
	if diff := cmp.Diff([]string{"new"}, n.read("out", 1)); diff != "" {
		t.Error(diff)
	}
}
