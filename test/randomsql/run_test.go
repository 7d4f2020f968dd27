package randomsql

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/streamtest"
)

// A mode is a way to run a case.
type mode struct {
	name       string
	partitions int32
	workers    int  // who share the tasks; 0: one does everything
	spilled    bool // rows leave memory, and there are checkpoints
	restarts   bool // at random records, between epochs and in the middle of them; with workers their number changes
}

// modes are those of a case: as it is, and with restarts, re-sharded where the results may not depend on partitions.
func (c *testCase) modes() []mode {
	r := rand.New(rand.NewPCG(c.seed, 11))
	again := mode{name: "restarts", partitions: 1, restarts: true, spilled: r.IntN(8) == 0}
	if !c.ordered && r.IntN(8) > 0 {
		again.name, again.partitions, again.workers = "shared, restarts", pickOne(r, int32(2), 4), pickOne(r, 0, 0, 2, 3)
	}
	return []mode{{name: "one partition", partitions: 1}, again}
}

func (m mode) options() []streamtest.Option {
	out := []streamtest.Option{streamtest.Partitions(m.partitions)}
	if m.spilled {
		out = append(out, streamtest.Spilled())
	}
	if m.workers > 0 {
		out = append(out, streamtest.Workers(m.workers))
	}
	return out
}

var library = builtin.New(builtin.Options{Clock: clock.NewManual(time.UnixMilli(0))})

// A run is a case that is being run in a mode.
type run struct {
	c       *testCase
	trial   *trial.Trial
	schemas *registry.Memory
	results map[string]*result // by query, as the case calls it
	ids     map[string]string  // of the case's queries by the engine's ids
	codecs  map[string]format.Codec
}

// run runs a case. The error is one that the engine may not give: what is generated is right.
func (c *testCase) run(m mode) (map[string]*result, error) {
	r := &run{c: c, schemas: registry.NewMemory(), results: map[string]*result{}, ids: map[string]string{}, codecs: map[string]format.Codec{}}
	var wrong error
	r.trial = trial.New(trial.Options{
		Functions: library, Schemas: r.schemas, Driver: m.options(),
		Failed: func(query, step string, err error) { wrong = fmt.Errorf("%s, %s: %w", query, step, err) },
	})
	if _, err := r.trial.Exec(context.Background(), c.script(), nil); err != nil {
		return nil, err
	}
	for i, q := range r.trial.Queries() {
		r.ids[q.ID] = c.queries[i].name
		r.results[c.queries[i].name] = newResult(c.queries[i], q.Plan.Sink)
		if err := c.checkSchema(c.queries[i], q.Plan.Sink); err != nil {
			return nil, err
		}
	}
	records := make([]record.Record, len(c.inputs))
	for i, in := range c.inputs {
		var err error
		if records[i], err = r.record(in); err != nil {
			return nil, err
		}
	}
	rnd := rand.New(rand.NewPCG(c.seed, 13))
	cut := rnd.IntN(max(len(records)-1, 1)) // one epoch in flight is cut in every case
	for i, rec := range records {
		if err := r.pipe(rec); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		if m.restarts && (i == cut || rnd.IntN(max(len(records)/3, 2)) == 0) {
			if err := r.restart(m, rnd, i == cut, records[i+1:]); err != nil {
				return nil, fmt.Errorf("restart behind record %d: %w", i, err)
			}
		}
	}
	return r.results, wrong
}

