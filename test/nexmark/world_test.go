package nexmark_test

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/streamtest"
)

// A world runs statements in memory: what one query writes others read.
type world struct {
	*trial.Trial
	log  map[string][]record.Record
	seen map[string]map[string]int // how many records of a topic a query got
}

// newWorld executes statements. A row that is left out or an expression that fails fails the test.
func newWorld(t *testing.T, statements string, options ...streamtest.Option) *world {
	t.Helper()
	w := &world{log: map[string][]record.Record{}, seen: map[string]map[string]int{}}
	w.Trial = trial.New(trial.Options{
		Functions: builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))}),
		Failed:    func(query, step string, err error) { t.Errorf("%s, %s: %v", query, step, err) },
		Driver:    append([]streamtest.Option{streamtest.Batch(1 << 30)}, options...),
	})
	if _, err := w.Exec(context.Background(), statements, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// publish appends records to topics.
func (w *world) publish(records ...record.Record) {
	for _, r := range records {
		w.log[r.Topic] = append(w.log[r.Topic], r)
	}
}

// settle runs the queries, in the order in which they were made, until each has read all. What they read is then forgotten.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for _, q := range w.Queries() {
		if w.seen[q.ID] == nil {
			w.seen[q.ID] = map[string]int{}
		}
		var fresh []record.Record
		for _, s := range q.Plan.Sources {
			fresh = append(fresh, w.log[s.Topic][w.seen[q.ID][s.Topic]:]...)
			w.seen[q.ID][s.Topic] = len(w.log[s.Topic])
		}
		if err := w.PipeAll(q.ID, fresh); err != nil {
			t.Fatalf("%s: %v", q.ID, err)
		}
		topic := q.Plan.Sink.Topic
		for _, r := range w.Drain(topic) {
			r.Topic = topic
			w.publish(r)
		}
	}
	for _, seen := range w.seen {
		for topic := range seen { // every query has it: only topics that nobody reads are looked at later
			w.log[topic], seen[topic] = nil, 0
		}
	}
}

// crash throws the tasks of all queries away.
func (w *world) crash(t *testing.T) {
	t.Helper()
	for _, q := range w.Queries() {
		if err := w.Restart(q.ID); err != nil {
			t.Fatalf("%s: %v", q.ID, err)
		}
	}
}

// result is what a stream or table holds now.
func (w *world) result(t *testing.T, name string) answer {
	t.Helper()
	s := w.Catalog().Source(name)
	if s == nil {
		t.Fatalf("there is no %s", name)
	}
	return answerOf(t, s, w.log[s.Topic])
}

// An answer is a relation: rows of texts, sorted.
type answer [][]string

// answerOf reads the values of a topic. Columns that are the key are not among them.
func answerOf(t *testing.T, s *catalog.Source, records []record.Record) answer {
	t.Helper()
	var out answer
	for _, v := range values(s, records) {
		out = append(out, rowsOf(t, s.Value, v)...)
	}
	return out.sorted()
}

// values are all values of a stream, the last of each key of a table.
func values(s *catalog.Source, records []record.Record) []json.RawMessage {
	var out []json.RawMessage
	last, order := map[string]json.RawMessage{}, []string{}
	for _, r := range records {
		if !s.Table {
			out = append(out, r.Value)
			continue
		}
		if _, known := last[string(r.Key)]; !known {
			order = append(order, string(r.Key))
		}
		last[string(r.Key)] = r.Value
	}
	for _, key := range order {
		if last[key] != nil {
			out = append(out, last[key])
		}
	}
	return out
}

func (a answer) sorted() answer {
	slices.SortFunc(a, func(x, y []string) int { return slices.Compare(x, y) })
	return a
}

// rowsOf is a JSON value as a row; where it ends with an array of structs it has a row for each of these, with its place.
func rowsOf(t *testing.T, schema row.Schema, value []byte) answer {
	t.Helper()
	fields := members(t, value)
	var cells []string
	for _, c := range schema {
		if c.Type.Kind != row.KindArray {
			cells = append(cells, cell(t, c.Type, fields[c.Name]))
			continue
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(fields[c.Name], &elements); err != nil {
			t.Fatal(err)
		}
		var out answer
		for i, e := range elements {
			inner := members(t, e)
			with := slices.Clone(cells)
			for _, f := range c.Type.Elem.Fields {
				with = append(with, cell(t, f.Type, inner[f.Name]))
			}
			out = append(out, append(with, strconv.Itoa(i+1)))
		}
		return out
	}
	return answer{cells}
}

func members(t *testing.T, value []byte) map[string]json.RawMessage {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return fields
}

// cell is a JSON value as text.
func cell(t *testing.T, typ *row.Type, value json.RawMessage) string {
	t.Helper()
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0:
		t.Fatalf("a %s is missing", typ)
	case string(value) == "null":
		return "NULL"
	case typ.Kind == row.KindTimestamp:
		ms, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.999")
	case value[0] == '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	return number(string(value))
}

var fraction = regexp.MustCompile(`^-?\d+\.\d+(E-?\d+)?$|^-?\d+(\.\d+)?E-?\d+$`)

// number gives one number one text, whatever its scale, with 12 digits.
func number(text string) string {
	if !fraction.MatchString(text) {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'g', 12, 64), ".0")
}
