package mainstem

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/server/ksql"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/host"
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
// were. It ends at the first statement that fails; the error says which, and what to do. Pull and push queries are not among them yet.
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
	if n.broker == nil {
		return nil // on a cluster the first statement decides which node runs its SQL
	}
	infos, err := n.door.Topics(ctx, host.CatalogTopic)
	if _, there := infos[host.CatalogTopic]; err != nil || !there {
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
	h, err := host.Open(ctx, host.Options{
		Door: n.door, Functions: builtin.New(builtin.Options{Clock: n.o.clock}), Run: n.runSQL,
		Now: func() record.Timestamp { return record.Timestamp(n.o.clock.Now().UnixMilli()) },
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
func (n *Node) runSQL(t *stream.Topology, h failure.Handler) (func() error, error) {
	p, err := n.Run(t, OnFailure(h))
	if err != nil {
		return nil, err
	}
	return p.Stop, nil
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

func (s sqlServer) Exec(ctx context.Context, script string, settings map[string]string) ([]ksql.Result, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	done, err := h.Exec(ctx, script, settings)
	return done, err
}

func (s sqlServer) Catalog(ctx context.Context) (ksql.Catalog, error) {
	h, err := s.n.openSQL(ctx)
	if err != nil {
		return ksql.Catalog{}, err
	}
	c := ksql.Catalog{Sources: h.Sources()}
	for _, q := range h.Queries() {
		state := "RUNNING"
		if p, err := s.n.Pipeline(host.App(q.ID)); errors.Is(err, ErrNoPipeline) || err == nil && p.Err() != nil {
			state = "ERROR"
		}
		c.Queries = append(c.Queries, ksql.Query{Query: q, State: state})
	}
	return c, nil
}

func (s sqlServer) Info() (version, cluster string) {
	return s.n.o.version, fmt.Sprintf("mainstem-%s", s.n.Kafka())
}
