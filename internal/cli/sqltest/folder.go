package sqltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/record"
)

// A folder is a test of three files.
type folder struct {
	dir        string
	statements string
	byQuery    bool
}

// An entry is a record as input.json and output.json have it.
type entry struct {
	Topic     string          `json:"topic"`
	Key       json.RawMessage `json:"key"`
	Value     json.RawMessage `json:"value"`
	Timestamp *int64          `json:"timestamp"` // ms
	Window    *window         `json:"window"`
	Headers   *[]header       `json:"headers"`
}

type window struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Type  string `json:"type"` // time or session
}

type header struct {
	Key   string `json:"KEY"`
	Value []byte `json:"VALUE"` // base64; null stays null
}

func (f folder) run(ctx context.Context, w *world, into *report) error {
	w.held = f.byQuery
	if err := w.script(ctx, f.statements, place{dir: f.dir}); err != nil {
		return fmt.Errorf("%s: %w", statementsFile, err)
	}
	inputs, err := entries(filepath.Join(f.dir, inputFile), "inputs")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	wanted, err := entries(filepath.Join(f.dir, outputFile), "outputs")
	if err != nil {
		return err
	}
	records := make([]record.Record, len(inputs))
	for i, in := range inputs {
		if records[i], err = w.input(in); err != nil {
			return fmt.Errorf("%s, record %d: %w", inputFile, i+1, err)
		}
	}
	if err := w.feed(records, f.byQuery); err != nil {
		return err
	}
	into.Differences, err = w.compare(wanted)
	if err != nil {
		return fmt.Errorf("%s, %w", outputFile, err)
	}
	return nil
}

// entries reads the records of a file.
func entries(path, name string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file[name] == nil {
		return nil, fmt.Errorf("%s: it has no %q", path, name)
	}
	var out []entry
	if err := strict(file[name], &out); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, name, err)
	}
	return out, nil
}

// strict decodes JSON and refuses members that nobody knows: they are misspelt.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// input turns an entry into the record that is given to queries.
func (w *world) input(e entry) (record.Record, error) {
	var r record.Record
	r.Topic = e.Topic
	of := w.source(e.Topic)
	if of == nil {
		return r, fmt.Errorf("no stream or table is on topic %q; there are %s", e.Topic, w.topics())
	}
	c, err := w.codec(of)
	if err != nil {
		return r, err
	}
	if e.Timestamp != nil {
		r.Timestamp = record.Timestamp(*e.Timestamp)
	}
	if r.Key, err = c.key.encode(e.Key); err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	if r.Key, err = withWindow(of, r.Key, e.Window); err != nil {
		return r, err
	}
	if r.Value, err = c.value.encode(e.Value); err != nil {
		return r, fmt.Errorf("value: %w", err)
	}
	if e.Headers != nil {
		for _, h := range *e.Headers {
			r.Headers = append(r.Headers, record.Header{Key: h.Key, Value: h.Value})
		}
	}
	return r, nil
}

// feed gives the input to the queries: each record to all of them, or all records to one query after the other, and then what queries in
// front of it wrote to topics without input.
func (w *world) feed(records []record.Record, byQuery bool) error {
	if !byQuery {
		for _, r := range records {
			if err := w.come(r, 0); err != nil {
				return err
			}
		}
		return nil
	}
	given := slices.Clone(records)
	hasInput := func(topic string) bool {
		return slices.ContainsFunc(records, func(r record.Record) bool { return r.Topic == topic })
	}
	take := func(topic string) {
		if written := w.drained(topic); !hasInput(topic) {
			given = append(given, written...)
		}
	}
	for _, topic := range w.trial.Made() {
		take(topic.Name)
	}
	for _, q := range w.trial.Queries() {
		for _, r := range given {
			if !reads(q, r.Topic) {
				continue
			}
			if err := w.trial.Pipe(q.ID, r.Topic, r); err != nil {
				return ended(q, r, err)
			}
			take(q.Plan.Sink.Topic)
		}
	}
	return nil
}

// drained takes up what was written to a topic.
func (w *world) drained(topic string) []record.Record {
	out := w.trial.Drain(topic)
	for i := range out {
		out[i].Topic = topic
	}
	w.written[topic] = append(w.written[topic], out...)
	return out
}

// compare returns how what was written differs from what is wanted, topic by topic. Topics without a wanted record are not looked at.
func (w *world) compare(wanted []entry) ([]difference, error) {
	var order []string
	byTopic := map[string][]expected{}
	for i, e := range wanted {
		of := w.source(e.Topic)
		if of == nil {
			return nil, fmt.Errorf("record %d: no stream or table is on topic %q; there are %s", i+1, e.Topic, w.topics())
		}
		want, err := w.expect(of, e)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		if byTopic[e.Topic] == nil {
			order = append(order, e.Topic)
		}
		byTopic[e.Topic] = append(byTopic[e.Topic], want)
	}
	var all []difference
	for _, topic := range order {
		found, err := w.compareTopic(w.source(topic), byTopic[topic])
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (w *world) compareTopic(of *catalog.Source, wanted []expected) ([]difference, error) {
	c, err := w.codec(of)
	if err != nil {
		return nil, err
	}
	var all []difference
	got := w.written[of.Topic]
	for i := range max(len(wanted), len(got)) {
		d := difference{Topic: of.Topic, Position: i + 1}
		switch {
		case i >= len(got):
			d.Expected = c.show(wanted[i])
		case i >= len(wanted):
			actual, err := c.read(got[i])
			if err != nil {
				return nil, fmt.Errorf("topic %s, record %d: %w", of.Topic, i+1, err)
			}
			d.Got = c.show(actual)
		default:
			actual, err := c.read(got[i])
			if err != nil {
				return nil, fmt.Errorf("topic %s, record %d: %w", of.Topic, i+1, err)
			}
			if d.Fields = c.differ(wanted[i], actual); len(d.Fields) == 0 {
				continue
			}
			d.Expected, d.Got = c.show(wanted[i]), c.show(actual)
		}
		all = append(all, d)
	}
	return all, nil
}
