package qtt

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

// A caseRun is one case on its driver.
type caseRun struct {
	c        *testCase
	driver   Driver
	registry *Registry
	codecs   *topicCodecs
	inputs   []Record            // the case's, as bytes
	logs     map[string][]Record // by topic: inputs and outputs, in the order of their writing
}

// A failure is how an engine refused a statement or a record.
type failure struct {
	*StatementError
	piping bool // of a record, not of a statement
}

// open opens a driver for a case.
type open func(*Registry) (Driver, error)

// runCase runs a case and judges it. A panic of the engine is a failed case.
func runCase(c *testCase, open open) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{err: fmt.Errorf("panic: %v\n%s", p, firstFrames(debug.Stack()))}
		}
	}()
	if reason := c.skipReason(); reason != "" {
		return verdict{skipped: reason}
	}
	registry := NewRegistry()
	driver, err := open(registry)
	if err != nil {
		return verdict{err: err}
	}
	r := &caseRun{c: c, driver: driver, registry: registry, codecs: newTopicCodecs(c, registry, driver.Sources), logs: map[string][]Record{}}
	v = r.judge()
	if v.err != nil && os.Getenv("QTT") != "" {
		v.detail = r.detail()
	}
	if err := driver.Close(); err != nil && v.passed {
		return verdict{err: fmt.Errorf("close: %w", err)}
	}
	return v
}

// judge runs the case and compares.
func (r *caseRun) judge() verdict {
	if err := r.prepare(); err != nil {
		return verdict{err: fmt.Errorf("topics: %w", err)}
	}
	refused, err := r.execute()
	if err != nil {
		return verdict{err: err}
	}
	if r.c.Fails != nil {
		return r.c.judgeFailure(refused)
	}
	if refused != nil {
		return verdict{err: refused.describe(r.c)}
	}
	err = errors.Join(r.compareOutputs(), r.comparePost())
	return verdict{passed: err == nil, err: err}
}

// prepare makes the topics and schemas that are there before the statements run.
func (r *caseRun) prepare() error {
	topics := r.c.allTopics()
	slices.SortStableFunc(topics, func(a, b topicNode) int { return hashPlace(a.Name) - hashPlace(b.Name) })
	for _, t := range topics {
		if err := r.driver.CreateTopic(t.Name, t.Partitions, t.Replicas); err != nil {
			return err
		}
		r.registry.Reserve(r.c.derivedSchemas(t.Name))
		if err := registerSchemas(t, r.registry); err != nil {
			return fmt.Errorf("schema of topic %s: %w", t.Name, err)
		}
	}
	return nil
}

// execute runs statements and records. It returns the engine's refusal, or the error of a case that cannot be run.
func (r *caseRun) execute() (*failure, error) {
	if err := r.driver.Exec(r.c.script(), r.c.settings()); err != nil {
		var s *StatementError
		if !errors.As(err, &s) {
			return nil, fmt.Errorf("statements: %w", err)
		}
		return &failure{StatementError: s}, nil
	}
	r.drain()
	for i, n := range r.c.Inputs {
		record, err := r.codecs.encode(n)
		if err != nil {
			return nil, fmt.Errorf("input %d to %s cannot be written: %w", i+1, n.Topic, err)
		}
		r.inputs = append(r.inputs, record)
		r.logs[n.Topic] = append(r.logs[n.Topic], record)
	}
	for _, q := range r.driver.Queries() {
		if err := r.runQuery(q); err != nil {
			return &failure{piping: true, StatementError: &StatementError{Phase: PhaseRun, Statement: -1, Err: fmt.Errorf("query %s: %w", q.ID, err)}}, nil
		}
	}
	return nil, nil
}

// runQuery gives a query its records: the case's inputs in their order, then what earlier queries and INSERT VALUES left in the topics
// without inputs.
func (r *caseRun) runQuery(q Query) error {
	filled := map[string]bool{}
	for i, n := range r.c.Inputs {
		filled[n.Topic] = true
		if !slices.Contains(q.Sources, n.Topic) {
			continue
		}
		if err := r.pipe(q, n.Topic, r.inputs[i]); err != nil {
			return err
		}
	}
	for _, topic := range q.Sources {
		if filled[topic] {
			continue
		}
		for _, record := range slices.Clone(r.logs[topic]) {
			if err := r.pipe(q, topic, record); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *caseRun) pipe(q Query, topic string, record Record) error {
	if err := r.driver.Pipe(q.ID, topic, record); err != nil {
		return err
	}
	r.drain()
	return nil
}

// drain moves what was written to the topics into their logs.
func (r *caseRun) drain() {
	for _, t := range r.driver.Topics() {
		if records := r.driver.Drain(t.Name); len(records) > 0 {
			r.logs[t.Name] = append(r.logs[t.Name], records...)
		}
	}
}

// compareOutputs compares the topics that the case has outputs for.
func (r *caseRun) compareOutputs() error {
	var topics []string
	want := map[string][]recordNode{}
	for _, n := range r.c.Outputs {
		if want[n.Topic] == nil {
			topics = append(topics, n.Topic)
		}
		want[n.Topic] = append(want[n.Topic], n)
	}
	var differ []error
	for _, topic := range topics {
		if err := r.compareTopic(topic, want[topic]); err != nil {
			differ = append(differ, fmt.Errorf("topic %s: %w", topic, err))
		}
	}
	return errors.Join(differ...)
}

func (r *caseRun) compareTopic(topic string, want []recordNode) error {
	c, err := r.codecs.of(topic)
	if err != nil {
		return err
	}
	var got []decodedRecord
	for i, record := range r.logs[topic] {
		d, err := c.decode(record)
		if err != nil {
			return fmt.Errorf("record %d cannot be read: %w", i+1, err)
		}
		got = append(got, d)
	}
	if len(got) != len(want) {
		return fmt.Errorf("want %d records, got %d", len(want), len(got))
	}
	for i := range want {
		if err := r.c.compareRecord(want[i], got[i]); err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	return nil
}

// firstFrames keeps the frames below the panic, which tell where it happened.
func firstFrames(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			lines = lines[min(i+2, len(lines)):]
			break
		}
	}
	return strings.Join(lines[:min(len(lines), 12)], "\n")
}
