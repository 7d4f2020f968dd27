package parse

import (
	"strings"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// A lexer cuts text into tokens, from pos on. Comments and space between tokens are skipped; directives are collected.
type lexer struct {
	text       string
	pos        int
	directives []ast.Span // of lines that begin with --@, without the end of line
}

// next returns the next token; at the end of the text a tokEnd of no length.
func (l *lexer) next() token {
	if bad, ok := l.skip(); !ok {
		return bad
	}
	start := l.pos
	if start >= len(l.text) {
		return token{kind: tokEnd, Span: ast.Span{Start: start, End: start}}
	}
	switch c := l.text[start]; {
	case letter(c):
		l.word()
		raw := l.text[start:l.pos]
		return token{kind: tokWord, word: strings.ToUpper(raw), Span: ast.Span{Start: start, End: l.pos}}
	case digit(c) || c == '.' && digit(l.peek(1)):
		return l.number()
	case c == '\'':
		return l.quoted(tokString)
	case c == '`' || c == '"':
		return l.quoted(tokQuoted)
	case c == '$':
		return l.variable()
	}
	return l.symbol()
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func inWord(c byte) bool { return letter(c) || digit(c) || c == '@' }

// peek returns the byte n ahead, or 0 at the end.
func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.text) {
		return l.text[l.pos+n]
	}
	return 0
}

// token ends a token that began at start.
func (l *lexer) token(kind tokenKind, start int) token {
	return token{kind: kind, Span: ast.Span{Start: start, End: l.pos}}
}

// skip passes space and comments. A comment without end is a bad token up to the end of the text.
func (l *lexer) skip() (token, bool) {
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.pos++
		case c == '-' && l.peek(1) == '-':
			l.lineComment()
		case c == '/' && l.peek(1) == '*':
			start := l.pos
			end := strings.Index(l.text[start+2:], "*/")
			if end < 0 {
				l.pos = len(l.text)
				return l.token(tokBad, start), false
			}
			l.pos = start + 2 + end + 2
		case l.pos == 0 && strings.HasPrefix(l.text, "\ufeff"):
			l.pos = len("\ufeff") // byte order mark of a file
		default:
			return token{}, true
		}
	}
	return token{}, true
}

func (l *lexer) lineComment() {
	start := l.pos
	end := strings.IndexAny(l.text[start:], "\r\n")
	if end < 0 {
		end = len(l.text) - start
	}
	l.pos = start + end
	if strings.HasPrefix(l.text[start:l.pos], "--@") {
		l.directives = append(l.directives, ast.Span{Start: start, End: l.pos})
	}
}

func (l *lexer) word() {
	for l.pos < len(l.text) && inWord(l.text[l.pos]) {
		l.pos++
	}
}

func (l *lexer) digits() {
	for digit(l.peek(0)) {
		l.pos++
	}
}

// number reads what is the longest of: 12, 1.5, 1.5E3 and a word that begins with a digit.
func (l *lexer) number() token {
	start, kind := l.pos, tokInteger
	l.digits()
	if l.peek(0) == '.' {
		kind = tokDecimal
		l.pos++
		l.digits()
	}
	if end, ok := l.exponent(); ok {
		kind, l.pos = tokDouble, end
	}
	end := l.pos
	l.pos = start
	if l.word(); l.pos > end {
		return l.token(tokDigitWord, start)
	}
	l.pos = end
	return l.token(kind, start)
}

// exponent finds the end of E, a sign and digits at the position.
func (l *lexer) exponent() (end int, ok bool) {
	if c := l.peek(0); c != 'e' && c != 'E' {
		return 0, false
	}
	n := 1
	if c := l.peek(n); c == '+' || c == '-' {
		n++
	}
	first := n
	for digit(l.peek(n)) {
		n++
	}
	return l.pos + n, n > first
}

// quoted reads up to the closing quote; a doubled quote is one inside.
func (l *lexer) quoted(kind tokenKind) token {
	start := l.pos
	quote := l.text[start]
	for l.pos++; l.pos < len(l.text); l.pos++ {
		if l.text[l.pos] != quote {
			continue
		}
		if l.peek(1) != quote {
			l.pos++
			return l.token(kind, start)
		}
		l.pos++
	}
	return l.token(tokBad, start)
}

func (l *lexer) variable() token {
	start := l.pos
	if l.peek(1) == '{' && letter(l.peek(2)) {
		l.pos += 2
		if l.word(); l.peek(0) == '}' {
			l.pos++
			return l.token(tokVariable, start)
		}
		l.pos = start
	}
	l.pos++
	return l.token(tokBad, start)
}

// symbols of two characters; != is another form of <>.
var pairs = map[string]string{
	"<>": "<>", "!=": "<>", "<=": "<=", ">=": ">=", "||": "||", ":=": ":=", "->": "->", "=>": "=>",
}

func (l *lexer) symbol() token {
	start := l.pos
	if start+2 <= len(l.text) {
		if word, ok := pairs[l.text[start:start+2]]; ok {
			l.pos += 2
			return token{kind: tokSymbol, word: word, Span: ast.Span{Start: start, End: l.pos}}
		}
	}
	if strings.IndexByte("=<>+-*/%()[],.;", l.text[start]) >= 0 {
		l.pos++
		return token{kind: tokSymbol, word: l.text[start:l.pos], Span: ast.Span{Start: start, End: l.pos}}
	}
	_, size := utf8.DecodeRuneInString(l.text[start:])
	l.pos += size
	return l.token(tokBad, start)
}
