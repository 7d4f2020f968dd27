package expr

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// A Code is the stable name of a kind of error.
type Code string

// The kinds of errors.
const (
	CodeType        Code = "expression-type"
	CodeCompare     Code = "expression-compare"
	CodeCast        Code = "expression-cast"
	CodeField       Code = "expression-field"
	CodeConstructor Code = "expression-constructor"
	CodeLiteral     Code = "expression-literal"
	CodeUnsupported Code = "expression-unsupported"
)

// An Error says what is wrong with an expression. Message has ksqlDB's form where tools know it.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Span    ast.Span
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func errorAt(n ast.Node, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Span: n.Pos()}
}

func (e *Error) hint(text string) *Error {
	e.Hint = text
	return e
}

// located gives an error of the function library its place.
func located(n ast.Node, err error) error {
	var f *function.Error
	if errors.As(err, &f) {
		return &Error{Code: Code(f.Code), Message: f.Message, Hint: f.Hint, Span: n.Pos()}
	}
	return &Error{Code: CodeType, Message: err.Error(), Span: n.Pos()}
}

// errNull: a lambda computes with null, which ends the call that runs it.
var errNull = errors.New("null in an arithmetic expression of a lambda")

// typeName is a type in messages; that of NULL is null.
func typeName(t *row.Type) string {
	if t == nil {
		return "null"
	}
	return t.String()
}

// kindName is a type without its parameters.
func kindName(t *row.Type) string {
	if t == nil {
		return "null"
	}
	return t.Kind.String()
}
