package parse

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// useKind says what a variable stands for.
type useKind int

const (
	useName    useKind = iota // ${v} in the place of an identifier
	useLiteral                // ${v} in the place of a literal, or of a name in an expression
	useString                 // a string, with ${v} anywhere in it
)

// A use is a token in which variables are substituted.
type use struct {
	kind useKind
	ast.Span
}

func (p *parser) use(kind useKind) {
	p.uses = append(p.uses, use{kind: kind, Span: p.tok().Span})
}

// maxSubstituted bounds a statement with its variables filled in, in bytes.
const maxSubstituted = maxStatement

// Substitute fills variables into one statement: ${name} in the place of a name or literal, and within strings. A value in the place of a
// name must be an identifier, quoted or not; in the place of a literal it is 'a string', a number, TRUE or FALSE, or in an expression a
// name; within a string its quotes are doubled. So a value adds nothing to the statement but what it stands for. A variable without a
// value stays in a string and is an error elsewhere. Values are not substituted again.
func Substitute(text string, values map[string]string) (string, error) {
	return Options{}.Substitute(text, values)
}

// Substitute is the function Substitute with options.
func (o Options) Substitute(text string, values map[string]string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	p := newParser(text, o)
	p.statement()
	p.accept(";")
	p.expectEnd()
	if p.err != nil {
		return "", p.err
	}
	var out strings.Builder
	done := 0
	for _, u := range p.uses {
		out.WriteString(text[done:u.Start])
		out.WriteString(p.fill(u, values))
		done = u.End
		if out.Len() > maxSubstituted {
			p.tooLarge(u.Span, "a statement with its variables", maxSubstituted, "bytes")
		}
		if p.err != nil {
			return "", p.err
		}
	}
	out.WriteString(text[done:])
	return out.String(), nil
}

// fill returns the text for one use.
func (p *parser) fill(u use, values map[string]string) string {
	raw := p.text[u.Start:u.End]
	if u.kind == useString {
		return fillString(raw, values)
	}
	value, ok := values[raw[2:len(raw)-1]]
	switch {
	case !ok:
		p.badVariable(u, "has no value", "DEFINE it first")
	case u.kind == useName && !identifier(value):
		p.badVariable(u, "stands for a name and has the value "+shorten(value, maxTokenInError), "a name is letters, digits and _, or anything in back-quotes")
	case u.kind == useLiteral && !literalValue(value) && !identifier(value):
		p.badVariable(u, "stands for a literal and has the value "+shorten(value, maxTokenInError), "a text needs its quotes: DEFINE v = '''text'''")
	}
	return value
}

func (p *parser) badVariable(u use, what, hint string) {
	at := PositionOf(p.text, u.Start).within(p.options.Start)
	p.fail(&Error{
		Code: CodeVariable, Span: u.Span, Hint: hint,
		Message: fmt.Sprintf("Illegal argument at Line: %d, Col: %d. The variable %s %s", at.Line, at.Col, p.text[u.Start:u.End], what),
	})
}

// identifier says whether a value is one name.
func identifier(value string) bool {
	p := newParser(value, Options{})
	return p.tok().kind != tokVariable && p.atName(0) && p.peek(1).kind == tokEnd && p.tok().Span == ast.Span{End: len(value)}
}

// literalValue says whether a value is one string, number or truth value.
func literalValue(value string) bool {
	p := newParser(value, Options{})
	switch p.literal().(type) {
	case *ast.NullLiteral, *ast.Variable:
		return false
	}
	return p.err == nil && p.tok().kind == tokEnd && p.toks[0].Start == 0 && p.toks[p.i-1].End == len(value)
}

// fillString fills the variables of a string that is still quoted.
func fillString(raw string, values map[string]string) string {
	var out strings.Builder
	for {
		i := strings.Index(raw, "${")
		if i < 0 {
			break
		}
		l := lexer{text: raw, pos: i}
		t := l.variable()
		value, ok := "", false
		if t.kind == tokVariable {
			value, ok = values[t.variable(raw)]
		}
		out.WriteString(raw[:i])
		if ok {
			out.WriteString(strings.ReplaceAll(value, "'", "''"))
		} else {
			out.WriteString(raw[i:t.End])
		}
		raw = raw[t.End:]
	}
	out.WriteString(raw)
	return out.String()
}
