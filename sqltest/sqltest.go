// Package sqltest runs tests of SQL statements in memory, as `mainstem test` does, with functions of a program's own.
//
// Purpose: a program whose statements call functions of its own has its statements tested by `go test`.
//
// Callers: tests. It calls what the command calls, which runs the very tasks that run in production.
//
// Owner and locks: a call of Run is by itself.
//
// Format: the forms of tests are those of `mainstem test`: docs/sql.md.
//
// Not here: nodes, brokers, real time.
package sqltest

import (
	"context"
	"io"

	"github.com/mainstemio/mainstem/internal/cli/sqltest"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// ErrFailed is in the error of Run when a test failed, ErrNoTests when there is none.
var (
	ErrFailed  = sqltest.ErrFailed
	ErrNoTests = sqltest.ErrNoTests
)

// Options say which tests run, and with what.
type Options struct {
	Functions []sqlfunc.Function
	Pattern   string // a regular expression that finds the names of the tests that run; empty: all
}

// Run runs the tests below the places, which are files or folders, and writes to out what became of each.
func Run(ctx context.Context, out io.Writer, o Options, places ...string) error {
	return sqltest.Run(ctx, out, sqltest.Options{Functions: o.Functions, Pattern: o.Pattern}, places...)
}
