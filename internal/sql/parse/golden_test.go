package parse

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden runs each case of a file through answer. Cases stand between lines ====; the text above a line ---- is the input, the text below
// what is expected of it.
func golden(t *testing.T, file string, answer func(input string) string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for block := range strings.SplitSeq(strings.TrimRight(string(raw), "\n"), "\n====\n") {
		input, want, _ := strings.Cut(block, "\n----")
		got := strings.TrimRight(answer(input), "\n")
		if want = strings.TrimPrefix(want, "\n"); got != want && !*update {
			t.Errorf("%s:\n%s\ngives\n%s\nshould be\n%s", file, input, got, want)
		}
		out = append(out, input+"\n----\n"+got+"\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(out, "====\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// told is an error as a test sees it: code, position, message, mark.
func told(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "not an *Error: " + fmt.Sprint(err)
	}
	return fmt.Sprintf("%s %d:%d\n%s\n%s", e.Code, e.Line, e.Col, e.Error(), e.Caret())
}

func TestStatements(t *testing.T) {
	for _, file := range []string{"sources.txt", "queries.txt", "show.txt", "tools.txt"} {
		golden(t, file, func(input string) string {
			s, err := Options{Tools: file == "tools.txt"}.Statement(input)
			if err != nil {
				return told(err)
			}
			roundTrip(t, s)
			return ast.Dump(s) + ast.Format(s)
		})
	}
}

func TestExpressions(t *testing.T) {
	golden(t, "expressions.txt", func(input string) string {
		e, err := Expression(input)
		if err != nil {
			return told(err)
		}
		again, err := Expression(ast.Format(e))
		if err != nil || unquoted(ast.Dump(again)) != unquoted(ast.Dump(e)) {
			t.Errorf("%s is printed as %s, which is not the same: %v", input, ast.Format(e), err)
		}
		return ast.Dump(e) + ast.Format(e)
	})
}

func TestTypes(t *testing.T) {
	golden(t, "types.txt", func(input string) string {
		typ, err := Type(input)
		if err != nil {
			return told(err)
		}
		return ast.Dump(typ) + ast.Format(typ)
	})
}

func TestErrorsPointAtTheText(t *testing.T) {
	golden(t, "errors.txt", func(input string) string {
		_, err := Script(input)
		if err == nil {
			return "no error"
		}
		return told(err)
	})
}

func TestSplit(t *testing.T) {
	golden(t, "split.txt", func(input string) string {
		var out strings.Builder
		for _, p := range Split(input) {
			fmt.Fprintf(&out, "%d:%d complete=%v %q %q\n", p.Start.Line, p.Start.Col, p.Complete, p.Directives, p.Text)
		}
		return out.String()
	})
}

func TestSubstitute(t *testing.T) {
	values := map[string]string{
		"stream": "clicks", "quoted": "`My Stream`", "topic": "clicks.v1", "count": "4", "text": "'it''s'", "plain": "it's",
		"flag": "true", "attack": "a; DROP STREAM x", "comment": "a -- b", "spaced": " a", "negative": "-1.5", "huge": "1E999", "again": "${topic}",
		"Case": "upper", "empty": "",
	}
	golden(t, "variables.txt", func(input string) string {
		got, err := Substitute(input, values)
		if err != nil {
			return told(err)
		}
		return got
	})
}
