package traces

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "add cases that pass to testdata/passing.txt")

const passingFile = "testdata/passing.txt"

// TestTraces runs all cases. Case by case: TRACES=family,id go test -v ./test/traces
func TestTraces(t *testing.T) {
	cases := loadCases(t)
	passing := readPassing(t)
	report := newTable()
	for _, c := range cases {
		row := report.row(c.Family)
		row.cases++
		err := check(c, row)
		switch {
		case err == nil:
			row.passed++
			if !passing[c.ID] && *update {
				passing[c.ID] = true
			}
		case passing[c.ID]:
			t.Errorf("%s passed before:\n%v", c.ID, err)
		case os.Getenv("TRACES") != "":
			t.Errorf("%s: %v", c.ID, err)
		}
		if isNotBuilt(err) {
			row.notBuilt++
		}
	}
	t.Logf("\n%s", report)
	if *update {
		writePassing(t, passing)
	}
}

// check runs a case in all modes that are comparable. The error shows what differs, by mode and level.
func check(c *traceCase, row *tableRow) error {
	topology, err := build(c)
	if isNotBuilt(err) {
		return err
	}
	if c.failsAt("build") {
		if err == nil {
			return errors.New("the topology can be built, but should not")
		}
		for _, m := range modes {
			row.add(m, levels{})
		}
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, m := range modes {
		if !comparable(c, m) {
			continue
		}
		o := runCase(c, topology, m)
		if isNotBuilt(o.err) {
			return o.err
		}
		l := compare(c, m, o)
		if m == modes[0] {
			l[levelDescription] = compareDescription(c, topology)
		}
		row.add(m, l)
		for level, err := range l {
			if err != nil {
				failed = append(failed, fmt.Errorf("  %s, level %d: %w", m.name, level, err))
			}
		}
	}
	if len(failed) > 0 {
		failed = append(failed, errors.New(topology.Describe()))
	}
	return errors.Join(failed...)
}

// readPassing returns the cases that passed before.
func readPassing(t *testing.T) map[string]bool {
	data, err := os.ReadFile(passingFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	passing := map[string]bool{}
	for _, id := range strings.Fields(string(data)) {
		passing[id] = true
	}
	return passing
}

func writePassing(t *testing.T, passing map[string]bool) {
	ids := make([]string, 0, len(passing))
	for id := range passing {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(passingFile, []byte(strings.Join(slices.Compact(ids), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
