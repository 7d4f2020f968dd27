package plan

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
)

// An Error says what of a statement cannot be. Its text has the form that clients of ksqlDB know.
type Error struct {
	Message string
	Span    ast.Span // zero: the whole statement
	Hint    string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

func errorAt(n ast.Node, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Span: n.Pos()}
}

// placed puts words in front of an expression's error, which keeps its place and its hint.
func placed(words string, err error) error {
	out := &Error{Message: words + err.Error()}
	if e := (*expr.Error)(nil); errors.As(err, &e) {
		out.Span, out.Hint = e.Span, e.Hint
	}
	return out
}
