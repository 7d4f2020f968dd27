package parse

import (
	"errors"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/sql/ast"
)

func TestScriptGivesTheStatementsBeforeAnError(t *testing.T) {
	list, err := Script("SHOW STREAMS;; SHOW TABLES;\nSHOW NOTHING; SHOW TYPES;")
	var e *Error
	if len(list) != 2 || !errors.As(err, &e) || e.Line != 2 || e.Col != 6 {
		t.Errorf("got %d statements and %v", len(list), err)
	}
}

func TestSpansCoverTheStatement(t *testing.T) {
	text := "  SHOW TABLES ; SELECT a+b , (c) FROM s ;"
	list, err := Script(text)
	if err != nil {
		t.Fatal(err)
	}
	q := list[1].(*ast.Select).Query
	sum := q.Select[0].(*ast.SelectExpr)
	for want, n := range map[string]ast.Node{
		"SHOW TABLES": list[0], "SELECT a+b , (c) FROM s": list[1], "a+b": sum, "b": sum.Expr.(*ast.Binary).Right,
		"+": sum.Expr.(*ast.Binary).OpSpan, "s": q.From,
	} {
		if s := n.Pos(); text[s.Start:s.End] != want {
			t.Errorf("span of %q is %q", want, text[s.Start:s.End])
		}
	}
}

func TestErrorsTellTheLineOfTheWholeScript(t *testing.T) {
	for _, part := range Split("SHOW TABLES; SHOW X;\n  SELECT a FROM\n s WHERE;") {
		_, err := Options{Start: part.Start}.Statement(part.Text)
		var e *Error
		errors.As(err, &e)
		switch {
		case strings.Contains(part.Text, "TABLES") && err != nil,
			strings.Contains(part.Text, "SHOW X") && (e == nil || e.Line != 1 || e.Col != 19),
			strings.Contains(part.Text, "WHERE") && (e == nil || e.Line != 3 || e.Col != 9):
			t.Errorf("%s: %v", part.Text, err)
		}
	}
}

func TestColumnsOfASchema(t *testing.T) {
	defs, err := Columns("ID BIGINT KEY, `v 1` ARRAY<STRING>")
	if err != nil || len(defs) != 2 || defs[0].Constraint != ast.Key || defs[1].Name.Text != "v 1" {
		t.Errorf("got %v, %v", defs, err)
	}
	if _, err := Columns("ID BIGINT KEY)"); err == nil {
		t.Error("a closing parenthesis is accepted")
	}
}

func TestCaretShowsTheEndsOfLongLines(t *testing.T) {
	_, err := Statement("SELECT " + strings.Repeat("'é', ", 1000) + " ,\tx FROM " + strings.Repeat("é", 1000))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	lines := strings.Split(e.Caret(), "\n")
	at := strings.IndexRune(lines[0], ',')
	if len([]rune(lines[0])) > 140 || at < 0 || !strings.HasPrefix(lines[0], "1 | …") || !strings.HasSuffix(lines[0], "…") {
		t.Errorf("caret:\n%s", e.Caret())
	}
	if mark := strings.Index(lines[1], "^"); []rune(lines[0])[len([]rune(lines[1][:mark]))] != ',' {
		t.Errorf("the mark is elsewhere:\n%s", e.Caret())
	}
	if len(e.Error()) > maxStatementInError+200 {
		t.Errorf("the message has %d bytes", len(e.Error()))
	}
}

func TestNearest(t *testing.T) {
	words := []string{"STREAM", "STREAMS", "TABLE", "TABLES", "TOPIC"}
	for word, want := range map[string]string{
		"straem": "STREAM", "TABLEZ": "TABLE", "TOPICS": "TOPIC", "x": "", "queries": "", "TABLE": "TABLES", "": "",
		strings.Repeat("T", 100): "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("nearest to %q is %q, should be %q", word, got, want)
		}
	}
}

