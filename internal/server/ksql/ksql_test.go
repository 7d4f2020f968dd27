package ksql_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/trial"
)

var update = flag.Bool("update", false, "write the golden file anew")

// inMemory serves a trial.
type inMemory struct{ *trial.Trial }

func (m inMemory) Exec(ctx context.Context, script string, settings map[string]string) ([]ksql.Result, error) {
	return m.Trial.Exec(ctx, script, settings)
}

func (m inMemory) Catalog(context.Context) (ksql.Catalog, error) {
	c := ksql.Catalog{Sources: m.Trial.Catalog().Sources()}
	for _, q := range m.Queries() {
		c.Queries = append(c.Queries, ksql.Query{Query: q, State: "RUNNING"})
	}
	return c, nil
}

func (inMemory) Info() (version, cluster string) { return "1.2.3", "here" }

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	lib := builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})
	for pattern, handler := range ksql.Paths(inMemory{trial.New(trial.Options{Functions: lib})}) {
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
		"too large":     {`{"ksql": "` + strings.Repeat(" ", 17<<20) + `"}`, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := ask(t, s, tt.body)
			if status != http.StatusBadRequest || !strings.Contains(answer, tt.want) || !strings.Contains(answer, `"error_code": 40000`) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}

func TestOtherPaths(t *testing.T) {
	s := serve(t)
	for path, want := range map[string]string{
		"/info":                                `200 {"KsqlServerInfo":{"kafkaClusterId":"here","ksqlServiceId":"mainstem_","serverStatus":"RUNNING","version":"1.2.3"}}`,
		"/healthcheck":                         `200 {"details":{"kafka":{"isHealthy":true},"metastore":{"isHealthy":true}},"isHealthy":true}`,
		"/is_valid_property/ksql.any.setting":  `200 true`,
		"/is_valid_property/auto.offset.reset": `200 true`,
		"/is_valid_property/colour":            `400 {"@type":"generic_error","error_code":40000,"message":"Not recognizable as ksql, streams, consumer, or producer property: 'colour'"}`,
	} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(body.String())); err != nil || got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
