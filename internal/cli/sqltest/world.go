package sqltest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/format/registry"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/function/user"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// Bounds of a test.
const (
	maxScripts = 20      // RUN SCRIPT within RUN SCRIPT
	maxHops    = 100     // a record through queries, each reading what the one before wrote
	maxNotes   = 20      // of what was left out
	maxRecords = 1 << 20 // written by queries
)

// A world is where one test runs: statements, queries, topics, a schema registry, a clock that the records drive.
type world struct {
	trial     *trial.Trial
	functions *function.Library
	schemas   *registry.Memory
	clock     *clock.Manual
	env       *session.Env               // settings and variables
	past      []record.Record            // all records in the order in which they came
	written   map[string][]record.Record // by topic, those of queries and INSERT VALUES
	held      bool                       // queries run when all statements were executed, see catchUp
	notes     []string
}

func newWorld(own []sqlfunc.Function) (*world, error) {
	w := &world{
		schemas: registry.NewMemory(), clock: clock.NewManual(time.UnixMilli(0)), env: session.NewEnv(nil, nil),
		written: map[string][]record.Record{},
	}
	w.functions = builtin.New(builtin.Options{Clock: w.clock})
	if err := user.Add(w.functions, own...); err != nil {
		return nil, err
	}
	w.trial = trial.New(trial.Options{Functions: w.functions, Schemas: w.schemas, Failed: func(query, step string, err error) {
		if len(w.notes) < maxNotes {
			w.notes = append(w.notes, fmt.Sprintf("%s, %s: %v", query, step, err))
		}
	}})
	return w, nil
}

// A place is where statements stand: what RUN SCRIPT starts from.
type place struct {
	dir   string // of their file
	depth int    // of RUN SCRIPT
}

// script executes all statements of a text.
func (w *world) script(ctx context.Context, text string, at place) error {
	for _, part := range parse.Split(text) {
		if err := w.statement(ctx, part, at); err != nil {
			return err
		}
	}
	return nil
}

// statement executes one statement, RUN SCRIPT among them, and lets queries run on what it wrote.
func (w *world) statement(ctx context.Context, part parse.Part, at place) error {
	st, err := w.parse(part)
	if err != nil {
		return err
	}
	switch st := st.(type) {
	case *ast.RunScript:
		return w.runScript(ctx, st.File, at)
	case *ast.CreateSource:
		if err := w.topicFor(ctx, st); err != nil {
			return err
		}
	}
	return w.execute(ctx, part)
}

// parse fills variables in and parses a statement, with those that only the tools have.
func (w *world) parse(part parse.Part) (ast.Statement, error) {
	options := parse.Options{Tools: true, Start: part.Start}
	text, err := options.Substitute(part.Text, w.env.Variables)
	if err != nil {
		return nil, err
	}
	return options.Statement(text)
}

