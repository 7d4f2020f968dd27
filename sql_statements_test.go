package mainstem_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entities are what the node answers to statements.
func (n *node) entities(statements string) []map[string]any {
	n.t.Helper()
	body, err := json.Marshal(map[string]any{"ksql": statements})
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := http.Post(n.http+"/ksql", "application/vnd.ksql.v1+json", bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil || resp.StatusCode != http.StatusOK {
		n.t.Fatalf("%s: %d %s %v", statements, resp.StatusCode, raw, err)
	}
	var out []map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		n.t.Fatal(err)
	}
	return out
}

// until asks again until the answer to a statement is as it should be.
func (n *node) until(ctx context.Context, statement string, holds func(map[string]any) bool) {
	n.t.Helper()
	for {
		e := n.entities(statement)[0]
		if holds(e) {
			return
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%s: %v", statement, e)
		}
	}
}

func names(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT NAME FROM accounts ORDER BY ID")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

func TestSQLConnectorsGoOnAfterARestart(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "accounts.db")
	n := open(t, dir)
	n.entities(`CREATE TABLE accounts (id BIGINT PRIMARY KEY, name VARCHAR) WITH (kafka_topic='accounts', format='JSON', partitions=1);
		INSERT INTO accounts VALUES (1, 'Ada'); INSERT INTO accounts VALUES (2, 'Bob');
		CREATE SINK CONNECTOR c WITH ('connector.class'='sqlite', 'topics'='accounts', 'path'='` + path + `');`)
	delivered := func(count float64) func(map[string]any) bool {
		return func(e map[string]any) bool { return e["delivered"] == count }
	}
	n.until(within(t), "DESCRIBE CONNECTOR c;", delivered(2))
	if got := names(t, path); !slices.Equal(got, []string{"Ada", "Bob"}) {
		t.Fatalf("rows %q", got)
	}
	n.close()

	n = open(t, dir)
	n.entities("INSERT INTO accounts VALUES (2, 'Bea'); INSERT INTO accounts VALUES (3, 'Cid');")
	n.until(within(t), "DESCRIBE CONNECTOR c;", delivered(2)) // since this start: what was delivered is not delivered again
	if got := names(t, path); !slices.Equal(got, []string{"Ada", "Bea", "Cid"}) {
		t.Fatalf("rows %q", got)
	}
	n.entities("DROP CONNECTOR c; INSERT INTO accounts VALUES (4, 'Dan');")
	if l := n.entities("LIST CONNECTORS;")[0]["connectors"].([]any); len(l) != 0 {
		t.Errorf("connectors %v", l)
	}
	n.close()
	if got := names(t, path); len(got) != 3 {
		t.Errorf("rows %q", got)
	}
}

func TestSQLSourceConnectorsGoOnAfterARestart(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(s string) {
		t.Helper()
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT); INSERT INTO orders VALUES (1, 'pen'), (2, NULL)`)
	n := open(t, dir)
	n.entities(`CREATE SOURCE CONNECTOR shop WITH ('connector.class'='sqlite', 'path'='` + path + `', 'mode'='incrementing', 'incrementing.column.name'='id',
		'table.include.list'='orders', 'topic.prefix'='shop-', 'poll.interval.ms'='5');`)
	delivered := func(count float64) func(map[string]any) bool {
		return func(e map[string]any) bool { return e["delivered"] == count }
	}
	n.until(within(t), "DESCRIBE CONNECTOR shop;", delivered(2))
	n.close()
	exec(`INSERT INTO orders VALUES (3, 'ink')`)

	n = open(t, dir)
	n.until(within(t), "DESCRIBE CONNECTOR shop;", delivered(1))
	want := []string{`{"id":1,"item":"pen"}`, `{"id":2,"item":null}`, `{"id":3,"item":"ink"}`}
	got := n.records("shop-orders", 3)
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	n.entities("DROP CONNECTOR shop;")
	n.close()
}

func TestSQLQueriesBeginAtTheEndAndStayPaused(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	n.entities(`CREATE STREAM visits (who VARCHAR KEY, n INT) WITH (kafka_topic='visits', value_format='JSON', partitions=1);
		INSERT INTO visits VALUES ('early', 1); SET 'auto.offset.reset'='latest'; CREATE STREAM late WITH (kafka_topic='late') AS SELECT * FROM visits;`)
	n.until(within(t), "DESCRIBE visits EXTENDED;", func(e map[string]any) bool {
		d := e["sourceDescription"].(map[string]any)
		topic := d["queryOffsetSummaries"].([]any)[0].(map[string]any)["topicSummaries"].([]any)[0].(map[string]any)
		return topic["offsets"].([]any)[0].(map[string]any)["consumerOffset"] == 1.0
	})
	n.entities("INSERT INTO visits VALUES ('late', 2);")
	if diff := cmp.Diff([]string{`late {"N":2}`}, n.records("late", 1)); diff != "" {
		t.Fatal(diff)
	}
	n.entities("PAUSE CSAS_LATE_0;")
	n.close()

	n = open(t, dir)
	n.entities("INSERT INTO visits VALUES ('later', 3);")
	if q := n.entities("LIST QUERIES;")[0]["queries"].([]any)[0].(map[string]any); q["state"] != "PAUSED" {
		t.Errorf("query %v", q)
	}
	n.entities("RESUME ALL;")
	if diff := cmp.Diff([]string{`late {"N":2}`, `later {"N":3}`}, n.records("late", 2)); diff != "" {
		t.Fatal(diff)
	}
	n.close()
}
