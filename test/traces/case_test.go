// Package traces runs what Apache Kafka Streams did with small operator graphs through this engine and compares.
//
// It is tests only. Each case is built through package stream and fed to streamtest; it calls what users call, and nothing below.
//
// Everything belongs to the test's goroutine.
//
// The format of a case, and what its words mean, is in the README beside the cases. A case is compared in levels: 1 outputs, 2 dropped
// records, 3 stores, 4 the description of the topology; in modes: see modes. testdata/passing.txt lists the cases that pass all
// levels in all modes: one that no longer does fails the test, and -update adds new ones.
//
// testdata/*.jsonl are cases of our own, made by oracle/oracle.sh, which asks Kafka Streams itself; with the tag suites TestDifferential
// asks it about random ones. How the other cases were made is not here.
package traces

import (
	"bufio"
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

// A traceCase is one line of a family's file.
type traceCase struct {
	ID       string           `json:"id"`
	Family   string           `json:"family"`
	Config   traceConfig      `json:"config"`
	Topology []map[string]any `json:"topology"`
	Inputs   []any            `json:"inputs"`
	Expect   expectation      `json:"expect"`

	generated bool // it was not made to be run in parts: see shardable
}

type traceConfig struct {
	Cache           int64  `json:"cache"`
	Optimize        bool   `json:"optimize"`
	Schedule        string `json:"schedule"`
	Commit          string `json:"commit"`
	Deserialization string `json:"deserialization"`
	Processing      string `json:"processing"`
}

type expectation struct {
	Outputs  map[string][][]any   `json:"outputs"`
	Dropped  *int64               `json:"dropped"`
	Stores   map[string]storeRows `json:"stores"`
	Error    map[string]any       `json:"error"`
	Describe *describeExpectation `json:"describe"`
}

type storeRows struct {
	Kind string  `json:"kind"`
	Rows [][]any `json:"rows"`
}

type describeExpectation struct {
	Subtopologies int      `json:"subtopologies"`
	Global        int      `json:"global"`
	Repartition   []string `json:"repartition"`
	Changelog     []string `json:"changelog"`
	Stores        []string `json:"stores"`
}

// failsAt tells at which step the case must fail.
func (c *traceCase) failsAt(step string) bool {
	return c.Expect.Error != nil && fmt.Sprint(c.Expect.Error["step"]) == step
}

// has tells whether a step has one of these operators.
func (c *traceCase) has(ops ...string) bool {
	return slices.ContainsFunc(c.Topology, func(n map[string]any) bool { return slices.Contains(ops, n["op"].(string)) })
}

// count returns how many steps have one of these operators.
func (c *traceCase) count(ops ...string) (n int) {
	for _, parameters := range c.Topology {
		if slices.Contains(ops, parameters["op"].(string)) {
			n++
		}
	}
	return n
}

// hasParameter tells whether a step has one of these parameters.
func (c *traceCase) hasParameter(names ...string) bool {
	return slices.ContainsFunc(c.Topology, func(n map[string]any) bool {
		return slices.ContainsFunc(names, func(name string) bool { return n[name] != nil })
	})
}

// loadCases reads the cases that TRACES selects: families, ids or beginnings of ids, separated by commas; all by default.
func loadCases(t *testing.T) []*traceCase {
	folder := need.Folder(t, "MAINSTEM_STREAMS_TRACES", "../../../shared/conformance/streams")
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil || len(files) == 0 {
		need.Missing(t, "no cases in "+folder)
	}
	own, err := filepath.Glob("testdata/*.jsonl") // made by oracle/oracle.sh
	if err != nil {
		t.Fatal(err)
	}
	var cases []*traceCase
	for _, file := range append(files, own...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			c := &traceCase{}
			d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
			d.UseNumber()
			if err := d.Decode(c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if selected(c) {
				cases = append(cases, c)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return cases
}

const maxLine = 16 << 20

func selected(c *traceCase) bool {
	filter := os.Getenv("TRACES")
	if filter == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(filter, ","), func(want string) bool {
		return c.Family == want || c.ID == want || strings.HasSuffix(want, "*") && strings.HasPrefix(c.ID, strings.TrimSuffix(want, "*"))
	})
}

// A node is one step of a case's topology. It remembers which parameters were asked for: one that nobody looked at changes the meaning
// of the step in a way that the builder does not know.
type node struct {
	id, op, kt, vt string
	parameters     map[string]any
	read           map[string]bool
}

func newNode(parameters map[string]any) *node {
	n := &node{parameters: parameters, read: map[string]bool{}}
	n.id, n.op, n.kt, n.vt = n.text("id"), n.text("op"), n.text("kt"), n.text("vt")
	return n
}

// get returns a parameter, nil when there is none.
func (n *node) get(name string) any {
	n.read[name] = true
	return n.parameters[name]
}

func (n *node) has(name string) bool { return n.get(name) != nil }

// text returns a parameter, empty when there is none.
func (n *node) text(name string) string {
	s, _ := n.get(name).(string)
	return s
}

// number returns a parameter, 0 when there is none.
func (n *node) number(name string) int64 { return integer(n.get(name)) }

// list returns a parameter that is a list of texts.
func (n *node) list(name string) []string {
	var texts []string
	items, _ := n.get(name).([]any)
	for _, item := range items {
		texts = append(texts, item.(string))
	}
	return texts
}

// function returns a parameter that is a function and its arguments.
func (n *node) function(name string) function {
	f, ok := n.get(name).([]any)
	if !ok {
		panic(notBuilt(fmt.Sprintf("%s without %s", n.op, name)))
	}
	return f
}

// object returns a parameter that has parameters of its own, nil when there is none.
func (n *node) object(name string) *node {
	o, ok := n.get(name).(map[string]any)
	if !ok {
		return nil
	}
	return newNode(o)
}

// unread returns a parameter that nobody asked for.
func (n *node) unread() string {
	for name := range n.parameters {
		if !n.read[name] {
			return name
		}
	}
	return ""
}

func integer(x any) int64 {
	number, ok := x.(json.Number)
	if !ok {
		return 0
	}
	i, err := number.Int64()
	if err != nil {
		panic(err)
	}
	return i
}

// notBuilt says that a case needs something that the runner, or the engine, does not have. It is panicked with while a case is built.
type notBuilt string

func (n notBuilt) Error() string { return "not built: " + string(n) }

// isNotBuilt tells whether err comes from a notBuilt.
func isNotBuilt(err error) bool {
	var n notBuilt
	return errors.As(err, &n)
}
