package session

import (
	"fmt"
	"maps"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// A Reading is what a SELECT of its own is planned with.
type Reading struct {
	Functions *function.Library
	Schemas   format.Schemas // nil: there is no schema registry
	// Settings and Variables of the request.
	Settings, Variables map[string]string
}

// A Selected is a SELECT of its own that was planned.
type Selected struct {
	Statement string // its text, with its variables filled in
	Plan      *plan.Select
	Settings  map[string]string // those in force
}

// Select plans a SELECT of its own, whose semicolon may be missing.
func (s *Snapshot) Select(r Reading, text string) (*Selected, *StatementError) {
	part := parse.Part{Text: text, Start: parse.Position{Line: 1, Col: 1}}
	filled, err := parse.Substitute(text, r.Variables)
	if err != nil {
		return nil, failed(part, text, err)
	}
	st, err := parse.Statement(filled)
	if err != nil {
		return nil, failed(part, filled, err)
	}
	out := &Selected{Statement: filled, Settings: maps.Clone(s.Settings)}
	if out.Settings == nil {
		out.Settings = map[string]string{}
	}
	maps.Copy(out.Settings, r.Settings)
	query, ok := st.(*ast.Select)
	if !ok {
		return nil, failed(part, filled, errorAt(st, CodeElsewhere, "Only SELECT can be queried: execute other statements instead."))
	}
	out.Plan, err = plan.Own(plan.Context{
		Catalog: s.Catalog, Functions: r.Functions.With(out.Settings), Settings: out.Settings, Schemas: r.Schemas,
	}, query.Query)
	if err != nil {
		return nil, failed(part, filled, err)
	}
	return out, nil
}

// Maker returns the query that writes a table, nil if there is none. One that is built to take its place does not write it yet.
func (s *Snapshot) Maker(table string) *Query {
	for _, q := range s.Queries {
		if q.Plan.Sink != nil && q.Plan.Sink.Name == table && q.Beside == "" {
			return q
		}
	}
	return nil
}

// Refused is the error of a planned statement that cannot be executed as things are.
func (s *Selected) Refused(format string, args ...any) *StatementError {
	return &StatementError{Phase: Plan, Code: string(CodeInvalid), Statement: s.Statement, Err: &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...)}}
}

// Failed is the error of a planned statement that the host could not execute.
func (s *Selected) Failed(err error) *StatementError {
	return &StatementError{Phase: Run, Code: string(CodeHost), Statement: s.Statement, Err: err}
}
