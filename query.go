package mainstem

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/sql/host"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/row"
)

// Query executes a SELECT of ksqlDB's language, with settings by ksqlDB's names (may be nil). Only its planning and its start count for ctx.
//
// Without EMIT it is a pull query: it gives what is there and ends. Of a table that a query made, or a SOURCE TABLE, it reads the committed
// rows; of a stream what the topic holds when it is called. With EMIT CHANGES, or EMIT FINAL over windows, it is a push query: it goes on
// with what comes until its LIMIT or Close, and with auto.offset.reset=earliest begins with what its topics hold.
//
// Rows of a push query are read from the log at the pace of its reader. One that is slower than the topic's retention ends with an error.
// The error says what of the statement is wrong, and what to do. ksql.max.push.queries bounds the push queries that run at once (default
// 10,000), mainstem.query.max.state.bytes what one with GROUP BY or JOIN keeps in memory (default 256 MiB).
func (n *Node) Query(ctx context.Context, statement string, settings map[string]string) (*Rows, error) {
	h, err := n.openSQL(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := h.Query(ctx, statement, host.QueryOptions{Settings: settings})
	if err != nil {
		return nil, err
	}
	return &Rows{rows}, nil
}

// Rows are the result of a query. One goroutine reads them, any may close them.
type Rows struct{ rows query.Rows }

// A Row of a result: its values in the order of the columns. With Gone it tells that the row of this key went away from the table: columns
// that are not of the key are null.
type Row struct {
	Values row.Row
	Gone   bool
}

// Columns are the names and the types of the result.
func (r *Rows) Columns() row.Schema { return r.rows.Header().Types() }

// All returns the rows as they come. It ends with the query, and with an error: that of ctx, or why the query could not go on. After the end
// of ctx, and when the caller ends the loop, All may be called again, and goes on behind the batch that was read last.
func (r *Rows) All(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			batch, err := r.rows.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, one := range batch {
				if !yield(Row{Values: one.Values, Gone: one.Tombstone}, nil) {
					return
				}
			}
		}
	}
}

// Close ends the query and frees what it holds. It may be called more than once.
func (r *Rows) Close() { r.rows.Close() }

// readable returns the engine of a pipeline once its tables are restored.
func (n *Node) readable(ctx context.Context, app string) (*engine.Engine, error) {
	for {
		p, err := n.Pipeline(app)
		if err != nil {
			return nil, err
		}
		if _, err := engine.StoresOf(p.engine); !errors.Is(err, engine.ErrNotReadable) {
			return p.engine, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-p.done:
			if p.err != nil {
				return nil, p.err
			}
			return nil, engine.ErrNotReadable
		case <-n.o.clock.After(settleEvery):
		}
	}
}
