// Package sqltest is `mainstem test`: tests of SQL statements without a broker, in the forms of ksqlDB's test tools.
//
// Package cli adds the command. It calls package trial: the tasks that run in production, in memory, in the time of the records.
//
// Owner and locks: one command, one goroutine; each test has a world of its own.
//
// Format: a folder with statements.sql, input.json ({"inputs":[{"topic","key","value","timestamp","window","headers"}]}) and output.json
// ({"outputs":[…]}) is a test. So is each part of an .sql file that begins with a line "--@test: name": its INSERT statements are the input,
// its ASSERT statements say what must come of it, and "--@expected.error" and "--@expected.message" that it must fail. Statements in front of
// the first such line belong to every test of the file.
//
// Not here: what statements mean; queries that answer with rows.
package sqltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem/sqlfunc"
)

// What ends the command without all tests having passed.
var (
	ErrFailed  = errors.New("not all tests pass")
	ErrNoTests = errors.New("there are no tests")
)

// Options say which tests run, and how.
type Options struct {
	JSON      bool   // an object for each test, one a line
	ByQuery   bool   // all inputs go through one query after the other, not each record through all
	Pattern   string // of the names of the tests that run
	Functions []sqlfunc.Function
}

// A runner runs tests.
type runner struct {
	Options
	out io.Writer
}

// Run runs the tests below the places, files or folders, and writes to out what became of them. The error is ErrFailed if one of them fails.
func Run(ctx context.Context, out io.Writer, o Options, places ...string) error {
	return (&runner{o, out}).run(ctx, places)
}

// New returns the command, which writes to out.
func New(out io.Writer) *cobra.Command {
	r := &runner{out: out}
	cmd := &cobra.Command{
		Use: "test [DIR...]", Short: "Test SQL statements in memory",
		Long: `Runs the tests of SQL statements below the directories, in memory and in the time of the records: no node is needed.

A folder with statements.sql, input.json and output.json is a test, as in ksqlDB's test runner; so is each part of an .sql file that begins
with a line "--@test: name", with INSERT statements for the input and ASSERT VALUES, ASSERT NULL VALUES, ASSERT STREAM and ASSERT TABLE
statements for what must come of it.`,
		Example: "  mainstem test examples/payments-sql\n  mainstem test --run last-five --json .",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return r.run(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVar(&r.JSON, "json", false, "print a JSON object for each test, one a line")
	cmd.Flags().StringVar(&r.Pattern, "run", "", "only the tests whose names this regular expression finds")
	cmd.Flags().BoolVar(&r.ByQuery, "query-by-query", false, "give all inputs to one query after the other, as ksqlDB's test runner does, not each record to all")
	return cmd
}

// A test is one to be run: into is told what differs, and the error is what ended it.
type test struct {
	name string
	run  func(ctx context.Context, w *world, into *report) error
}

func (r *runner) run(ctx context.Context, places []string) error {
	only, err := regexp.Compile(r.Pattern)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	tests, err := find(places, r.ByQuery)
	if err != nil {
		return err
	}
	count, bad := 0, 0
	for _, t := range tests {
		if !only.MatchString(t.name) {
			continue
		}
		w, err := newWorld(r.Functions)
		if err != nil {
			return err
		}
		into := &report{Name: t.name}
		if err := t.run(ctx, w, into); err != nil {
			into.Error = err.Error()
		}
		into.Notes = w.notes
		into.OK = into.Error == "" && len(into.Differences) == 0
		count++
		if !into.OK {
			bad++
		}
		if err := r.print(into); err != nil {
			return err
		}
	}
	switch {
	case count == 0:
		return fmt.Errorf("%w in %s", ErrNoTests, strings.Join(places, ", "))
	case !r.JSON:
		fmt.Fprintf(r.out, "%s, %d ok, %d failed\n", number(count, "test"), count-bad, bad)
	}
	if bad > 0 {
		return fmt.Errorf("%w: %d of %d fail", ErrFailed, bad, count)
	}
	return nil
}

func number(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (r *runner) print(one *report) error {
	if !r.JSON {
		return one.print(r.out)
	}
	out := json.NewEncoder(r.out)
	out.SetEscapeHTML(false)
	return out.Encode(one)
}
