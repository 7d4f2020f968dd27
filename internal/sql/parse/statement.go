package parse

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// startWords are the words that begin a statement, for hints; RUN only for tools.
var startWords = []string{
	"ALTER", "ASSERT", "CREATE", "DEFINE", "DESCRIBE", "DROP", "EXPLAIN", "INSERT", "LIST", "PAUSE", "PRINT", "RESUME", "SELECT", "SET",
	"SHOW", "TERMINATE", "UNDEFINE", "UNSET",
}

// statement reads one statement up to its semicolon.
func (p *parser) statement() ast.Statement {
	p.enter()
	defer p.leave()
	from := p.i
	switch p.tok().word {
	case "SELECT":
		q := p.query()
		return &ast.Select{Span: q.Span, Query: q}
	case "CREATE":
		p.advance()
		return p.create(from)
	case "INSERT":
		p.advance()
		return p.insert(from)
	case "ALTER":
		p.advance()
		return p.alter(from)
	case "DROP":
		p.advance()
		return p.drop(from)
	case "PRINT":
		p.advance()
		return p.print(from)
	case "TERMINATE", "PAUSE", "RESUME":
		return p.queryLife(p.advance().word, from)
	case "EXPLAIN":
		p.advance()
		return p.explain(from)
	case "ASSERT":
		p.advance()
		return p.assert(from)
	}
	return p.sessionStatement(from)
}

// sessionStatement reads statements that look around or change the session.
func (p *parser) sessionStatement(from int) ast.Statement {
	switch p.tok().word {
	case "LIST", "SHOW":
		p.advance()
		return p.list(from)
	case "DESCRIBE":
		p.advance()
		return p.describe(from)
	case "SET":
		p.advance()
		name := p.setting()
		p.expect("=")
		value := p.setting()
		return &ast.SetProperty{Span: p.span(from), Name: name, Value: value}
	case "UNSET":
		p.advance()
		name := p.setting()
		return &ast.UnsetProperty{Span: p.span(from), Name: name}
	case "DEFINE":
		p.advance()
		name := p.variableName()
		p.expect("=")
		value := p.expectString()
		return &ast.Define{Span: p.span(from), Name: name, Value: value}
	case "UNDEFINE":
		p.advance()
		name := p.variableName()
		return &ast.Undefine{Span: p.span(from), Name: name}
	case "RUN":
		if p.options.Tools {
			p.advance()
			p.expect("SCRIPT")
			file := p.expectString()
			return &ast.RunScript{Span: p.span(from), File: file}
		}
	}
	p.unknownStatement()
	return &ast.List{}
}

func (p *parser) unknownStatement() {
	t := p.tok()
	if t.kind == tokEnd || t.kind == tokBad {
		p.unexpectedHint(map[bool]string{true: "a statement follows"}[t.kind == tokEnd])
		return
	}
	e := &Error{Code: CodeUnknownStatement, Span: t.Span, Message: fmt.Sprintf("Syntax Error\nUnknown statement '%s'", shorten(t.raw(p.text), maxTokenInError))}
	if w := Nearest(t.word, startWords); w != "" {
		e.Message += fmt.Sprintf("\nDid you mean '%s'?", w)
		e.Hint = "statements begin with a word such as " + w
	}
	p.fail(e)
}

