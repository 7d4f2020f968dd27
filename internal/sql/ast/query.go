package ast

// Query is SELECT with its clauses in the order they are written. Clauses that are missing are nil.
type Query struct {
	Span
	Select      []SelectItem
	From        Relation
	Window      *Window
	Where       Expr
	GroupBy     *Grouping
	PartitionBy *Grouping
	Having      Expr
	Emit        Emit
	Limit       *Count
}

// Emit is what a query gives out.
type Emit int

// Without EMIT a SELECT of its own is a pull query, and a persistent query emits changes.
const (
	EmitNone    Emit = iota
	EmitChanges      // every update
	EmitFinal        // a window's result once it is closed
)

// String returns the words of the clause.
func (e Emit) String() string {
	switch e {
	case EmitChanges:
		return "EMIT CHANGES"
	case EmitFinal:
		return "EMIT FINAL"
	}
	return ""
}

// A Count is a whole number of a clause: LIMIT, INTERVAL.
type Count struct {
	Span
	Value int64
}

// A Grouping is the list of GROUP BY or PARTITION BY; parentheses around it leave no trace, and in parentheses it may be empty.
type Grouping struct {
	Span
	Exprs []Expr
}

// SelectExpr is an expression with its alias, if any.
type SelectExpr struct {
	Span
	Expr  Expr
	Alias Name // zero if none
}

// SelectAll is * or Source.*.
type SelectAll struct {
	Span
	Source Name // zero for all sources
}

// SelectFields is Struct->*.
type SelectFields struct {
	Span
	Struct Expr
}

func (*SelectExpr) selectItem()   {}
func (*SelectAll) selectItem()    {}
func (*SelectFields) selectItem() {}

// Source is a stream or table by name, with its alias, if any.
type Source struct {
	Span
	Name  Name
	Alias Name // zero if none
}

// Known returns the name by which columns of the source are qualified: the alias, else the source's name.
func (s *Source) Known() Name {
	if s.Alias.Given() {
		return s.Alias
	}
	return s.Name
}

// JoinKind says which rows of a join without a partner are kept.
type JoinKind string

// The kinds of joins.
const (
	InnerJoin JoinKind = "INNER"
	LeftJoin  JoinKind = "LEFT"
	RightJoin JoinKind = "RIGHT"
	FullJoin  JoinKind = "FULL"
)

// Join joins Right to all that stands before it: an n-way join is a tree that leans to the left.
type Join struct {
	Span
	Kind        JoinKind
	Left, Right Relation
	Within      *Within // nil without WITHIN
	On          Expr
}

// Within is WITHIN of a join of streams: how much earlier and later the right record may be. WITHIN with one size has Before equal to After.
type Within struct {
	Span
	Before, After Duration
	Both          bool      // written as a pair
	Grace         *Duration // nil without GRACE PERIOD
}

func (*Source) relation() {}
func (*Join) relation()   {}

// WindowKind is the shape of windows.
type WindowKind string

// The kinds of windows.
const (
	Tumbling WindowKind = "TUMBLING"
	Hopping  WindowKind = "HOPPING"
	Session  WindowKind = "SESSION"
)

// Window is the WINDOW clause. Size is the gap of inactivity for sessions; Advance is set for hopping windows only.
type Window struct {
	Span
	Name      Name // zero if none
	Kind      WindowKind
	Size      Duration
	Advance   *Duration
	Retention *Duration
	Grace     *Duration
}
