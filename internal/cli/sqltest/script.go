package sqltest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// A script is a test of statements: INSERT gives the input, ASSERT says what comes of it.
type script struct {
	dir, name              string
	parts                  []parse.Part
	wantError, wantMessage string // of a test that must fail
}

// The kinds of errors that "--@expected.error" can name, by the last part of a name of ksqlDB's.
const (
	assertionError = "AssertionError"
	parseError     = "ParseFailedException"
	anyError       = "Exception" // and whatever ends with it: a statement that is refused
)

func (s *script) run(ctx context.Context, w *world, into *report) error {
	a := &asserter{world: w, read: map[string]int{}}
	err := s.execute(ctx, a)
	if s.wantError == "" && s.wantMessage == "" {
		for _, m := range a.mismatches {
			into.Differences = append(into.Differences, m.difference)
		}
		return err
	}
	return s.judge(err, a.mismatches)
}

func (s *script) execute(ctx context.Context, a *asserter) error {
	for _, part := range s.parts {
		if done, err := a.assert(part); err != nil {
			return atLine(part, err)
		} else if done {
			continue
		}
		if err := a.world.statement(ctx, part, place{dir: s.dir}); err != nil {
			return atLine(part, err)
		}
	}
	return nil
}

// atLine says in which line a statement begins, for errors that do not say it themselves.
func atLine(part parse.Part, err error) error {
	var p *parse.Error
	var st *session.StatementError
	if errors.As(err, &p) || errors.As(err, &st) && st.At.Line > 0 {
		return err
	}
	return fmt.Errorf("line %d: %w", part.Start.Line, err)
}

// judge tells whether a test failed as it must.
func (s *script) judge(err error, mismatches []mismatch) error {
	kind := s.wantError[strings.LastIndexByte(s.wantError, '.')+1:]
	known := kind == "" || kind == assertionError || strings.HasSuffix(kind, anyError)
	if !known {
		return fmt.Errorf("--%s %s: it takes %s, %s or KsqlException", errorDirective, s.wantError, assertionError, parseError)
	}
	wish := strings.TrimSpace(s.wantError + " " + s.wantMessage)
	if err == nil && len(mismatches) == 0 {
		return fmt.Errorf("nothing fails, but there should be an error: %s", wish)
	}
	for _, m := range mismatches {
		if (kind == "" || kind == assertionError || m.source && kind != parseError) && strings.Contains(m.message, s.wantMessage) {
			return nil
		}
	}
	var p *parse.Error
	var st *session.StatementError
	isParse := errors.As(err, &p) || errors.As(err, &st) && st.Phase == session.Parse
	fits := kind == "" || kind == parseError && isParse || kind != parseError && kind != assertionError
	switch {
	case err != nil && fits && strings.Contains(err.Error(), s.wantMessage):
		return nil
	case err != nil:
		return fmt.Errorf("it fails, but not with %s: %w", wish, err)
	}
	return fmt.Errorf("it fails, but not with %s: line %d: %s", wish, mismatches[0].Line, mismatches[0].message)
}

// A mismatch is an ASSERT statement that does not hold.
type mismatch struct {
	difference
	message string // begins in ksqlDB's words, which tests look for
	source  bool   // of ASSERT STREAM or TABLE
}

// An asserter checks ASSERT statements. Each takes the next record of its topic.
type asserter struct {
	world      *world
	read       map[string]int // records that were looked at, by topic
	mismatches []mismatch
}

// assert checks the statement if it is one of these.
func (a *asserter) assert(part parse.Part) (done bool, err error) {
	st, err := a.world.parse(part)
	if err != nil {
		return false, nil // whoever executes it says so
	}
	switch st := st.(type) {
	case *ast.AssertValues:
		return true, a.values(st, part.Start.Line)
	case *ast.AssertSource:
		return true, a.source(st, part.Start.Line)
	}
	return false, nil
}
