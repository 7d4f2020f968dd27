package parse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// A conformanceCase is what this test reads of a case of ksqlDB's suites.
type conformanceCase struct {
	Name              string           `json:"name"`
	Statements        []string         `json:"statements"`
	Format            []string         `json:"format"`
	Expected          *expectedFailure `json:"expectedException"`
	ExpectedError     *expectedFailure `json:"expectedError"`
	file              string
	statementsOfRound []string
}

type expectedFailure struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

func conformanceCases(t *testing.T) []conformanceCase {
	dir := need.Env(t, "MAINSTEM_QTT_DIR", "the folder with ksqlDB's query-validation-tests")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	var out []conformanceCase
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests []conformanceCase `json:"tests"`
		}
		if err := json.Unmarshal(raw, &suite); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, c := range suite.Tests {
			c.file = filepath.Base(f)
			out = append(out, c.expand()...)
		}
	}
	return out
}

// expand makes one case for each format.
func (c conformanceCase) expand() []conformanceCase {
	if len(c.Format) == 0 {
		c.statementsOfRound = c.Statements
		return []conformanceCase{c}
	}
	var out []conformanceCase
	for _, f := range c.Format {
		round := c
		round.statementsOfRound = nil
		for _, s := range c.Statements {
			round.statementsOfRound = append(round.statementsOfRound, strings.ReplaceAll(s, "{FORMAT}", f))
		}
		out = append(out, round)
	}
	return out
}

// byProperties are messages of parse failures that come from the properties of WITH, which the binder checks.
var byProperties = []string{"WINDOW_SIZE"}

func (c conformanceCase) mustFailHere() bool {
	if c.Expected == nil || !strings.HasSuffix(c.Expected.Type, ".ParseFailedException") {
		return false
	}
	for _, w := range byProperties {
		if strings.Contains(c.Expected.Message, w) {
			return false
		}
	}
	return true
}

func TestConformanceSuitesParse(t *testing.T) {
	statements, failures := 0, 0
	for _, c := range conformanceCases(t) {
		if c.mustFailHere() {
			failures++
			_, err := Script(strings.Join(c.statementsOfRound, "\n"))
			switch {
			case err == nil:
				t.Errorf("%s/%s: parses, should fail with %q", c.file, c.Name, c.Expected.Message)
			case !strings.Contains(err.Error(), c.Expected.Message):
				t.Errorf("%s/%s: fails with\n%v\nshould have\n%s", c.file, c.Name, err, c.Expected.Message)
			}
			continue
		}
		script := c.statementsOfRound
		if c.ExpectedError != nil { // of the REST suites, which send queries one by one
			last := len(script) - 1
			if _, err := Script(script[last]); err != nil {
				failures++
				if !strings.Contains(err.Error(), c.ExpectedError.Message) {
					t.Errorf("%s/%s: fails with\n%v\nshould have\n%s", c.file, c.Name, err, c.ExpectedError.Message)
				}
				script = script[:last]
			}
		}
		list, err := Script(strings.Join(script, "\n"))
		if err != nil {
			t.Errorf("%s/%s: %v", c.file, c.Name, err)
		}
		statements += len(list)
		for _, s := range list {
			roundTrip(t, s)
		}
	}
	t.Logf("%d statements parse and print, %d scripts fail as they should", statements, failures)
}

// roundTrip parses the canonical text of a statement again.
func roundTrip(t *testing.T, s ast.Statement) {
	t.Helper()
	text := ast.Format(s)
	again, err := Options{Tools: true}.Statement(text)
	if err != nil {
		t.Errorf("%s\ndoes not parse: %v", text, err)
		return
	}
	if got, want := unquoted(ast.Dump(again)), unquoted(ast.Dump(s)); got != want {
		t.Errorf("%s\nis printed as\n%s\nwhich is\n%s", want, text, got)
	}
}

// unquoted drops back-quotes from a dump: whether a plain name was quoted is not in the canonical text.
func unquoted(dump string) string { return strings.ReplaceAll(dump, "`", "") }
