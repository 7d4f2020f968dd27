package session

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// A Phase is where a statement ends.
type Phase uint8

// The phases.
const (
	Parse Phase = iota + 1
	Plan
	Run
)

// A Code is the stable name of a kind of error of this package. Errors of parsing and of expressions have codes of their own.
type Code string

// The codes.
const (
	CodeInvalid   Code = "invalid-statement" // names, types or rules, where nothing below is closer
	CodeUnknown   Code = "unknown-name"      // of a source, query, type, connector, topic
	CodeExists    Code = "already-exists"
	CodeInUse     Code = "in-use"      // other queries need it
	CodeReplace   Code = "replacement" // what CREATE OR REPLACE cannot change
	CodeSetting   Code = "setting"
	CodeConnector Code = "connector"
	CodeElsewhere Code = "not-here"  // the statement is for another path or tool
	CodeAssertion Code = "assertion" // an ASSERT that does not hold
	CodeHost      Code = "host"      // the broker or the engine could not do it
)

// An Error says what of a statement cannot be.
type Error struct {
	Code    Code
	Message string
	Span    ast.Span // zero: the whole statement
	Hint    string
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

// A StatementError says which statement of a script failed, and in which phase. Its cause is a *parse.Error, a *plan.Error, an
// *expr.Error, an *Error or what the host says.
type StatementError struct {
	Phase     Phase
	Code      string // stable
	Index     int    // of the statement, from 0
	Statement string // its text
	Err       error
	At        parse.Position // in the script of what is wrong; zero: the message has it, or it is not the statement's fault
	Offset    int            // the same in bytes of the script, unless variables stand in front of it
}

// Error is the message with its place and hint, in ksqlDB's form.
func (e *StatementError) Error() string {
	text := e.Err.Error()
	if e.At.Line > 0 {
		text = fmt.Sprintf("Line: %d, Col: %d: %s", e.At.Line, e.At.Col, text)
	}
	if hint := e.Hint(); hint != "" {
		text += "\nhint: " + hint
	}
	return text
}

// Hint is what to do about it, or empty.
func (e *StatementError) Hint() string { return causeOf(e.Err).hint }

// Unwrap returns the cause.
func (e *StatementError) Unwrap() error { return e.Err }

// failed is the error of a statement of a script, with its place. Where a planner's error has none it is that of what the statement is about.
func failed(part parse.Part, text string, err error) *StatementError {
	e := &StatementError{Phase: Plan, Statement: text, Err: err}
	c := causeOf(err)
	e.Code = c.code
	var p *parse.Error
	var r runError
	switch {
	case errors.As(err, &p): // its message has the place
		e.Phase = Parse
		return e
	case errors.As(err, &r):
		e.Phase = Run
	}
	if c.at == (ast.Span{}) && e.Phase == Plan {
		c.at = about(text)
	}
	if c.at != (ast.Span{}) {
		e.At, e.Offset = parse.PositionOf(text, c.at.Start), part.Span.Start+c.at.Start
		if e.At.Line == 1 {
			e.At.Col += part.Start.Col - 1
		}
		e.At.Line += part.Start.Line - 1
	}
	return e
}

// about is the place of what a statement is about: the rows that it selects, or the name that it makes.
func about(text string) ast.Span {
	st, err := parse.Statement(text)
	if err != nil {
		return ast.Span{}
	}
	query := (*ast.Query)(nil)
	at := st.Pos()
	switch st := st.(type) {
	case *ast.CreateAs:
		query, at = st.Query, st.Name.Span
	case *ast.InsertInto:
		query, at = st.Query, st.Target.Span
	case *ast.Select:
		query = st.Query
	case *ast.CreateSource:
		at = st.Name.Span
	case *ast.AlterSource:
		at = st.Name.Span
	case *ast.InsertValues:
		at = st.Target.Span
	}
	if query != nil && len(query.Select) > 0 {
		at = query.Select[0].Pos()
	}
	return at
}

// A cause is what an error tells besides its message.
type cause struct {
	code, hint string
	at         ast.Span
}

// causeOf looks into an error of any package.
func causeOf(err error) cause {
	var (
		own   *Error
		text  *parse.Error
		plans *plan.Error
		exprs *expr.Error
		run   runError
	)
	switch {
	case errors.As(err, &own):
		return cause{string(own.Code), own.Hint, own.Span}
	case errors.As(err, &text):
		return cause{code: string(text.Code)} // it shows its hint with the mark
	case errors.As(err, &plans):
		code := plans.Code
		if code == "" {
			code = string(CodeInvalid)
		}
		return cause{code, plans.Hint, plans.Span}
	case errors.As(err, &exprs):
		return cause{string(exprs.Code), exprs.Hint, exprs.Span}
	case errors.As(err, &run):
		return cause{code: string(CodeHost)}
	}
	return cause{code: string(CodeInvalid)}
}

// A runError is of the host.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

func running(err error) error {
	if err == nil {
		return nil
	}
	return runError{err}
}
