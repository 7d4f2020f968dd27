package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
)

const rides = "CREATE STREAM rides (id VARCHAR KEY, km INT) WITH (kafka_topic='rides', value_format='JSON', partitions=2);\n"

func exec(t *testing.T, h *host.Host, script string) []session.Result {
	t.Helper()
	results, err := h.Exec(t.Context(), script, nil)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return results
}

func states(t *testing.T, h *host.Host) map[string]session.Status {
	t.Helper()
	out := map[string]session.Status{}
	for _, q := range exec(t, h, "LIST QUERIES;")[0].Shows.(session.QueryList).Queries {
		out[q.ID] = q.Status
	}
	return out
}

func TestPausedQueriesStayPausedOverARestart(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE STREAM a AS SELECT * FROM rides; CREATE STREAM b AS SELECT * FROM rides; PAUSE CSAS_A_0;")
	if !w.running[0].paused || w.running[1].paused {
		t.Fatal("the wrong query is paused")
	}
	h.Close()

	h = w.open(t, w.door)
	if !w.running[0].options.Paused || w.running[1].options.Paused {
		t.Error("after a restart the wrong query is paused")
	}
	if s := states(t, h); s["CSAS_A_0"].State != session.Paused || s["CSAS_B_1"].State != session.Running {
		t.Errorf("states %v", s)
	}
	exec(t, h, "PAUSE ALL; RESUME ALL;")
	if w.running[0].paused || w.running[1].paused {
		t.Error("a query is still paused")
	}
}

func TestAFailedQueryTellsWhyAndIsStartedAgain(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE STREAM a AS SELECT * FROM rides;")
	w.running[0].err = errLost
	if s := states(t, h)["CSAS_A_0"]; s.State != session.Failed || !errors.Is(s.Err, errLost) {
		t.Fatalf("status %+v", s)
	}
	d := exec(t, h, "EXPLAIN CSAS_A_0;")[0].Shows.(session.QueryDescription)
	if !errors.Is(d.Status.Err, errLost) || !strings.Contains(d.Topology, "topics: [rides]") || !strings.Contains(d.Steps, "Source") {
		t.Errorf("description %+v", d)
	}
	exec(t, h, "RESUME CSAS_A_0;")
	if s := states(t, h)["CSAS_A_0"]; s.State != session.Running {
		t.Errorf("status %+v", s)
	}
}

func TestDropDeletesTheTopic(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE STREAM a AS SELECT * FROM rides; DROP STREAM a DELETE TOPIC;")
	if n, err := h.Partitions(t.Context(), "A"); n != 0 || err != nil {
		t.Errorf("topic A has %d partitions: %v", n, err)
	}
	w.wantRunning(t)
	h.Close()
	if h = w.open(t, w.door); len(h.Sources()) != 1 {
		t.Errorf("%d sources", len(h.Sources()))
	}
}

func TestATerminatedQueryLeavesNoInternalTopics(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE TABLE a AS SELECT km, COUNT(*) AS n FROM rides GROUP BY km;")
	changelog, move := host.Service("").App("CTAS_A_0")+"-Aggregate-changelog", host.Service("").App("CTAS_A_0")+"-Aggregate-group-repartition"
	if _, err := w.door.EnsureTopics(t.Context(), client.TopicSpec{Name: changelog}, client.TopicSpec{Name: move}); err != nil { // as the engine would
		t.Fatal(err)
	}
	exec(t, h, "TERMINATE CTAS_A_0;")
	if left, err := w.door.Topics(t.Context(), changelog, move, "A"); err != nil || len(left) != 1 {
		t.Errorf("topics left: %v, %v", left, err)
	}
}

func TestATopicThatIsGoneHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE STREAM again (id VARCHAR KEY) WITH (kafka_topic='rides', value_format='JSON'); DROP STREAM again; DROP STREAM rides DELETE TOPIC;")
	h.Close()
	if h = w.open(t, w.door); len(h.Sources()) != 0 {
		t.Errorf("%d sources", len(h.Sources()))
	}
	if n, _ := h.Partitions(t.Context(), "rides"); n != 0 {
		t.Error("the topic was made again")
	}
}

