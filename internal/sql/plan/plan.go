// Package plan turns a parsed query into steps: names resolved against the catalog, types computed, keys decided.
//
// Callers: the session, for every statement that reads or makes sources; package lower builds the steps. It calls catalog, expr and
// the functions.
//
// Owner and locks: a plan is made once and not changed afterwards; making one changes nothing.
//
// Format: a tree of Nodes. Rows on an edge are as its Layout says: a key with the columns of Layout.Key, and a value with
// Layout.Columns. Expressions read the value only: what they need of key, time and place is put there by the Source. Text gives the tree
// for EXPLAIN.
//
// Not here: statements that only change the catalog (see Define), building and running the steps.
package plan

import (
	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// A Node is a step. Its result is described by its Layout.
type Node interface {
	Layout() *Layout
	Inputs() []Node
}

// A Column is a value column between steps. Source is the alias of the source that it comes from, empty for computed ones.
type Column struct {
	Source string
	Name   string
	Type   *row.Type
}

// A Layout says what rows are.
type Layout struct {
	Table   bool
	Key     row.Schema // names are those of the columns they came from
	Format  catalog.Serialized
	Columns []Column
	Window  catalog.Window
}

// Types is the schema of the value.
func (l *Layout) Types() row.Schema {
	out := make(row.Schema, len(l.Columns))
	for i, c := range l.Columns {
		out[i] = row.Column{Name: c.Name, Type: c.Type}
	}
	return out
}

type step struct {
	layout Layout
	in     []Node
}

func (s *step) Layout() *Layout { return &s.layout }
func (s *step) Inputs() []Node  { return s.in }

// A Part is where a column of a Source comes from.
type Part uint8

// The parts of a record.
const (
	FromValue Part = iota
	FromKey
	FromHeaders // Index is that of the source's Headers
	RowTime
	RowPartition
	RowOffset
	WindowStart
	WindowEnd
)

// A Read is one column of a Source.
type Read struct {
	Part  Part
	Index int // of the key, value or header column
}

// Source reads a stream or a table. Reads stand beside the columns of the layout.
type Source struct {
	step
	Of    *catalog.Source
	Alias string
	Reads []Read
}

// Filter keeps rows for which Test is true; of a table the others are deleted.
type Filter struct {
	step
	Test *expr.Expr
	What string // WHERE or HAVING, for messages
}

// Project computes the value anew. Of a stream, a row without a value stays without one.
type Project struct {
	step
	Exprs []*expr.Expr
}

// Rekey gives a stream another key, computed from the value. Moved tells that rows must move to the partition of their key; otherwise the
// next step does that.
type Rekey struct {
	step
	Exprs []*expr.Expr
	Same  bool // the key stays, and only the place of the rows changes
}

// Expand gives a row for each row of its table functions, whose values follow the columns.
type Expand struct {
	step
	Calls []*expr.TableCall
}

// Aggregate groups by expressions and computes aggregates. Its columns are the values of By, then the results, then, over windows, their
// bounds.
type Aggregate struct {
	step
	By      []*expr.Expr // nil: by the key as it is
	Calls   []*expr.AggregateCall
	Over    *Window
	Bounds  bool // the columns end with WINDOWSTART and WINDOWEND
	Final   bool // results when windows close
	KeySame bool // the groups are the keys: nothing moves
}

// A Window is the WINDOW clause in ms.
type Window struct {
	Kind                   catalog.WindowKind
	Size, Advance          int64 // Size is the gap of sessions
	Grace, Retention       int64
	HasGrace, HasRetention bool
}

// JoinKind says which rows of a join without a partner are kept.
type JoinKind uint8

// The kinds of joins.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
)

// Join joins two inputs on their keys: streams within a time, a stream with a table, or tables. Its columns are those of the left, then
// those of the right.
type Join struct {
	step
	Kind          JoinKind
	Before, After int64 // of streams, ms
	Grace         int64
	Keyed         bool // the columns end with the key: ROWKEY
	Eager         bool // a left or outer result without a partner is made at once, as without GRACE PERIOD
}

// ForeignJoin joins a table with the table whose primary key an expression of the left one gives.
type ForeignJoin struct {
	step
	Kind    JoinKind // Inner or Left
	Foreign *expr.Expr
}

// Sink writes to a topic: the key as it is, the value computed.
type Sink struct {
	step
	To    *catalog.Source
	Exprs []*expr.Expr
	Time  int // the column of the value that gives the time, -1: none
}

// A Query is a planned persistent query or one of its own.
type Query struct {
	Root    Node
	Sources []*catalog.Source
	Sink    *catalog.Source // nil: a query of its own
	Inserts bool            // it writes into a sink that it did not make
	Output  []Output        // what the rows are, for a query of its own and for the sink
	Limit   int64           // 0: none
	Final   bool
}

// An Output is a column of the result.
type Output struct {
	Name string
	Type *row.Type
	Key  bool
}
