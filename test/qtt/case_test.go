// Package qtt runs the functional test cases of ksqlDB against this engine's SQL, and says which pass.
//
// It is tests only. TestCases reads the cases, drives each through the Driver that engine_test.go opens and compares what comes out;
// TestRESTCases does the same over HTTP. What is read and written on topics goes through codecs of this package, so that a mistake
// in a codec of the engine cannot hide itself.
//
// A case belongs to one goroutine, with its driver and its registry; cases run side by side.
//
// testdata/passing.txt holds the beginnings of the SHA-256 of the names of the cases that pass: one that no longer does fails the test,
// and -update adds new ones. A case with an expected error passes by class: the right statement fails, in the right phase. Its text is
// counted beside that.
//
// The cases themselves are not here, nor is any text of them: MAINSTEM_QTT_DIR names the folder that holds
// query-validation-tests and rest-query-validation-tests.
package qtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/need"
)

// A testCase is one case of a file, for one of its formats and configurations.
type testCase struct {
	Name       string         `json:"name"`
	Formats    []string       `json:"format"`
	Configs    []any          `json:"config"`
	Enabled    *bool          `json:"enabled"`
	Properties map[string]any `json:"properties"`
	Topics     []topicNode    `json:"topics"`
	Statements []string       `json:"statements"`
	Inputs     []recordNode   `json:"inputs"`
	Outputs    []recordNode   `json:"outputs"`
	Fails      *failureNode   `json:"expectedException"`
	Post       postNode       `json:"post"`
	REST       restNode       `json:"-"`

	file string // without its ending
	full string // file - name[ - format][ - property=value]
}

// A topicNode is a topic that a case creates before its statements.
type topicNode struct {
	Name            string          `json:"name"`
	Partitions      int             `json:"partitions"`
	Replicas        int             `json:"replicas"`
	KeyFormat       string          `json:"keyFormat"`
	ValueFormat     string          `json:"valueFormat"`
	KeySchema       json.RawMessage `json:"keySchema"`
	ValueSchema     json.RawMessage `json:"valueSchema"`
	KeySchemaID     *int            `json:"keySchemaId"`
	ValueSchemaID   *int            `json:"valueSchemaId"`
	KeyReferences   []referenceNode `json:"keySchemaReferences"`
	ValueReferences []referenceNode `json:"valueSchemaReferences"`
	OldFormat       string          `json:"format"`
	OldSchema       json.RawMessage `json:"schema"`
}

// A referenceNode is a schema that a topic's schema imports.
type referenceNode struct {
	Name   string          `json:"name"`
	Format string          `json:"format"`
	Schema json.RawMessage `json:"schema"`
}

// A recordNode is a record that goes in or must come out. Key and value stay JSON texts: their numbers are exact.
type recordNode struct {
	Topic     string          `json:"topic"`
	Key       json.RawMessage `json:"key"`
	Value     json.RawMessage `json:"value"`
	Timestamp *int64          `json:"timestamp"`
	Window    *windowNode     `json:"window"`
	Headers   []headerNode    `json:"headers"`
}

type windowNode struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Type  string `json:"type"` // "time", "session"
}

func (w *windowNode) String() string {
	if w == nil {
		return "no window"
	}
	return fmt.Sprintf("%s window %d-%d", strings.ToLower(w.Type), w.Start, w.End)
}

// A headerNode is a header; its value is base64 or null, which encoding/json does by itself.
type headerNode struct {
	Key   string `json:"KEY"`
	Value []byte `json:"VALUE"`
}

// A failureNode is the error that the case's last statement, or its records, must meet.
type failureNode struct {
	Type         string `json:"type"`
	Message      string `json:"message"`
	CauseMessage string `json:"causeMessage"`
}

