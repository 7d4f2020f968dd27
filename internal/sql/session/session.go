// Package session executes statements: it is the only door to SQL.
//
// Callers: the host, tools that test SQL. It calls the parser, the planner and its Host, which has the topics and runs the queries.
//
// Owner and locks: a Session belongs to one goroutine at a time; what it returns does not change. Those who only read (pull queries,
// lists) take a Snapshot, which nobody changes either.
//
// A statement goes through three phases, and an error tells in which one it ended: parse (the text is none of the language), plan (names,
// types or rules), run (the host could not do it). What the statements before did stays.
//
// What a statement shows is a value of one of the types in entity.go; how clients see it is a matter of the server.
//
// Not here: reading results of queries (see package query and the host), storing statements, HTTP.
package session

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A Host has the topics and runs the queries of sessions.
type Host interface {
	// Partitions returns how many partitions a topic has, 0 if there is none.
	Partitions(ctx context.Context, topic string) (int32, error)
	// Topics lists all topics in the order of their names.
	Topics(ctx context.Context) ([]TopicInfo, error)
	// CreateTopic makes a topic. 0 partitions or replicas: as the broker has it by default.
	CreateTopic(ctx context.Context, t Topic) error
	DeleteTopic(ctx context.Context, topic string) error
	// Start runs a persistent query, paused if it says so; Stop ends it and forgets its state.
	Start(ctx context.Context, q *Query) error
	Stop(ctx context.Context, q *Query) error
	// Pause has a query take no more records, or go on.
	Pause(ctx context.Context, q *Query, paused bool) error
	// Status tells how a query does.
	Status(q *Query) Status
	// Topology is what a query would run.
	Topology(q *Query) (*topology.Topology, error)
	// Produce writes one record.
	Produce(ctx context.Context, topic string, r Record) error
}

// A Rebuilder is a Host that runs a query beside another one until it can take its place; it tells so to Session.Switch.
type Rebuilder interface{ Rebuilds() bool }

// Pushes is a Host that knows the push queries that run. They are no part of the catalog.
type Pushes interface {
	Pushes() []PushQuery
	// EndPush ends a push query; false: there is none of this id, whose case does not count.
	EndPush(id string) bool
}

// A PushQuery is a SELECT that a client reads.
type PushQuery struct{ ID, Statement string }

// A Topic is one to be made.
type Topic struct {
	Name       string
	Partitions int32
	Replicas   int
	Configs    map[string]string
}

// A TopicInfo is a topic that is there.
type TopicInfo struct {
	Name       string
	Partitions int32
	Replicas   int32
	Records    int64 // between its first offsets and its ends; -1: not known
	Groups     int   // of queries of SQL that read it
	Consumers  int   // members of these
}

// A Record is one to be written; nil is null. Without a Timestamp it gets the time of writing.
type Record struct {
	Key, Value []byte
	Timestamp  record.Timestamp // NoTimestamp: now
}

// A Query is a persistent query. It does not change: another one takes its place.
type Query struct {
	ID        string
	Statement string
	Plan      *plan.Query
	Settings  map[string]string // those in force when it was made
	Paused    bool
	// Beside is the id of the query whose place this one takes when it has caught up; empty: it is in its own place. Until then it writes to
	// a topic of its own.
	Beside string
}

// A State is what a query or a connector does.
type State string

// The states, by ksqlDB's names.
const (
	Running State = "RUNNING"
	// Building is not ksqlDB's: the query runs beside another one, whose place it takes when it has caught up.
	Building State = "BUILDING"
	Paused   State = "PAUSED"
	Failed   State = "ERROR"
)

// A Status is how a query does.
type Status struct {
	State     State
	Err       error // why it failed
	Processed int64 // records read since it was started in this process
	Emitted   int64 // records written since, changelogs included
	RowErrors int64 // expressions that became null and records left out since
	LastError string
}

// Options of New.
type Options struct {
	Host       Host
	Functions  *function.Library
	Schemas    format.Schemas // nil: there is no schema registry
	Settings   map[string]string
	Catalog    *catalog.Catalog // nil: a new one
	Connectors Connectors       // nil: there are none
}

// A Session is where statements are executed.
type Session struct {
	o          Options
	catalog    *catalog.Catalog
	settings   map[string]string // of ALTER SYSTEM
	queries    []*Query
	connectors []*Connector
	made       int             // queries made so far: their ids count
	used       map[string]bool // ids that queries have or had
}

// New returns a session.
func New(o Options) *Session {
	s := &Session{o: o, catalog: o.Catalog, settings: map[string]string{}, used: map[string]bool{}}
	if s.catalog == nil {
		s.catalog = catalog.New()
	}
	return s
}

// Catalog returns what the session knows by name.
func (s *Session) Catalog() *catalog.Catalog { return s.catalog }

// Queries returns the persistent queries in the order in which they were made.
func (s *Session) Queries() []*Query { return slices.Clone(s.queries) }

// A Snapshot is what a session knew after one of its statements. Nothing in it changes, so anybody may read it without a lock.
type Snapshot struct {
	Catalog    *catalog.Catalog
	Queries    []*Query
	Connectors []*Connector
	Settings   map[string]string // of the node, with what ALTER SYSTEM set
}

// Snapshot returns what the session knows now.
func (s *Session) Snapshot() *Snapshot {
	return &Snapshot{Catalog: s.catalog.Clone(), Queries: slices.Clone(s.queries), Connectors: slices.Clone(s.connectors), Settings: s.defaults()}
}

