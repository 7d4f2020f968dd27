package parse

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// primaryExpr reads a literal, name, call, constructor or parenthesis with the path behind it: [index] and ->field.
func (p *parser) primaryExpr() ast.Expr {
	from := p.i
	e := p.basic()
	for n := 0; p.bounded(n, maxPostfix, "a path"); n++ {
		switch {
		case p.accept("["):
			p.enter()
			index := p.value(0)
			p.leave()
			p.expect("]")
			e = &ast.Subscript{Span: p.span(from), Base: e, Index: index}
		case p.at("->") && p.peek(1).word != "*":
			p.advance()
			field := p.name()
			e = &ast.FieldRef{Span: p.span(from), Base: e, Field: field}
		default:
			p.primary = from
			return e
		}
	}
	return e
}

// basic reads a primary expression without its path.
func (p *parser) basic() ast.Expr {
	from := p.i
	switch t := p.tok(); {
	case t.kind == tokString || t.kind == tokVariable && p.peek(1).word != "." && p.peek(1).word != "(" || number(t.kind) || t.word == "-":
		return p.literal()
	case t.kind == tokWord:
		if e := p.keywordExpr(t.word, from); e != nil {
			return e
		}
	case t.word == "(":
		p.advance()
		if p.at("SELECT") {
			p.unexpectedHint(noSubQuery)
		}
		e := p.expr()
		p.expect(")")
		return e
	}
	if !p.atName(0) {
		p.noExpr()
		return &ast.NullLiteral{}
	}
	return p.named(from)
}

// clauseWords are reserved words that end an expression rather than being meant as a name.
var clauseWords = strings.Fields(`FROM WHERE WINDOW GROUP HAVING LIMIT WITH WITHIN JOIN ON AS AND OR IN IS LIKE BETWEEN WHEN THEN ELSE END SELECT
	VALUES DISTINCT`)

// noExpr fails where an expression should begin.
func (p *parser) noExpr() {
	t := p.tok()
	if reserved, _ := ast.Keyword(t.word); reserved && !slices.Contains(clauseWords, t.word) {
		p.unexpectedHint(t.word + " is a reserved word; as a name it is written in back-quotes, where case counts: `" + t.word + "`")
		return
	}
	p.unexpected()
}

// keywordExpr reads what begins with a word that is not a name there, or returns nil.
func (p *parser) keywordExpr(word string, from int) ast.Expr {
	switch {
	case word == "NULL" || word == "TRUE" || word == "FALSE":
		return p.literal()
	case word == "CASE":
		return p.caseExpr(from)
	case word == "CAST":
		return p.cast(from)
	case p.accept("ARRAY", "["):
		e := &ast.ArrayExpr{}
		if !p.at("]") {
			p.commas("an array", func() { e.Elems = append(e.Elems, p.expr()) })
		}
		p.expect("]")
		e.Span = p.span(from)
		return e
	case p.accept("MAP", "("):
		return p.mapExpr(from)
	case p.accept("STRUCT", "("):
		return p.structExpr(from)
	}
	return nil
}

// named reads what begins with a name: a call, a typed literal, a column.
func (p *parser) named(from int) ast.Expr {
	if next := p.peek(1); next.kind == tokString {
		return p.typedLiteral(from)
	} else if next.word == "(" {
		return p.call(from)
	}
	name := p.name()
	if !p.accept(".") {
		return &ast.ColumnRef{Span: p.span(from), Name: name}
	}
	column := p.name()
	return &ast.ColumnRef{Span: p.span(from), Source: name, Name: column}
}

func (p *parser) typedLiteral(from int) ast.Expr {
	t := p.name()
	if !slices.Contains([]string{"DATE", "TIME", "TIMESTAMP", "DECIMAL"}, t.Text) {
		p.badValue(t.Span, "Unknown type: "+t.Text, "DATE, TIME and TIMESTAMP can stand before a string")
	}
	value := p.expectString()
	return &ast.TypedLiteral{Span: p.span(from), Type: t.Text, Value: value}
}

func (p *parser) call(from int) ast.Expr {
	e := &ast.Call{Name: p.name()}
	if !e.Name.Variable {
		e.Name.Text, e.Name.Quoted = strings.ToUpper(e.Name.Text), false
	}
	p.expect("(")
	switch {
	case p.accept("*"):
		e.Star = true
	case !p.at(")"):
		p.commas("a list of arguments", func() { e.Args = append(e.Args, p.argument()) })
	}
	p.closeList()
	e.Span = p.span(from)
	return e
}

// argument reads an expression, a lambda or a unit of time. Units that are free words are read as columns.
func (p *parser) argument() ast.Expr {
	from := p.i
	if n := p.lambdaParams(); n > 0 {
		return p.lambda(n)
	}
	if unit, ok := ast.UnitOf(p.tok().word); ok && !p.atName(0) {
		p.advance()
		return &ast.IntervalUnit{Span: p.span(from), Unit: unit}
	}
	return p.expr()
}

