package expr

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/cast"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/row"
)

var testLibrary = builtin.New(builtin.Options{
	Clock:  clock.NewManual(time.Date(2024, 2, 29, 10, 20, 30, 0, time.UTC)),
	Random: func() uint64 { return 1 << 63 },
})

// A schema is the scope of tests.
type schema row.Schema

func (s schema) Column(ref *ast.ColumnRef) (int, *row.Type, error) {
	if i := row.Schema(s).Index(ref.Name.Text); i >= 0 {
		return i, s[i].Type, nil
	}
	return 0, nil, fmt.Errorf("no column %s", ref.Name.Text)
}

// columns makes a schema of the text of a column list.
func columns(t testing.TB, text string) schema {
	t.Helper()
	defs, err := parse.Columns(text)
	if err != nil {
		t.Fatal(err)
	}
	var out schema
	for _, d := range defs {
		typ, err := ResolveType(d.Type, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row.Column{Name: d.Name.Text, Type: typ})
	}
	return out
}

func compileText(t testing.TB, s schema, text string) (*Expr, error) {
	t.Helper()
	e, err := parse.Expression(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return Compile(e, s, testLibrary)
}

// values makes a row whose values are given as constant expressions.
func values(t testing.TB, s schema, texts ...string) row.Row {
	t.Helper()
	var out []row.Value
	for i, text := range texts {
		x, err := compileText(t, nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if x, err = x.Convert(s[i].Type); err != nil {
			t.Fatal(err)
		}
		v, err := x.Eval(row.NewRow())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return row.NewRow(out...)
}

// show is a result as text with its type: "3 INTEGER", or the error.
func show(x *Expr, r row.Row) string {
	v, err := x.Eval(r)
	if err != nil {
		return "error: " + err.Error()
	}
	return cast.Text(v, x.Type()) + " " + strings.ReplaceAll(typeName(x.Type()), "`", "")
}

func check(t *testing.T, s schema, r row.Row, cases [][2]string) {
	t.Helper()
	for _, c := range cases {
		x, err := compileText(t, s, c[0])
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if got := show(x, r); got != c[1] {
			t.Errorf("%s is %s, want %s", c[0], got, c[1])
		}
	}
}

func checkErrors(t *testing.T, s schema, cases [][2]string) {
	t.Helper()
	for _, c := range cases {
		x, err := compileText(t, s, c[0])
		switch {
		case err == nil:
			t.Errorf("%s compiled to %s", c[0], x.Type())
		case !strings.Contains(err.Error(), c[1]):
			t.Errorf("%s: %q, want %q", c[0], err, c[1])
		}
		if e, ok := err.(*Error); ok && (e.Span.End == 0 || e.Code == "") { //nolint:errorlint // not wrapped
			t.Errorf("%s: the error %+v has no place or code", c[0], e)
		}
	}
}
