package parse

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// listWords are what LIST can list, besides connectors by their kind and their plugins.
var listWords = []string{"PROPERTIES", "TOPICS", "STREAMS", "TABLES", "FUNCTIONS", "QUERIES", "TYPES", "VARIABLES", "CONNECTORS"}

func (p *parser) list(from int) ast.Statement {
	s := &ast.List{}
	if p.accept("ALL") {
		s.All, s.Kind = true, ast.ListTopics
		p.expect("TOPICS")
	} else {
		s.Kind = p.listKind()
	}
	if slices.Contains([]ast.ListKind{ast.ListTopics, ast.ListStreams, ast.ListTables, ast.ListQueries}, s.Kind) {
		s.Extended = p.accept("EXTENDED")
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) listKind() ast.ListKind {
	switch word := p.acceptAny(listWords...); {
	case word != "":
		return ast.ListKind(word)
	case p.accept("SOURCE", "CONNECTORS"):
		return ast.ListSourceConnectors
	case p.accept("SINK", "CONNECTORS"):
		return ast.ListSinkConnectors
	case p.accept("CONNECTOR", "PLUGINS"):
		return ast.ListConnectorPlugins
	}
	hint := "a word such as STREAMS, TABLES, TOPICS, QUERIES, FUNCTIONS or PROPERTIES follows"
	if w := Nearest(p.tok().word, listWords); w != "" {
		hint = "did you mean " + w + "?"
	}
	p.unexpectedHint(hint)
	return ast.ListStreams
}

// describe reads DESCRIBE. FUNCTION and TABLES may be names of sources: FUNCTION is one when no name follows, TABLES when it is quoted.
func (p *parser) describe(from int) ast.Statement {
	switch {
	case p.at("FUNCTION") && p.atName(1):
		p.advance()
		name := p.name()
		return &ast.DescribeFunction{Span: p.span(from), Name: name}
	case p.accept("CONNECTOR"):
		name := p.name()
		return &ast.DescribeConnector{Span: p.span(from), Name: name}
	case p.at("STREAMS"), p.at("TABLES"):
		s := &ast.DescribeAll{Tables: p.advance().word == "TABLES", Extended: p.accept("EXTENDED")}
		s.Span = p.span(from)
		return s
	}
	s := &ast.Describe{Name: p.name(), Extended: p.accept("EXTENDED")}
	s.Span = p.span(from)
	return s
}

func (p *parser) print(from int) ast.Statement {
	s := &ast.Print{Topic: p.caseName()}
	s.FromBeginning = p.accept("FROM", "BEGINNING")
	if p.acceptAny("INTERVAL", "SAMPLE") != "" {
		s.Interval = p.count("INTERVAL")
	}
	if p.accept("LIMIT") {
		s.Limit = p.count("LIMIT")
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) queryLife(word string, from int) ast.Statement {
	t := ast.QueryTarget{All: p.accept("ALL")}
	if !t.All {
		t.ID = p.caseName()
	}
	switch at := p.span(from); word {
	case "PAUSE":
		return &ast.Pause{Span: at, QueryTarget: t}
	case "RESUME":
		return &ast.Resume{Span: at, QueryTarget: t}
	default:
		return &ast.Terminate{Span: at, QueryTarget: t}
	}
}

var stages = []ast.ExplainStage{
	ast.ExplainAST, ast.ExplainBound, ast.ExplainLogical, ast.ExplainOptimized, ast.ExplainPhysical, ast.ExplainTasks,
}

func (p *parser) explain(from int) ast.Statement {
	s := &ast.Explain{}
	if p.accept("(") {
		s.Stage = ast.ExplainStage(p.tok().word)
		if !slices.Contains(stages, s.Stage) {
			p.expecting("'AST'", "'BOUND'", "'LOGICAL'", "'OPTIMIZED'", "'PHYSICAL'", "'TASKS'")
		}
		p.advance()
		p.expect(")")
	}
	last := p.peek(1)
	if p.atName(0) && (last.kind == tokEnd || last.word == ";") {
		s.ID = p.caseName()
	} else {
		s.Statement = p.statement()
	}
	s.Span = p.span(from)
	return s
}

// setting reads the name or value of a property of the session: a string, or a variable, which stands for its own text until it is
// substituted.
func (p *parser) setting() string {
	if t := p.tok(); t.kind == tokVariable {
		p.use(useLiteral)
		p.advance()
		return t.raw(p.text)
	}
	return p.expectString()
}

// variableName reads any word that is not quoted, keywords too. Its case counts.
func (p *parser) variableName() string {
	t := p.tok()
	if t.kind != tokWord {
		p.expecting("IDENTIFIER")
		return ""
	}
	p.advance()
	return t.raw(p.text)
}
