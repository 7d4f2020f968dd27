package mainstem_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/internal/need"
)

// http2 is a client that begins with HTTP/2 without TLS.
func http2(t *testing.T) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// send posts a body with a console's headers.
func (n *node) send(c *http.Client, path, accept string, body io.Reader) *http.Response {
	n.t.Helper()
	r, err := http.NewRequestWithContext(within(n.t), http.MethodPost, n.http+path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Content-Type", "application/vnd.ksql.v1+json")
	resp, err := c.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestRowsOverHTTP goes the ways of a console, of a client that writes rows, and of one that reads them as they come.
func TestRowsOverHTTP(t *testing.T) {
	const v1, lines = "application/vnd.ksql.v1+json", "application/vnd.ksqlapi.delimited.v1"
	n, c := open(t, t.TempDir()), http2(t)
	if _, err := n.SQL(within(t), countVisits, nil); err != nil {
		t.Fatal(err)
	}
	push := n.send(c, "/query-stream", lines, strings.NewReader(`{"sql": "SELECT who, page FROM visits EMIT CHANGES;", "properties": {}}`))
	rows := bufio.NewScanner(push.Body)
	next := func() string {
		if !rows.Scan() {
			t.Fatalf("no more rows: %v", rows.Err())
		}
		return rows.Text()
	}
	head := next()
	if !strings.Contains(head, `"columnNames":["WHO","PAGE"],"columnTypes":["STRING","STRING"]`) {
		t.Fatal(head)
	}
	written := n.send(c, "/inserts-stream", lines, strings.NewReader("{\"target\": \"visits\"}\n{\"who\": \"ada\", \"page\": \"/\"}\n{\"WHO\": \"bob\", \"`PAGE`\": \"/x\"}\n"))
	if acks, err := io.ReadAll(written.Body); err != nil || string(acks) != "{\"seq\":0,\"status\":\"ok\"}\n{\"seq\":1,\"status\":\"ok\"}\n" {
		t.Fatalf("%s: %v", acks, err)
	}
	if got := []string{next(), next()}; !slices.Equal(got, []string{`["ada","/"]`, `["bob","/x"]`}) {
		t.Errorf("rows %q", got)
	}
	_, id, _ := strings.Cut(head, `{"queryId":"`)
	id, _, _ = strings.Cut(id, `"`)
	if closed := n.send(c, "/close-query", v1, strings.NewReader(fmt.Sprintf(`{"queryId": %q}`, id))); closed.StatusCode != http.StatusOK {
		t.Errorf("the query was not closed: %d", closed.StatusCode)
	}
	if rows.Scan() || rows.Err() != nil {
		t.Errorf("after its end: %q, %v", rows.Text(), rows.Err())
	}

	if err := n.Settle(within(t)); err != nil {
		t.Fatal(err)
	}
	pull := n.send(http.DefaultClient, "/query", v1, strings.NewReader(`{"ksql": "SELECT * FROM visits_by_page WHERE page = '/x';", "streamsProperties": {}}`))
	body, err := io.ReadAll(pull.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(body), `,"schema":`)
	want := "\"`PAGE` STRING KEY, `N` BIGINT\"}},\n" + `{"row":{"columns":["/x",1]}}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	missing := n.send(http.DefaultClient, "/query", v1, strings.NewReader(`{"ksql": "SELECT * FROM nobody;"}`))
	if body, err := io.ReadAll(missing.Body); err != nil || missing.StatusCode != 400 || !strings.Contains(string(body), `"@type":"statement_error"`) {
		t.Errorf("%d %s %v", missing.StatusCode, body, err)
	}
	table := n.send(http.DefaultClient, "/inserts-stream", lines, strings.NewReader("{\"target\": \"visits_by_page\"}\n"))
	if body, err := io.ReadAll(table.Body); err != nil || table.StatusCode != 400 || !strings.Contains(string(body), "Cannot insert into a table") {
		t.Errorf("%d %s %v", table.StatusCode, body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestAPythonClient runs a client that knows nothing of this project.
func TestAPythonClient(t *testing.T) {
	python := need.Program(t, "python3")
	n := open(t, t.TempDir())
	said, err := exec.CommandContext(within(t), python, "testdata/ksql_client.py", strings.TrimPrefix(n.http, "http://")).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "all as expected") {
		t.Errorf("%v\n%s", err, said)
	}
}