// hostile are texts that must give an error, or a tree, in little time and stack.
func hostile() map[string]string {
	times := func(n int, s string) string { return strings.Repeat(s, n) }
	return map[string]string{
		"parentheses":    "SELECT " + times(20_000, "(") + "1" + times(20_000, ")") + " FROM s;",
		"open":           "SELECT " + times(20_000, "(") + ";",
		"not":            "SELECT " + times(20_000, "NOT ") + "a FROM s;",
		"signs":          "SELECT " + times(20_000, "- ") + "a FROM s;",
		"calls":          "SELECT " + times(20_000, "f(") + "a FROM s;",
		"cases":          "SELECT " + times(20_000, "CASE ") + "a FROM s;",
		"types":          "CREATE TYPE t AS " + times(20_000, "ARRAY<") + ";",
		"suffixes":       "CREATE TYPE t AS INT " + times(20_000, "ARRAY ") + ";",
		"structs":        "CREATE TYPE t AS " + times(20_000, "STRUCT<a ") + ";",
		"subscripts":     "SELECT a" + times(20_000, "[a") + ";",
		"paths":          "SELECT a" + times(20_000, "->a") + " FROM s;",
		"lambdas":        "SELECT f(a, " + times(20_000, "x => ") + "x) FROM s;",
		"lambda lists":   "SELECT " + times(20_000, "f((a, ") + ";",
		"chain":          "SELECT a" + times(40_000, "+a") + " FROM s;",
		"or":             "SELECT a" + times(40_000, " OR a") + " FROM s;",
		"zones":          "SELECT a" + times(40_000, " AT TIME ZONE 'UTC'") + " FROM s;",
		"columns":        "SELECT a" + times(20_000, ",a") + " FROM s;",
		"joins":          "SELECT * FROM s" + times(10_000, " JOIN s ON a = a") + ";",
		"explain":        times(20_000, "EXPLAIN ") + "SHOW TABLES;",
		"long name":      "SELECT " + times(1<<20, "a") + " FROM s;",
		"long statement": "SELECT '" + times(17<<20, "a") + "' FROM s;",
		"long number":    "SELECT " + times(100_000, "9") + " FROM s;",
		"long double":    "SELECT " + times(100_000, "9") + "E5 FROM s;",
		"comments":       times(100_000, "/**/") + times(1000, "/*"),
		"quotes":         times(100_000, "'"),
		"semicolons":     times(100_000, ";") + "x;",
	}
}

func TestHostileTextIsAnError(t *testing.T) {
	for name, text := range hostile() {
		_, err := Script(text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Caret() == "" || len(e.Error()) > 2*maxStatementInError {
			t.Errorf("%s: the message has %d bytes", name, len(e.Error()))
		}
		Split(text)
	}
}

func TestLimitsAreReached(t *testing.T) {
	repeat := func(n int, s string) string { return strings.Repeat(s, n) }
	for _, c := range []struct {
		name, text string
		code       Code // "" for none
	}{
		{"deep", "SELECT " + repeat(maxDepth-2, "(") + "1" + repeat(maxDepth-2, ")") + " FROM s;", ""},
		{"too deep", "SELECT " + repeat(maxDepth+1, "(") + "1" + repeat(maxDepth+1, ")") + " FROM s;", CodeTooDeep},
		{"columns", "SELECT a" + repeat(maxList-1, ",a") + " FROM s;", ""},
		{"too many columns", "SELECT a" + repeat(maxList, ",a") + " FROM s;", CodeTooLarge},
		{"operators", "SELECT a" + repeat(maxChain-1, "||a") + " FROM s;", ""},
		{"too many operators", "SELECT a" + repeat(maxChain, "||a") + " FROM s;", CodeTooLarge},
		{"bytes", "SELECT '" + repeat(maxStatement-20, "a") + "' FROM s;", ""},
		{"too many bytes", "SELECT '" + repeat(maxStatement, "a") + "' FROM s;", CodeTooLarge},
	} {
		_, err := Script(c.text)
		var e *Error
		switch {
		case c.code == "" && err != nil, c.code != "" && (!errors.As(err, &e) || e.Code != c.code):
			t.Errorf("%s: %.200v", c.name, err)
		}
	}
}

func TestSubstitutionIsBounded(t *testing.T) {
	text := "SELECT '" + strings.Repeat("${v}", 10_000) + "' FROM s;"
	_, err := Substitute(text, map[string]string{"v": strings.Repeat("x", 10_000)})
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeTooLarge {
		t.Errorf("%.200v", err)
	}
}
