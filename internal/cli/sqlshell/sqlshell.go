// Package sqlshell is `mainstem sql`: statements from a flag, a file, a pipe or a terminal, executed by a running node.
//
// Package cli adds the command; it speaks to the node's HTTP API (POST /ksql) only, as any client of ksqlDB would.
//
// Owner and locks: one command, one goroutine.
//
// Statements are split here and sent one at a time, so that each result is seen as soon as it is there; the first that fails ends the run.
// Results are sentences and tables, or with --json the entities as they came, one a line.
//
// Not here: the statements' meaning.
package sqlshell

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstemio/mainstem/internal/sql/parse"
)

// An IO is where the command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // In and Err are a terminal: a prompt is shown
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
	io      IO
	address string
	json    bool
	client  http.Client
}

// New returns the command; server is the node's address by default.
func New(streams IO, server string) *cobra.Command {
	s := &shell{io: streams, address: server, client: http.Client{Timeout: time.Minute}}
	var statements, file string
	cmd := &cobra.Command{
		Use: "sql", Short: "Execute SQL statements on a running node", Args: cobra.NoArgs,
		Long: `Executes statements of ksqlDB's language on a running node: streams and tables over topics, and queries between them that run until they
are terminated. Statements end with a semicolon. Without -e or -f they are read from the terminal or a pipe.`,
		Example: "  mainstem sql -e \"LIST STREAMS;\"\n  mainstem sql -f payments.sql\n  mainstem sql --server 127.0.0.1:8081 --json -e \"LIST QUERIES;\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
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
	cmd.Flags().BoolVar(&s.json, "json", false, "print the entities as JSON, one a line")
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

// read executes statements from the input as soon as each is complete. At a terminal an error does not end it.
func (s *shell) read(ctx context.Context) error {
	lines := bufio.NewScanner(s.io.In)
	lines.Buffer(nil, 1<<20)
	var text strings.Builder
	s.prompt("sql> ")
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		parts := parse.Split(text.String())
		text.Reset()
		for i, part := range parts {
			if !part.Complete && i == len(parts)-1 {
				text.WriteString(part.Text + "\n")
				break
			}
			if err := s.execute(ctx, part.Text); err != nil {
				if !s.io.Terminal {
					return err
				}
				fmt.Fprintln(s.io.Err, err)
			}
		}
		if strings.TrimSpace(text.String()) == "" {
			s.prompt("sql> ")
		} else {
			s.prompt("...> ")
		}
	}
	if err := lines.Err(); err != nil {
		return &Failure{"unreadable", err, ""}
	}
	return s.script(ctx, text.String())
}

func (s *shell) prompt(text string) {
	if s.io.Terminal {
		fmt.Fprint(s.io.Err, text)
	}
}

// An answer is what the node says to a statement that it refuses.
type answer struct {
	Code      int    `json:"error_code"`
	Message   string `json:"message"`
	Statement string `json:"statementText"`
}

// execute has the node execute one statement.
func (s *shell) execute(ctx context.Context, statement string) error {
	if strings.TrimSpace(strings.TrimRight(strings.TrimSpace(statement), ";")) == "" {
		return nil
	}
	if _, err := parse.Statement(statement); err != nil {
		return s.refused(err.Error(), err)
	}
	body, err := json.Marshal(map[string]any{"ksql": statement, "streamsProperties": map[string]any{}})
	if err != nil {
		return &Failure{"statement", err, ""}
	}
	at := "http://" + strings.TrimPrefix(s.address, "http://") + "/ksql"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return &Failure{"address", err, "give --server as host:port"}
	}
	req.Header.Set("Content-Type", "application/vnd.ksql.v1+json")
	resp, err := s.client.Do(req)
	if err != nil {
		return &Failure{"unreachable", fmt.Errorf("no node answers at http://%s: %w", s.address, err), "start one with `mainstem dev`, or name its HTTP address with --server"}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var a answer
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
			return &Failure{"refused", fmt.Errorf("the node answered %s", resp.Status), "look into the node's log"}
		}
		return s.refused(a.Message+placeOf(a.Message, statement), nil)
	}
	var entities []json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&entities); err != nil {
		return &Failure{"answer", fmt.Errorf("read the node's answer: %w", err), ""}
	}
	for _, e := range entities {
		if err := s.show(e); err != nil {
			return &Failure{"output", err, ""}
		}
	}
	return nil
}

// placeOf is the line of a statement that the node's message names, with a mark; empty if it names none.
func placeOf(message, statement string) string {
	var at parse.Position
	if n, _ := fmt.Sscanf(message, "Line: %d, Col: %d:", &at.Line, &at.Col); n < 2 {
		return ""
	}
	marked := parse.CaretAt(statement, at)
	if marked == "" {
		return ""
	}
	return "\n" + marked
}

// refused tells why a statement was not executed, with the place under the text where it is known.
func (s *shell) refused(message string, err error) error {
	if p, ok := err.(*parse.Error); ok {
		message = p.Message + "\n" + p.Caret()
	}
	return &Failure{"statement", fmt.Errorf("%s", message), "correct the statement; those before it were executed"}
}

// show prints an entity.
func (s *shell) show(raw json.RawMessage) error {
	if s.json {
		_, err := fmt.Fprintf(s.io.Out, "%s\n", raw)
		return err
	}
	var e struct {
		Type          string `json:"@type"`
		CommandStatus struct{ Message string }
		Streams       []source
		Tables        []source
		Queries       []query
		Description   description `json:"sourceDescription"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.io.Out, 0, 0, 3, ' ', 0)
	switch e.Type {
	case "currentStatus":
		fmt.Fprintln(t, e.CommandStatus.Message)
	case "streams", "tables":
		fmt.Fprintln(t, "NAME\tTOPIC\tKEY FORMAT\tVALUE FORMAT\tWINDOWED")
		for _, x := range append(e.Streams, e.Tables...) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%t\n", x.Name, x.Topic, x.KeyFormat, x.ValueFormat, x.IsWindowed)
		}
	case "queries":
		fmt.Fprintln(t, "QUERY\tSTATE\tINTO\tTOPIC")
		for _, q := range e.Queries {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", q.ID, q.State, strings.Join(q.Sinks, ","), strings.Join(q.Topics, ","))
		}
	case "sourceDescription":
		e.Description.print(t)
	default:
		fmt.Fprintf(t, "%s\n", raw)
	}
	return t.Flush()
}

type source struct {
	Name, Topic, KeyFormat, ValueFormat string
	IsWindowed                          bool
}

type query struct {
	ID, State string
	Sinks     []string
	Topics    []string `json:"sinkKafkaTopics"`
}

type description struct {
	Name, Type, Topic, KeyFormat, ValueFormat string
	Fields                                    []struct {
		Name, Type string
		Schema     fieldType
	}
}

type fieldType struct {
	Type         string
	MemberSchema *fieldType
}

func (f fieldType) String() string {
	if f.MemberSchema != nil {
		return f.Type + "<" + f.MemberSchema.String() + ">"
	}
	return f.Type
}

func (d description) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s on topic %s (key %s, value %s)\n", d.Name, strings.ToLower(d.Type), d.Topic, d.KeyFormat, d.ValueFormat)
	for _, f := range d.Fields {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", f.Name, f.Schema, strings.ToLower(f.Type))
	}
}
