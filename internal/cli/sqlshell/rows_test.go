package sqlshell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A call is a request that the fake node had.
type call struct {
	Path       string
	KSQL, SQL  string
	Properties map[string]string
	Settings   map[string]string `json:"streamsProperties"`
}

// fake answers by the first word or two of the statement; a text that ends with "…" is sent at once and the answer goes on until the
// client is gone; the channel has "began" and "gone".
func fake(t *testing.T, answers map[string]string) (s *shell, out *bytes.Buffer, calls *[]call, long chan string) {
	t.Helper()
	calls, long = new([]call), make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{Path: r.URL.Path}
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
				t.Error(err)
			}
		}
		_, _ = io.Copy(io.Discard, r.Body) // until then nobody notices that the client went away
		*calls = append(*calls, c)
		text := c.KSQL + c.SQL
		if r.Method == http.MethodGet {
			text = r.URL.Path
		}
		for start, answer := range answers {
			if !strings.HasPrefix(text, start) {
				continue
			}
			if strings.HasPrefix(answer, `{"@type"`) {
				w.WriteHeader(http.StatusBadRequest)
			}
			answer, goesOn := strings.CutSuffix(answer, "…")
			_, _ = io.WriteString(w, answer)
			if goesOn {
				w.(http.Flusher).Flush()
				long <- "began"
				<-r.Context().Done()
				long <- "gone"
			}
			return
		}
		t.Errorf("no answer to %s", text)
	}))
	t.Cleanup(server.Close)
	out = &bytes.Buffer{}
	s = &shell{
		io: IO{Out: out, Err: out}, out: out, address: strings.TrimPrefix(server.URL, "http://"), settings: map[string]string{}, variables: map[string]string{},
		width: func() int { return 0 },
	}
	return s, out, calls, long
}

const header = `{"queryId":"q","columnNames":["WHO","N"],"columnTypes":["STRING","BIGINT"]}` + "\n"

func TestRowsAreATable(t *testing.T) {
	s, out, calls, _ := fake(t, map[string]string{"SELECT": header + `["ada",1]` + "\n" + `["a very long name",null]` + "\n" + `["two\nlines",{"A":[1]}]` + "\n"})
	if err := s.script(t.Context(), "SELECT * FROM t WHERE who = 'ada';"); err != nil {
		t.Fatal(err)
	}
	const want = "WHO                N\nada                1\na very long name   null\n\"two\\nlines\"       {\"A\":[1]}\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
	if c := (*calls)[0]; c.Path != "/query-stream" || c.SQL != "SELECT * FROM t WHERE who = 'ada';" {
		t.Errorf("%+v", c)
	}
}

func TestRowsAsJSON(t *testing.T) {
	s, out, _, _ := fake(t, map[string]string{"SELECT": header + `["ada",1.50]` + "\n"})
	s.json = true
	if err := s.script(t.Context(), "SELECT * FROM t"); err != nil || out.String() != `{"WHO":"ada","N":1.50}`+"\n" {
		t.Errorf("%v %s", err, out)
	}
}

func TestATableIsCutToTheTerminal(t *testing.T) {
	s, out, _, _ := fake(t, map[string]string{
		"SELECT * FROM t;": header + `["a very long name indeed",1]` + "\n",
		"SELECT * FROM s":  header + `["a very long name indeed",1]` + "\n",
	})
	s.width = func() int { return 20 }
	if err := s.script(t.Context(), "SELECT * FROM t; SELECT * FROM s EMIT CHANGES;"); err != nil {
		t.Fatal(err)
	}
	const want = "WHO                N\na very long nam…   1\n(1 row)\nWHO        N\na very …   1\n(1 row)\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
}

