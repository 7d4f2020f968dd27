// Package session executes statements: it is the only door to SQL.
//
// Callers: the HTTP server, the command line, tools that test SQL. It calls the parser, the planner and its Host, which has the topics and
// runs the queries.
//
// Owner and locks: a Session belongs to one goroutine at a time; what it returns does not change.
//
// A statement goes through three phases, and an error tells in which one it ended: parse (the text is none of the language), plan (names,
// types or rules), run (the host could not do it). What the statements before did stays.
//
// Not here: reading results of queries (see package lower and the host), and storing statements.
package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
)

// A Host has the topics and runs the queries of sessions.
type Host interface {
	// Partitions returns how many partitions a topic has, 0 if there is none.
	Partitions(ctx context.Context, topic string) (int32, error)
	// CreateTopic makes a topic. 0 partitions or replicas: as the broker has it by default.
	CreateTopic(ctx context.Context, t Topic) error
	DeleteTopic(ctx context.Context, topic string) error
	// Start runs a persistent query; Stop ends it and forgets its state.
	Start(ctx context.Context, q *Query) error
	Stop(ctx context.Context, q *Query) error
	// Produce writes one record.
	Produce(ctx context.Context, topic string, r Record) error
}

// A Topic is one to be made.
type Topic struct {
	Name       string
	Partitions int32
	Replicas   int
	Configs    map[string]string
}

// A Record is one to be written; nil is null. Without a Timestamp it gets the time of writing.
type Record struct {
	Key, Value []byte
	Timestamp  record.Timestamp // NoTimestamp: now
}

// A Query is a persistent query.
type Query struct {
	ID        string
	Statement string
	Plan      *plan.Query
	Settings  map[string]string // those in force when it was made
}

// A Phase is where a statement ends.
type Phase uint8

// The phases.
const (
	Parse Phase = iota + 1
	Plan
	Run
)

// A StatementError says which statement of a script failed, and in which phase. Its cause is a *parse.Error, a *plan.Error, an
// *expr.Error or what the host says.
type StatementError struct {
	Phase     Phase
	Index     int    // of the statement, from 0
	Statement string // its text
	Err       error
	At        parse.Position // in the script of what is wrong; zero: the whole statement
	Offset    int            // the same in bytes of the script
}

// Error is the message with its place and hint, in ksqlDB's form.
func (e *StatementError) Error() string {
	text := e.Err.Error()
	if e.At.Line > 0 {
		text = fmt.Sprintf("Line: %d, Col: %d: %s", e.At.Line, e.At.Col, text)
	}
	if _, hint := placeOf(e.Err); hint != "" {
		text += "\nhint: " + hint
	}
	return text
}

// Unwrap returns the cause.
func (e *StatementError) Unwrap() error { return e.Err }

// Options of New.
type Options struct {
	Host      Host
	Functions *function.Library
	Schemas   format.Schemas // nil: there is no schema registry
	Settings  map[string]string
	Catalog   *catalog.Catalog // nil: a new one
}

// A Session is where statements are executed.
type Session struct {
	o         Options
	catalog   *catalog.Catalog
	settings  map[string]string
	variables map[string]string
	queries   []*Query
	made      int // queries made so far: their ids count
}

// New returns a session.
func New(o Options) *Session {
	s := &Session{o: o, catalog: o.Catalog, settings: maps.Clone(o.Settings), variables: map[string]string{}}
	if s.catalog == nil {
		s.catalog = catalog.New()
	}
	if s.settings == nil {
		s.settings = map[string]string{}
	}
	return s
}

// Catalog returns what the session knows by name.
func (s *Session) Catalog() *catalog.Catalog { return s.catalog }

// Queries returns the persistent queries in the order in which they were made.
func (s *Session) Queries() []*Query { return slices.Clone(s.queries) }

// A Result says what a statement did, in a sentence.
type Result struct {
	Statement string
	Message   string
	Query     string // the id of the query that it started
	// Settings must be in force too when the statement is repeated, to mean the same.
	Settings map[string]string
}

// Exec executes a script of statements. It ends at the first that fails, with a *StatementError; properties count as set before it.
func (s *Session) Exec(ctx context.Context, script string, properties map[string]string) ([]Result, error) {
	old := s.settings
	s.settings = maps.Clone(s.settings)
	maps.Copy(s.settings, properties)
	defer func() { s.settings = old }()
	script, err := parse.Substitute(script, s.variables)
	if err != nil {
		return nil, &StatementError{Phase: Parse, Err: err}
	}
	parsed, err := parse.Script(script)
	var results []Result
	for i, st := range parsed {
		at := st.Pos()
		text := script[at.Start:min(at.End, len(script))]
		result, execErr := s.statement(ctx, st, text)
		if execErr != nil {
			return results, failed(script, i, text, execErr)
		}
		result.Statement = text
		results = append(results, result)
	}
	if err != nil {
		return results, &StatementError{Phase: Parse, Index: len(parsed), Err: err}
	}
	return results, nil
}

