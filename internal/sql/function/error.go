package function

import (
	"maps"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// A Code is the stable name of a kind of error.
type Code string

// The kinds of errors of a lookup.
const (
	CodeUnknown   Code = "unknown-function"
	CodeArguments Code = "function-arguments"
	CodeAmbiguous Code = "function-ambiguous"
	CodeConstant  Code = "function-constant"
)

// An Error says why a function cannot be called so.
type Error struct {
	Code    Code
	Message string
	Hint    string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// A RowError is an error for one row of a function that is a user's own. An aggregate goes on without the row.
type RowError struct{ Err error }

// Error implements error.
func (e RowError) Error() string { return e.Err.Error() }

// Unwrap returns what the function said.
func (e RowError) Unwrap() error { return e.Err }

func list(args []Arg) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}

func ambiguous(name string, args []Arg) error {
	return &Error{
		CodeAmbiguous, "Function '" + name + "' cannot be resolved due to ambiguous method parameters (" + list(args) + ").",
		"say with CAST(... AS ...) which types are meant",
	}
}

func noMatch(name string, sigs []*signature, args []Arg) error {
	var b strings.Builder
	b.WriteString("Function '" + name + "' does not accept parameters (" + list(args) + ").\nValid alternatives are:")
	for _, s := range sigs {
		b.WriteString("\n" + name + s.text)
	}
	return &Error{CodeArguments, b.String(), "cast the arguments, or see DESCRIBE FUNCTION " + strings.ToUpper(name)}
}

func (l *Library) unknown(name string) error {
	e := &Error{CodeUnknown, "Can't find any functions with the name '" + name + "'", "LIST FUNCTIONS shows all names"}
	if near := parse.Nearest(name, slices.Collect(maps.Keys(l.functions))); near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return e
}
