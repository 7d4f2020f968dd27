package plan

import (
	"fmt"

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
