package parse

import "github.com/mainstemio/mainstem/internal/sql/ast"

// query reads SELECT and its clauses.
func (p *parser) query() *ast.Query {
	from := p.i
	q := &ast.Query{From: &ast.Source{}}
	p.expect("SELECT")
	p.commas("a select list", func() { q.Select = append(q.Select, p.selectItem()) })
	if !p.accept("FROM") {
		p.unexpectedHint(p.guess([]string{"'FROM'", "'AS'"}))
		return q
	}
	q.From = p.relation()
	if p.accept("WINDOW") {
		q.Window = p.window()
	}
	if p.accept("WHERE") {
		q.Where = p.expr()
	}
	if p.accept("GROUP") {
		p.expect("BY")
		q.GroupBy = p.grouping()
	}
	if p.accept("PARTITION") {
		p.expect("BY")
		q.PartitionBy = p.grouping()
	}
	if p.accept("HAVING") {
		q.Having = p.expr()
	}
	q.Emit = p.emit()
	if p.accept("LIMIT") {
		q.Limit = p.count("LIMIT")
	}
	q.Span = p.span(from)
	if t := p.tok(); t.kind != tokEnd && t.word != ";" {
		p.unexpectedHint(p.guess([]string{"'WINDOW'", "'WHERE'", "'GROUP'", "'PARTITION'", "'HAVING'", "'EMIT'", "'LIMIT'"}))
	}
	return q
}

func (p *parser) emit() ast.Emit {
	if !p.accept("EMIT") {
		return ast.EmitNone
	}
	switch p.acceptAny("CHANGES", "FINAL") {
	case "CHANGES":
		return ast.EmitChanges
	case "FINAL":
		return ast.EmitFinal
	}
	p.expecting("'CHANGES'", "'FINAL'")
	return ast.EmitNone
}

// selectItem reads *, source.*, struct->* or an expression with its alias.
func (p *parser) selectItem() ast.SelectItem {
	from := p.i
	switch {
	case p.accept("*"):
		return &ast.SelectAll{Span: p.span(from)}
	case p.atName(0) && p.peek(1).word == "." && p.peek(2).word == "*":
		source := p.name()
		p.expect(".", "*")
		return &ast.SelectAll{Span: p.span(from), Source: source}
	}
	e := p.expr()
	if p.at("->", "*") && p.primary == from {
		p.expect("->", "*")
		return &ast.SelectFields{Span: p.span(from), Struct: e}
	}
	item := &ast.SelectExpr{Expr: e}
	if p.accept("AS") || p.atName(0) {
		item.Alias = p.name()
	}
	item.Span = p.span(from)
	return item
}

// grouping reads the list of GROUP BY or PARTITION BY. A parenthesis may enclose the list or begin its first expression: it is the list's
// if nothing but the end of the clause follows it. Without parentheses an element is a value: predicates and AND need them.
func (p *parser) grouping() *ast.Grouping {
	from := p.i
	g := &ast.Grouping{}
	if p.at("(") && p.enclosed() {
		p.advance()
		if !p.at(")") {
			p.commas("a grouping", func() { g.Exprs = append(g.Exprs, p.expr()) })
		}
		p.closeList()
	} else {
		p.commas("a grouping", func() { g.Exprs = append(g.Exprs, p.value(0)) })
	}
	g.Span = p.span(from)
	return g
}

// enclosed says whether the parenthesis here closes at the end of the clause.
func (p *parser) enclosed() bool {
	depth := 0
	for i := p.i; i < len(p.toks); i++ {
		switch p.toks[i].word {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth > 0 {
			continue
		}
		switch next := p.toks[min(i+1, len(p.toks)-1)]; next.word {
		case "PARTITION", "HAVING", "EMIT", "LIMIT", ";":
			return true
		default:
			return next.kind == tokEnd
		}
	}
	return false
}

// relation reads a source and what is joined to it.
func (p *parser) relation() ast.Relation {
	var left ast.Relation = p.source()
	for n := 0; p.bounded(n, maxPostfix, "a chain of joins"); n++ {
		kind, ok := p.joinKind()
		if !ok {
			return left
		}
		j := &ast.Join{Kind: kind, Left: left, Right: p.source()}
		if p.accept("WITHIN") {
			j.Within = p.within()
		}
		p.expect("ON")
		j.On = p.expr()
		j.Span = p.since(left.Pos().Start)
		left = j
	}
	return left
}

func (p *parser) joinKind() (ast.JoinKind, bool) {
	kind := ast.InnerJoin
	switch p.tok().word {
	case "JOIN":
		p.advance()
		return kind, true
	case "INNER":
		p.advance()
	case "LEFT", "RIGHT", "FULL":
		kind = ast.JoinKind(p.advance().word)
		p.accept("OUTER")
	default:
		return kind, false
	}
	p.expect("JOIN")
	return kind, true
}

// source reads a stream or table with its alias. EMIT and PARTITION are aliases only where no clause begins with them.
func (p *parser) source() *ast.Source {
	from := p.i
	if p.at("(", "SELECT") {
		p.unexpectedHint(noSubQuery)
	}
	s := &ast.Source{Name: p.name()}
	clause := p.at("EMIT", "CHANGES") || p.at("EMIT", "FINAL") || p.at("PARTITION", "BY")
	if p.accept("AS") || p.atName(0) && !clause {
		s.Alias = p.name()
	}
	s.Span = p.span(from)
	return s
}

// within reads what follows WITHIN: one size, or (before, after), and the grace period.
func (p *parser) within() *ast.Within {
	from := p.i
	w := &ast.Within{Both: p.accept("(")}
	w.Before = p.duration()
	w.After = w.Before
	if w.Both {
		p.expect(",")
		w.After = p.duration()
		p.expect(")")
	}
	w.Grace = p.grace()
	w.Span = p.span(from)
	return w
}

func (p *parser) grace() *ast.Duration {
	if !p.accept("GRACE") {
		return nil
	}
	p.expect("PERIOD")
	d := p.duration()
	return &d
}

// window reads what follows WINDOW.
func (p *parser) window() *ast.Window {
	from := p.i
	w := &ast.Window{}
	if t := p.tok(); t.kind == tokWord {
		if _, keyword := ast.Keyword(t.word); !keyword && p.peek(1).kind == tokWord {
			w.Name = p.name()
		}
	}
	w.Kind = ast.WindowKind(p.acceptAny("TUMBLING", "HOPPING", "SESSION"))
	if w.Kind == "" {
		p.expecting("'TUMBLING'", "'HOPPING'", "'SESSION'")
	}
	p.expect("(")
	if w.Kind != ast.Session {
		p.expect("SIZE")
	}
	w.Size = p.duration()
	if w.Kind == ast.Hopping {
		p.expect(",", "ADVANCE", "BY")
		d := p.duration()
		w.Advance = &d
	}
	if p.accept(",", "RETENTION") {
		d := p.duration()
		w.Retention = &d
	}
	if p.at(",", "GRACE") {
		p.advance()
		w.Grace = p.grace()
	}
	p.closeList()
	w.Span = p.span(from)
	return w
}