// failed is the error of a statement of a script, with its place where it is known.
func failed(script string, index int, text string, err error) *StatementError {
	e := &StatementError{Phase: phaseOf(err), Index: index, Statement: text, Err: err}
	if span, _ := placeOf(err); span != (ast.Span{}) {
		e.At, e.Offset = parse.PositionOf(script, span.Start), span.Start
	}
	return e
}

// placeOf is where an error of planning lies, and what to do about it.
func placeOf(err error) (at ast.Span, hint string) {
	var p *plan.Error
	var x *expr.Error
	switch {
	case errors.As(err, &p):
		return p.Span, p.Hint
	case errors.As(err, &x):
		return x.Span, x.Hint
	}
	return ast.Span{}, ""
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

func phaseOf(err error) Phase {
	var r runError
	if errors.As(err, &r) {
		return Run
	}
	return Plan
}

func (s *Session) context() plan.Context {
	return plan.Context{Catalog: s.catalog, Functions: s.o.Functions.With(s.settings), Settings: s.settings, Schemas: s.o.Schemas}
}

// statement executes one statement.
func (s *Session) statement(ctx context.Context, st ast.Statement, text string) (Result, error) {
	switch st := st.(type) {
	case *ast.CreateSource:
		return s.createSource(ctx, st, text)
	case *ast.CreateAs:
		return s.createAs(ctx, st, text)
	case *ast.InsertInto:
		return s.insertInto(ctx, st, text)
	case *ast.InsertValues:
		return s.insertValues(ctx, st)
	case *ast.AlterSource:
		return s.alter(st)
	case *ast.DropSource:
		return s.drop(ctx, st)
	case *ast.CreateType:
		return s.createType(st)
	case *ast.DropType:
		if s.catalog.Type(st.Name.Text) == nil && !st.IfExists {
			return Result{}, fmt.Errorf("Type %s does not exist.", st.Name.Text)
		}
		s.catalog.DropType(st.Name.Text)
		return Result{Message: "Dropped type '" + st.Name.Text + "'"}, nil
	case *ast.SetProperty:
		s.settings[st.Name] = st.Value
		return Result{Message: "Set " + st.Name}, nil
	case *ast.UnsetProperty:
		delete(s.settings, st.Name)
		return Result{Message: "Unset " + st.Name}, nil
	case *ast.Define:
		s.variables[st.Name] = st.Value
		return Result{}, nil
	case *ast.Undefine:
		delete(s.variables, st.Name)
		return Result{}, nil
	case *ast.Terminate:
		return s.terminate(ctx, st)
	case *ast.List:
		return Result{}, listable(st)
	case *ast.Describe:
		if s.catalog.Source(st.Name.Text) == nil {
			return Result{}, fmt.Errorf("Could not find STREAM/TABLE '%s' in the Metastore", st.Name.Text)
		}
		return Result{}, nil
	}
	return Result{}, fmt.Errorf("this statement cannot be executed here: %s", ast.Format(st))
}

func (s *Session) createType(st *ast.CreateType) (Result, error) {
	if s.catalog.Type(st.Name.Text) != nil && st.IfNotExists {
		return Result{Message: st.Name.Text + " is already registered"}, nil
	}
	t, err := plan.TypeOf(s.catalog, st.Type)
	if err != nil {
		return Result{}, err
	}
	if err := s.catalog.PutType(st.Name.Text, t); err != nil {
		return Result{}, err
	}
	return Result{Message: fmt.Sprintf("Registered custom type with name '%s' and SQL type %s", st.Name.Text, t)}, nil
}

// taken tells whether a name can be used for a new source: a message when nothing is to be done.
func (s *Session) taken(name ast.Name, table, orReplace, ifNotExists bool) (done string, err error) {
	old := s.catalog.Source(name.Text)
	kind := "stream"
	if table {
		kind = "table"
	}
	switch {
	case old == nil:
		return "", nil
	case ifNotExists:
		return fmt.Sprintf("Cannot add %s %s: A %s with the same name already exists.", kind, name, old.Kind()), nil
	case !orReplace:
		return "", fmt.Errorf("Cannot add %s '%s': A %s with the same name already exists", kind, name.Text, old.Kind())
	case old.ReadOnly:
		return "", fmt.Errorf("Cannot add %s '%s': CREATE OR REPLACE is not supported on source %ss.", kind, name.Text, kind)
	case old.Table != table:
		return "", fmt.Errorf("Cannot add %s '%s': A %s with the same name already exists", kind, name.Text, old.Kind())
	}
	return "", nil
}

func (s *Session) createSource(ctx context.Context, st *ast.CreateSource, text string) (Result, error) {
	if st.SourceOnly && st.OrReplace {
		kind := "stream"
		if st.Table {
			kind = "table"
		}
		return Result{}, fmt.Errorf("Cannot add %s '%s': CREATE OR REPLACE is not supported on source %ss.", kind, st.Name.Text, kind)
	}
	done, err := s.taken(st.Name, st.Table, st.OrReplace, st.IfNotExists)
	if err != nil || done != "" {
		return Result{Message: done}, err
	}
	c := s.context()
	pins := &pinning{s.o.Schemas, s.settings, map[string]string{}}
	if c.Schemas != nil {
		c.Schemas = pins
	}
	source, err := plan.Define(c, st)
	if err != nil {
		return Result{}, err
	}
	source.Statement = text
	if old := s.catalog.Source(source.Name); old != nil {
		if err := plan.CheckReplace(old, source); err != nil {
			return Result{}, err
		}
	}
	if source.Partitions, err = s.topicFor(ctx, st.With, source.Topic); err != nil {
		return Result{}, err
	}
	if err := s.register(source, false); err != nil {
		return Result{}, err
	}
	s.catalog.Put(source)
	return Result{Message: title(source.Kind()) + " created", Settings: pins.pins}, nil
}

// topicFor makes the topic of a source unless it is there.
func (s *Session) topicFor(ctx context.Context, props []ast.Property, topic string) (int32, error) {
	n, err := s.o.Host.Partitions(ctx, topic)
	if err != nil {
		return 0, running(err)
	}
	t, given, err := plan.TopicOf(props, topic)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		if given && t.Partitions > 0 && t.Partitions != n {
			return 0, fmt.Errorf("A Kafka topic with the name '%s' already exists, with different partition/replica configuration than required. KSQL expects %d partitions (topic has %d)", topic, t.Partitions, n)
		}
		return n, nil
	}
	if !given {
		return 0, fmt.Errorf("Topic '%s' does not exist. If you want to create a new topic for the stream/table please re-run the statement providing the required 'PARTITIONS' configuration in the WITH clause", topic)
	}
	if err := s.o.Host.CreateTopic(ctx, Topic(t)); err != nil {
		return 0, running(err)
	}
	return t.Partitions, nil
}

