// Package host runs SQL on a broker: its topics are the broker's, its queries run until they are terminated, and the statements that made
// them survive a restart.
//
// Callers: the node. It calls session for the statements, lower for the queries' topologies, and what the node gives it: a client.Door and a
// way to run a topology.
//
// Owner and locks: one statement is executed at a time, under Host.mu, which also guards the session. Those who only read take Snapshot,
// which is published after each statement and never changes. Queries run in goroutines of the node.
//
// A statement that took effect is appended to the catalog topic before it is acknowledged (docs/format/sql.md). At the start the topic is
// executed again, without its effects on topics, and the queries that are left go on from their committed positions: what was computed is
// neither computed again nor left out. A query that cannot go on, since its state is of another plan, is there in state ERROR. A statement
// whose effect was not yet appended was never acknowledged; given again it goes on with what is there.
//
// Not here: the HTTP surface, what rows of queries are made of (package query).
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// A Service is one SQL of several on a cluster, by its name: ksqlDB's ksql.service.id. Most clusters have one, without a name. What a service
// keeps for itself begins with its prefix; the topics of streams and tables are everybody's.
type Service string

// prefix tells services apart: behind it the nameless one goes on with an underscore, the others with a hyphen and their name.
func (s Service) prefix() string {
	if s == "" {
		return "_mainstem_sql"
	}
	return "_mainstem_sql-" + string(s)
}

// CatalogTopic holds the statements.
func (s Service) CatalogTopic() string { return s.prefix() }

// App is the application name of a query, which begins the names of its group and of its internal topics.
func (s Service) App(id string) string { return s.prefix() + "_query_" + id }

// logApp is the application that writes the processing log.
func (s Service) logApp() string { return s.prefix() + "_processing_log" }

// settings are what a name says of others that statements see.
func (s Service) settings(given map[string]string) map[string]string {
	if s == "" {
		return given
	}
	all := map[string]string{session.SettingService: string(s), session.SettingLogName: string(s) + defaultLog}
	maps.Copy(all, given)
	return all
}

// Options of Open.
type Options struct {
	Service   Service
	Door      client.Door
	Functions *function.Library
	Schemas   format.Schemas // nil: there is no schema registry
	Settings  map[string]string
	// Run starts a topology as an application.
	Run func(t *stream.Topology, o RunOptions) (Running, error)
	// Tables returns the engine of an application once its tables can be read. nil: nobody reads tables.
	Tables func(ctx context.Context, app string) (*engine.Engine, error)
	// Connectors run what CREATE CONNECTOR makes; nil: nothing can be made.
	Connectors session.Connectors
	// Clock times waiting. Default: the system's.
	Clock clock.Clock
	// Now is the time of records that say none.
	Now func() record.Timestamp
	// Failed is told of expressions that became null and of records that were left out.
	Failed func(query, step string, err error)
	// Background runs f beside everything else until its context ends, with the node. nil: no query is built beside another one.
	Background func(f func(context.Context))
}

// A Host is SQL on one broker.
type Host struct {
	o         Options
	own       own
	log       *processingLog
	rows      sync.Map                         // *rowLog of each query that runs, by id
	asserts   *session.Session                 // executes what changes nothing and may wait: it has a catalog of its own, which stays empty
	snapshots atomic.Pointer[session.Snapshot] // nil: closed
	handover  atomic.Pointer[handover]         // nil: no query takes another one's place just now
	mu        struct {
		sync.Mutex
		session  *session.Session
		producer client.Producer
		running  map[string]*runningQuery // by id
		tables   map[string]func() error  // ends what keeps source tables, by application
		placed   map[string]bool          // queries that took another one's place, whose sink has not got all of it yet, by id
	}
}

// Open executes the statements of the catalog and resumes their queries. It ends with an error if one of them cannot be executed any more.
func Open(ctx context.Context, o Options) (*Host, error) {
	if o.Failed == nil {
		o.Failed = func(string, string, error) {}
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	h := &Host{o: o, log: &processingLog{app: o.Service.logApp(), now: o.Now, failed: o.Failed}}
	h.mu.running, h.mu.placed = map[string]*runningQuery{}, map[string]bool{}
	so := session.Options{Host: h, Functions: o.Functions, Schemas: o.Schemas, Settings: o.Service.settings(o.Settings), Connectors: o.Connectors}
	h.mu.session, h.asserts = session.New(so), session.New(so)
	spec := client.TopicSpec{Name: o.Service.CatalogTopic(), Partitions: 1, Configs: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}}
	if _, err := o.Door.EnsureTopics(ctx, spec); err != nil {
		return nil, fmt.Errorf("open SQL: catalog topic: %w", err)
	}
	producer, err := o.Door.OpenProducer(ctx, o.Service.CatalogTopic())
	if err != nil {
		return nil, fmt.Errorf("open SQL: catalog topic: %w", err)
	}
	h.mu.producer = producer
	if err := h.reopen(ctx); err != nil {
		h.Close()
		return nil, fmt.Errorf("open SQL: %w", err)
	}
	return h, nil
}