// log appends records to the catalog, as another program would have.
func (w *world) log(t *testing.T, entries ...map[string]any) {
	t.Helper()
	if _, err := w.door.EnsureTopics(t.Context(), client.TopicSpec{Name: host.Service("").CatalogTopic(), Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := w.door.OpenProducer(t.Context(), host.Service("").CatalogTopic())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := p.NewEpoch()
	for _, entry := range entries {
		b, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Append(record.TopicPartition{Topic: host.Service("").CatalogTopic()}, 1, nil, b, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAQueryWhoseStateIsOfAnotherPlanDoesNotRun(t *testing.T) {
	w := newWorld(t)
	w.log(t, map[string]any{"statement": rides}, map[string]any{
		"statement": "CREATE TABLE a AS SELECT id, COUNT(*) AS n FROM rides GROUP BY id;",
		"plan":      map[string]any{"version": 1, "state": []string{"Aggregate by another rule"}},
	})
	h := w.open(t, w.door)
	s := states(t, h)["CTAS_A_0"]
	if s.State != session.Failed || s.Err == nil || !strings.Contains(s.Err.Error(), "Aggregate by another rule") || len(w.running) != 0 {
		t.Errorf("status %+v", s)
	}
	exec(t, h, "TERMINATE CTAS_A_0; DROP TABLE a;")
}

func TestACatalogOfANewerProgramIsNotOpened(t *testing.T) {
	w := newWorld(t)
	w.log(t, map[string]any{"statement": rides, "plan": map[string]any{"version": 1000}})
	_, err := host.Open(t.Context(), host.Options{Door: w.door, Now: func() record.Timestamp { return 1 }})
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("error %v", err)
	}
}

func TestReplacingAQueryNeedsTheSameState(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, rides+"CREATE TABLE a AS SELECT id, COUNT(*) AS n FROM rides GROUP BY id; CREATE STREAM b AS SELECT id, km FROM rides;")
	_, err := h.Exec(t.Context(), "CREATE OR REPLACE TABLE a AS SELECT id, COUNT(km) AS n FROM rides GROUP BY id;", nil)
	var failed *session.StatementError
	if !errors.As(err, &failed) || failed.Code != string(session.CodeReplace) {
		t.Fatalf("error %v", err)
	}
	exec(t, h, "CREATE OR REPLACE STREAM b AS SELECT id, km, km * 2 AS twice FROM rides WHERE km > 5;")
	if len(h.Queries()) != 2 || len(h.Snapshot().Catalog.Source("B").Value) != 2 {
		t.Error("the stream was not replaced")
	}
}

func TestSettingsOfTheNodeLastAndThoseOfARequestEnd(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, "ALTER SYSTEM 'auto.offset.reset'='latest';")
	h.Close()
	h = w.open(t, w.door)
	source := func(script string) string {
		for _, p := range exec(t, h, script)[strings.Count(script, ";")-1].Shows.(session.PropertyList).Properties {
			if p.Name == "auto.offset.reset" {
				return p.Value + " by " + p.Source
			}
		}
		return "none"
	}
	for script, want := range map[string]string{
		"LIST PROPERTIES;": "latest by node",
		"SET 'auto.offset.reset'='earliest'; LIST PROPERTIES;":                                                                 "earliest by session",
		"SET 'ksql.streams.auto.offset.reset'='earliest'; UNSET 'auto.offset.reset'; LIST PROPERTIES;":                         "latest by node",
		"DEFINE r = 'earliest'; SET 'auto.offset.reset'='${r}'; UNDEFINE r; LIST PROPERTIES; LIST VARIABLES; LIST PROPERTIES;": "earliest by session",
	} {
		if got := source(script); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

func TestRowErrorsAreCountedAndFewAreTold(t *testing.T) {
	w := newWorld(t)
	told := 0
	h := w.openWith(t, w.door, func(o *host.Options) { o.Failed = func(string, string, error) { told++ } })
	exec(t, h, rides+"CREATE STREAM a AS SELECT * FROM rides; SET 'ksql.fail.on.deserialization.error'='true'; CREATE STREAM b AS SELECT * FROM rides;")
	bad := failure.Record{Record: record.Record{TopicPartition: record.TopicPartition{Topic: "rides"}, Value: []byte("x")}, Phase: failure.Decode, Reason: "no JSON"}
	for range 1000 {
		if d := w.running[0].options.OnFailure(bad); d != failure.Continue {
			t.Fatalf("decision %v", d)
		}
	}
	if d := w.running[1].options.OnFailure(bad); d != failure.Stop {
		t.Errorf("a query that is to stop goes on: %v", d)
	}
	if told < 10 || told > 200 || h.RowErrors()["CSAS_A_0"] != 1000 {
		t.Errorf("%d told, %v counted", told, h.RowErrors())
	}
	if s := states(t, h)["CSAS_A_0"]; s.RowErrors != 1000 || !strings.Contains(s.LastError, "no JSON") {
		t.Errorf("status %+v", s)
	}
}

func TestTheProcessingLogIsAStream(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, "ALTER SYSTEM 'ksql.logging.processing.topic.auto.create'='true'; ALTER SYSTEM 'ksql.logging.processing.stream.auto.create'='true';")
	exec(t, h, rides+"CREATE STREAM a AS SELECT * FROM rides;")
	w.running[0].options.OnFailure(failure.Record{Phase: failure.Decode, Reason: "no JSON"})
	lines, err := h.Print(t.Context(), "PRINT ksql_processing_log FROM BEGINNING LIMIT 1;", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	text, err := lines.Next(t.Context())
	if err != nil || !strings.Contains(strings.Join(text, "\n"), `"errorMessage":"record /0 at offset 0 is left out: no JSON"`) {
		t.Errorf("%q, %v", text, err)
	}
	if h.Snapshot().Catalog.Source("KSQL_PROCESSING_LOG") == nil {
		t.Error("there is no stream")
	}
}

func TestPrintShowsWhatFormatsFit(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	exec(t, h, "CREATE STREAM one (id VARCHAR KEY, km INT) WITH (kafka_topic='one', value_format='JSON', partitions=1);"+
		"INSERT INTO one (ROWTIME, id, km) VALUES (1000, 'a', 100); INSERT INTO one (ROWTIME, id, km) VALUES (2000, 'b', 200); INSERT INTO one (ROWTIME, id, km) VALUES (3000, '7', 300);")
	for statement, want := range map[string]string{
		"PRINT one FROM BEGINNING LIMIT 2;": `Key format: KAFKA_STRING
Value format: JSON or KAFKA_STRING
rowtime: 1970/01/01 00:00:01.000 Z, key: a, value: {"KM":100}, partition: 0
rowtime: 1970/01/01 00:00:02.000 Z, key: b, value: {"KM":200}, partition: 0`,
		"PRINT 'one' FROM BEGINNING INTERVAL 2 LIMIT 2;": `Key format: KAFKA_STRING
Value format: JSON or KAFKA_STRING
rowtime: 1970/01/01 00:00:01.000 Z, key: a, value: {"KM":100}, partition: 0
rowtime: 1970/01/01 00:00:03.000 Z, key: 7, value: {"KM":300}, partition: 0`,
	} {
		wantPrinted(t, h, statement, want)
	}
	if _, err := h.Print(t.Context(), "PRINT ONE;", nil); err == nil || !strings.Contains(err.Error(), "Did you mean 'one'") {
		t.Errorf("error %v", err)
	}
}

// wantPrinted compares all lines of a PRINT that ends.
func wantPrinted(t *testing.T, h *host.Host, statement, want string) {
	t.Helper()
	lines, err := h.Print(t.Context(), statement, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	var got []string
	for {
		more, err := lines.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, more...)
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("%s\n%s\nwant\n%s", statement, strings.Join(got, "\n"), want)
	}
}

func TestPrintReadsWhatHasSchemasAndWindows(t *testing.T) {
	w := newWorld(t)
	h := w.openWith(t, w.door, func(o *host.Options) { o.Schemas = registry.NewMemory() })
	for _, format := range []string{"AVRO", "PROTOBUF", "JSON_SR"} {
		exec(t, h, "CREATE STREAM "+format+" (id INT KEY, km INT, place VARCHAR) WITH (kafka_topic='"+format+"', value_format='"+format+"', partitions=1);"+
			"INSERT INTO "+format+" (ROWTIME, id, km, place) VALUES (1000, 7, 100, 'here');")
		wantPrinted(t, h, "PRINT "+format+" FROM BEGINNING LIMIT 1;", "Key format: KAFKA_INT\nValue format: "+format+`
rowtime: 1970/01/01 00:00:01.000 Z, key: 7, value: {"KM":100,"PLACE":"here"}, partition: 0`)
	}
	exec(t, h, "CREATE STREAM bare (id VARCHAR KEY, km INT) WITH (kafka_topic='bare', key_format='AVRO', value_format='KAFKA', partitions=1);"+
		"INSERT INTO bare (ROWTIME, id, km) VALUES (1000, 'a', 100);")
	wantPrinted(t, h, "PRINT bare FROM BEGINNING LIMIT 1;", `Key format: AVRO
Value format: KAFKA_INT
rowtime: 1970/01/01 00:00:01.000 Z, key: "a", value: 100, partition: 0`)
	const ms10 = "\x00\x00\x00\x00\x00\x00\x00\x0a"
	for topic, c := range map[string]struct{ keys, want string }{
		"timed":    {"a" + ms10, "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)|[a@10/-]"},
		"sessions": {"a" + ms10 + ms10, "SESSION(KAFKA_STRING)|[a@10/10]"},
		"raw":      {"\xff\x00", "BYTES|/wA="},
	} {
		exec(t, h, "CREATE STREAM "+topic+" (n INT) WITH (kafka_topic='"+topic+"', value_format='KAFKA', partitions=1);")
		if err := h.Produce(t.Context(), topic, session.Record{Key: []byte(c.keys), Value: []byte("\x00\x00\x00\x01"), Timestamp: 1000}); err != nil {
			t.Fatal(err)
		}
		name, key, _ := strings.Cut(c.want, "|")
		wantPrinted(t, h, "PRINT "+topic+" FROM BEGINNING LIMIT 1;", "Key format: "+name+`
Value format: KAFKA_INT
rowtime: 1970/01/01 00:00:01.000 Z, key: `+key+", value: 1, partition: 0")
	}
	exec(t, h, "CREATE STREAM mixed (n INT) WITH (kafka_topic='AVRO', value_format='KAFKA'); INSERT INTO mixed (ROWTIME, n) VALUES (2000, 5);")
	wantPrinted(t, h, "PRINT 'AVRO' FROM BEGINNING LIMIT 2;", `Key format: KAFKA_INT
Value format: MIXED
rowtime: 1970/01/01 00:00:01.000 Z, key: 7, value: {"KM":100,"PLACE":"here"}, partition: 0
rowtime: 1970/01/01 00:00:02.000 Z, key: <null>, value: 5, partition: 0`)
}

func TestAnAssertWaitsAndHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	h := w.open(t, w.door)
	held := make(chan error, 1)
	go func() {
		_, err := h.Exec(t.Context(), "ASSERT TOPIC rides WITH (partitions=2) TIMEOUT 1 MINUTE; ASSERT NOT EXISTS TOPIC ride TIMEOUT 1 MINUTE;", nil)
		held <- err
	}()
	exec(t, h, rides)
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// flaky connectors remember what they were told.
type flaky struct {
	session.Connectors
	started []string
	refuse  error
}

func (f *flaky) Check(*session.Connector, []*catalog.Source) error { return f.refuse }
func (f *flaky) Start(_ context.Context, c *session.Connector, sources []*catalog.Source) error {
	f.started = append(f.started, fmt.Sprintf("%s on %s of %d sources", c.Name, c.Topics(), len(sources)))
	return nil
}

func (f *flaky) Stop(_ context.Context, c *session.Connector) error {
	f.started = append(f.started, "no "+c.Name)
	return nil
}

func (f *flaky) Status(*session.Connector) session.ConnectorStatus {
	return session.ConnectorStatus{State: session.Running}
}

func TestConnectorsAreThereAgain(t *testing.T) {
	w := newWorld(t)
	f := &flaky{}
	with := func(o *host.Options) { o.Connectors = f }
	h := w.openWith(t, w.door, with)
	exec(t, h, rides+"CREATE SINK CONNECTOR c WITH ('connector.class'='sqlite', 'topics'='rides, more'); CREATE SINK CONNECTOR d WITH ('topics'='x'); DROP CONNECTOR d;")
	f.refuse = errLost
	if _, err := h.Exec(t.Context(), "CREATE SINK CONNECTOR e WITH ('topics'='x');", nil); err == nil || !strings.Contains(err.Error(), errLost.Error()) {
		t.Errorf("error %v", err)
	}
	h.Close()
	f.refuse = nil
	h = w.openWith(t, w.door, with)
	want := []string{"C on [rides more] of 1 sources", "D on [x] of 0 sources", "no D", "C on [rides more] of 1 sources"}
	if !slices.Equal(f.started, want) {
		t.Errorf("%q", f.started)
	}
	l := exec(t, h, "LIST CONNECTORS;")[0].Shows.(session.ConnectorList).Connectors
	if len(l) != 1 || l[0].Class() != "sqlite" || l[0].Status.State != session.Running {
		t.Errorf("connectors %+v", l)
	}
}