func (p *parser) create(from int) ast.Statement {
	replace := p.accept("OR", "REPLACE")
	if p.at("SINK", "CONNECTOR") || p.at("SOURCE", "CONNECTOR") {
		return p.createConnector(from)
	}
	if p.accept("TYPE") {
		return p.createType(from)
	}
	s := &ast.CreateSource{OrReplace: replace, SourceOnly: p.accept("SOURCE")}
	switch p.acceptAny("STREAM", "TABLE") {
	case "TABLE":
		s.Table = true
	case "":
		p.expecting("'STREAM'", "'TABLE'", "'TYPE'", "'CONNECTOR'")
	}
	s.IfNotExists = p.accept("IF", "NOT", "EXISTS")
	s.Name = p.name()
	if p.at("(") {
		s.Elements = p.elements(s.Table)
	}
	s.With = p.with()
	if s.Elements == nil && !s.SourceOnly && p.accept("AS") {
		q := p.query()
		return &ast.CreateAs{
			Span: p.span(from), OrReplace: s.OrReplace, IfNotExists: s.IfNotExists, Table: s.Table, Name: s.Name, With: s.With, Query: q,
		}
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) createConnector(from int) ast.Statement {
	s := &ast.CreateConnector{Sink: p.advance().word == "SINK"}
	p.expect("CONNECTOR")
	s.IfNotExists = p.accept("IF", "NOT", "EXISTS")
	s.Name = p.name()
	if !p.at("WITH") {
		p.expect("WITH")
	}
	s.With = p.with()
	s.Span = p.span(from)
	return s
}

func (p *parser) createType(from int) ast.Statement {
	s := &ast.CreateType{IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	s.Name = p.name()
	p.expect("AS")
	s.Type = p.typ()
	s.Span = p.span(from)
	return s
}

func (p *parser) insert(from int) ast.Statement {
	p.expect("INTO")
	target := p.name()
	switch {
	case p.at("WITH"), p.at("SELECT"):
		with := p.with()
		q := p.query()
		return &ast.InsertInto{Span: p.span(from), Target: target, With: with, Query: q}
	case p.at("("), p.at("VALUES"):
		s := &ast.InsertValues{Target: target, Columns: p.columnNames()}
		p.expect("VALUES")
		s.Values = p.values()
		s.Span = p.span(from)
		return s
	}
	p.expecting("'('", "'VALUES'", "'SELECT'", "'WITH'")
	return &ast.InsertValues{}
}

// columnNames reads (a, b), or nothing.
func (p *parser) columnNames() []ast.Name {
	if !p.accept("(") {
		return nil
	}
	var names []ast.Name
	p.commas("a list of columns", func() { names = append(names, p.name()) })
	p.expect(")")
	return names
}

// values reads (a, b), which may be empty.
func (p *parser) values() []ast.Expr {
	p.expect("(")
	var list []ast.Expr
	if !p.at(")") {
		p.commas("a list of values", func() { list = append(list, p.value(0)) })
	}
	p.expect(")")
	return list
}

func (p *parser) alter(from int) ast.Statement {
	if p.accept("SYSTEM") {
		s := &ast.AlterSystem{Name: p.expectString()}
		p.expect("=")
		s.Value = p.expectString()
		s.Span = p.span(from)
		return s
	}
	s := &ast.AlterSource{}
	switch p.acceptAny("STREAM", "TABLE") {
	case "TABLE":
		s.Table = true
	case "":
		p.expecting("'STREAM'", "'TABLE'", "'SYSTEM'")
	}
	s.Name = p.name()
	p.commas("a list of columns", func() {
		p.expect("ADD")
		if p.at("COLUMN") && p.atName(1) {
			// ADD COLUMN a INT names a column, ADD COLUMN INT one that is called COLUMN.
			if p.atName(2) || p.peek(2).word == "DECIMAL" {
				p.advance()
			}
		}
		at := p.i
		c := ast.ColumnDef{Name: p.name()}
		c.Type = p.typ()
		c.Span = p.span(at)
		s.Add = append(s.Add, c)
	})
	s.Span = p.span(from)
	return s
}

func (p *parser) drop(from int) ast.Statement {
	switch what := p.acceptAny("STREAM", "TABLE", "TYPE", "CONNECTOR"); what {
	case "STREAM", "TABLE":
		s := &ast.DropSource{Table: what == "TABLE", IfExists: p.accept("IF", "EXISTS")}
		s.Name = p.name()
		s.DeleteTopic = p.accept("DELETE", "TOPIC")
		s.Span = p.span(from)
		return s
	case "TYPE":
		s := &ast.DropType{IfExists: p.accept("IF", "EXISTS")}
		s.Name = p.name()
		s.Span = p.span(from)
		return s
	case "CONNECTOR":
		s := &ast.DropConnector{IfExists: p.accept("IF", "EXISTS")}
		s.Name = p.name()
		s.Span = p.span(from)
		return s
	}
	p.expecting("'STREAM'", "'TABLE'", "'TYPE'", "'CONNECTOR'")
	return &ast.DropSource{}
}
