package parse

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// A Part is one statement of a script, as text.
type Part struct {
	Text       string // from its first token to its semicolon, comments between included
	Span       ast.Span
	Start      Position // for Options.Start
	Directives []string // lines --@… before the statement and within, without their dashes
	Complete   bool     // it ends with a semicolon; only the last part may lack it
}

// Split cuts a script at the semicolons that stand outside of strings, quoted names and comments. It accepts any text: what follows the last
// semicolon, if it is more than space and comments, is a part that is not complete, as a line of a prompt that goes on. Empty statements are
// left out.
func Split(text string) []Part {
	var parts []Part
	l := lexer{text: text}
	here, at := Position{1, 1}, 0
	for {
		l.directives = nil
		first := l.next()
		last := first
		for last.kind != tokEnd && last.word != ";" {
			t := l.next()
			if t.kind == tokEnd {
				break
			}
			last = t
		}
		switch {
		case first.kind == tokEnd:
			return parts
		case first.word == ";":
			continue
		}
		here = PositionOf(text[at:first.Start], first.Start-at).within(here)
		at = first.Start
		parts = append(parts, Part{
			Text: text[first.Start:last.End], Span: ast.Span{Start: first.Start, End: last.End}, Start: here,
			Directives: directives(text, l.directives), Complete: last.word == ";",
		})
	}
}

func directives(text string, spans []ast.Span) []string {
	var out []string
	for _, s := range spans {
		out = append(out, strings.TrimSpace(text[s.Start+len("--"):s.End]))
	}
	return out
}