// lambdaParams returns how many parameters a lambda has that begins here, 0 if none does.
func (p *parser) lambdaParams() int {
	if p.atName(0) && p.peek(1).word == "=>" {
		return 1
	}
	if !p.at("(") {
		return 0
	}
	for n := 1; n <= maxPostfix && p.atName(2*n-1); n++ {
		switch p.peek(2 * n).word {
		case ",":
		case ")":
			if p.peek(2*n+1).word == "=>" {
				return n
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

func (p *parser) lambda(params int) ast.Expr {
	from := p.i
	e := &ast.Lambda{}
	parens := p.accept("(")
	for n := range params {
		if n > 0 {
			p.expect(",")
		}
		e.Params = append(e.Params, p.name())
	}
	if parens {
		p.expect(")")
	}
	p.expect("=>")
	e.Body = p.expr()
	e.Span = p.span(from)
	return e
}

func (p *parser) caseExpr(from int) ast.Expr {
	p.enter()
	defer p.leave()
	p.expect("CASE")
	e := &ast.Case{}
	if !p.at("WHEN") {
		e.Operand = p.value(0)
	}
	for n := 0; p.at("WHEN") && p.bounded(n, maxList, "CASE"); n++ {
		at := p.i
		p.advance()
		w := ast.When{When: p.expr()}
		p.expect("THEN")
		w.Then = p.expr()
		w.Span = p.span(at)
		e.Whens = append(e.Whens, w)
	}
	if len(e.Whens) == 0 {
		p.expecting("'WHEN'")
	}
	if p.accept("ELSE") {
		e.Else = p.expr()
	}
	if !p.accept("END") {
		p.unexpectedHint("CASE ends with END")
	}
	e.Span = p.span(from)
	return e
}

func (p *parser) cast(from int) ast.Expr {
	p.expect("CAST", "(")
	e := &ast.Cast{X: p.expr()}
	p.expect("AS")
	e.Type = p.typ()
	p.expect(")")
	e.Span = p.span(from)
	return e
}

func (p *parser) mapExpr(from int) ast.Expr {
	e := &ast.MapExpr{}
	if !p.at(")") {
		p.commas("a map", func() {
			at := p.i
			entry := ast.MapEntry{Key: p.expr()}
			p.expect(":=")
			entry.Value = p.expr()
			entry.Span = p.span(at)
			e.Entries = append(e.Entries, entry)
		})
	}
	p.closeList()
	e.Span = p.span(from)
	return e
}

func (p *parser) structExpr(from int) ast.Expr {
	e := &ast.StructExpr{}
	if !p.at(")") {
		p.commas("a struct", func() {
			at := p.i
			f := ast.StructEntry{Name: p.name()}
			p.expect(":=")
			f.Value = p.expr()
			f.Span = p.span(at)
			e.Fields = append(e.Fields, f)
		})
	}
	p.closeList()
	e.Span = p.span(from)
	return e
}

// literal reads a literal or a variable in its place.
func (p *parser) literal() ast.Expr {
	from := p.i
	t := p.tok()
	switch {
	case p.accept("NULL"):
		return &ast.NullLiteral{Span: t.Span}
	case p.accept("TRUE"):
		return &ast.BoolLiteral{Span: t.Span, Value: true}
	case p.accept("FALSE"):
		return &ast.BoolLiteral{Span: t.Span}
	case t.kind == tokString:
		return &ast.StringLiteral{Span: t.Span, Value: p.expectString()}
	case t.kind == tokVariable:
		p.use(useLiteral)
		p.advance()
		return &ast.Variable{Span: t.Span, Name: t.variable(p.text)}
	}
	minus := p.accept("-")
	if !number(p.tok().kind) {
		p.unexpectedHint(p.guess(nil))
		return &ast.NullLiteral{}
	}
	digits := p.advance()
	return p.numberLiteral(digits, minus, p.span(from))
}

func (p *parser) numberLiteral(digits token, minus bool, at ast.Span) ast.Expr {
	raw, sign := strings.ToUpper(digits.raw(p.text)), ""
	if minus {
		sign = "-"
	}
	switch digits.kind {
	case tokInteger:
		return &ast.IntegerLiteral{Span: at, Value: p.parseInt(raw, minus, at)}
	case tokDecimal:
		if raw[0] == '.' {
			raw = "0" + raw
		}
		return &ast.DecimalLiteral{Span: at, Text: sign + raw}
	}
	v, err := strconv.ParseFloat(sign+raw, 64)
	if err != nil || math.IsInf(v, 0) {
		p.badNumber(at, "Number overflows DOUBLE: "+sign+raw, "the largest DOUBLE is about 1.8E308")
	}
	return &ast.DoubleLiteral{Span: at, Text: sign + raw, Value: v}
}
