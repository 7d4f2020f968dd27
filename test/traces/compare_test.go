package traces

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/stream"
)

// levels are how far a case is compared: errors by level, from 1.
type levels [levelCount + 1]error

const (
	levelOutputs = iota + 1
	levelDropped
	levelStores
	levelDescription
	levelCount = iota
)

// compare returns what differs from the case's expectations, on the levels that a run of the mode shows.
func compare(c *traceCase, m mode, o outcome) levels {
	var l levels
	if o.err != nil {
		l[levelOutputs] = o.err
		if o.outputs == nil || o.stores == nil {
			return l
		}
		l[levelOutputs], l[levelStores] = nil, o.err
	}
	l[levelOutputs] = errors.Join(l[levelOutputs], compareOutputs(c, m, o))
	if c.Expect.Error != nil {
		return l
	}
	if c.Expect.Dropped != nil && !m.restart && m.workers == 0 && o.dropped != *c.Expect.Dropped {
		l[levelDropped] = fmt.Errorf("%d dropped, want %d", o.dropped, *c.Expect.Dropped)
	}
	l[levelStores] = errors.Join(l[levelStores], compareStores(c, o))
	return l
}

func compareOutputs(c *traceCase, m mode, o outcome) error {
	want := map[string][]string{}
	for topic, rows := range c.Expect.Outputs {
		for _, x := range rows {
			want[topic] = append(want[topic], expectedRow(m, x).String())
		}
	}
	topics := map[string]bool{}
	for topic := range want {
		topics[topic] = true
	}
	for topic := range o.outputs {
		topics[topic] = true
	}
	var differ []error
	for topic := range topics {
		got, expected := o.outputs[topic], want[topic]
		if m.partitions > 1 {
			got, expected = byKey(got), byKey(expected)
		}
		if !slices.Equal(got, expected) {
			differ = append(differ, fmt.Errorf("topic %s:\n%s", topic, difference(got, expected)))
		}
	}
	return errors.Join(differ...)
}

// expectedRow reads a row of the case's outputs.
func expectedRow(m mode, x []any) outputRow {
	row := outputRow{step: int(integer(x[0])), key: keyFromJSON(x[1]), value: fromJSON(x[2]), time: integer(x[3])}
	if m.together {
		row.step = 0
	}
	if len(x) > 4 {
		for _, h := range x[4].([]any) {
			header := h.([]any)
			row.headers = append(row.headers, header[0].(string)+"="+header[1].(string))
		}
	}
	return row
}

// byKey puts the rows of a key together and keeps their order.
func byKey(rows []string) []string {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b string) int {
		k, _, _ := strings.Cut(a, "\t")
		l, _, _ := strings.Cut(b, "\t")
		return strings.Compare(k, l)
	})
	return sorted
}

func compareStores(c *traceCase, o outcome) error {
	var differ []error
	for name, want := range c.Expect.Stores {
		var rows []string
		for _, x := range want.Rows {
			cells := []string{keyFromJSON(x[0]).exact()}
			for _, cell := range x[1:] {
				cells = append(cells, fromJSON(cell).exact())
			}
			rows = append(rows, strings.Join(cells, " "))
		}
		slices.Sort(rows)
		if got := o.stores[name]; !slices.Equal(got, rows) {
			differ = append(differ, fmt.Errorf("store %s:\n%s", name, difference(got, rows)))
		}
	}
	return errors.Join(differ...)
}

// difference shows rows side by side, as far as the first ones are not the same.
func difference(got, want []string) string {
	same := 0
	for same < len(got) && same < len(want) && got[same] == want[same] {
		same++
	}
	var b strings.Builder
	if same > 0 {
		fmt.Fprintf(&b, "      %d rows are the same, the last %s\n", same, got[same-1])
	}
	for _, row := range got[same:] {
		fmt.Fprintf(&b, "      got  %s\n", row)
	}
	for _, row := range want[same:] {
		fmt.Fprintf(&b, "      want %s\n", row)
	}
	return b.String()
}

// compareDescription is level 4.
func compareDescription(c *traceCase, t *stream.Topology) error {
	want := c.Expect.Describe
	if want == nil {
		return nil
	}
	d := t.Description()
	got := describeExpectation{Repartition: slices.Clone(d.RepartitionTopics)}
	for _, sub := range d.SubTopologies {
		if sub.Global {
			got.Global++
		} else {
			got.Subtopologies++
		}
	}
	for _, st := range d.Stores {
		got.Stores = append(got.Stores, st.Name)
		if st.Changelog != "" {
			got.Changelog = append(got.Changelog, st.Changelog)
		}
	}
	slices.Sort(got.Repartition)
	slices.Sort(got.Changelog)
	slices.Sort(got.Stores)
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", *want); g != w {
		return fmt.Errorf("description\n      got  %s\n      want %s", g, w)
	}
	return nil
}

// comparable tells whether a case must give the same in a mode as record by record.
func comparable(c *traceCase, m mode) bool {
	switch {
	case m.together:
		return togetherComparable(c)
	case m.restart && m.partitions == 1:
		return restartComparable(c)
	case m.partitions > 1:
		return shardable(c)
	}
	return true
}

// restartComparable: a restart commits, which flushes caches, and processors that count in Go variables begin again.
func restartComparable(c *traceCase) bool {
	for _, parameters := range c.Topology {
		if proc, ok := parameters["proc"].([]any); ok && proc[0] == "tick" {
			return false
		}
	}
	return c.Config.Commit != "manual"
}

// togetherComparable: records that wait are taken by their time, and each part of a topology takes many before the next one works.
func togetherComparable(c *traceCase) bool {
	if c.Expect.Error != nil || c.Config.Cache > 0 || c.has("globalTable") {
		return false
	}
	topics := map[string]bool{}
	rising := true
	var last int64
	for i, x := range c.Inputs {
		var row []any
		switch x := x.(type) {
		case []any:
			row = x
		case map[string]any:
			raw, ok := x["raw"].([]any)
			if !ok {
				return false
			}
			row = raw
		}
		topics[row[0].(string)] = true
		at := integer(row[3])
		rising = rising && (i == 0 || at > last)
		last = at
	}
	several := len(topics) > 1
	if several && c.hasParameter("extractor") {
		return false
	}
	if c.Expect.Describe != nil && len(c.Expect.Describe.Repartition) > 0 {
		return rising && !several && !writtenTwice(c)
	}
	return rising || !several
}

// writtenTwice tells whether two steps write the same topic.
func writtenTwice(c *traceCase) bool {
	topics := map[string]bool{}
	for _, parameters := range c.Topology {
		if parameters["op"] != "to" {
			continue
		}
		topic := parameters["topic"].(string)
		if topics[topic] {
			return true
		}
		topics[topic] = true
	}
	return false
}

// shardable: nothing depends on the stream time of a task, which records of other keys move.
func shardable(c *traceCase) bool {
	if c.generated && c.count("map", "flatMap", "selectKey", "groupBy", "table.groupBy", "fkJoin") > 1 {
		return false // rows of one key may come from several tasks
	}
	return c.Expect.Error == nil && c.Config.Cache == 0 &&
		!c.hasParameter("windows", "emit", "grace", "versioned", "proc", "extractor") &&
		!c.has("ssJoin", "suppress", "process", "processValues")
}
