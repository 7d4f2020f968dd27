package plan

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// An Error says what of a statement cannot be. Its text has the form that clients of ksqlDB know.
type Error struct {
	Code    string // stable; empty: there is none that says more than that the statement is invalid
	Message string
	Span    ast.Span // zero: the whole statement
	Hint    string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Codes of errors that say more than that a statement is invalid; package session has the others.
const (
	codeName     = "unknown-name"
	codeColumn   = "unknown-column"
	codeProperty = "with-property"
	codeFormat   = "format"
	codeKey      = "key"
	codeReplace  = "replacement"
)

// coded gives an error of this package a code.
func coded(code string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Code = code
	}
	return err
}

// unknown gives an error on a name that is not there a hint with one like it.
func unknown(err error, name string, names []string) error {
	e, ok := err.(*Error)
	if near := parse.Nearest(name, names); ok && near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return coded(codeName, err)
}

func sourceNames(c *catalog.Catalog) []string {
	var names []string
	for _, s := range c.Sources() {
		names = append(names, s.Name)
	}
	return names
}

func errorf(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

func errorAt(n ast.Node, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Span: n.Pos()}
}

// placed puts words in front of an expression's error, which keeps its place and its hint.
func placed(words string, err error) error {
	out := &Error{Message: words + err.Error()}
	if e := (*expr.Error)(nil); errors.As(err, &e) {
		out.Code, out.Span, out.Hint = string(e.Code), e.Span, e.Hint
	}
	return out
}
