package ksql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
)

var update = flag.Bool("update", false, "write the golden file anew")

// inMemory serves a trial.
type inMemory struct{ *trial.Trial }

func (m inMemory) Exec(ctx context.Context, r ksql.Request) ([]ksql.Result, error) {
	return m.Trial.Exec(ctx, r.Text, r.Settings)
}

func (inMemory) Query(context.Context, ksql.Request) (query.Rows, error) {
	return nil, errors.New("there are no rows")
}

func (inMemory) Print(context.Context, ksql.Request) (ksql.Lines, error) {
	return nil, errors.New("there are no lines")
}

func (inMemory) Insert(context.Context, ast.Name) (ksql.Inserter, error) {
	return nil, errors.New("there are no rows")
}

func (inMemory) Info() ksql.Info { return ksql.Info{Version: "1.2.3", Cluster: "here"} }

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	return serveAs(t, func(m inMemory) ksql.Server { return m })
}

// serveAs serves what a test makes of statements in memory.
func serveAs(t *testing.T, as func(inMemory) ksql.Server) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	lib := builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})
	for pattern, handler := range ksql.Paths(as(inMemory{trial.New(trial.Options{Functions: lib})}), clock.System) {
		mux.HandleFunc(pattern, handler)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(s.URL+"/ksql", "application/vnd.ksql.v1+json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, pretty.String()
}

// TestEntities holds the answers to the statements of testdata/entities.txt to what stands there, one request a line.
func TestEntities(t *testing.T) {
	const file = "testdata/entities.txt"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n====\n") {
		statement, want, _ := strings.Cut(block, "\n")
		body, err := json.Marshal(map[string]any{"ksql": statement, "streamsProperties": map[string]any{"auto.offset.reset": "earliest"}})
		if err != nil {
			t.Fatal(err)
		}
		status, answer := ask(t, s, string(body))
		got := fmt.Sprintf("%d %s", status, answer)
		if got != want && !*update {
			t.Errorf("%s\ngives\n%s\nshould be\n%s", statement, got, want)
		}
		out = append(out, statement+"\n"+got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n====\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t)
	for name, tt := range map[string]struct{ body, want string }{
		"no JSON":       {`{"ksql": `, "not JSON"},
		"another form":  {`[]`, "not JSON"},
		"nothing":       {``, "not JSON"},
		"no statements": {`{"ksql": " "}`, "must be populated"},
		"too large":     {`{"ksql": "` + strings.Repeat(" ", 16<<20) + `"}`, "larger than the 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := ask(t, s, tt.body)
			if status/100 != 4 || !strings.Contains(answer, tt.want) || !strings.Contains(answer, `"error_code": 4`) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}

func TestOtherPaths(t *testing.T) {
	s := serve(t)
	const cluster = `{"id":"","scope":{"clusters":{"kafka-cluster":"here","ksql-cluster":"mainstem_"},"path":[]}}`
	for path, want := range map[string]string{
		"/info":                                `200 {"KsqlServerInfo":{"kafkaClusterId":"here","ksqlServiceId":"mainstem_","serverStatus":"RUNNING","version":"1.2.3"}}`,
		"/":                                    `200 {"KsqlServerInfo":{"kafkaClusterId":"here","ksqlServiceId":"mainstem_","serverStatus":"RUNNING","version":"1.2.3"}}`,
		"/healthcheck":                         `200 {"details":{"commandRunner":{"isHealthy":true},"kafka":{"isHealthy":true},"metastore":{"isHealthy":true}},"isHealthy":true,"serverState":"READY"}`,
		"/chc/live":                            `200 {}`,
		"/chc/ready":                           `200 {}`,
		"/v1/metadata":                         `200 {"clusterId":` + cluster + `,"version":"1.2.3"}`,
		"/v1/metadata/id":                      `200 ` + cluster,
		"/status":                              `200 {"commandStatuses":{}}`,
		"/status/stream/S/create":              "404 {\"@type\":\"generic_error\",\"error_code\":40400,\"message\":\"Command not found: stream/`S`/create\"}",
		"/is_valid_property/ksql.any.setting":  `200 true`,
		"/is_valid_property/auto.offset.reset": `200 true`,
		"/is_valid_property/colour":            `400 {"@type":"generic_error","error_code":40000,"message":"Not recognizable as ksql, streams, consumer, or producer property: 'colour'"}`,
	} {
		if got := get(t, s.URL+path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := get(t, s.URL+"/clusterStatus"); !strings.HasPrefix(got, `200 {"clusterStatus":{"127.0.0.1:`) || !strings.Contains(got, `"hostAlive":true`) {
		t.Errorf("/clusterStatus: %s", got)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err = body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(body.String()))
}

const sale = `{"ksql": "CREATE STREAM sales (n INT) WITH (kafka_topic='sales', value_format='JSON', partitions=1); CREATE TABLE t AS SELECT n, COUNT(*) AS c FROM sales GROUP BY n;"}`

func TestCommandsAreRemembered(t *testing.T) {
	s := serve(t)
	if status, answer := ask(t, s, sale); status != http.StatusOK {
		t.Fatal(answer)
	}
	if got := get(t, s.URL+"/status/stream/SALES/create"); got != `200 {"status":"SUCCESS","message":"Stream created","queryId":null}` {
		t.Errorf("status of the stream: %s", got)
	}
	if got := get(t, s.URL+"/status/table/T/create"); !strings.Contains(got, `"queryId":"CTAS_T_0"`) {
		t.Errorf("status of the table: %s", got)
	}
	if got := get(t, s.URL+"/status"); got != "200 {\"commandStatuses\":{\"stream/`SALES`/create\":\"SUCCESS\",\"table/`T`/create\":\"SUCCESS\"}}" {
		t.Errorf("all: %s", got)
	}
}

func TestTerminateEndsAndDropsEverything(t *testing.T) {
	s := serve(t)
	if status, answer := ask(t, s, sale); status != http.StatusOK {
		t.Fatal(answer)
	}
	for body, want := range map[string]int{`{"deleteTopicList": ["sa("]}`: 400, `{"deleteTopicList": ["sa.*"]}`: 200} {
		resp, err := http.Post(s.URL+"/ksql/terminate", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, resp.StatusCode, want)
		}
	}
	_, answer := ask(t, s, `{"ksql": "LIST STREAMS; LIST TABLES; LIST QUERIES;"}`)
	for _, empty := range []string{`"streams": []`, `"tables": []`, `"queries": []`} {
		if !strings.Contains(answer, empty) {
			t.Errorf("no %s in %s", empty, answer)
		}
	}
}

func TestAQueryAmongStatementsIsForAnotherPath(t *testing.T) {
	s := serve(t)
	status, answer := ask(t, s, `{"ksql": "SELECT * FROM sales;"}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, `"error_code": 40002`) {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAnAssertionThatDoesNotHoldIsNoMistake(t *testing.T) {
	s := serve(t)
	status, answer := ask(t, s, `{"ksql": "ASSERT TOPIC nowhere TIMEOUT 0 SECONDS;"}`)
	if status != http.StatusExpectationFailed || !strings.Contains(answer, `"@type": "generic_error"`) || !strings.Contains(answer, `"error_code": 41700`) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer = ask(t, s, `{"ksql": "ASSERT TOPIC nowhere WITH (colour='red');"}`); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, answer)
	}
}

// building has two queries, one of which is built beside the other.
type building struct{ inMemory }

func (b building) Exec(ctx context.Context, r ksql.Request) ([]ksql.Result, error) {
	done, err := b.inMemory.Exec(ctx, r)
	for i := range done {
		switch shown := done[i].Shows.(type) {
		case session.QueryList:
			shown.Queries[0] = beside(shown.Queries[0])
		case session.QueryDescription:
			shown.RunningQuery = beside(shown.RunningQuery)
			done[i].Shows = shown
		}
	}
	return done, err
}

func beside(q session.RunningQuery) session.RunningQuery {
	next := *q.Query
	next.Beside = "CTAS_OLD_7"
	return session.RunningQuery{Query: &next, Status: session.Status{State: session.Building}}
}

func TestAQueryThatIsBuiltIsOneThatRunsWhereClientsCount(t *testing.T) {
	s := serveAs(t, func(m inMemory) ksql.Server { return building{m} })
	if status, answer := ask(t, s, sale); status != http.StatusOK {
		t.Fatal(answer)
	}
	for statement, counts := range map[string]string{
		"LIST QUERIES;": `"statusCount": {"RUNNING": 1}`, "EXPLAIN CTAS_T_0;": `"ksqlHostQueryStatus": {"mainstem": "RUNNING"}`,
	} {
		_, answer := ask(t, s, `{"ksql": "`+statement+`"}`)
		answer = strings.NewReplacer("{ ", "{", " }", "}").Replace(strings.Join(strings.Fields(answer), " "))
		for _, want := range []string{`"state": "BUILDING"`, `"replaces": "CTAS_OLD_7"`, counts} {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: no %s in %s", statement, want, answer)
			}
		}
	}
}

// pushing has a push query besides.
type pushing struct{ inMemory }

func (p pushing) Exec(ctx context.Context, r ksql.Request) ([]ksql.Result, error) {
	if strings.HasPrefix(r.Text, "TERMINATE") {
		return []ksql.Result{{Statement: r.Text, Message: "Query terminated.", Shows: session.PushEnd{ID: "transient_S_1"}}}, nil
	}
	done, err := p.inMemory.Exec(ctx, r)
	for i := range done {
		if shown, ok := done[i].Shows.(session.QueryList); ok {
			shown.Pushes = []session.PushQuery{{ID: "transient_S_1", Statement: "SELECT * FROM S EMIT CHANGES;"}}
			done[i].Shows = shown
		}
	}
	return done, err
}

func TestPushQueriesHaveTheFormOfClients(t *testing.T) {
	s := serveAs(t, func(m inMemory) ksql.Server { return pushing{m} })
	for statement, wants := range map[string][]string{
		"LIST QUERIES;":            {`"queryType": "PUSH"`, `"id": "transient_S_1"`, `"statusCount": {"RUNNING": 1}`, `"sinks": []`, `"state": "RUNNING"`},
		"TERMINATE transient_S_1;": {`"@type": "terminate_query"`, `"queryId": "transient_S_1"`, `"wasTerminated": true`},
	} {
		_, answer := ask(t, s, `{"ksql": "`+statement+`"}`)
		answer = strings.NewReplacer("{ ", "{", " }", "}", "[ ", "[", " ]", "]").Replace(strings.Join(strings.Fields(answer), " "))
		for _, want := range wants {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: no %s in %s", statement, want, answer)
			}
		}
	}
}
