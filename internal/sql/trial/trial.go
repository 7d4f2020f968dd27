// Package trial runs SQL in memory, with no time but that of the records: for tests of the engine and of users' statements.
//
// Callers: the suites under test, and `mainstem test`. It calls session and, for each query, streamtest: the very tasks that run in
// production.
//
// Owner and locks: a Trial belongs to one goroutine.
//
// Queries run one after the other: Pipe gives a record to one query and runs it to the end. What queries and INSERT VALUES write lies in
// topics until it is drained.
//
// Not here: brokers, wall-clock time, pull and push queries.
package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// Options of New.
type Options struct {
	Functions *function.Library
	Schemas   format.Schemas
	Settings  map[string]string
	// Connectors run connectors; nil: there are none.
	Connectors session.Connectors
	// Failed is told of expressions that became null and of records that were left out. Default: nobody.
	Failed func(query, step string, err error)
	// Driver adjusts what runs the queries: partitions, batches, and how restarts find the state.
	Driver []streamtest.Option
}

// A Trial is a session with its topics and queries.
type Trial struct {
	*session.Session
	o       Options
	topics  map[string]*topic
	order   []string
	queries map[string]*query
}

type topic struct {
	session.Topic
	written []record.Record
}

// A query is one that runs.
type query struct {
	*streamtest.Driver
	topology *stream.Topology
	outputs  map[string]*streamtest.Output[[]byte, []byte]
}

// New returns an empty trial.
func New(o Options) *Trial {
	if o.Failed == nil {
		o.Failed = func(string, string, error) {}
	}
	t := &Trial{o: o, topics: map[string]*topic{}, queries: map[string]*query{}}
	t.Session = session.New(session.Options{Host: t, Functions: o.Functions, Schemas: o.Schemas, Settings: o.Settings, Connectors: o.Connectors})
	return t
}

// Partitions implements session.Host.
func (t *Trial) Partitions(_ context.Context, name string) (int32, error) {
	if known := t.topics[name]; known != nil {
		return known.Topic.Partitions, nil
	}
	return 0, nil
}

// CreateTopic implements session.Host.
func (t *Trial) CreateTopic(_ context.Context, spec session.Topic) error {
	if t.topics[spec.Name] != nil {
		return fmt.Errorf("topic %s exists", spec.Name)
	}
	spec.Partitions, spec.Replicas = max(spec.Partitions, 1), max(spec.Replicas, 1)
	t.topics[spec.Name] = &topic{Topic: spec}
	t.order = append(t.order, spec.Name)
	return nil
}

// DeleteTopic implements session.Host.
func (t *Trial) DeleteTopic(_ context.Context, name string) error {
	delete(t.topics, name)
	t.order = slices.DeleteFunc(t.order, func(n string) bool { return n == name })
	return nil
}

