// Package parse turns SQL text of ksqlDB's dialect into trees of package ast.
//
// Purpose: lexer, splitter of scripts, substitution of variables, parser and the errors that point at the text.
//
// Callers: whoever takes SQL from a user: the server, the command line, tests. It calls package ast only.
//
// Owner and locks: pure functions of their text; nothing is shared.
//
// Format: a hand-written lexer, recursive descent for statements and clauses, precedence climbing for values. After the first error the
// parser stands at the end of the text, so that every loop ends and no nil node is seen. All that a text can blow up is bounded: its size,
// the depth of nesting, the length of lists and of operator chains (limits.go).
//
// Not here: names are not looked up, types not computed, properties of WITH not checked; the binder does that. Later dialects add
// statements and clauses behind Options.
package parse

import "github.com/mainstemio/mainstem/internal/sql/ast"

// Options say what is parsed besides the dialect's own statements.
type Options struct {
	// Tools allows the statements of the command line and the test tool: RUN SCRIPT, ASSERT VALUES, ASSERT NULL VALUES, ASSERT STREAM and
	// ASSERT TABLE.
	Tools bool
	// Start is the position of the text in a larger one, so that errors tell the line there. Zero is line 1, column 1.
	Start Position
}

// Script parses statements that each end with a semicolon. With an error, which is an *Error, come the statements before it.
func Script(text string) ([]ast.Statement, error) { return Options{}.Script(text) }

// Statement parses one statement; its semicolon may be missing.
func Statement(text string) (ast.Statement, error) { return Options{}.Statement(text) }

// Expression parses an expression that fills the whole text.
func Expression(text string) (ast.Expr, error) {
	p := newParser(text, Options{})
	e := p.expr()
	p.expectEnd()
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// Type parses a type that fills the whole text.
func Type(text string) (ast.Type, error) {
	p := newParser(text, Options{})
	t := p.typ()
	p.expectEnd()
	if p.err != nil {
		return nil, p.err
	}
	return t, nil
}

// Columns parses a list of column definitions without the parentheses around it, the form in which schemas are shown:
// ID BIGINT KEY, NAME STRING.
func Columns(text string) ([]ast.ColumnDef, error) {
	p := newParser(text, Options{})
	defs := p.columnDefs()
	p.expectEnd()
	if p.err != nil {
		return nil, p.err
	}
	return defs, nil
}

// Script is the function Script with options.
func (o Options) Script(text string) ([]ast.Statement, error) {
	p := &parser{text: text, options: o}
	var out []ast.Statement
	if len(text) > maxScript {
		p.load(len(text))
		p.tooLarge(ast.Span{Start: maxScript, End: maxScript}, "the script", maxScript, "bytes")
		return nil, p.err
	}
	for at := 0; ; {
		at = p.load(at)
		switch {
		case p.err != nil:
			return out, p.err
		case p.tok().kind == tokEnd:
			return out, nil
		case p.at(";"):
			continue
		}
		s := p.statement()
		p.expect(";")
		if p.err != nil {
			return out, p.err
		}
		out = append(out, s)
	}
}

// Statement is the function Statement with options.
func (o Options) Statement(text string) (ast.Statement, error) {
	p := newParser(text, o)
	s := p.statement()
	p.accept(";")
	p.expectEnd()
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}
