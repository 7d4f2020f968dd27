package sqltest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/cli/sqltest"
)

// run runs the command in testdata.
func run(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	t.Chdir("testdata")
	var b bytes.Buffer
	cmd := sqltest.New(&b)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return b.String(), err
}

func TestGoodTestsPass(t *testing.T) {
	out, err := run(t, "good")
	if err != nil || strings.Count(out, "ok    ") != 9 || !strings.HasSuffix(out, "\n9 tests, 9 ok, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range []string{"good/visits\n", "good/windows\n", "good/visits.sql: a table counts\n"} {
		if !strings.Contains(out, "ok    "+name) {
			t.Errorf("%q is not among\n%s", name, out)
		}
	}
}

func TestQueryByQueryIsTheSameForOneChain(t *testing.T) {
	if out, err := run(t, "--query-by-query", "good/visits"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The order of records in a topic that two queries write tells the two ways apart.
func TestQueryByQuery(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"statements.sql": `CREATE STREAM s (n INT) WITH (kafka_topic='s', value_format='JSON');
			CREATE STREAM o AS SELECT n FROM s; INSERT INTO o SELECT -n AS n FROM s;`,
		"input.json":  `{"inputs": [{"topic": "s", "value": {"n": 1}}, {"topic": "s", "value": {"n": 2}}]}`,
		"output.json": `{"outputs": [{"topic": "O", "value": {"n": 1}}, {"topic": "O", "value": {"n": 2}}, {"topic": "O", "value": {"n": -1}}, {"topic": "O", "value": {"n": -2}}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run(t, "--query-by-query", dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Chdir("..")
	if out, err := run(t, dir); err == nil || !strings.Contains(out, "O, record 2: value.N: expected 2, got -1") {
		t.Errorf("%v\n%s", err, out)
	}
}

const badOut = `FAIL  bad/visits
      SLOW, record 1: key: expected eve, got ada; value.MS: expected 151, got 150; timestamp: expected 11, got 10
        expected  key "eve"  value {"PAGE":"/","MS":151,"PRICE":1.50,"S":0.15}  at 11
        got       key "ada"  value {"PAGE":"/","MS":150,"PRICE":1.50,"S":0.15}  at 10  headers [h="\x01\x02"]
      SLOW, record 2: unexpected
        got       key null  value {"PAGE":"/b,c","MS":2000,"PRICE":2.00,"S":2.0}  at 30
      LINES, record 3: missing
        expected  key "late"  value null
`

func TestDifferencesOfRecords(t *testing.T) {
	out, err := run(t, "bad/visits")
	if !errors.Is(err, sqltest.ErrFailed) || out != badOut+"1 test, 0 ok, 1 failed\n" {
		t.Errorf("%v\n%s\nwant\n%s", err, out, badOut)
	}
}

func TestFailuresOfScripts(t *testing.T) {
	out, err := run(t, "bad/visits.sql")
	if !errors.Is(err, sqltest.ErrFailed) {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"visits.sql: values\n      line 5: visits, record 1: key: expected bob, got ada\n        expected  key \"bob\"  value {\"PAGE\":\"/\"}\n",
		"      line 6: visits, record 2: missing\n",
		"visits.sql: columns\n      line 9: VISITS: schema\n        expected  `WHO` STRING KEY, `PAGE` INTEGER\n        got       `WHO` STRING KEY, `PAGE` STRING\n",
		"visits.sql: statement\n      Line: 12, Col: 26: Column name `PAGES` does not exist.",
		"visits.sql: no error\n      nothing fails, but there should be an error: KsqlException",
		"visits.sql: another error\n      it fails, but not with no such thing: Line: 21, Col: 15: Cannot add stream 'VISITS'",
		"visits.sql: no assertion\n      it fails, but not with java.lang.AssertionError",
		"visits.sql: a wish that is none\n      --@expected.error: Oops: it takes AssertionError",
		"value.N: expected 1, got null",
		"      note: CSAS_N_0",
		"\n8 tests, 0 ok, 8 failed\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestJSONHasAnObjectForEachTest(t *testing.T) {
	out, err := run(t, "--json", "--run", "visits$|columns", "bad", "good")
	if !errors.Is(err, sqltest.ErrFailed) {
		t.Errorf("error %v", err)
	}
	var oks []bool
	for line := range strings.Lines(out) {
		var one struct {
			Test        string
			OK          bool
			Differences []struct {
				Topic, Source, Expected, Got string
				Position                     int
			}
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if one.OK = one.OK && len(one.Differences) == 0; one.Test == "bad/visits" && (len(one.Differences) != 3 || one.Differences[0].Topic != "SLOW") {
			t.Errorf("%+v", one)
		}
		oks = append(oks, one.OK)
	}
	if len(oks) != 3 || oks[0] || oks[1] || !oks[2] {
		t.Errorf("%v of\n%s", oks, out)
	}
}

func TestFilesThatAreNoTests(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		args  []string
		want  string
	}{
		"none":           {map[string]string{"a.sql": "CREATE TYPE t AS INT;"}, nil, "there are no tests"},
		"no output":      {map[string]string{"statements.sql": "CREATE TYPE t AS INT;"}, nil, "needs an output.json beside it"},
		"no folder":      {nil, []string{"nowhere"}, "no such file"},
		"no expression":  {nil, []string{"--run", "("}, "--run"},
		"misspelt":       {map[string]string{"statements.sql": "", "output.json": `{"outputs": [{"topik": "x"}]}`}, nil, "not all tests pass"},
		"unknown topic":  {map[string]string{"statements.sql": "", "output.json": `{"outputs": [{"topic": "x"}]}`}, nil, "not all tests pass"},
		"no array there": {map[string]string{"statements.sql": "", "output.json": `{}`}, nil, "not all tests pass"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := tt.args
			if args == nil {
				args = []string{dir}
			}
			if out, err := run(t, args...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Queries that write into each other would run for ever.
func TestACircleOfQueriesEnds(t *testing.T) {
	dir := t.TempDir()
	const circle = `--@test: circle
		CREATE STREAM a (n INT) WITH (kafka_topic='a', value_format='JSON'); CREATE STREAM b AS SELECT n FROM a;
		INSERT INTO a SELECT n + 1 AS n FROM b; INSERT INTO a (n) VALUES (1);`
	if err := os.WriteFile(filepath.Join(dir, "circle.sql"), []byte(circle), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, dir); !errors.Is(err, sqltest.ErrFailed) || !strings.Contains(out, "do they read what they write?") {
		t.Errorf("%v\n%s", err, out)
	}
}