func (s *Session) createAs(ctx context.Context, st *ast.CreateAs, text string) (Result, error) {
	done, err := s.taken(st.Name, st.Table, st.OrReplace, st.IfNotExists)
	if err != nil || done != "" {
		return Result{Message: done}, err
	}
	q, err := plan.CreateAs(s.context(), st)
	if err != nil {
		return Result{}, err
	}
	prefix := "CSAS_"
	if st.Table {
		prefix = "CTAS_"
	}
	id := ""
	if old := s.catalog.Source(st.Name.Text); old != nil {
		if err := plan.CheckReplace(old, q.Sink); err != nil {
			return Result{}, err
		}
		if i := slices.IndexFunc(s.queries, func(o *Query) bool { return o.Plan.Sink == old }); i >= 0 {
			id = s.queries[i].ID
		}
	}
	if id == "" {
		id = fmt.Sprintf("%s%s_%d", prefix, st.Name.Text, s.made)
	}
	if err := s.checkSchemas(q.Sink); err != nil {
		return Result{}, err
	}
	if err := s.sinkTopic(ctx, st.With, q); err != nil {
		return Result{}, err
	}
	if err := s.register(q.Sink, true); err != nil {
		return Result{}, err
	}
	q.Sink.Statement = text
	return s.start(ctx, &Query{ID: id, Statement: text, Plan: q, Settings: maps.Clone(s.settings)})
}

// sinkTopic makes the topic that a query writes: with as many partitions as what it reads, unless the statement says otherwise.
func (s *Session) sinkTopic(ctx context.Context, props []ast.Property, q *plan.Query) error {
	t, _, err := plan.TopicOf(props, q.Sink.Topic)
	if err != nil {
		return err
	}
	have, err := s.o.Host.Partitions(ctx, t.Name)
	if err != nil {
		return running(err)
	}
	if have > 0 {
		if t.Partitions > 0 && t.Partitions != have {
			return fmt.Errorf("A Kafka topic with the name '%s' already exists, with different partition/replica configuration than required. KSQL expects %d partitions (topic has %d)", t.Name, t.Partitions, have)
		}
		q.Sink.Partitions = have
		return nil
	}
	if t.Partitions == 0 {
		t.Partitions = q.Sources[0].Partitions
	}
	q.Sink.Partitions = t.Partitions
	if q.Sink.Table && !q.Sink.Window.Windowed() && t.Configs["cleanup.policy"] == "" {
		if t.Configs == nil {
			t.Configs = map[string]string{}
		}
		t.Configs["cleanup.policy"] = "compact"
	}
	return running(s.o.Host.CreateTopic(ctx, Topic(t)))
}

