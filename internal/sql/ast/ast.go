// Package ast holds the syntax trees of the SQL dialect (ksqlDB's) and their canonical text.
//
// Purpose: one Go type for each statement, query part, type and expression, as it was written and before names are resolved.
//
// Callers: parse builds trees; the binder and EXPLAIN read them; nothing here calls another package of the module.
//
// Owner and locks: a tree belongs to who parsed it and is not changed afterwards; reading from several goroutines is safe.
//
// Format: Format gives canonical text on one line that parses to the same tree (operators in parentheses, names quoted only where they
// must be: the form of error messages and generated names), Dump an indented tree for tests and EXPLAIN (AST). Spans count bytes of the
// text that was parsed; parse.PositionOf turns one into line and column.
//
// Not here: names of columns and sources resolved against a catalog, types computed, properties of WITH checked. Later forms (sub-query,
// UNION, OVER, ORDER BY) fit in as new Relations, fields of Query and expressions.
package ast

// A Span is the part [Start, End) of the parsed text, in bytes.
type Span struct{ Start, End int }

// Pos returns the span itself, so that every node that embeds it is a Node.
func (s Span) Pos() Span { return s }

// Node is anything of a tree that has a place in the text.
type Node interface{ Pos() Span }

// Statement is one of the types in statement.go and show.go.
type Statement interface {
	Node
	statement()
}

// Expr is one of the types in expr.go and literal.go.
type Expr interface {
	Node
	expr()
}

// Type is one of the types in type.go.
type Type interface {
	Node
	typeNode()
}

// Relation is what stands in FROM: *Source or *Join.
type Relation interface {
	Node
	relation()
}

// SelectItem is *SelectExpr, *SelectAll or *SelectFields.
type SelectItem interface {
	Node
	selectItem()
}

// A Name is an identifier. Its Text is upper-cased unless it was quoted; the text as written is found through the span. Where case counts
// although nothing was quoted (query ids, topics), the parser keeps the case and marks the name as quoted.
type Name struct {
	Text     string
	Quoted   bool
	Variable bool // Text names a variable ${Text} that was not substituted
	Span
}

// Given says whether an optional name is there.
func (n Name) Given() bool { return n.Text != "" || n.Quoted }

// String returns the name as canonical text: back-quoted only where it must be.
func (n Name) String() string {
	if n.Variable {
		return "${" + n.Text + "}"
	}
	return Quote(n.Text)
}
