package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// Code is the stable name of a kind of error.
type Code string

// The kinds of errors.
const (
	CodeSyntax           Code = "syntax"
	CodeUnknownStatement Code = "unknown-statement"
	CodeReserved         Code = "reserved-word"
	CodeNumber           Code = "number-range"
	CodeValue            Code = "value"
	CodeKey              Code = "key-constraint"
	CodeVariable         Code = "variable"
	CodeTooLarge         Code = "too-large"
	CodeTooDeep          Code = "too-deep"
)

// An Error is a text that does not parse.
type Error struct {
	Code      Code
	Line, Col int      // of the message, from 1; columns count characters
	Span      ast.Span // what is marked, in bytes of the text that was given
	Message   string   // without position
	Hint      string   // what to do, or empty
	Statement string   // the statement it lies in, shortened when it is long
	text      string
}

// Error returns the message in the form that ksqlDB's clients show. What is wrong with a well-formed statement is found while it is
// prepared; messages on values carry no position there.
func (e *Error) Error() string {
	prepared := "Failed to prepare statement: "
	switch e.Code {
	case CodeSyntax, CodeUnknownStatement, CodeReserved:
		return fmt.Sprintf("line %d:%d: %s\nStatement: %s", e.Line, e.Col, e.Message, e.Statement)
	case CodeKey:
		return fmt.Sprintf("%sLine: %d, Col: %d: %s\nStatement: %s", prepared, e.Line, e.Col, e.Message, e.Statement)
	case CodeValue, CodeVariable:
		return fmt.Sprintf("%s%s\nStatement: %s", prepared, e.Message, e.Statement)
	}
	return fmt.Sprintf("%sline %d:%d: %s\nStatement: %s", prepared, e.Line, e.Col, e.Message, e.Statement)
}

// maxCaretWidth bounds the part of a line that Caret shows, in characters.
const maxCaretWidth = 120

// Caret returns the line of the error with a mark below the place, and the hint:
//
//	3 | SELECT a FORM b
//	  |          ^^^^
//	  hint: did you mean FROM?
func (e *Error) Caret() string {
	out, pad := caret(e.text, e.Span, e.Line)
	if e.Hint != "" {
		out += pad + " hint: " + e.Hint + "\n"
	}
	return out
}

// CaretAt is Caret for a place of a text that another part found wrong. A place outside of the text has none: it is empty.
func CaretAt(text string, at Position) string {
	start, line := 0, 1
	for ; line < at.Line; line++ {
		n := strings.IndexByte(text[start:], '\n')
		if n < 0 {
			return ""
		}
		start += n + 1
	}
	for column := 1; column < at.Col; column++ {
		_, size := utf8.DecodeRuneInString(text[start:])
		if size == 0 || text[start] == '\n' {
			return ""
		}
		start += size
	}
	out, _ := caret(text, ast.Span{Start: start, End: start}, line)
	return out
}

// caret is a line of a text with a mark below a part of it, and the space in front of what else belongs there.
func caret(text string, span ast.Span, line int) (marked, pad string) {
	start := min(span.Start, len(text))
	lineStart := strings.LastIndexByte(text[:start], '\n') + 1
	lineEnd := len(text)
	if n := strings.IndexByte(text[start:], '\n'); n >= 0 {
		lineEnd = start + n
	}
	before := []rune(text[lineStart:start])
	if len(before) > maxCaretWidth/2 {
		before = append([]rune("…"), before[len(before)-maxCaretWidth/2:]...)
	}
	end := min(max(span.End, start), lineEnd)
	after := strings.TrimRight(text[start:lineEnd], "\r")
	if runes := []rune(after); len(runes) > maxCaretWidth/2 {
		after = string(runes[:maxCaretWidth/2]) + "…"
	}
	marks := max(1, min(utf8.RuneCountInString(text[start:end]), maxCaretWidth/2))
	number := fmt.Sprint(line)
	pad = strings.Repeat(" ", len(number))
	blank := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
	return number + " | " + string(before) + after + "\n" + pad + " | " + blank + strings.Repeat("^", marks) + "\n", pad
}

// A Position is a line and column of a text, both from 1; columns count characters.
type Position struct{ Line, Col int }

// PositionOf returns where a byte of a text stands.
func PositionOf(text string, offset int) Position {
	before := text[:min(max(offset, 0), len(text))]
	line := strings.Count(before, "\n") + 1
	return Position{line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
}

// within moves a position of a text that itself begins at start.
func (p Position) within(start Position) Position {
	if start.Line == 0 {
		return p
	}
	if p.Line == 1 {
		p.Col += start.Col - 1
	}
	p.Line += start.Line - 1
	return p
}

// How much of a statement and of one token an error repeats, in bytes.
const (
	maxStatementInError = 4 << 10
	maxTokenInError     = 200
)

// shorten cuts a text to a number of bytes.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