// reopen has all that the catalog holds run again.
func (h *Host) reopen(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.resumeLocked(ctx); err != nil {
		return err
	}
	h.snapshots.Store(h.mu.session.Snapshot())
	if err := h.keepSourceTablesLocked(); err != nil {
		return err
	}
	return h.settleLocked(ctx)
}

// decide is what becomes of the failed records of a query that is not a persistent one.
func (h *Host) decide(id string) failure.Handler {
	return newRowLog(&session.Query{ID: id}, h.log).decide
}

// ErrClosed: the host was closed.
var ErrClosed = errors.New("SQL is closed")

// Exec executes a script. Each statement is durable when it is among the results; an error, a *session.StatementError, ends the script.
// Statements of several callers take turns; ASSERTs, which may wait, hold up nobody.
func (h *Host) Exec(ctx context.Context, script string, settings map[string]string) ([]session.Result, error) {
	return h.Execute(ctx, script, session.NewEnv(settings, nil))
}

// Execute is Exec with all that a request brings along.
func (h *Host) Execute(ctx context.Context, script string, env *session.Env) ([]session.Result, error) {
	if h.snapshots.Load() == nil {
		return nil, ErrClosed
	}
	var results []session.Result
	for i, part := range parse.Split(script) {
		done, err := h.statement(ctx, env, part)
		if err != nil {
			var s *session.StatementError
			if !errors.As(err, &s) {
				s = &session.StatementError{Phase: session.Run, Code: string(session.CodeHost), Statement: part.Text, Err: err}
			}
			s.Index = i
			return results, s
		}
		results = append(results, done)
	}
	return results, nil
}

// statement executes one statement and makes it durable.
func (h *Host) statement(ctx context.Context, env *session.Env, part parse.Part) (session.Result, error) {
	if st, err := parse.Statement(part.Text); err == nil && session.Waits(st) {
		done, failed := h.asserts.Statement(ctx, env, part)
		if failed != nil {
			return done, failed
		}
		return done, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.producer == nil {
		return session.Result{}, ErrClosed
	}
	before := h.mu.session.Queries()
	done, failed := h.mu.session.Statement(ctx, env, part)
	if failed != nil {
		return done, failed
	}
	if _, passing := done.Shows.(session.PushEnd); passing || !lasting(done.Statement) {
		return done, nil
	}
	h.snapshots.Store(h.mu.session.Snapshot())
	if err := h.logLocked(ctx, env, done); err != nil {
		return done, err
	}
	h.forgetLocked(ctx, gone(before, h.mu.session.Queries()))
	if done.Query == "" || len(h.mu.tables) > 0 { // what a query makes is no source table
		if err := h.keepSourceTablesLocked(); err != nil {
			return done, err
		}
	}
	return done, h.settleLocked(ctx)
}

// gone are the queries that are no longer there. Most statements end none, and there may be thousands.
func gone(before, after []*session.Query) []*session.Query {
	if len(after) >= len(before) && slices.Equal(before, after[:len(before)]) {
		return nil
	}
	left := map[string]bool{}
	for _, q := range after {
		left[q.ID] = true
	}
	return slices.DeleteFunc(before, func(q *session.Query) bool { return left[q.ID] })
}

// settleLocked does what the node's settings say of the processing log.
func (h *Host) settleLocked(ctx context.Context) error {
	settings := h.snapshots.Load().Settings
	if !isTrue(settings[session.SettingLogTopic]) {
		h.log.close()
		return nil
	}
	topic := cmp.Or(settings[session.SettingLogName], defaultLog)
	if err := h.log.open(ctx, h.o.Door, topic); err != nil {
		return err
	}
	if !isTrue(settings[session.SettingLogStream]) || h.mu.session.Catalog().Source("KSQL_PROCESSING_LOG") != nil {
		return nil
	}
	env := session.NewEnv(nil, nil)
	done, failed := h.mu.session.Statement(ctx, env, parse.Split(fmt.Sprintf(logStream, topic))[0])
	if failed != nil {
		return failed
	}
	h.snapshots.Store(h.mu.session.Snapshot())
	return h.logLocked(ctx, env, done)
}

// Snapshot returns what SQL knows, as of the last statement that changed it, nil when the host is closed. It waits for nobody: those who only
// read, as pull queries do, use it instead of the lock. Nothing in it changes.
func (h *Host) Snapshot() *session.Snapshot { return h.snapshots.Load() }

// Sources lists the streams and tables.
func (h *Host) Sources() []*catalog.Source {
	if s := h.Snapshot(); s != nil {
		return s.Catalog.Sources()
	}
	return nil
}

// Queries lists the persistent queries.
func (h *Host) Queries() []*session.Query {
	if s := h.Snapshot(); s != nil {
		return s.Queries
	}
	return nil
}

// RowErrors is how many expressions became null and records were left out, by query, since each was started in this process.
func (h *Host) RowErrors() map[string]int64 {
	out := map[string]int64{}
	h.rows.Range(func(id, rows any) bool {
		out[id.(string)], _ = rows.(*rowLog).count()
		return true
	})
	return out
}

// Close ends taking statements. Queries end with the node.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.snapshots.Store(nil)
	h.log.close()
	if h.mu.producer != nil {
		h.mu.producer.Close()
		h.mu.producer = nil
	}
}
