// Package host runs SQL on a broker: its topics are the broker's, its queries run until they are terminated, and the statements that made
// them survive a restart.
//
// Callers: the node. It calls session for the statements, lower for the queries' topologies, and what the node gives it: a client.Door and a
// way to run a topology.
//
// Owner and locks: Exec executes one script at a time; the rest waits. Queries run in goroutines of the node.
//
// A statement that took effect is appended to the catalog topic before it is acknowledged (docs/format/sql.md). At the start the topic is
// executed again, without its effects on topics, and the queries that are left go on from their committed positions: what was computed is
// neither computed again nor left out. A statement whose effect was not yet appended was never acknowledged; given again it goes on with
// what is there.
//
// Not here: the HTTP surface, pull and push queries.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/lower"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// CatalogTopic holds the statements.
const CatalogTopic = "_mainstem_sql"

// appPrefix begins the application names of queries, and so the names of their groups and internal topics.
const appPrefix = "_mainstem_sql_query_"

// App is the application name of a query.
func App(id string) string { return appPrefix + id }

// Options of Open.
type Options struct {
	Door      client.Door
	Functions *function.Library
	Schemas   format.Schemas // nil: there is no schema registry
	Settings  map[string]string
	// Run starts a topology as an application; stop ends it and waits.
	Run func(t *stream.Topology, h failure.Handler) (stop func() error, err error)
	// Now is the time of records that say none.
	Now func() record.Timestamp
	// Failed is told of expressions that became null and of records that were left out.
	Failed func(query, step string, err error)
}

// A Host is SQL on one broker.
type Host struct {
	o  Options
	mu struct {
		sync.Mutex
		session  *session.Session
		producer client.Producer
		running  map[string]func() error // ends queries, by id
		replay   bool                    // statements of the catalog are executed again
	}
}

// Open executes the statements of the catalog and resumes their queries. It ends with an error if one of them cannot be executed any more.
func Open(ctx context.Context, o Options) (*Host, error) {
	if o.Failed == nil {
		o.Failed = func(string, string, error) {}
	}
	h := &Host{o: o}
	h.mu.running = map[string]func() error{}
	h.mu.session = session.New(session.Options{Host: h, Functions: o.Functions, Schemas: o.Schemas, Settings: o.Settings})
	spec := client.TopicSpec{Name: CatalogTopic, Partitions: 1, Configs: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}}
	if _, err := o.Door.EnsureTopics(ctx, spec); err != nil {
		return nil, fmt.Errorf("open SQL: catalog topic: %w", err)
	}
	producer, err := o.Door.OpenProducer(ctx, CatalogTopic)
	if err != nil {
		return nil, fmt.Errorf("open SQL: catalog topic: %w", err)
	}
	h.mu.producer = producer
	if err := h.resume(ctx); err != nil {
		producer.Close()
		return nil, fmt.Errorf("open SQL: %w", err)
	}
	return h, nil
}

// A logged statement, as the catalog topic has it.
type logged struct {
	Statement string            `json:"statement"`
	Settings  map[string]string `json:"settings,omitempty"`
}

