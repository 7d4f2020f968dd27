// Package query answers SELECT: pull queries look at what is there and end, push queries go on with what comes.
//
// Callers: the host, which hands Rows to the HTTP server and to programs. It calls what its host gives it: committed rows of tables, readers
// of topics, and what makes rows of records (package lower, package steps).
//
// Owner and locks: Rows belong to one goroutine; Close may be called from any. Work is done in Next, by the goroutine that calls it: a query
// that nobody reads does nothing.
//
// A query on records (Live) is open, then over: at its limit, at its end, by an error or by Close. What it holds is freed then, once.
//
// Not here: planning, persistent queries, encodings of results.
package query

import (
	"context"

	"github.com/mainstemio/mainstem/row"
)

// A Column of a result.
type Column struct {
	Name string
	Type *row.Type
	Key  bool // it is of the key: of pull queries on tables only, as ksqlDB shows it
}

// A Header says what the rows of a result are.
type Header struct {
	ID      string // of the query: no other that runs on the node has it
	Columns []Column
	Table   bool // rows are changes of a table
	Push    bool // the query goes on until it is closed or its limit is reached
}

// Types is the schema of the rows.
func (h Header) Types() row.Schema {
	out := make(row.Schema, len(h.Columns))
	for i, c := range h.Columns {
		out[i] = row.Column{Name: c.Name, Type: c.Type}
	}
	return out
}

// A Row of a result.
type Row struct {
	Values    row.Row
	Tombstone bool // the row of this key went away: columns that are not of the key are null
}

// Rows are the result of a query.
type Rows interface {
	Header() Header
	// Next waits for more rows, at least one. It ends with io.EOF when the query is complete, and with ctx.
	Next(ctx context.Context) ([]Row, error)
	// Final says after io.EOF why the query ended, in ksqlDB's words: "Limit Reached", "Query Completed".
	Final() string
	// Close ends the query. It may be called more than once, and while Next waits, which then ends with an error.
	Close()
}
