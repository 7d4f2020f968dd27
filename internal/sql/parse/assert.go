package parse

import "github.com/mainstemio/mainstem/internal/sql/ast"

func (p *parser) assert(from int) ast.Statement {
	not := p.accept("NOT", "EXISTS")
	switch {
	case p.accept("TOPIC"):
		s := &ast.AssertTopic{NotExists: not, Topic: p.caseName()}
		s.With = p.with()
		s.Timeout = p.timeout()
		s.Span = p.span(from)
		return s
	case p.accept("SCHEMA"):
		s := &ast.AssertSchema{NotExists: not}
		if p.accept("SUBJECT") {
			s.Subject = p.caseName()
		}
		if p.accept("ID") {
			s.ID = p.count("ID")
		}
		s.Timeout = p.timeout()
		s.Span = p.span(from)
		return s
	case p.options.Tools && !not:
		return p.assertData(from)
	}
	p.expecting("'TOPIC'", "'SCHEMA'")
	return &ast.AssertTopic{}
}

func (p *parser) timeout() *ast.Duration {
	if !p.accept("TIMEOUT") {
		return nil
	}
	d := p.duration()
	return &d
}

// assertData reads the assertions of the test tool.
func (p *parser) assertData(from int) ast.Statement {
	switch {
	case p.accept("NULL", "VALUES"):
		s := &ast.AssertValues{Null: true, Source: p.name(), Columns: p.columnNames()}
		p.expect("KEY")
		s.Values = p.values()
		s.Span = p.span(from)
		return s
	case p.accept("VALUES"):
		s := &ast.AssertValues{Source: p.name(), Columns: p.columnNames()}
		p.expect("VALUES")
		s.Values = p.values()
		s.Span = p.span(from)
		return s
	case p.at("STREAM"), p.at("TABLE"):
		s := &ast.AssertSource{Table: p.advance().word == "TABLE", Name: p.name()}
		if p.at("(") {
			s.Elements = p.elements(s.Table)
		}
		s.With = p.with()
		s.Span = p.span(from)
		return s
	}
	p.expecting("'VALUES'", "'NULL'", "'STREAM'", "'TABLE'", "'TOPIC'", "'SCHEMA'")
	return &ast.AssertValues{}
}
