package mainstem

import (
	"context"
	"fmt"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/client/until"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/connectors"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/function/user"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// A SQLResult says what a statement did.
type SQLResult struct {
	Statement string // its text
	Message   string // a sentence
	Query     string // the id of the query that it started, if any
}

// SQL executes statements of ksqlDB's language, each ended by a semicolon, with settings by ksqlDB's names (may be nil). A statement that is
// among the results is durable: its sources and queries are there again when the node is opened again, and queries go on exactly where they
// were. It ends at the first statement that fails; the error says which, and what to do. For SELECT by itself see Query.
func (n *Node) SQL(ctx context.Context, statements string, settings map[string]string) ([]SQLResult, error) {
	h, err := n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	done, err := h.Exec(ctx, statements, settings)
	results := make([]SQLResult, len(done))
	for i, r := range done {
		results[i] = SQLResult{Statement: r.Statement, Message: r.Message, Query: r.Query}
	}
	return results, err
}

// resumeSQL opens SQL at the start of a node that had statements.
func (n *Node) resumeSQL(ctx context.Context) error {
	if n.broker == nil && !n.o.sql {
		return nil // on a cluster the first statement decides which node runs its SQL
	}
	infos, err := n.door.Topics(ctx, n.o.service.CatalogTopic())
	if _, there := infos[n.o.service.CatalogTopic()]; err != nil || !there {
		return err
	}
	_, err = n.openSQL(ctx)
	return err
}

// openSQL opens SQL once.
func (n *Node) openSQL(ctx context.Context) (*host.Host, error) {
	n.sql.Lock()
	defer n.sql.Unlock()
	if n.sql.host != nil {
		return n.sql.host, nil
	}
	functions := builtin.New(builtin.Options{Clock: n.o.clock})
	if err := user.Add(functions, n.o.functions...); err != nil {
		return nil, err
	}
	h, err := host.Open(ctx, host.Options{
		Service: n.o.service, Door: n.door, Functions: functions, Run: n.runSQL, Tables: n.readable, Schemas: n.schemas(),
		Connectors: n.sqlConnectors(), Clock: n.o.clock,
		Now:        func() record.Timestamp { return record.Timestamp(n.o.clock.Now().UnixMilli()) },
		Background: func(f func(context.Context)) { _ = n.start(func() error { return nil }, f) }, // or the node is closed
		Failed: func(query, step string, err error) {
			n.o.log.Warn("sql-row", "query", query, "step", step, "error", err)
		},
	})
	if err != nil {
		return nil, err
	}
	n.sql.host = h
	return h, nil
}

// runSQL runs a query as a pipeline of the node.
func (n *Node) runSQL(t *stream.Topology, o host.RunOptions) (host.Running, error) {
	noDeadLetters := func(e *engine.Options) { e.NoDeadLetters = true } // what cannot be processed goes to the processing log
	opts := []PipelineOption{OnFailure(o.OnFailure), CacheBytes(o.CacheBytes), noDeadLetters}
	if o.Interval > 0 {
		opts = append(opts, EpochInterval(o.Interval))
	}
	opts = append(opts, func(e *engine.Options) { e.Door = until.Door(e.Door, o.Until) })
	p, err := n.run(t, o.Paused, opts)
	if err != nil {
		return nil, err // not p: a nil pointer in an interface is no nil
	}
	return p, nil
}

// sqlConnectors runs the sinks of CREATE SINK CONNECTOR and the sources of CREATE SOURCE CONNECTOR.
func (n *Node) sqlConnectors() *connectors.Connectors {
	return connectors.New(connectors.Options{Schemas: n.schemas(), Poll: n.poll, Deliver: func(s connect.Sink, topic, target string) (connectors.Delivery, error) {
		d, err := n.Deliver(DeliverySpec{Sink: s, Topics: []string{topic}, Target: target})
		if err != nil {
			return nil, err // not d: a nil pointer in an interface is no nil
		}
		return delivery{d}, nil
	}})
}

// delivery is a Delivery as SQL sees it.
type delivery struct{ *Delivery }

// Progress implements connectors.Delivery.
func (d delivery) Progress() (delivered, lag int64) {
	f := d.Freshness()
	return f.Records, f.Lag
}

// sqlRowErrors counts, by query, the rows that went wrong.
func (n *Node) sqlRowErrors() map[string]int64 {
	n.sql.Lock()
	h := n.sql.host
	n.sql.Unlock()
	if h == nil {
		return nil
	}
	return h.RowErrors()
}

// closeSQL ends taking statements.
func (n *Node) closeSQL() {
	n.sql.Lock()
	defer n.sql.Unlock()
	if n.sql.host != nil {
		n.sql.host.Close()
	}
}

// sqlServer is SQL as the HTTP server sees it.
type sqlServer struct{ n *Node }

func (s sqlServer) Exec(ctx context.Context, r ksql.Request) ([]ksql.Result, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	return h.Execute(ctx, r.Text, session.NewEnv(r.Settings, r.Variables))
}

func (s sqlServer) Query(ctx context.Context, r ksql.Request) (query.Rows, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	return h.Query(ctx, r.Text, host.QueryOptions{Settings: r.Settings, Variables: r.Variables})
}

func (s sqlServer) Print(ctx context.Context, r ksql.Request) (ksql.Lines, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	lines, err := h.Print(ctx, r.Text, r.Variables)
	if err != nil {
		return nil, err // not lines: a nil pointer in an interface is no nil
	}
	return lines, nil
}

func (s sqlServer) Insert(ctx context.Context, target ast.Name) (ksql.Inserter, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	i, err := h.Insert(ctx, target)
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (s sqlServer) Info() ksql.Info {
	return ksql.Info{Version: s.n.o.version, Cluster: fmt.Sprintf("mainstem-%s", s.n.Kafka()), Service: string(s.n.o.service)}
}