// Topics implements session.Host.
func (t *Trial) Topics(context.Context) ([]session.TopicInfo, error) {
	var out []session.TopicInfo
	for _, name := range t.order {
		of := t.topics[name]
		out = append(out, session.TopicInfo{Name: name, Partitions: of.Topic.Partitions, Replicas: int32(of.Replicas), Records: int64(len(of.written))})
	}
	slices.SortFunc(out, func(a, b session.TopicInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Pause implements session.Host. Nothing runs by itself here, so it only shows.
func (t *Trial) Pause(context.Context, *session.Query, bool) error { return nil }

// Status implements session.Host.
func (t *Trial) Status(q *session.Query) session.Status {
	if q.Paused {
		return session.Status{State: session.Paused}
	}
	return session.Status{State: session.Running}
}

// Made returns all topics in the order in which they were made.
func (t *Trial) Made() []session.Topic {
	var out []session.Topic
	for _, name := range t.order {
		out = append(out, t.topics[name].Topic)
	}
	return out
}

// Topology implements session.Host.
func (t *Trial) Topology(q *session.Query) (*topology.Topology, error) {
	return lower.Build(q.Plan, lower.Env{
		Name: q.ID, Schemas: t.o.Schemas, StrictTimes: q.Settings[session.SettingStrictTimes] == "true", Failed: func(step string, err error) { t.o.Failed(q.ID, step, err) },
	})
}

// Start implements session.Host.
func (t *Trial) Start(_ context.Context, q *session.Query) error {
	topology, err := t.Topology(q)
	if err != nil {
		return err
	}
	d, err := streamtest.Open(topology, append(slices.Clone(t.o.Driver), streamtest.OnFailure(t.decide(q.ID)))...)
	if err != nil {
		return err
	}
	t.queries[q.ID] = &query{d, topology, map[string]*streamtest.Output[[]byte, []byte]{}}
	return nil
}

// decide leaves out what cannot be decoded; any other failure ends the query.
func (t *Trial) decide(id string) failure.Handler {
	return func(r failure.Record) failure.Decision {
		if r.Phase != failure.Decode {
			return failure.Stop
		}
		t.o.Failed(id, r.Step, errors.New(r.Reason))
		return failure.Continue
	}
}

// Stop implements session.Host.
func (t *Trial) Stop(_ context.Context, q *session.Query) error {
	delete(t.queries, q.ID)
	return nil
}

// Produce implements session.Host.
func (t *Trial) Produce(_ context.Context, name string, r session.Record) error {
	at := max(r.Timestamp, 0)
	t.topic(name).written = append(t.topic(name).written, record.Record{Key: r.Key, Value: r.Value, Timestamp: at})
	return nil
}

func (t *Trial) topic(name string) *topic {
	if t.topics[name] == nil {
		t.topics[name] = &topic{Topic: session.Topic{Name: name, Partitions: 1, Replicas: 1}}
		t.order = append(t.order, name)
	}
	return t.topics[name]
}

// Pipe gives a record of a topic to a query and runs it to the end. An error ended the query.
func (t *Trial) Pipe(id, topic string, r record.Record) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	r.Topic = topic
	if err := q.TryPipe(r); err != nil {
		return err
	}
	return t.collect(q)
}

// PipeAll gives records of any topics to a query, which then runs to the end: with streamtest.Batch it takes many at a time.
func (t *Trial) PipeAll(id string, records []record.Record) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	for _, r := range records {
		if err := q.TryPipe(r); err != nil {
			return err
		}
	}
	if err := q.TryCommit(); err != nil { // what waits for its batch
		return err
	}
	return t.collect(q)
}

// Restart throws the tasks of a query away and starts them again from what they committed, as after a crash.
func (t *Trial) Restart(id string) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	return q.TryRestart()
}

// Crash is Restart in the middle of an epoch that took records which come later: it leaves nothing behind. See streamtest.Driver.Crash.
func (t *Trial) Crash(id string, ahead []record.Record) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	return q.TryCrash(ahead...)
}

// CrashAfter has a query crash in the middle of an epoch to come, which it computes again. See streamtest.Driver.CrashAfter.
func (t *Trial) CrashAfter(id string, records int) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	q.CrashAfter(records)
	return nil
}

// collect takes what a query has written.
func (t *Trial) collect(q *query) error {
	for _, sink := range q.topology.SinkTopics() {
		out := q.outputs[sink]
		if out == nil {
			out = streamtest.NewOutput(q.Driver, sink, serde.Bytes, serde.Bytes)
			q.outputs[sink] = out
		}
		for _, w := range out.ReadAll() {
			t.topic(sink).written = append(t.topic(sink).written, record.Record{
				Key: w.Key, Value: w.Value, Timestamp: w.Timestamp, Headers: w.Headers,
			})
		}
	}
	return nil
}

// Rebalance has n workers share a query from now on; see streamtest.Workers. An error ended the query.
func (t *Trial) Rebalance(id string, n int) error {
	q := t.queries[id]
	if q == nil {
		return fmt.Errorf("there is no query %s", id)
	}
	return q.TryRebalance(n)
}

// Drain returns what was written to a topic since the last call.
func (t *Trial) Drain(name string) []record.Record {
	known := t.topics[name]
	if known == nil {
		return nil
	}
	written := known.written
	known.written = nil
	return written
}

// TopologyOf returns that of a running query, nil if there is none of the id.
func (t *Trial) TopologyOf(id string) *stream.Topology {
	if q := t.queries[id]; q != nil {
		return q.topology
	}
	return nil
}

// Internal returns the names of the repartition topics that a query would have.
func (t *Trial) Internal(id string) []string {
	q := t.queries[id]
	if q == nil {
		return nil
	}
	var names []string
	for i := range q.topology.Nodes {
		if n := &q.topology.Nodes[i]; n.Kind == topology.Repartition {
			names = append(names, topology.RepartitionTopic(id, n.Name))
		}
	}
	return names
}
