package parse

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// fail keeps the first error, with its position and statement, and moves to the end.
func (p *parser) fail(e *Error) {
	if p.err == nil {
		at := PositionOf(p.text, e.Span.Start).within(p.options.Start)
		e.Line, e.Col = at.Line, at.Col
		if e.Code == CodeNumber {
			e.Col++ // where ksqlDB's messages put a number that is out of range; the caret stands where it begins
		}
		e.Statement, e.text = p.statementAround(), p.text
		p.err = e
	}
	p.i = len(p.toks) - 1
}

// statementAround returns the text from the first token to the semicolon that ends the statement.
func (p *parser) statementAround() string {
	end := p.toks[len(p.toks)-1].End
	return shorten(strings.TrimRight(p.text[min(p.toks[0].Start, end):end], " \t\r\n"), maxStatementInError)
}

// syntax fails at the present token. The detail is part of the message, the hint is not.
func (p *parser) syntax(detail, hint string) {
	p.fail(&Error{Code: CodeSyntax, Span: p.tok().Span, Message: "Syntax Error\n" + detail, Hint: hint})
}

// unexpected fails where much could follow, so that no list of it would help.
func (p *parser) unexpected() { p.unexpectedHint("") }

func (p *parser) unexpectedHint(hint string) {
	if hint == "" {
		hint = p.guess(nil)
	}
	p.syntax("", hint)
}

// expecting fails where one of few tokens must follow, in the order given. Words of these are hints for what looks like them.
func (p *parser) expecting(tokens ...string) {
	list := strings.Join(tokens, ", ")
	if len(tokens) > 1 {
		list = "{" + list + "}"
	}
	p.syntax("Expecting "+list, p.guess(tokens))
}

// reserved fails at a reserved word in the place of a name.
func (p *parser) reserved() {
	t := p.tok()
	p.fail(&Error{
		Code: CodeReserved, Span: t.Span,
		Message: fmt.Sprintf("Syntax Error\n%q is a reserved keyword and it can't be used as an identifier.", t.raw(p.text)),
		Hint:    "as a name it is written in back-quotes, where case counts: `" + t.word + "`",
	})
}

// noName fails at something else than a word in the place of a name.
func (p *parser) noName() {
	switch t := p.tok(); t.kind {
	case tokString:
		p.syntax("", "'…' is a string; names are written in back-quotes or double quotes")
	default:
		p.unexpectedHint("a name follows")
	}
}

func (p *parser) badNumber(at ast.Span, message, hint string) {
	p.fail(&Error{Code: CodeNumber, Span: at, Message: shorten(message, maxTokenInError), Hint: hint})
}

// badValue fails at something that is well formed but cannot be.
func (p *parser) badValue(at ast.Span, message, hint string) {
	p.fail(&Error{Code: CodeValue, Span: at, Message: shorten(message, maxTokenInError), Hint: hint})
}

// guess returns a hint for the present token: what a bad one lacks, what the dialect has not, or the expected word that was meant.
func (p *parser) guess(expected []string) string {
	t := p.tok()
	if t.kind == tokBad {
		return badToken(t.raw(p.text))
	}
	if h := meant(t, expected); h != "" {
		return h
	}
	if p.i > 0 { // the word before may have been taken for an alias: SELECT * FROM a ORDER BY b
		return meant(p.toks[p.i-1], expected)
	}
	return ""
}

// meant returns a hint on one word. A keyword is what it says, unless it is none of those expected.
func meant(t token, expected []string) string {
	if h, ok := notInDialect[t.word]; ok {
		return h
	}
	if t.kind != tokWord {
		return ""
	}
	var words []string
	for _, e := range expected {
		if w := strings.Trim(e, "'"); w != e {
			words = append(words, w)
		}
	}
	if _, keyword := ast.Keyword(t.word); len(words) == 0 && !keyword {
		words = ast.Keywords()
	}
	if w := Nearest(t.word, words); w != "" {
		return "did you mean " + w + "?"
	}
	return ""
}

func badToken(raw string) string {
	switch raw[0] {
	case '\'':
		return "the string that begins here has no end; a quote inside is doubled: ''"
	case '`', '"':
		return "the name that begins here has no closing quote"
	case '/':
		return "the comment that begins here has no end: */"
	case '$':
		return "variables are written ${name}"
	}
	return "this character has no meaning outside of quotes"
}

const noSubQuery = "sub-queries are not part of this dialect: create a stream or table from the inner query"

// notInDialect are words of SQL that the dialect lacks, by what a user can do instead.
var notInDialect = map[string]string{
	"ORDER":    "ORDER BY is not part of this dialect: streams have no end, and pull queries give rows in the order of the store",
	"DISTINCT": "SELECT DISTINCT is not part of this dialect: group by the columns instead",
	"UNION":    "UNION is not part of this dialect: use INSERT INTO for the second query",
	"OVER":     "OVER is not part of this dialect: use WINDOW with GROUP BY",
	"OFFSET":   "OFFSET is not part of this dialect",
}
