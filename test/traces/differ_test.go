//go:build suites

package traces

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var generatedFamilies = []string{
	"cache", "cogroup", "emit-close", "group-agg", "headers", "join-foreign-key", "join-stream-global", "join-stream-stream",
	"join-stream-table", "join-table-table", "partitioner", "pipeline", "process-table", "processor", "repartition", "session-window", "sliding-window", "stateless",
	"suppress", "table", "table-agg", "time-window", "timestamps", "versioned",
}

const (
	shownDifferences = 10 // per family: made small and printed
	shownLines       = 40
)

// TestDifferential makes random cases, asks Apache Kafka Streams what it does with them and runs them in all modes. DIFFER_SEED (1),
// DIFFER_COUNT (20 of each family), DIFFER_FAMILIES (all, separated by commas) and DIFFER_OUT (a file for the small differing cases).
func TestDifferential(t *testing.T) {
	seed, count := settingOf(t, "DIFFER_SEED", 1), settingOf(t, "DIFFER_COUNT", 20)
	families := generatedFamilies
	if f := os.Getenv("DIFFER_FAMILIES"); f != "" {
		families = strings.Split(f, ",")
	}
	o := startOracle(t)
	report := newTable()
	for _, family := range families {
		d := &differ{t: t, o: o, row: report.row(family)}
		for i := range count {
			d.run(generate(seed, i, family))
		}
		t.Logf("%s: %d cases, %d not comparable %v, %d fail in the original too, %d differ", family, d.row.cases, d.skipped, d.reasons, d.failing, d.differing)
	}
	t.Logf("\n%s", report)
}

func settingOf(t *testing.T, name string, otherwise uint64) uint64 {
	n, err := strconv.ParseUint(cmp.Or(os.Getenv(name), fmt.Sprint(otherwise)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A differ runs the cases of a family.
type differ struct {
	t                           *testing.T
	o                           *oracle
	row                         *tableRow
	skipped, failing, differing int
	reasons                     map[string]int
}

func (d *differ) run(c map[string]any) {
	answered, _, skip, err := d.o.ask(c)
	if err != nil {
		d.t.Fatal(err)
	}
	if skip == "" && answered.Expect.Error["root"] == "ClassCastException" {
		skip = "the original fails on types" // its optimizer moves a repartition before a step that changes the type of values
	}
	if skip != "" {
		if d.reasons == nil {
			d.reasons = map[string]int{}
		}
		d.skipped++
		d.reasons[skip]++
		return
	}
	d.row.cases++
	if answered.Expect.Error != nil {
		d.failing++
	}
	err = checkSafely(answered, d.row)
	if err == nil {
		d.row.passed++
		return
	}
	d.differing++
	if d.differing > shownDifferences {
		d.t.Errorf("%s differs", answered.ID)
		return
	}
	small, line, err := d.shrink(c, err)
	d.t.Errorf("%s\n%s%s", small, line, firstLines(err.Error()))
	if file := os.Getenv("DIFFER_OUT"); file != "" {
		appendTo(d.t, file, line)
	}
}

func firstLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[:min(len(lines), shownLines)], "")
}

// checkSafely turns a panic into an error.
func checkSafely(c *traceCase, row *tableRow) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return check(c, row)
}

func appendTo(t *testing.T, file string, line []byte) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(line); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// shrink leaves out inputs and steps as long as the case still differs.
func (d *differ) shrink(c map[string]any, differs error) (id string, line []byte, err error) {
	err = differs
	try := func(part string, items any) bool {
		smaller := clone(d.t, c)
		smaller[part] = items
		smaller = clone(d.t, smaller)
		answered, _, skip, failed := d.o.ask(smaller)
		if failed != nil {
			d.t.Fatal(failed)
		}
		if skip != "" || answered.failsAt("build") || isError(answered) && !strings.Contains(differs.Error(), "does not fail") {
			return false
		}
		now := checkSafely(answered, newTable().row(""))
		if now == nil || isNotBuilt(now) {
			return false
		}
		c, err = smaller, now
		return true
	}
	for more := true; more; {
		more = d.fewerInputs(&c, try)
		more = d.fewerSteps(&c, try) || more
	}
	_, line, _, failed := d.o.ask(c)
	if failed != nil {
		d.t.Fatal(failed)
	}
	return c["id"].(string), line, err
}

func isError(c *traceCase) bool { return c.Expect.Error != nil }

func clone(t *testing.T, c map[string]any) map[string]any {
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var same map[string]any
	if err := json.Unmarshal(data, &same); err != nil {
		t.Fatal(err)
	}
	return same
}

func (d *differ) fewerInputs(c *map[string]any, try func(string, any) bool) (changed bool) {
	for size := max(1, len((*c)["inputs"].([]any))/2); size > 0; size /= 2 {
		for from := 0; ; {
			inputs, _ := (*c)["inputs"].([]any)
			if from >= len(inputs) {
				break
			}
			if try("inputs", append(append([]any{}, inputs[:from]...), inputs[min(len(inputs), from+size):]...)) {
				changed = true
			} else {
				from += size
			}
		}
	}
	return changed
}

// fewerSteps leaves out sinks, then steps that nothing uses.
func (d *differ) fewerSteps(c *map[string]any, try func(string, any) bool) (changed bool) {
	for i := 0; ; i++ {
		steps := stepsOf(d.t, *c)
		if i >= len(steps) {
			return changed
		}
		without := slices.Delete(slices.Clone(steps), i, i+1)
		if steps[i]["op"] != "to" && used(without, steps[i]) {
			continue
		}
		if try("topology", prune(without)) {
			changed = true
			i--
		}
	}
}

func stepsOf(t *testing.T, c map[string]any) []map[string]any {
	var steps []map[string]any
	data, err := json.Marshal(c["topology"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &steps); err != nil {
		t.Fatal(err)
	}
	return steps
}

// prune leaves out steps without a use, sources apart, since inputs may name their topics.
func prune(steps []map[string]any) []map[string]any {
	for i := len(steps) - 1; i >= 0; i-- {
		if op := steps[i]["op"]; op != "to" && op != "stream" && op != "table" && op != "globalTable" && !used(steps, steps[i]) {
			steps = slices.Delete(steps, i, i+1)
		}
	}
	return steps
}

// used tells whether another step has this one as an input.
func used(steps []map[string]any, step map[string]any) bool {
	ids := map[any]bool{step["id"]: true}
	if step["op"] == "split" {
		ids[step["default"]] = true
		for _, b := range step["branches"].([]any) {
			ids[b.(map[string]any)["id"]] = true
		}
	}
	delete(ids, nil)
	return slices.ContainsFunc(steps, func(other map[string]any) bool {
		ins, _ := other["ins"].([]any)
		return ids[other["in"]] || ids[other["left"]] || ids[other["right"]] || slices.ContainsFunc(ins, func(in any) bool { return ids[in] })
	})
}