// An Env is what a request brings along. Its statements see it, SET, UNSET, DEFINE and UNDEFINE change it, and it ends with the request.
type Env struct {
	Settings  map[string]string
	Variables map[string]string
	// Again says that a statement is executed once more, as when the node starts: it changes what the session knows and nothing else.
	// Topics, schemas, queries and connectors are as it left them.
	Again bool
}

// NewEnv returns an Env of its own for a request; both maps may be nil.
func NewEnv(settings, variables map[string]string) *Env {
	e := &Env{Settings: map[string]string{}, Variables: map[string]string{}}
	for name, value := range settings {
		e.Settings[canonicalSetting(name)] = value
	}
	maps.Copy(e.Variables, variables)
	return e
}

// A Result says what a statement did.
type Result struct {
	Statement string
	Message   string // a sentence, if it changed something
	Query     string // the id of the query that it started
	Command   Command
	Shows     Entity // nil: nothing but the message
	// Settings must be in force too when the statement is repeated, to mean the same.
	Settings map[string]string
	// State is that of the query that it started: what its stores hold, a line for each. A planner that comes to another one cannot go on
	// with them.
	State []string
}

// A Command names what a statement changed: a stream, a table, a type, a query.
type Command struct{ Kind, Name, Action string }

// Exec executes a script of statements. It ends at the first that fails, with a *StatementError; properties count as set before it.
func (s *Session) Exec(ctx context.Context, script string, properties map[string]string) ([]Result, error) {
	env := NewEnv(properties, nil)
	var results []Result
	for i, part := range parse.Split(script) {
		result, err := s.Statement(ctx, env, part)
		if err != nil {
			err.Index = i
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// Statement executes one statement of a script, with its variables filled in.
func (s *Session) Statement(ctx context.Context, env *Env, part parse.Part) (Result, *StatementError) {
	text, err := parse.Options{Start: part.Start}.Substitute(part.Text, env.Variables)
	if err != nil {
		return Result{}, failed(part, part.Text, err)
	}
	parsed, err := parse.Options{Start: part.Start}.Script(text) // which wants the semicolon, as a statement alone does not
	if err != nil || len(parsed) == 0 {
		return Result{}, failed(part, text, err)
	}
	result, err := s.statement(ctx, env, parsed[0], text)
	if err != nil {
		return Result{}, failed(part, text, err)
	}
	result.Statement = text
	return result, nil
}

// defaults are the settings of the node.
func (s *Session) defaults() map[string]string {
	all := maps.Clone(s.o.Settings)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, s.settings)
	return all
}

// inForce are the settings that count for a statement.
func (s *Session) inForce(env *Env) map[string]string {
	all := s.defaults()
	maps.Copy(all, env.Settings)
	return all
}

func (s *Session) context(env *Env) plan.Context {
	settings := s.inForce(env)
	return plan.Context{Catalog: s.catalog, Functions: s.o.Functions.With(settings), Settings: settings, Schemas: s.o.Schemas}
}

// statement executes one statement.
func (s *Session) statement(ctx context.Context, env *Env, st ast.Statement, text string) (Result, error) {
	switch st := st.(type) {
	case *ast.CreateSource:
		return s.createSource(ctx, env, st, text)
	case *ast.CreateAs:
		return s.createAs(ctx, env, st, text)
	case *ast.InsertInto:
		return s.insertInto(ctx, env, st, text)
	case *ast.InsertValues:
		return s.insertValues(ctx, env, st)
	case *ast.AlterSource:
		return s.alter(env, st)
	case *ast.DropSource:
		return s.drop(ctx, env, st)
	case *ast.CreateType:
		return s.createType(st)
	case *ast.DropType:
		return s.dropType(st)
	case *ast.Terminate:
		return s.terminate(ctx, env, st)
	case *ast.Pause:
		return s.pause(ctx, env, st.QueryTarget, true)
	case *ast.Resume:
		return s.pause(ctx, env, st.QueryTarget, false)
	case *ast.CreateConnector:
		return s.createConnector(ctx, env, st, text)
	case *ast.DropConnector:
		return s.dropConnector(ctx, env, st)
	case *ast.AssertTopic:
		return s.assertTopic(ctx, st)
	case *ast.AssertSchema:
		return s.assertSchema(ctx, st)
	}
	if shown, ok, err := s.shows(ctx, env, st); ok {
		return Result{Shows: shown}, err
	}
	if result, ok, err := s.properties(env, st); ok {
		return result, err
	}
	return Result{}, elsewhere(st)
}

// elsewhere says where a statement goes that is not executed here.
func elsewhere(st ast.Statement) error {
	e := &Error{Code: CodeElsewhere, Span: st.Pos()}
	switch st.(type) {
	case *ast.Select:
		e.Message, e.Hint = "SELECT gives rows: it is not among the statements of /ksql", "send it to /query or /query-stream, or begin it with CREATE STREAM name AS"
	case *ast.Print:
		e.Message, e.Hint = "PRINT gives lines: it is not among the statements of /ksql", "send it to /query"
	case *ast.RunScript:
		e.Message, e.Hint = "RUN SCRIPT reads a file of the command line", "use `mainstem sql -f file`"
	default:
		e.Message, e.Hint = fmt.Sprintf("this statement is one of the test tool: %s", ast.Format(st)), "run it with `mainstem test`"
	}
	return e
}
