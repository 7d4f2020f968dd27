package parse

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// seeds adds the inputs of the golden files.
func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for block := range strings.SplitSeq(string(raw), "\n====\n") {
			input, _, _ := strings.Cut(block, "\n----")
			f.Add(input)
		}
	}
}

// FuzzParse wants a tree or an *Error for any text, with spans inside of it, and that Split sees the same statements.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Options{Tools: true}.Script(text)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		if e != nil {
			if e.Span.Start < 0 || e.Span.End > len(text) || e.Span.Start > e.Span.End || e.Line < 1 || e.Col < 1 {
				t.Fatalf("error at %v (%d:%d) of %d bytes", e.Span, e.Line, e.Col, len(text))
			}
			_, _ = e.Caret(), e.Error()
		}
		parts := Split(text)
		if err == nil && len(parts) != len(list) {
			t.Fatalf("%d statements, %d parts", len(list), len(parts))
		}
		for i, s := range list {
			if at := s.Pos(); at.Start != parts[i].Span.Start || at.End >= parts[i].Span.End {
				t.Fatalf("statement %v in part %v", at, parts[i].Span)
			}
			ast.Inspect(s, func(n ast.Node) bool {
				if p, at := n.Pos(), s.Pos(); p.Start < at.Start || p.End > at.End || p.Start >= p.End {
					t.Fatalf("%T at %v in a statement at %v", n, p, at)
				}
				return true
			})
		}
	})
}

// FuzzFormat wants the canonical text of every statement to parse to the same tree, and to be its own canonical text.
func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		list, _ := Options{Tools: true}.Script(text)
		for _, s := range list {
			printed := ast.Format(s)
			again, err := Options{Tools: true}.Statement(printed)
			var e *Error
			if errors.As(err, &e) && (e.Code == CodeTooDeep || e.Code == CodeTooLarge) {
				continue // chains of operators are written in parentheses
			}
			if err != nil {
				t.Fatalf("%s\nis printed as\n%s\n%v", ast.Dump(s), printed, err)
			}
			if got, want := unquoted(ast.Dump(again)), unquoted(ast.Dump(s)); got != want {
				t.Fatalf("%s\nis printed as\n%s\nwhich is\n%s", want, printed, got)
			}
			if twice := ast.Format(again); twice != printed {
				t.Fatalf("%s\nis printed anew as\n%s", printed, twice)
			}
		}
	})
}

// FuzzSubstitute wants values to stay in their place: whatever they are, the statement keeps its shape.
func FuzzSubstitute(f *testing.F) {
	for _, value := range []string{"a", "'x'", "'", "1", "-1", "`a b`", "a; b", "a) --", "${v}", "", "\"q\"", "TRUE", "1R", "x y"} {
		f.Add(value)
	}
	const template = "INSERT INTO ${v} (${v}, k) VALUES ('a ${v} b', ${v});"
	f.Fuzz(func(t *testing.T, value string) {
		for i := range 4 {
			// One use at a time, since hardly a value fits all.
			text, n := template, 0
			for text = ""; n < 4; n++ {
				piece := strings.SplitAfter(template, "${v}")[n]
				if n != i {
					piece = strings.Replace(piece, "${v}", "x", 1)
				}
				text += piece
			}
			text += strings.SplitAfter(template, "${v}")[4]
			filled, err := Substitute(text, map[string]string{"v": value})
			if err != nil {
				continue
			}
			s, err := Statement(filled)
			if err != nil {
				t.Fatalf("%q: %v", filled, err)
			}
			if v, ok := s.(*ast.InsertValues); !ok || len(v.Columns) != 2 || len(v.Values) != 2 {
				t.Fatalf("%q is %s", filled, ast.Dump(s))
			}
		}
	})
}