func TestAnErrorBehindTheRows(t *testing.T) {
	s, out, _, _ := fake(t, map[string]string{
		"SELECT * FROM t": header + `["ada",1]` + "\n" + `{"@type":"generic_error","error_code":50000,"message":"the table is gone"}` + "\n",
		"SELECT * FROM u": `{"@type":"statement_error","error_code":40001,"message":"Line: 1, Col: 15: U does not exist."}`,
		"SELECT * FROM v": "nonsense\n",
	})
	err := s.script(t.Context(), "SELECT * FROM t;")
	if err == nil || err.Error() != "the table is gone" || !strings.Contains(out.String(), "ada") {
		t.Errorf("%v %s", err, out)
	}
	if err := s.script(t.Context(), "SELECT * FROM u;"); err == nil || !strings.Contains(err.Error(), "1 | SELECT * FROM u;\n  |               ^") {
		t.Errorf("%v", err)
	}
	if err := s.script(t.Context(), "SELECT * FROM v;"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

func TestPrintShowsLines(t *testing.T) {
	s, out, calls, _ := fake(t, map[string]string{"PRINT": "Key format: JSON\n\nrowtime: 1, key: 2\n"})
	if err := s.script(t.Context(), "PRINT 'topic' FROM BEGINNING LIMIT 1;"); err != nil || out.String() != "Key format: JSON\nrowtime: 1, key: 2\n" {
		t.Errorf("%v %s", err, out)
	}
	if (*calls)[0].Path != "/query" {
		t.Errorf("%+v", *calls)
	}
}

func TestSettingsAndVariablesGoAlong(t *testing.T) {
	const done = `[{"@type":"currentStatus","commandStatus":{"message":"done"}}]`
	s, out, calls, _ := fake(t, map[string]string{
		"/is_valid_property/ksql.x": "true", "/is_valid_property/no": `{"@type":"generic_error","error_code":40000,"message":"no such property"}`,
		"CREATE": done, "SELECT": header,
	})
	err := s.script(t.Context(), `SET 'ksql.x'='1'; DEFINE format = 'JSON'; DEFINE n = '7';
		CREATE STREAM s (a INT) WITH (value_format='${format}', kafka_topic='s', partitions=${n}); SELECT * FROM s; LIST VARIABLES; UNSET 'ksql.x'; SELECT * FROM s;`)
	if err != nil {
		t.Fatal(err)
	}
	c := (*calls)[1]
	if c.KSQL != "CREATE STREAM s (a INT) WITH (value_format='JSON', kafka_topic='s', partitions=7);" || c.Settings["ksql.x"] != "1" {
		t.Errorf("%+v", c)
	}
	if (*calls)[2].Properties["ksql.x"] != "1" || len((*calls)[3].Properties) != 0 {
		t.Errorf("%+v", (*calls)[2:])
	}
	if !strings.Contains(out.String(), "VARIABLE   VALUE\nformat     JSON\nn          7\n") {
		t.Errorf("%s", out)
	}
	if err := s.script(t.Context(), `SET 'no'='1';`); err == nil || err.Error() != "no such property" || len(s.settings) != 0 {
		t.Errorf("%v %v", err, s.settings)
	}
}

func TestScriptsAndSpool(t *testing.T) {
	s, out, calls, _ := fake(t, map[string]string{"LIST": `[{"@type":"kafka_topics","topics":[{"name":"b","replicaInfo":[1]},{"name":"a","replicaInfo":[1,1]}],"warnings":[]}]`})
	dir := t.TempDir()
	script, spool := filepath.Join(dir, "s.sql"), filepath.Join(dir, "out.txt")
	if err := os.WriteFile(script, []byte("LIST TOPICS;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.script(t.Context(), fmt.Sprintf("SPOOL '%s'; RUN SCRIPT '%s'; SPOOL OFF; LIST TOPICS;", spool, script)); err != nil {
		t.Fatal(err)
	}
	const topics = "NAME   REPLICAINFO\nb      [1]\na      [1,1]\n"
	kept, err := os.ReadFile(spool)
	if err != nil || string(kept) != topics || out.String() != topics+topics || len(*calls) != 2 {
		t.Errorf("%v, spool %s, out %s", err, kept, out)
	}
	circle := filepath.Join(dir, "c.sql")
	if err := os.WriteFile(circle, fmt.Appendf(nil, "RUN SCRIPT '%s';", circle), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.script(t.Context(), string(fmt.Appendf(nil, "RUN SCRIPT '%s';", circle))); err == nil || !strings.Contains(err.Error(), "scripts within scripts") {
		t.Errorf("%v", err)
	}
}

func TestFormsOfEntities(t *testing.T) {
	const field = `{"name":"ID","schema":{"type":"DECIMAL","parameters":{"precision":4,"scale":2}},"type":"KEY"},` +
		`{"name":"A","schema":{"type":"ARRAY","memberSchema":{"type":"STRUCT","fields":[{"name":"X","schema":{"type":"MAP","memberSchema":{"type":"INTEGER"}}}]}}}`
	s, out, _, _ := fake(t, map[string]string{
		"DESCRIBE FUNCTION": `[{"@type":"describe_function","name":"ABS","description":"The magnitude.","functions":[{"arguments":[{"name":"","type":"INT","isVariadic":true}],"returnType":"INT"}]}]`,
		"DESCRIBE t": `[{"@type":"sourceDescription","sourceDescription":{"name":"T","type":"TABLE","topic":"t","keyFormat":"KAFKA","valueFormat":"JSON","extended":true,"partitions":3,` +
			`"statement":"CREATE …","readQueries":[{"id":"Q","state":"RUNNING"}],"fields":[` + field + `]},"warnings":[{"message":"old"}]}]`,
		"EXPLAIN SELECT": `[{"@type":"queryDescription","queryDescription":{"sources":["S"],"executionPlan":"a\n  b\n","topology":"x","fields":[` + field + `]}}]`,
		"EXPLAIN (AST)":  `[{"@type":"explanation","stage":"AST","text":"one\ntwo\n"}]`,
		"LIST TYPES":     `[{"@type":"type_list","types":{"T":{"type":"ARRAY","memberSchema":{"type":"INTEGER"}}}}]`,
		"LIST QUERIES": `[{"@type":"queries","queries":[{"id":"Q","state":"RUNNING","sinks":["S"],"sinkKafkaTopics":["s"],"queryString":"CREATE STREAM s"},` +
			`{"id":"R","state":"BUILDING","replaces":"Q","sinks":["S"],"sinkKafkaTopics":["s"]}]}]`,
	})
	err := s.script(t.Context(), "DESCRIBE FUNCTION abs; DESCRIBE t EXTENDED; EXPLAIN SELECT * FROM s; EXPLAIN (AST) SELECT * FROM t; LIST TYPES; LIST QUERIES;")
	if err != nil {
		t.Fatal(err)
	}
	const want = `ABS: The magnitude.
  ABS(INT...) returns INT
warning: old
T: table on topic t (key KAFKA, value JSON)
COLUMN   TYPE
ID       DECIMAL(4, 2) KEY
A        ARRAY<STRUCT<X MAP<STRING, INTEGER>>>
partitions   3
read by      Q (RUNNING)
statement    CREATE …
from      S

COLUMN   TYPE
ID       DECIMAL(4, 2) KEY
A        ARRAY<STRUCT<X MAP<STRING, INTEGER>>>

plan
a
  b

topology
x
stage: AST
one
two
NAME   TYPES
T      ARRAY<INTEGER>
QUERY   STATE                  INTO   TOPIC
Q       RUNNING                S      s
R       BUILDING, replaces Q   S      s
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
}

// The terminal gives bytes: Ctrl-C is one of them, and means the query while one runs.
func TestInterruptsEndTheQueryAndNotTheShell(t *testing.T) {
	s, out, _, long := fake(t, map[string]string{"SELECT": header + `["ada",1]` + "\n…", "LIST": `[{"@type":"streams","streams":[]}]`})
	keys, typing := io.Pipe()
	var screen bytes.Buffer
	c := newConsole(keys, &screen)
	done := make(chan error, 1)
	go func() { done <- s.loop(t.Context(), c) }()
	typed := func(text string) {
		t.Helper()
		if _, err := typing.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	typed("SELECT half\x03SELECT * FROM s EMIT CHANGES;\r")
	<-long // it began
	typed("\x03")
	<-long // it is gone
	typed("LIST STREAMS;\rexit\r")
	if err := <-done; !errors.Is(err, errExit) {
		t.Errorf("the shell ended with %v", err)
	}
	if !strings.Contains(out.String(), "NAME   TOPIC") || strings.Contains(out.String(), "half") {
		t.Errorf("%s", out)
	}
}

func TestTheTabKeyCompletes(t *testing.T) {
	var out bytes.Buffer
	c := &completer{&out, func() []string { return []string{"VISITS", "VISITS_BY_PAGE", "ABS"} }}
	for name, tt := range map[string]struct{ line, want, shown string }{
		"a keyword":         {"SELEC", "SELECT ", ""},
		"in lower case":     {"select * fro", "select * from ", ""},
		"a stream":          {"SELECT * FROM vi", "SELECT * FROM vi", "VIEW  VISITS  VISITS_BY_PAGE\n"},
		"as far as it goes": {"SELECT * FROM vis", "SELECT * FROM visits", ""},
		"nothing":           {"SELECT ", "SELECT ", ""},
		"nothing known":     {"SELECT xyz", "SELECT xyz", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			line, pos, ok := c.key(tt.line, len(tt.line), keyTab)
			if !ok || line != tt.want || pos != len(tt.want) || out.String() != tt.shown {
				t.Errorf("%q at %d, shown %q", line, pos, out.String())
			}
		})
	}
	if _, _, ok := c.key("SELEC", 5, 'T'); ok {
		t.Error("another key completes")
	}
}

func TestCompletionAsksTheNode(t *testing.T) {
	s, _, _, _ := fake(t, map[string]string{
		"LIST STREAMS": `[{"@type":"streams","streams":[{"name":"S"}]}]`, "LIST TABLES": `[{"@type":"tables","tables":[{"name":"T"}]}]`,
		"LIST FUNCTIONS": `{"@type":"statement_error","message":"not there"}`,
	})
	if got := strings.Join(s.names(), " "); got != "S T" {
		t.Errorf("names %s", got)
	}
}

func TestHistoryIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	h := openHistory(file)
	for _, line := range []string{"one", "two", "two", ""} {
		h.Add(line)
	}
	again := openHistory(file)
	if again.Len() != 2 || again.At(0) != "two" || again.At(1) != "one" {
		t.Errorf("%q", again.lines)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestCommandsNeedNoSemicolon(t *testing.T) {
	s, out, _, _ := fake(t, map[string]string{"LIST": `[{"@type":"streams","streams":[]}]`})
	s.io.In, s.io.Terminal = strings.NewReader("help\noutput json\nLIST STREAMS;\noutput xml\nexit\nLIST NOTHING;\n"), true
	if err := s.read(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RUN SCRIPT 'file';", `{"@type":"streams","streams":[]}`, "output takes json or table"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