// restart has all queries start again: between two epochs, or in the middle of one that takes some of the records to come, or while they
// take the next ones.
func (r *run) restart(m mode, rnd *rand.Rand, cut bool, next []record.Record) error {
	kind := rnd.IntN(3)
	if cut {
		kind = 1 + kind%2
	}
	for _, q := range r.trial.Queries() {
		if m.workers > 0 && rnd.IntN(2) == 0 {
			if err := r.trial.Rebalance(q.ID, 1+rnd.IntN(m.workers+1)); err != nil {
				return err
			}
		}
		var err error
		switch kind {
		case 0:
			err = r.trial.Restart(q.ID)
		case 1:
			err = r.trial.CrashAfter(q.ID, 1+rnd.IntN(2))
		default:
			err = r.trial.Crash(q.ID, r.readBy(q, next[:min(len(next), 1+rnd.IntN(8))]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readBy are the records of topics that a query reads.
func (r *run) readBy(q *session.Query, records []record.Record) []record.Record {
	return slices.DeleteFunc(slices.Clone(records), func(rec record.Record) bool { return !reads(q, rec.Topic) })
}

func reads(q *session.Query, topic string) bool {
	return slices.ContainsFunc(q.Plan.Sources, func(s *catalog.Source) bool { return s.Topic == topic })
}

// checkSchema tells where the engine's types are others than the generator's.
func (c *testCase) checkSchema(q *query, sink *catalog.Source) error {
	have := slices.Concat(sink.Key, sink.Value)
	for i, col := range q.list() {
		if i >= len(have) || !have[i].Type.Equal(col.typ) {
			return fmt.Errorf("%s: column %s should be %s: %s", q.name, col.name, col.typ, have)
		}
	}
	return nil
}

// record writes an input as a record.
func (r *run) record(in input) (record.Record, error) {
	s := r.c.relation(in.source).(*source)
	known := r.trial.Catalog().Source(upper(s.name))
	rec := record.Record{Timestamp: record.Timestamp(in.ts)}
	rec.Topic = known.Topic
	n := s.keys()
	if key := row.NewRow(in.values[:n]...); n > 0 && !(n == 1 && in.values[0].IsNull()) {
		keys, err := r.codec(known, true)
		if err != nil {
			return rec, err
		}
		if rec.Key, err = keys.Append([]byte{}, key); err != nil {
			return rec, err
		}
	}
	if in.delete {
		return rec, nil
	}
	values, err := r.codec(known, false)
	if err != nil {
		return rec, err
	}
	rec.Value, err = values.Append([]byte{}, row.NewRow(in.values[n:]...))
	return rec, err
}

// codec is that of a source's keys or values.
func (r *run) codec(s *catalog.Source, key bool) (format.Codec, error) {
	name := fmt.Sprint(s.Name, key)
	if c := r.codecs[name]; c != nil {
		return c, nil
	}
	as, schema := s.ValueFormat, s.Value
	if key {
		as, schema = s.KeyFormat, s.Key
	}
	c, err := format.New(format.Side{Spec: as.Spec, Schema: schema, Key: key, Unwrapped: as.Unwrapped, Topic: s.Topic, Schemas: r.schemas})
	r.codecs[name] = c
	return c, err
}

// pipe gives a record to the queries that read its topic, in the order in which they were made, and what they write to those behind them.
func (r *run) pipe(rec record.Record) error {
	for _, q := range r.trial.Queries() {
		if !reads(q, rec.Topic) {
			continue
		}
		if err := r.trial.Pipe(q.ID, rec.Topic, rec); err != nil {
			return fmt.Errorf("%s: %w", q.ID, err)
		}
		for _, w := range r.trial.Drain(q.Plan.Sink.Topic) {
			w.Topic = q.Plan.Sink.Topic
			if err := r.collect(q, w); err != nil {
				return fmt.Errorf("result of %s: %w", q.ID, err)
			}
			if err := r.pipe(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect reads a record of a query's result.
func (r *run) collect(q *session.Query, rec record.Record) error {
	sink := q.Plan.Sink
	var window []int64
	keyBytes := rec.Key
	if sink.Window.Windowed() {
		tail := 8
		if sink.Window.SizeMs == 0 {
			tail = 16
		}
		end := keyBytes[len(keyBytes)-tail:]
		keyBytes = keyBytes[:len(keyBytes)-tail]
		start := int64(binary.BigEndian.Uint64(end[tail-8:]))
		window = []int64{start, start + sink.Window.SizeMs}
		if tail == 16 {
			window[1] = int64(binary.BigEndian.Uint64(end))
		}
	}
	keys, err := r.codec(sink, true)
	if err != nil {
		return err
	}
	values, err := r.codec(sink, false)
	if err != nil {
		return err
	}
	key, err := keys.Decode(keyBytes)
	if err != nil {
		return err
	}
	value, err := values.Decode(rec.Value)
	if err != nil {
		return err
	}
	r.results[r.ids[q.ID]].add(key, value, window, int64(rec.Timestamp))
	return nil
}
