package traces

import (
	"fmt"
	"strings"
)

// A table counts cases by family, level and mode.
type table struct {
	families []string
	rows     map[string]*tableRow
}

type tableRow struct {
	cases    int
	notBuilt int
	modes    map[string]*[levelCount + 1]int // passed by level
	run      map[string]int
	passed   int // all levels in all modes
}

func newTable() *table { return &table{rows: map[string]*tableRow{}} }

// row returns the family's row.
func (t *table) row(family string) *tableRow {
	r, known := t.rows[family]
	if !known {
		r = &tableRow{modes: map[string]*[levelCount + 1]int{}, run: map[string]int{}}
		for _, m := range modes {
			r.modes[m.name] = &[levelCount + 1]int{}
		}
		t.rows[family] = r
		t.families = append(t.families, family)
	}
	return r
}

// add counts a case's run.
func (r *tableRow) add(m mode, l levels) {
	r.run[m.name]++
	for level := 1; level < len(l); level++ {
		if l[level] == nil {
			r.modes[m.name][level]++
		}
	}
}

// String shows for each mode how many cases pass level 1, 2 and 3, of how many; level 4 does not depend on the mode.
func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %5s %9s %6s", "family", "cases", "not built", "passed")
	for _, m := range modes {
		fmt.Fprintf(&b, " %16s", m.name)
	}
	fmt.Fprintf(&b, " %8s\n", "names")
	total := &tableRow{modes: map[string]*[levelCount + 1]int{}, run: map[string]int{}}
	for _, family := range t.families {
		r := t.rows[family]
		r.write(&b, family)
		total.sum(r)
	}
	total.write(&b, "all")
	return b.String()
}

func (r *tableRow) write(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%-20s %5d %9d %6d", name, r.cases, r.notBuilt, r.passed)
	for _, m := range modes {
		of := r.modes[m.name]
		if of == nil {
			of = &[levelCount + 1]int{}
		}
		fmt.Fprintf(b, " %16s", fmt.Sprintf("%d %d %d/%d", of[levelOutputs], of[levelDropped], of[levelStores], r.run[m.name]))
	}
	straight := r.modes[modes[0].name]
	if straight == nil {
		straight = &[levelCount + 1]int{}
	}
	fmt.Fprintf(b, " %8s\n", fmt.Sprintf("%d/%d", straight[levelDescription], r.run[modes[0].name]))
}

func (r *tableRow) sum(o *tableRow) {
	r.cases, r.notBuilt, r.passed = r.cases+o.cases, r.notBuilt+o.notBuilt, r.passed+o.passed
	for _, m := range modes {
		r.run[m.name] += o.run[m.name]
		if r.modes[m.name] == nil {
			r.modes[m.name] = &[levelCount + 1]int{}
		}
		for level, n := range o.modes[m.name] {
			r.modes[m.name][level] += n
		}
	}
}