// start runs a query; one with its id ends first.
func (s *Session) start(ctx context.Context, q *Query) (Result, error) {
	i := slices.IndexFunc(s.queries, func(o *Query) bool { return o.ID == q.ID })
	if i >= 0 {
		if err := s.o.Host.Stop(ctx, s.queries[i]); err != nil {
			return Result{}, running(err)
		}
	}
	if err := s.o.Host.Start(ctx, q); err != nil {
		return Result{}, running(err)
	}
	if i >= 0 {
		s.queries[i] = q
	} else {
		s.queries = append(s.queries, q)
		s.made++
	}
	if q.Plan.Sink.Made {
		s.catalog.Put(q.Plan.Sink)
	}
	return Result{Message: "Created query with ID " + q.ID, Query: q.ID}, nil
}

func (s *Session) insertInto(ctx context.Context, st *ast.InsertInto, text string) (Result, error) {
	q, err := plan.InsertInto(s.context(), st)
	if err != nil {
		return Result{}, err
	}
	id := plan.QueryID(st.With)
	if id == "" {
		id = fmt.Sprintf("INSERTQUERY_%d", s.made)
	} else if slices.ContainsFunc(s.queries, func(o *Query) bool { return o.ID == id }) {
		return Result{}, fmt.Errorf("Query ID '%s' already exists.", id)
	}
	return s.start(ctx, &Query{ID: id, Statement: text, Plan: q, Settings: maps.Clone(s.settings)})
}

func (s *Session) alter(st *ast.AlterSource) (Result, error) {
	old := s.catalog.Source(st.Name.Text)
	if old == nil {
		return Result{}, fmt.Errorf("Source %s does not exist.", st.Name.Text)
	}
	changed, err := plan.Alter(s.context(), old, st)
	if err != nil {
		return Result{}, err
	}
	s.catalog.Put(changed)
	return Result{Message: "Altered " + old.Kind() + " " + old.Name}, nil
}

func (s *Session) drop(ctx context.Context, st *ast.DropSource) (Result, error) {
	old := s.catalog.Source(st.Name.Text)
	switch {
	case old == nil && st.IfExists:
		return Result{Message: "Source " + st.Name.String() + " does not exist."}, nil
	case old == nil:
		return Result{}, fmt.Errorf("Source %s does not exist.", st.Name.Text)
	case old.Table != st.Table:
		return Result{}, fmt.Errorf("Incompatible data source type is %s, but statement was DROP %s", strings.ToUpper(old.Kind()), kindWord(st.Table))
	case old.ReadOnly && st.DeleteTopic:
		return Result{}, fmt.Errorf("Cannot delete topic for read-only source: %s", old.Name)
	}
	for _, q := range s.queries {
		if q.Plan.Sink != old && (slices.Contains(q.Plan.Sources, old) || q.Plan.Sink.Name == old.Name) {
			return Result{}, fmt.Errorf("Cannot drop %s. The following queries read from or write into it: [%s]. You need to terminate them before dropping %s.", old.Name, q.ID, old.Name)
		}
	}
	if st.DeleteTopic { // first: where the host refuses, nothing else has happened
		if err := s.o.Host.DeleteTopic(ctx, old.Topic); err != nil {
			return Result{}, running(err)
		}
	}
	if i := slices.IndexFunc(s.queries, func(q *Query) bool { return q.Plan.Sink == old }); i >= 0 {
		if err := s.o.Host.Stop(ctx, s.queries[i]); err != nil {
			return Result{}, running(err)
		}
		s.queries = slices.Delete(s.queries, i, i+1)
	}
	s.catalog.Drop(old.Name)
	return Result{Message: fmt.Sprintf("Source %s (topic: %s) was dropped.", ast.Quote(old.Name), old.Topic)}, nil
}

func kindWord(table bool) string {
	if table {
		return "TABLE"
	}
	return "STREAM"
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (s *Session) terminate(ctx context.Context, st *ast.Terminate) (Result, error) {
	var left []*Query
	var ended []string
	for _, q := range s.queries {
		if !st.All && q.ID != st.ID.Text {
			left = append(left, q)
			continue
		}
		if err := s.o.Host.Stop(ctx, q); err != nil {
			return Result{}, running(err)
		}
		ended = append(ended, q.ID)
	}
	if !st.All && len(ended) == 0 {
		return Result{}, fmt.Errorf("Unknown queryId: %s", st.ID.Text)
	}
	s.queries = left
	return Result{Message: "Query terminated."}, nil
}

// listable tells which lists there are: whoever shows results reads them from the catalog.
func listable(st *ast.List) error {
	switch st.Kind {
	case ast.ListStreams, ast.ListTables, ast.ListQueries:
		return nil
	}
	return fmt.Errorf("LIST %s is not built in", st.Kind)
}
