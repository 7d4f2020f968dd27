package parse

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// A parser reads the tokens of one statement. Its methods return nodes that are whole even after an error, when every token is tokEnd.
type parser struct {
	text    string
	options Options

	toks  []token // of the statement, ending with tokEnd
	i     int
	depth int
	err   *Error
	// primary is the index of the token at which the last primary expression began: a->* is allowed on one only.
	primary int
	// uses are the places where a variable may stand, for Substitute.
	uses []use
}

// newParser loads the whole text as one statement.
func newParser(text string, o Options) *parser {
	p := &parser{text: text, options: o}
	p.scan(0, false)
	return p
}

// load reads the tokens of the statement that begins at the offset and returns where the next begins.
func (p *parser) load(from int) int { return p.scan(from, true) }

// scan reads tokens up to a semicolon, if it ends the statement, or the end of the text.
func (p *parser) scan(from int, semicolon bool) int {
	l := lexer{text: p.text, pos: from}
	p.toks, p.uses, p.i, p.depth = p.toks[:0], p.uses[:0], 0, 0
	for {
		t := l.next()
		p.toks = append(p.toks, t)
		if t.End-from > maxStatement {
			p.toks = append(p.toks[:0], token{Span: ast.Span{Start: from, End: from}})
			p.tooLarge(ast.Span{Start: from, End: from + 1}, "a statement", maxStatement, "bytes")
			return len(p.text)
		}
		if t.kind == tokEnd {
			return l.pos
		}
		if semicolon && t.word == ";" {
			p.toks = append(p.toks, token{Span: ast.Span{Start: t.End, End: t.End}})
			return l.pos
		}
	}
}

func (p *parser) tok() token { return p.toks[p.i] }

// peek returns the token n ahead, tokEnd past the end.
func (p *parser) peek(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) advance() token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

// at says whether the tokens ahead are these words and symbols.
func (p *parser) at(words ...string) bool {
	for n, w := range words {
		if p.peek(n).word != w {
			return false
		}
	}
	return true
}

// accept passes the words if they are ahead.
func (p *parser) accept(words ...string) bool {
	if !p.at(words...) {
		return false
	}
	for range words {
		p.advance()
	}
	return true
}

// acceptAny passes one of the words and returns it, or "".
func (p *parser) acceptAny(words ...string) string {
	for _, w := range words {
		if p.accept(w) {
			return w
		}
	}
	return ""
}

func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.accept(w) {
			p.expecting(quoteToken(w))
			return
		}
	}
}

// expectString passes a string and returns its content.
func (p *parser) expectString() string {
	t := p.tok()
	if t.kind != tokString {
		p.expecting("STRING")
		return ""
	}
	p.use(useString)
	p.advance()
	return t.unquote(p.text)
}

func (p *parser) expectEnd() {
	if p.tok().kind != tokEnd {
		p.unexpected()
	}
}

// span returns the span of a node that began at the token with index from and ends before the present one.
func (p *parser) span(from int) ast.Span {
	s := p.toks[from].Span
	if p.i > from {
		s.End = p.toks[p.i-1].End
	}
	return s
}

// since widens a node that began at a byte to what was read.
func (p *parser) since(start int) ast.Span {
	end := start
	if p.i > 0 {
		end = max(end, p.toks[p.i-1].End)
	}
	return ast.Span{Start: start, End: end}
}

// enter counts one step of nesting; every enter has its leave, errors or not.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		p.fail(&Error{
			Code: CodeTooDeep, Span: p.tok().Span, Message: fmt.Sprintf("The statement is nested more than %d levels deep.", maxDepth),
			Hint: "compute a part in a stream of its own",
		})
	}
}

func (p *parser) leave() { p.depth-- }

// bounded fails when a list or chain grows too long.
func (p *parser) bounded(n, limit int, what string) bool {
	if n < limit {
		return true
	}
	p.tooLarge(p.tok().Span, what, limit, "elements")
	return false
}

func (p *parser) tooLarge(at ast.Span, what string, limit int, unit string) {
	p.fail(&Error{Code: CodeTooLarge, Span: at, Message: fmt.Sprintf("Too long: %s may have %d %s.", what, limit, unit)})
}

// commas reads elements with commas between them.
func (p *parser) commas(what string, element func()) {
	for n := 0; p.bounded(n, maxList, what); n++ {
		element()
		if !p.accept(",") {
			return
		}
	}
}

// name reads an identifier.
func (p *parser) name() ast.Name {
	t := p.tok()
	switch t.kind {
	case tokQuoted:
		p.advance()
		return ast.Name{Text: t.unquote(p.text), Quoted: true, Span: t.Span}
	case tokDigitWord:
		p.advance()
		return ast.Name{Text: strings.ToUpper(t.raw(p.text)), Span: t.Span}
	case tokVariable:
		p.use(useName)
		p.advance()
		return ast.Name{Text: t.variable(p.text), Variable: true, Span: t.Span}
	case tokWord:
		if reserved, _ := ast.Keyword(t.word); reserved {
			p.reserved()
			return ast.Name{}
		}
		p.advance()
		return ast.Name{Text: t.word, Span: t.Span}
	}
	p.noName()
	return ast.Name{}
}

// atName says whether the token n ahead can be an identifier.
func (p *parser) atName(n int) bool {
	switch t := p.peek(n); t.kind {
	case tokQuoted, tokVariable, tokDigitWord:
		return true
	case tokWord:
		reserved, _ := ast.Keyword(t.word)
		return !reserved
	}
	return false
}

// caseName reads an identifier or string that keeps its case, such as a topic.
func (p *parser) caseName() ast.Name {
	t := p.tok()
	if t.kind == tokString {
		return ast.Name{Text: p.expectString(), Quoted: true, Span: t.Span}
	}
	n := p.name()
	if raw := t.raw(p.text); (t.kind == tokWord || t.kind == tokDigitWord) && n.Given() && raw != n.Text {
		n.Text, n.Quoted = raw, true
	}
	return n
}

// wholeNumber reads digits with a minus, if any.
func (p *parser) wholeNumber() (int64, ast.Span) {
	from := p.i
	minus := p.accept("-")
	t := p.tok()
	if t.kind != tokInteger {
		p.expecting("INTEGER_VALUE")
		return 0, t.Span
	}
	p.advance()
	at := p.span(from)
	return p.parseInt(t.raw(p.text), minus, at), at
}

func (p *parser) parseInt(digits string, minus bool, at ast.Span) int64 {
	if minus {
		digits = "-" + digits
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		p.badNumber(at, "Invalid numeric literal: "+digits, "whole numbers have 64 bits; with a point it is a DECIMAL")
	}
	return v
}

// count reads the number after a word.
func (p *parser) count(word string) *ast.Count {
	digits := p.tok()
	if digits.word == "-" {
		digits = p.peek(1)
	}
	if digits.kind == tokDecimal || digits.kind == tokDouble {
		p.badValue(digits.Span, "Value must be integer for command: "+word, "write a whole number")
	}
	v, at := p.wholeNumber()
	return &ast.Count{Span: at, Value: v}
}

func (p *parser) duration() ast.Duration {
	from := p.i
	n, _ := p.wholeNumber()
	unit, ok := ast.UnitOf(p.tok().word)
	if !ok {
		p.unexpectedHint("a unit of time follows: MILLISECONDS, SECONDS, MINUTES, HOURS or DAYS")
		return ast.Duration{Unit: ast.Millisecond}
	}
	p.advance()
	return ast.Duration{Span: p.span(from), Count: n, Unit: unit}
}

func quoteToken(word string) string { return "'" + strings.ReplaceAll(word, "'", "\\'") + "'" }
