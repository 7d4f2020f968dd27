package qtt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A verdict is what became of a case.
type verdict struct {
	c        *testCase
	passed   bool
	negative bool   // an error is expected
	text     bool   // of a negative: the message is as wanted
	skipped  string // reason
	err      error  // why it failed; of a negative that passed by class, how its text differs
	detail   string // statements, records in and out, for people
}

// A tally counts verdicts.
type tally struct {
	Cases     int `json:"cases"`
	Passed    int `json:"passed"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Negatives int `json:"negatives"` // run, not skipped
	Class     int `json:"class"`     // of the negatives: right statement, right phase
	Text      int `json:"text"`      // of the negatives: message too
}

func (t *tally) add(v verdict) {
	t.Cases++
	switch {
	case v.skipped != "":
		t.Skipped++
		return
	case v.passed:
		t.Passed++
	default:
		t.Failed++
	}
	if !v.negative {
		return
	}
	t.Negatives++
	if v.passed {
		t.Class++
	}
	if v.text {
		t.Text++
	}
}

// table shows the verdicts by file.
func table(verdicts []verdict) string {
	var files []string
	rows, all := map[string]*tally{}, &tally{}
	for _, v := range verdicts {
		if rows[v.c.file] == nil {
			rows[v.c.file] = &tally{}
			files = append(files, v.c.file)
		}
		rows[v.c.file].add(v)
		all.add(v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-52s %6s %6s %6s %6s   %s\n", "file", "cases", "pass", "fail", "skip", "negatives: class, text")
	line := func(name string, t *tally) {
		fmt.Fprintf(&b, "%-52s %6d %6d %6d %6d", name, t.Cases, t.Passed, t.Failed, t.Skipped)
		if t.Negatives > 0 {
			fmt.Fprintf(&b, "   %d: %d, %d", t.Negatives, t.Class, t.Text)
		}
		b.WriteByte('\n')
	}
	for _, file := range files {
		line(file, rows[file])
	}
	line("all", all)
	positives := all.Cases - all.Skipped - all.Negatives
	fmt.Fprintf(&b, "positive %s, negative by class %s, by text %s\n",
		share(all.Passed-all.Class, positives), share(all.Class, all.Negatives), share(all.Text, all.Negatives))
	return b.String()
}

func share(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d (%.1f %%)", n, of, 100*float64(n)/float64(of))
}

// A group is the cases that fail with the same first line.
type group struct {
	Cause string   `json:"cause"`
	Count int      `json:"count"`
	Cases []string `json:"cases"`
}

// shownExamples is how many cases of a group the log names, shownGroups how many groups it has.
const shownExamples, shownGroups = 3, 40

// groups sorts what failed by its cause, the most frequent first.
func groups(verdicts []verdict) []group {
	byCause := map[string]*group{}
	for _, v := range verdicts {
		if v.passed || v.skipped != "" {
			continue
		}
		cause := causeOf(v.err)
		if byCause[cause] == nil {
			byCause[cause] = &group{Cause: cause}
		}
		g := byCause[cause]
		g.Count++
		g.Cases = append(g.Cases, v.c.full)
	}
	var all []group
	for _, g := range byCause {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause))
	})
	return all
}

func groupsText(all []group) string {
	var b strings.Builder
	for i, g := range all {
		if i == shownGroups {
			fmt.Fprintf(&b, "      … and %d more causes\n", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "%5d %s\n", g.Count, g.Cause)
		for _, name := range g.Cases[:min(len(g.Cases), shownExamples)] {
			fmt.Fprintf(&b, "        %s\n", name)
		}
	}
	return b.String()
}

// generalise makes the messages of one cause alike: names, numbers and values differ from case to case.
var generalise = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(key|value)[.\[][^:]*: want.*`), "$1: a field differs"},
	{regexp.MustCompile(`(key|value): want.*`), "$1 differs"},
	{regexp.MustCompile(`(topic|source|subject|query) \S+?(:| |$)`), "$1 …$2"},
	{regexp.MustCompile("`[^`]*`|\"[^\"]*\"|'[^']*'"), "…"},
	{regexp.MustCompile(`\d+`), "#"},
}

// causeOf returns the error's first line without what belongs to one case only.
func causeOf(err error) string {
	if err == nil {
		return "no error"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, g := range generalise {
		line = g.pattern.ReplaceAllString(line, g.with)
	}
	return line
}

// writeReport writes the verdicts as JSON for programs.
func writeReport(t *testing.T, file string, verdicts []verdict) {
	t.Helper()
	type entry struct {
		Name     string `json:"name"`
		File     string `json:"file"`
		Outcome  string `json:"outcome"` // "pass", "fail", "skip"
		Negative bool   `json:"negative,omitempty"`
		Text     bool   `json:"text,omitempty"`
		Error    string `json:"error,omitempty"`
		Cause    string `json:"cause,omitempty"`
	}
	report := struct {
		Totals tally   `json:"totals"`
		Groups []group `json:"groups"`
		Cases  []entry `json:"cases"`
	}{Groups: groups(verdicts)}
	for _, v := range verdicts {
		report.Totals.add(v)
		e := entry{Name: v.c.full, File: v.c.file, Outcome: v.outcome(), Negative: v.negative, Text: v.text}
		if v.err != nil {
			e.Error, e.Cause = v.err.Error(), causeOf(v.err)
		}
		if v.skipped != "" {
			e.Error = v.skipped
		}
		report.Cases = append(report.Cases, e)
	}
	text, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (v verdict) outcome() string {
	switch {
	case v.skipped != "":
		return "skip"
	case v.passed:
		return "pass"
	}
	return "fail"
}