// loadCases reads a folder's cases, expanded, those that QTT selects: "file" or "file - part of the name".
func loadCases(t *testing.T, folder string) []*testCase {
	t.Helper()
	root := need.Env(t, "MAINSTEM_QTT_DIR", "the folder of ksqlDB's query-validation-tests and rest-query-validation-tests")
	files, err := filepath.Glob(filepath.Join(root, folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		need.Missing(t, "no cases in "+folder+" of MAINSTEM_QTT_DIR")
	}
	var cases []*testCase
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := strings.TrimSuffix(filepath.Base(path), ".json")
		more, err := readCases(file, text)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		cases = append(cases, more...)
	}
	return slices.DeleteFunc(cases, func(c *testCase) bool { return !selected(c, os.Getenv("QTT")) })
}

// readCases reads and expands one file's cases.
func readCases(file string, text []byte) ([]*testCase, error) {
	var whole struct {
		Tests []json.RawMessage `json:"tests"`
	}
	if err := json.Unmarshal(withoutComments(text), &whole); err != nil {
		return nil, err
	}
	var cases []*testCase
	for i, raw := range whole.Tests {
		c, err := readCase(file, raw)
		if err != nil {
			return nil, fmt.Errorf("case %d: %w", i+1, err)
		}
		cases = append(cases, c.expand()...)
	}
	return cases, nil
}

func readCase(file string, raw json.RawMessage) (*testCase, error) {
	c := &testCase{file: file}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(c); err != nil {
		return nil, err
	}
	if c.Name == "" {
		return nil, errors.New("a case without a name")
	}
	return c, json.Unmarshal(raw, &c.REST)
}

// expand returns a case per format and configuration.
func (c *testCase) expand() []*testCase {
	formats, configs := c.Formats, c.Configs
	if len(formats) == 0 {
		formats = []string{""}
	}
	if len(configs) == 0 {
		configs = []any{nil}
	}
	var cases []*testCase
	for _, format := range formats {
		for _, config := range configs {
			cases = append(cases, c.with(format, config))
		}
	}
	return cases
}

func (c *testCase) with(format string, config any) *testCase {
	one := *c
	one.full = c.file + " - " + c.Name
	if format != "" {
		one.full += " - " + format
		one.Statements = nil
		for _, s := range c.Statements {
			one.Statements = append(one.Statements, strings.ReplaceAll(s, "{FORMAT}", format))
		}
		one.Topics = slices.Clone(c.Topics)
		for i := range one.Topics {
			t := &one.Topics[i]
			for _, f := range []*string{&t.KeyFormat, &t.ValueFormat, &t.OldFormat} {
				*f = strings.ReplaceAll(*f, "{FORMAT}", format)
			}
		}
	}
	one.Properties = map[string]any{}
	for name, value := range c.Properties {
		if value == "{CONFIG}" && config != nil {
			value = config
			one.full += fmt.Sprintf(" - %s=%v", name, config)
		}
		one.Properties[name] = value
	}
	return &one
}

// skipReason says why a case is not run; "" if it is.
func (c *testCase) skipReason() string {
	if c.Enabled != nil && !*c.Enabled {
		return "disabled where it comes from"
	}
	return ""
}

// script joins the statements as one text.
func (c *testCase) script() string { return strings.Join(c.Statements, "\n") }

// settings returns the properties as texts.
func (c *testCase) settings() map[string]string {
	settings := map[string]string{}
	for name, value := range c.Properties {
		if name != exactNumbers {
			settings[name] = fmt.Sprint(value)
		}
	}
	return settings
}

// exactNumbers is a property for the comparison, not for the engine: "false" compares JSON's fractions as doubles.
const exactNumbers = "use.exact.numeric.comparison"

func (c *testCase) exact() bool { return fmt.Sprint(c.Properties[exactNumbers]) != "false" }

// selected tells whether a filter takes a case.
func selected(c *testCase, filter string) bool {
	file, part, _ := strings.Cut(filter, " - ")
	return filter == "" || c.file == file && strings.Contains(c.full, part)
}

// withoutComments takes // comments out, which some files have.
func withoutComments(text []byte) []byte {
	out := make([]byte, 0, len(text))
	quoted := false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			out = append(out, b)
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && b == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		}
		if i < len(text) {
			out = append(out, text[i])
		}
	}
	return out
}
