package parse

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

type tokenKind uint8

const (
	tokEnd       tokenKind = iota
	tokWord                // identifier or keyword, not quoted; word is in upper case
	tokQuoted              // `name` or "name"
	tokString              // 'text'
	tokInteger             // 12
	tokDecimal             // 1.5, 1., .5
	tokDouble              // 1E5, 1.5e-3
	tokDigitWord           // 1abc, a name too
	tokVariable            // ${name}
	tokSymbol              // word is the symbol, != as <>
	tokBad                 // a character or an opening without end
)

// A token is one piece of the text. Word is what at and expect compare, empty for the kinds that have no fixed text.
type token struct {
	kind tokenKind
	word string
	ast.Span
}

// raw returns the token as written.
func (t token) raw(text string) string { return text[t.Start:t.End] }

// unquote returns the content of a string or quoted identifier, with doubled quotes undone.
func (t token) unquote(text string) string {
	raw := t.raw(text)
	quote := raw[:1]
	return strings.ReplaceAll(raw[1:len(raw)-1], quote+quote, quote)
}

// variable returns a variable's name without ${ and }.
func (t token) variable(text string) string { return text[t.Start+2 : t.End-1] }