// resume executes what the catalog topic holds.
func (h *Host) resume(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.replay = true
	defer func() { h.mu.replay = false }()
	err := h.readCatalog(ctx, func(at record.Offset, l logged) error {
		if _, err := h.mu.session.Exec(ctx, l.Statement, l.Settings); err != nil {
			return fmt.Errorf("statement at offset %d of %s: %w", at, CatalogTopic, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, q := range h.mu.session.Queries() {
		if err := h.runLocked(q); err != nil {
			return fmt.Errorf("query %s: %w", q.ID, err)
		}
	}
	return nil
}

// readCatalog calls f for each statement of the catalog topic.
func (h *Host) readCatalog(ctx context.Context, f func(record.Offset, logged) error) error {
	tp := record.TopicPartition{Topic: CatalogTopic}
	starts, err := h.o.Door.Starts(ctx, tp)
	if err != nil {
		return err
	}
	ends, err := h.o.Door.Ends(ctx, tp)
	if err != nil || starts[tp] >= ends[tp] {
		return err
	}
	reader, err := h.o.Door.OpenReader(ctx, map[record.TopicPartition]record.Offset{tp: starts[tp]})
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := starts[tp]; next < ends[tp]; {
		chunks, err := reader.Poll(ctx, 1<<20)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			for i, value := range c.Values {
				var l logged
				if err := json.Unmarshal(value, &l); err != nil {
					return fmt.Errorf("record at offset %d of %s: %w", c.Offsets[i], CatalogTopic, err)
				}
				if err := f(c.Offsets[i], l); err != nil {
					return err
				}
			}
			next = c.Next
		}
	}
	return nil
}

// ErrClosed: the host was closed.
var ErrClosed = errors.New("SQL is closed")

// Exec executes a script. Each statement is durable when it is among the results; an error, a *session.StatementError, ends the script.
func (h *Host) Exec(ctx context.Context, script string, settings map[string]string) ([]session.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.producer == nil {
		return nil, ErrClosed
	}
	var results []session.Result
	for i, part := range parse.Split(script) {
		done, err := h.mu.session.Exec(ctx, part.Text, settings)
		if err == nil && lasting(part.Text) {
			err = h.logLocked(ctx, logged{part.Text, repeated(settings, done)})
		}
		results = append(results, done...)
		if err != nil {
			var s *session.StatementError
			if errors.As(err, &s) {
				s.Index = i
				if s.At.Line > 0 {
					s.Offset += part.Span.Start
					s.At = parse.PositionOf(script, s.Offset)
				}
				return results, s
			}
			return results, &session.StatementError{Phase: session.Run, Index: i, Statement: part.Text, Err: err}
		}
	}
	return results, nil
}

// repeated are the settings with which a statement means the same again.
func repeated(settings map[string]string, done []session.Result) map[string]string {
	all := maps.Clone(settings)
	for _, r := range done {
		for name, value := range r.Settings {
			if all == nil {
				all = map[string]string{}
			}
			all[name] = value
		}
	}
	return all
}

// lasting tells the statements that must be executed again at a restart: those that change what has a name or what runs.
func lasting(text string) bool {
	st, err := parse.Statement(text)
	if err != nil {
		return false
	}
	switch st.(type) {
	case *ast.CreateSource, *ast.CreateAs, *ast.InsertInto, *ast.AlterSource, *ast.DropSource, *ast.CreateType, *ast.DropType, *ast.Terminate:
		return true
	}
	return false
}

// logLocked appends a statement to the catalog topic.
func (h *Host) logLocked(ctx context.Context, l logged) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return h.appendLocked(ctx, record.TopicPartition{Topic: CatalogTopic}, session.Record{Value: b, Timestamp: h.o.Now()})
}

func (h *Host) appendLocked(ctx context.Context, tp record.TopicPartition, r session.Record) error {
	e := h.mu.producer.NewEpoch()
	if err := e.Append(tp, r.Timestamp, r.Key, r.Value, nil); err != nil {
		return err
	}
	return h.mu.producer.Commit(ctx, e, nil)
}

// Sources lists the streams and tables.
func (h *Host) Sources() []*catalog.Source {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.session.Catalog().Sources()
}

// Queries lists the persistent queries.
func (h *Host) Queries() []*session.Query {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.session.Queries()
}

// Close ends taking statements. Queries end with the node.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.producer != nil {
		h.mu.producer.Close()
		h.mu.producer = nil
	}
}

// Partitions implements session.Host. Exec holds the lock.
func (h *Host) Partitions(ctx context.Context, topic string) (int32, error) {
	infos, err := h.o.Door.Topics(ctx, topic)
	return infos[topic].Partitions, err
}

// CreateTopic implements session.Host. One that is there is left as it is.
func (h *Host) CreateTopic(ctx context.Context, t session.Topic) error {
	configs := map[string]string{}
	for k, v := range t.Configs {
		configs[k] = v
	}
	_, err := h.o.Door.EnsureTopics(ctx, client.TopicSpec{Name: t.Name, Partitions: t.Partitions, Configs: configs})
	return err
}

// DeleteTopic implements session.Host.
func (h *Host) DeleteTopic(_ context.Context, topic string) error {
	if h.mu.replay {
		return nil
	}
	return fmt.Errorf("topic %s is not deleted: delete it with `mainstem topic delete %s`", topic, strconv.Quote(topic))
}

// Start implements session.Host.
func (h *Host) Start(_ context.Context, q *session.Query) error {
	if h.mu.replay {
		_, err := h.build(q)
		return err
	}
	return h.runLocked(q)
}

func (h *Host) build(q *session.Query) (*stream.Topology, error) {
	return lower.Build(q.Plan, lower.Env{
		Name: App(q.ID), Schemas: h.o.Schemas, StrictTimes: q.Settings["ksql.timestamp.throw.on.invalid"] == "true",
		Failed: func(step string, err error) { h.o.Failed(q.ID, step, err) },
	})
}

func (h *Host) runLocked(q *session.Query) error {
	t, err := h.build(q)
	if err != nil {
		return err
	}
	stop, err := h.o.Run(t, h.decide(q.ID))
	if err != nil {
		return err
	}
	h.mu.running[q.ID] = stop
	return nil
}

// decide leaves out what cannot be decoded, as ksqlDB does, and says so; any other failure ends the query.
func (h *Host) decide(id string) failure.Handler {
	return func(r failure.Record) failure.Decision {
		if r.Phase != failure.Decode {
			return failure.Stop
		}
		h.o.Failed(id, r.Step, fmt.Errorf("record %s/%d at offset %d is left out: %s", r.Topic, r.Partition, r.Offset, r.Reason))
		return failure.Continue
	}
}

// Stop implements session.Host.
func (h *Host) Stop(_ context.Context, q *session.Query) error {
	stop := h.mu.running[q.ID]
	if stop == nil {
		return nil
	}
	delete(h.mu.running, q.ID)
	return stop()
}

// Produce implements session.Host.
func (h *Host) Produce(ctx context.Context, topic string, r session.Record) error {
	if h.mu.replay {
		return nil
	}
	if r.Timestamp == record.NoTimestamp {
		r.Timestamp = h.o.Now()
	}
	n, err := h.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("topic %s: %w", topic, client.ErrUnknownTopic)
	}
	return h.appendLocked(ctx, record.TopicPartition{Topic: topic, Partition: operator.Partition(r.Key, n)}, r)
}