func (w *world) runScript(ctx context.Context, file string, at place) error {
	if at.depth == maxScripts {
		return fmt.Errorf("RUN SCRIPT '%s': more than %d scripts within scripts", file, maxScripts)
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(at.dir, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("RUN SCRIPT: %w", err)
	}
	if err := w.script(ctx, string(text), place{filepath.Dir(file), at.depth + 1}); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// topicFor makes the topic of a stream or table whose statement does not say how many partitions it has: a test needs no more than one.
func (w *world) topicFor(ctx context.Context, st *ast.CreateSource) error {
	i := slices.IndexFunc(st.With, func(p ast.Property) bool { return strings.EqualFold(p.Name.Text, "KAFKA_TOPIC") })
	if i < 0 {
		return nil
	}
	topic, ok := st.With[i].Value.(*ast.StringLiteral)
	if !ok {
		return nil
	}
	if _, given, err := plan.TopicOf(st.With, topic.Value); given || err != nil {
		return nil // an error is the statement's to tell
	}
	if n, err := w.trial.Partitions(ctx, topic.Value); n > 0 || err != nil {
		return err
	}
	return w.trial.CreateTopic(ctx, session.Topic{Name: topic.Value, Partitions: 1, Replicas: 1})
}

func (w *world) execute(ctx context.Context, part parse.Part) error {
	before := w.trial.Queries()
	if !part.Complete { // the last statement of a file may go without its semicolon
		part.Text += ";"
	}
	if _, err := w.trial.Statement(ctx, w.env, part); err != nil {
		return err
	}
	if w.held {
		return nil
	}
	for _, q := range w.trial.Queries() {
		if slices.Contains(before, q) {
			continue
		}
		replaced := slices.ContainsFunc(before, func(o *session.Query) bool { return o.ID == q.ID })
		if err := w.catchUp(q, replaced); err != nil {
			return err
		}
	}
	for _, topic := range w.trial.Made() {
		for _, r := range w.trial.Drain(topic.Name) {
			r.Topic = topic.Name
			if err := w.wrote(r, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// catchUp gives a new query all records that there were: queries begin at the start of their topics. One that takes the place of another
// goes on where that was, so what comes of the past is not written again.
func (w *world) catchUp(q *session.Query, replaced bool) error {
	for _, r := range slices.Clone(w.past) {
		if !reads(q, r.Topic) {
			continue
		}
		if !replaced {
			if err := w.pipe(q, r, 0); err != nil {
				return err
			}
			continue
		}
		if err := w.trial.Pipe(q.ID, r.Topic, r); err != nil {
			return ended(q, r, err)
		}
		w.trial.Drain(q.Plan.Sink.Topic)
	}
	return nil
}

func reads(q *session.Query, topic string) bool {
	return slices.ContainsFunc(q.Plan.Sources, func(s *catalog.Source) bool { return s.Topic == topic })
}

// wrote takes up a record that a query or INSERT VALUES wrote.
func (w *world) wrote(r record.Record, hops int) error {
	if len(w.past) == maxRecords {
		return fmt.Errorf("more than %d records: does a query read what it writes?", maxRecords)
	}
	w.written[r.Topic] = append(w.written[r.Topic], r)
	return w.come(r, hops)
}

// come gives a record to all queries that read its topic, and what these write to those that read that.
func (w *world) come(r record.Record, hops int) error {
	if hops == maxHops {
		return fmt.Errorf("topic %s: a record went through %d queries: do they read what they write?", r.Topic, maxHops)
	}
	if ahead := time.UnixMilli(int64(r.Timestamp)).Sub(w.clock.Now()); ahead > 0 {
		w.clock.Advance(ahead)
	}
	w.past = append(w.past, r)
	for _, q := range w.trial.Queries() {
		if !reads(q, r.Topic) {
			continue
		}
		if err := w.pipe(q, r, hops); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) pipe(q *session.Query, r record.Record, hops int) error {
	if err := w.trial.Pipe(q.ID, r.Topic, r); err != nil {
		return ended(q, r, err)
	}
	sink := q.Plan.Sink.Topic
	for _, out := range w.trial.Drain(sink) {
		out.Topic = sink
		if err := w.wrote(out, hops+1); err != nil {
			return err
		}
	}
	return nil
}

func ended(q *session.Query, r record.Record, err error) error {
	return fmt.Errorf("query %s ends at a record of %s: %w", q.ID, r.Topic, err)
}

// source is the stream or table that says how the records of a topic are written: the one that made the topic, or else the first.
func (w *world) source(topic string) *catalog.Source {
	var first *catalog.Source
	for _, s := range w.trial.Catalog().Sources() {
		if s.Topic == topic && (first == nil || s.Made && !first.Made) {
			first = s
		}
	}
	return first
}

// topics lists the topics of streams and tables, for messages.
func (w *world) topics() string {
	var names []string
	for _, s := range w.trial.Catalog().Sources() {
		if !slices.Contains(names, s.Topic) {
			names = append(names, s.Topic)
		}
	}
	return strings.Join(names, ", ")
}
