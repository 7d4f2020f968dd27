// Package sqlshell is `mainstem sql`: statements from a flag, a file, a pipe or a terminal, executed by a running node.
//
// Package cli adds the command; it speaks to the node's HTTP API (POST /ksql, /query-stream, /query) only, as any client of ksqlDB would.
//
// Owner and locks: one command, one goroutine; at a terminal another one reads the keys (console.go), so that Ctrl-C ends a query.
//
// Statements are split here and sent one at a time, so that each result is seen as soon as it is there; the first that fails ends the run,
// but not at a terminal. Results are sentences and tables, or with --json the entities as they came and a row an object, one a line.
// Variables and settings of the session are kept here and go along with each request.
//
// Not here: the statements' meaning.
package sqlshell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// An IO is where the command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // Err is a terminal: a prompt is shown, unless In is a file
}

// A Failure is what ends the command: a stable name, what happened, the next step.
type Failure struct {
	Name string
	Err  error
	Next string
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

type shell struct {
	io        IO
	address   string
	json      bool
	client    http.Client
	settings  map[string]string // of SET
	variables map[string]string // of DEFINE
	spool     *os.File          // nil: none; Out has a copy there
	out       io.Writer         // Out, and the spool
	width     func() int        // of the terminal in columns; 0: it is none
	scripts   int               // RUN SCRIPT within RUN SCRIPT
}

// New returns the command; server is the node's address by default.
func New(streams IO, server string) *cobra.Command {
	s := &shell{
		io: streams, address: server, settings: map[string]string{}, variables: map[string]string{}, out: streams.Out, width: func() int { return 0 },
	}
	var statements, file string
	cmd := &cobra.Command{
		Use: "sql", Short: "Execute SQL statements on a running node", Args: cobra.NoArgs,
		Long: `Executes statements of ksqlDB's language on a running node: streams and tables over topics, and queries between them that run until they
are terminated. SELECT and PRINT show rows; Ctrl-C ends them. Statements end with a semicolon. Without -e or -f they are read from the
terminal or a pipe; at a terminal the tab key completes words, and "help" tells what else there is.`,
		Example: "  mainstem sql -e \"LIST STREAMS;\"\n  mainstem sql -f payments.sql\n  mainstem sql --server 127.0.0.1:8081 --json -e \"SELECT * FROM visits_by_page;\"",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = errors.Join(err, s.closeSpool()) }()
			switch {
			case statements != "":
				return s.script(cmd.Context(), statements)
			case file != "":
				text, err := os.ReadFile(file)
				if err != nil {
					return &Failure{"unreadable", err, "name a file of statements with -f"}
				}
				return s.script(cmd.Context(), string(text))
			}
			return s.read(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&statements, "execute", "e", "", "statements to execute")
	cmd.Flags().StringVarP(&file, "file", "f", "", "file of statements to execute")
	cmd.Flags().StringVar(&s.address, "server", s.address, "address of the node's HTTP API")
	cmd.Flags().BoolVar(&s.json, "json", false, "print entities and rows as JSON, one a line")
	return cmd
}

// script executes all statements of a text.
func (s *shell) script(ctx context.Context, text string) error {
	for _, part := range parse.Split(text) {
		if err := s.execute(ctx, part.Text); err != nil {
			return err
		}
	}
	return nil
}

// errExit ends the shell.
var errExit = errors.New("exit")

// read executes statements from the input as soon as each is complete. At a terminal an error does not end it.
func (s *shell) read(ctx context.Context) error {
	lines, closeLines, err := s.lines()
	if err != nil {
		return &Failure{"terminal", err, "give statements with -e or -f"}
	}
	defer closeLines()
	err = s.loop(ctx, lines)
	if errors.Is(err, errExit) {
		return nil
	}
	return err
}

// A lineReader gives lines of input. run calls f so that an interrupt at the terminal ends f's context.
type lineReader interface {
	// line returns io.EOF at the end; an interrupt gives up what was typed.
	line(prompt string) (text string, interrupted bool, err error)
	run(ctx context.Context, f func(context.Context) error) error
	interactive() bool
}

// The prompts: of a statement, and of its further lines.
const (
	firstPrompt = "sql> "
	nextPrompt  = "...> "
)

func (s *shell) loop(ctx context.Context, in lineReader) error {
	var text strings.Builder
	for ctx.Err() == nil {
		prompt := firstPrompt
		if strings.TrimSpace(text.String()) != "" {
			prompt = nextPrompt
		}
		line, interrupted, err := in.line(prompt)
		switch {
		case errors.Is(err, io.EOF):
			return s.script(ctx, text.String())
		case err != nil:
			return &Failure{"unreadable", err, ""}
		case interrupted:
			text.Reset()
			continue
		case prompt == firstPrompt && isCommand(line):
			line += ";"
		}
		text.WriteString(line + "\n")
		rest, err := s.complete(ctx, in, text.String())
		if err != nil {
			return err
		}
		text.Reset()
		text.WriteString(rest)
	}
	return nil
}

// complete executes the complete statements of a text and returns the rest.
func (s *shell) complete(ctx context.Context, in lineReader, text string) (rest string, err error) {
	parts := parse.Split(text)
	for i, part := range parts {
		if !part.Complete && i == len(parts)-1 {
			return part.Text + "\n", nil
		}
		err := in.run(ctx, func(ctx context.Context) error { return s.execute(ctx, part.Text) })
		switch {
		case err == nil:
		case !in.interactive() || errors.Is(err, errExit):
			return "", err
		default:
			fmt.Fprintln(s.io.Err, strings.TrimRight(err.Error(), "\n"))
		}
	}
	return "", nil
}

// plainLines are lines of a pipe, a file, or whatever else is no terminal of its own.
type plainLines struct {
	scanner *bufio.Scanner
	prompts io.Writer // nil: nobody reads them
}

func (p *plainLines) line(prompt string) (string, bool, error) {
	if p.prompts != nil {
		fmt.Fprint(p.prompts, prompt)
	}
	if p.scanner.Scan() {
		return p.scanner.Text(), false, nil
	}
	if err := p.scanner.Err(); err != nil {
		return "", false, err
	}
	return "", false, io.EOF
}

func (*plainLines) run(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
func (p *plainLines) interactive() bool                                          { return p.prompts != nil }

// lines returns where statements are read from.
func (s *shell) lines() (in lineReader, closeLines func(), err error) {
	file, isFile := s.io.In.(*os.File)
	if isFile && s.io.Terminal && isTerminal(file) {
		return s.openConsole(file)
	}
	plain := &plainLines{scanner: bufio.NewScanner(s.io.In)}
	plain.scanner.Buffer(nil, 1<<20)
	if s.io.Terminal && !isFile {
		plain.prompts = s.io.Err
	}
	return plain, func() {}, nil
}

// execute executes one statement.
func (s *shell) execute(ctx context.Context, text string) error {
	if strings.TrimSpace(strings.TrimRight(strings.TrimSpace(text), ";")) == "" {
		return nil
	}
	if isCommand(text) {
		return s.command(text)
	}
	if !strings.HasSuffix(text, ";") { // the last statement of a file may go without it
		text += ";"
	}
	options := parse.Options{Tools: true}
	filled, err := options.Substitute(text, s.variables)
	if err != nil {
		return refused(err.Error(), err)
	}
	st, err := options.Statement(filled)
	if err != nil {
		return refused(err.Error(), err)
	}
	if done, err := s.own(ctx, st); done {
		return err
	}
	switch st := st.(type) {
	case *ast.Select:
		return s.selectRows(ctx, filled, st.Query.Emit != ast.EmitNone)
	case *ast.Print:
		return s.print(ctx, filled)
	}
	return s.entities(ctx, filled)
}

// refused tells why a statement was not executed, with the place under the text where it is known.
func refused(message string, err error) error {
	if p, ok := err.(*parse.Error); ok {
		message = p.Message + "\n" + p.Caret()
	}
	return &Failure{"statement", fmt.Errorf("%s", message), "correct the statement; those before it were executed"}
}
