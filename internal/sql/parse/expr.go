package parse

import "github.com/mainstemio/mainstem/internal/sql/ast"

// expr reads an expression of any kind: OR binds least, then AND, NOT, predicates, and values.
func (p *parser) expr() ast.Expr {
	p.enter()
	defer p.leave()
	return p.chain("OR", ast.Or, func() ast.Expr { return p.chain("AND", ast.And, p.not) })
}

// chain reads operands with one logical operator between them, as a tree that leans to the left.
func (p *parser) chain(word string, op ast.BinaryOp, operand func() ast.Expr) ast.Expr {
	left := operand()
	for n := 0; p.at(word) && p.bounded(n, maxChain, "a chain of operators"); n++ {
		left = p.binary(left, op, 1, operand)
	}
	return left
}

// binary reads the operator, of so many tokens, and its right side.
func (p *parser) binary(left ast.Expr, op ast.BinaryOp, tokens int, right func() ast.Expr) ast.Expr {
	at := p.i
	for range tokens {
		p.advance()
	}
	e := &ast.Binary{Op: op, OpSpan: p.span(at), Left: left, Right: right()}
	e.Span = p.since(left.Pos().Start)
	return e
}

func (p *parser) not() ast.Expr {
	from := p.i
	if !p.accept("NOT") {
		return p.predicate()
	}
	p.enter()
	defer p.leave()
	x := p.not()
	return &ast.Unary{Span: p.span(from), Op: ast.Not, X: x}
}

var comparisons = map[string]ast.BinaryOp{"=": ast.Eq, "<>": ast.Ne, "<": ast.Lt, "<=": ast.Le, ">": ast.Gt, ">=": ast.Ge}

// predicate reads a value and at most one test of it: predicates do not chain.
func (p *parser) predicate() ast.Expr {
	from := p.i
	x := p.value(0)
	operand := func() ast.Expr { return p.value(0) }
	if op, ok := comparisons[p.tok().word]; ok {
		return p.binary(x, op, 1, operand)
	}
	switch {
	case p.at("IS", "DISTINCT", "FROM"):
		return p.binary(x, ast.Distinct, 3, operand)
	case p.at("IS", "NOT", "DISTINCT", "FROM"):
		return p.binary(x, ast.NotDistinct, 4, operand)
	case p.accept("IS"):
		not := p.accept("NOT")
		if !p.accept("NULL") {
			p.expecting("'NULL'", "'DISTINCT'")
		}
		return &ast.IsNull{Span: p.span(from), X: x, Not: not}
	}
	not := p.accept("NOT")
	switch p.acceptAny("LIKE", "IN", "BETWEEN") {
	case "LIKE":
		return p.like(x, not, from)
	case "IN":
		return p.in(x, not, from)
	case "BETWEEN":
		low := p.value(0)
		p.expect("AND")
		high := p.value(0)
		return &ast.Between{Span: p.span(from), X: x, Low: low, High: high, Not: not}
	}
	if not {
		p.expecting("'BETWEEN'", "'IN'", "'LIKE'")
	}
	return x
}

func (p *parser) like(x ast.Expr, not bool, from int) ast.Expr {
	e := &ast.Like{X: x, Pattern: p.value(0), Not: not}
	if p.accept("ESCAPE") {
		at := p.tok().Span
		e.Escape = p.expectString()
		if len([]rune(e.Escape)) != 1 && p.err == nil {
			p.badValue(at, "Expected single character escape but got: "+e.Escape, "ESCAPE names one character")
		}
	}
	e.Span = p.span(from)
	return e
}

func (p *parser) in(x ast.Expr, not bool, from int) ast.Expr {
	e := &ast.In{X: x, Not: not}
	p.expect("(")
	switch {
	case p.at(")"):
		p.unexpectedHint("the list of IN has at least one value")
	case p.at("SELECT"):
		p.unexpectedHint(noSubQuery)
	}
	p.commas("a list of values", func() { e.List = append(e.List, p.expr()) })
	p.closeList()
	e.Span = p.span(from)
	return e
}

// An operator of values with how tightly it binds; all lean to the left.
type operator struct {
	op    ast.BinaryOp
	binds int
}

const bindsSign = 4

var operators = map[string]operator{
	"||": {ast.Concat, 1},
	"+":  {ast.Add, 2}, "-": {ast.Sub, 2},
	"*": {ast.Mul, 3}, "/": {ast.Div, 3}, "%": {ast.Mod, 3},
}

// value reads a value whose operators bind tighter than the bound. AT TIME ZONE binds tightest, then signs.
func (p *parser) value(bound int) ast.Expr {
	left := p.signed()
	for n := 0; p.bounded(n, maxChain, "a chain of operators"); n++ {
		if p.at("AT") {
			left = p.atTimeZone(left)
			continue
		}
		o, ok := operators[p.tok().word]
		if !ok || o.binds <= bound {
			break
		}
		left = p.binary(left, o.op, 1, func() ast.Expr { return p.value(o.binds) })
	}
	return left
}

// signed reads signs and what they stand before. The minus of a number is a part of the number.
func (p *parser) signed() ast.Expr {
	from := p.i
	if !p.at("-") && !p.at("+") || p.at("-") && number(p.peek(1).kind) {
		return p.primaryExpr()
	}
	p.enter()
	defer p.leave()
	op := ast.UnaryOp(p.advance().word)
	x := p.value(bindsSign)
	return &ast.Unary{Span: p.span(from), Op: op, X: x}
}

func number(k tokenKind) bool { return k == tokInteger || k == tokDecimal || k == tokDouble }

func (p *parser) atTimeZone(x ast.Expr) ast.Expr {
	p.expect("AT", "TIME", "ZONE")
	e := &ast.AtTimeZone{X: x, Zone: p.expectString()}
	e.Span = p.since(x.Pos().Start)
	return e
}
