package sqlshell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/cli/sqlshell"
)

// node answers LIST with a table, statements with NO in them with an error, and others with a sentence.
func node(t *testing.T) (address string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ KSQL string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method+r.URL.Path != "POST/ksql" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		*asked = append(*asked, body.KSQL)
		answer := `[{"@type":"currentStatus","commandStatus":{"message":"done"}}]`
		switch {
		case strings.HasPrefix(body.KSQL, "LIST"):
			answer = `[{"@type":"streams","streams":[{"name":"S","topic":"s","keyFormat":"KAFKA","valueFormat":"JSON","isWindowed":false}]}]`
		case strings.Contains(body.KSQL, "IF NOT EXISTS"):
			answer = `[{"@type":"warning_entity","statementText":"","warnings":[],"message":"it is there"}]`
		case strings.Contains(body.KSQL, "NOBODY"):
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"@type":"statement_error","error_code":40001,"message":"Line: 2, Col: 16: NOBODY does not exist."}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), asked
}

func run(t *testing.T, in string, terminal bool, address string, args ...string) (out, prompts string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := sqlshell.New(sqlshell.IO{In: strings.NewReader(in), Out: &stdout, Err: &stderr, Terminal: terminal}, address)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(context.Background())
	return stdout.String(), stderr.String(), err
}

const listed = "NAME   TOPIC   KEY FORMAT   VALUE FORMAT   WINDOWED\nS      s       KAFKA        JSON           false\n"

func TestStatementsFromFlagFileAndPipe(t *testing.T) {
	const text = "DROP STREAM a; -- gone\nLIST STREAMS;"
	file := filepath.Join(t.TempDir(), "s.sql")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		in   string
		args []string
	}{"flag": {"", []string{"-e", text}}, "file": {"", []string{"-f", file}}, "pipe": {text, nil}, "pipe without an end": {strings.TrimSuffix(text, ";"), nil}} {
		t.Run(name, func(t *testing.T) {
			address, asked := node(t)
			out, _, err := run(t, tt.in, false, address, tt.args...)
			if err != nil || out != "done\n"+listed {
				t.Errorf("%q, %v", out, err)
			}
			if len(*asked) != 2 || (*asked)[0] != "DROP STREAM a;" {
				t.Errorf("asked %q", *asked)
			}
		})
	}
}

func TestJSONIsWhatTheNodeSaid(t *testing.T) {
	address, _ := node(t)
	out, _, err := run(t, "", false, address, "--json", "-e", "DROP STREAM a; DROP STREAM b;")
	const line = `{"@type":"currentStatus","commandStatus":{"message":"done"}}` + "\n"
	if err != nil || out != line+line {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTheFirstFailureEndsTheRun(t *testing.T) {
	address, asked := node(t)
	_, _, err := run(t, "", false, address, "-e", "DROP STREAM a;\nDROP STREAM\n  IF EXISTS     NOBODY;\nDROP STREAM c;")
	var f *sqlshell.Failure
	const want = "Line: 2, Col: 16: NOBODY does not exist.\n2 |   IF EXISTS     NOBODY;\n  |                ^\n"
	if !errors.As(err, &f) || f.Name != "statement" || f.Next == "" || err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if len(*asked) != 2 {
		t.Errorf("asked %q", *asked)
	}
}

func TestAStatementThatDoesNothingSaysWhy(t *testing.T) {
	address, _ := node(t)
	if out, _, err := run(t, "", false, address, "-e", "CREATE STREAM IF NOT EXISTS a (n INT) WITH (kafka_topic='a', format='JSON');"); err != nil || out != "it is there\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, _, err := run(t, "", false, address, "-e", "DEFINE a = '1'; UNDEFINE a; UNDEFINE a;"); err == nil || !strings.Contains(err.Error(), "'a' which was never defined") {
		t.Errorf("%v", err)
	}
}

func TestSyntaxErrorsAreMarkedWithoutTheNode(t *testing.T) {
	_, _, err := run(t, "", false, "127.0.0.1:1", "-e", "DROP STREEM a;")
	if err == nil || !strings.Contains(err.Error(), "1 | DROP STREEM a;\n  |      ^^^^^^\n") || !strings.Contains(err.Error(), "did you mean STREAM?") {
		t.Errorf("%v", err)
	}
}

func TestATerminalGoesOn(t *testing.T) {
	address, asked := node(t)
	out, prompts, err := run(t, "DROP STREAM\nNOBODY;\nLIST STREAMS;\n", true, address)
	if err != nil || out != listed || len(*asked) != 2 {
		t.Errorf("%q %q, %v", out, *asked, err)
	}
	if !strings.HasPrefix(prompts, "sql> ...> Line: 2, Col: 16") {
		t.Errorf("prompts %q", prompts)
	}
}

func TestNoNodeAnswers(t *testing.T) {
	_, _, err := run(t, "", false, "127.0.0.1:1", "-e", "LIST STREAMS;")
	var f *sqlshell.Failure
	if !errors.As(err, &f) || f.Name != "unreachable" || f.Next == "" {
		t.Errorf("%v", err)
	}
	_, _, err = run(t, "", false, "127.0.0.1:1", "-f", filepath.Join(t.TempDir(), "none.sql"))
	if !errors.As(err, &f) || f.Name != "unreadable" {
		t.Errorf("%v", err)
	}
}
