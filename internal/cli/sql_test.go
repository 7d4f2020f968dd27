package cli

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem"
)

// worker runs the command until stop is called, which returns its exit code; address is that of its page.
func worker(t *testing.T, args ...string) (address string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		var errs strings.Builder
		code := Run(ctx, Env{In: strings.NewReader(""), Out: write, Err: &errs}, append([]string{"worker", "--http", "127.0.0.1:0"}, args...))
		_ = write.CloseWithError(io.EOF)
		if code != 0 {
			t.Errorf("worker: %s", errs.String())
		}
		ended <- code
	}()
	lines := bufio.NewScanner(read)
	for address == "" && lines.Scan() {
		address = strings.TrimPrefix(lines.Text(), "Page   http://")
		if address == lines.Text() {
			address = ""
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	return address, func() int { cancel(); return <-ended }
}

// A cluster is whatever speaks Kafka's protocol; here it is a node.
func TestAWorkerRunsTheSQLOfACluster(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := mainstem.Open(t.Context(), t.TempDir(), mainstem.WithKafka(l))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	data := t.TempDir()
	address, stop := worker(t, "--bootstrap", n.Kafka(), "--data", data)
	const statements = `CREATE STREAM visits (who VARCHAR, page VARCHAR) WITH (kafka_topic='visits', value_format='JSON', partitions=1);
		CREATE TABLE counts AS SELECT page, COUNT(*) AS n FROM visits GROUP BY page;
		INSERT INTO visits (who, page) VALUES ('ada', '/');`
	if code, out, errs := command(t, "", "sql", "--server", address, "-e", statements); code != 0 || !strings.Contains(out, "CTAS_COUNTS_0") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if code := stop(); code != 0 {
		t.Errorf("the worker ends with %d", code)
	}
	address, stop = worker(t, "--bootstrap", n.Kafka(), "--data", data)
	code, out, errs := command(t, "", "sql", "--server", address, "-e", "SET 'auto.offset.reset'='earliest'; LIST QUERIES; SELECT * FROM counts EMIT CHANGES LIMIT 1;", "--json")
	if code != 0 || !strings.Contains(out, `"state":"RUNNING"`) || !strings.Contains(out, `{"PAGE":"/","N":1}`) {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	stop()
	if code, _, errs := command(t, "", "worker"); code != exitUsage || !strings.Contains(errs, "--bootstrap") {
		t.Errorf("without a cluster: %d, %s", code, errs)
	}
}

func TestTestsByCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "t.sql"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const test = "--@test: one\nCREATE STREAM s (a INT) WITH (kafka_topic='s', value_format='JSON'); INSERT INTO s (a) VALUES (1); ASSERT VALUES s (a) VALUES (%);"
	write(strings.Replace(test, "%", "1", 1))
	if code, out, errs := command(t, "", "test", dir); code != 0 || !strings.Contains(out, "1 test, 1 ok, 0 failed") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	write(strings.Replace(test, "%", "2", 1))
	if code, _, errs := command(t, "", "test", dir); code != exitFailed || !strings.Contains(errs, "[tests_failed]") {
		t.Errorf("%d: %s", code, errs)
	}
	write("")
	if code, _, errs := command(t, "", "test", dir); code != exitFailed || !strings.Contains(errs, "[no_tests]") || !strings.Contains(errs, "next: ") {
		t.Errorf("%d: %s", code, errs)
	}
}

// TestTheFiveMinutesOfTheDocs executes the statements that docs/sql.md begins with.
func TestTheFiveMinutesOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "## Five minutes\n")
	text, _, ended := strings.Cut(text, "\n## ")
	if !found || !ended {
		t.Fatal("the page has no such section")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := mainstem.Open(t.Context(), t.TempDir(), mainstem.WithHTTP(listener))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	blocks := strings.Split(text, "```sql\n")[1:]
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of statements", len(blocks))
	}
	last := ""
	for i, block := range blocks {
		statements, _, _ := strings.Cut(block, "```")
		if i == len(blocks)-1 {
			if err := n.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			statements = strings.Replace(statements, "EMIT CHANGES", "LIMIT 3", 1) // it would go on
		}
		code, out, errs := command(t, "", "sql", "--server", listener.Addr().String(), "-e", statements)
		if code != 0 {
			t.Fatalf("%s\n%s%s", statements, out, errs)
		}
		last = out
	}
	if strings.Count(last, "UK        2   210.0\n") != 2 || strings.Count(last, "US        1   80.0\n") != 1 || !strings.Contains(last, "/engine") {
		t.Errorf("the queries give\n%s", last)
	}
}
