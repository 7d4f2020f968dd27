package mainstem_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

const countVisits = `
CREATE STREAM visits (who VARCHAR, page VARCHAR) WITH (kafka_topic='visits', value_format='JSON', partitions=1);
CREATE TABLE visits_by_page WITH (kafka_topic='visits-by-page') AS SELECT page, COUNT(*) AS n FROM visits WHERE who <> 'robot' GROUP BY page;
`

// records reads a topic from its start until it has n records.
func (n *node) records(topic string, count int) []string {
	n.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	var out []string
	for len(out) < count {
		fetches := c.PollFetches(within(n.t))
		if err := fetches.Err(); err != nil {
			n.t.Fatalf("%v after %q", err, out)
		}
		fetches.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Key)+" "+string(r.Value)) })
	}
	return out
}

func TestSQLQueriesGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	results, err := n.SQL(within(t), countVisits, map[string]string{"auto.offset.reset": "earliest"})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[1].Query != "CTAS_VISITS_BY_PAGE_0" {
		t.Fatalf("results: %+v", results)
	}
	n.publish("visits", `{"who":"a","page":"/"}`, `{"who":"robot","page":"/"}`, `{"who":"b","page":"/x"}`, `not JSON`)
	if diff := cmp.Diff([]string{`/ {"N":1}`, `/x {"N":1}`}, n.records("visits-by-page", 2)); diff != "" {
		t.Fatal(diff)
	}
	n.close()

	n = open(t, dir)
	n.publish("visits", `{"who":"c","page":"/"}`)
	if diff := cmp.Diff([]string{`/ {"N":1}`, `/x {"N":1}`, `/ {"N":2}`}, n.records("visits-by-page", 3)); diff != "" {
		t.Fatal(diff)
	}
	if _, err := n.SQL(within(t), "CREATE STREAM visits (who VARCHAR) WITH (kafka_topic='visits', value_format='JSON');", nil); err == nil ||
		!strings.Contains(err.Error(), "already exists") {
		t.Fatalf("a stream of the same name was made: %v", err)
	}
	if _, err := n.SQL(within(t), "TERMINATE CTAS_VISITS_BY_PAGE_0; DROP TABLE visits_by_page;", nil); err != nil {
		t.Fatal(err)
	}
	n.close()

	n = open(t, dir)
	if _, err := n.SQL(within(t), "DESCRIBE visits_by_page;", nil); err == nil {
		t.Fatal("a dropped table is there again")
	}
	n.close()
}

func TestSQLOverHTTP(t *testing.T) {
	n := open(t, t.TempDir())
	ask := func(statements string) (status int, entities []map[string]any, failure map[string]any) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"ksql": statements, "streamsProperties": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(n.http+"/ksql", "application/vnd.ksql.v1+json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var to any = &entities
		if resp.StatusCode != http.StatusOK {
			to = &failure
		}
		if err := json.NewDecoder(resp.Body).Decode(to); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, entities, failure
	}
	status, entities, failure := ask(countVisits)
	if status != http.StatusOK || len(entities) != 2 || entities[1]["@type"] != "currentStatus" {
		t.Fatalf("%d %v %v", status, entities, failure)
	}
	_, entities, _ = ask("LIST TABLES; LIST QUERIES; DESCRIBE visits;")
	var kinds []string
	for _, e := range entities {
		kinds = append(kinds, e["@type"].(string))
	}
	if !slices.Equal(kinds, []string{"tables", "queries", "sourceDescription"}) {
		t.Fatalf("entities %v", kinds)
	}
	queries := entities[1]["queries"].([]any)
	if q := queries[0].(map[string]any); q["id"] != "CTAS_VISITS_BY_PAGE_0" || q["state"] != "RUNNING" {
		t.Fatalf("query %v", q)
	}
	status, _, failure = ask("CREATE STREAM s AS SELECT nobody FROM visits;")
	if status != http.StatusBadRequest || failure["@type"] != "statement_error" || failure["error_code"] != 40001.0 ||
		!strings.Contains(failure["message"].(string), "cannot be resolved") {
		t.Fatalf("%d %v", status, failure)
	}
	if status, _, failure = ask("SELECT"); status != http.StatusBadRequest {
		t.Fatalf("%d %v", status, failure)
	}
	n.close()
}
