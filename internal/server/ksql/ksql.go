// Package ksql serves SQL over HTTP in the forms that clients of ksqlDB know.
//
// The root hands in a Server; nothing here reaches back. Paths:
//
//	POST /ksql                  statements: {"ksql": "…;", "streamsProperties": {…}}; one entity for each that has something to say
//	POST /ksql/terminate        ends all queries, drops everything, deletes the topics that are named
//	POST /query                 one query: {"ksql": "SELECT …;"}; its rows, until it ends or the client goes; PRINT as lines of text
//	POST /query-stream          the same: {"sql": "SELECT …;", "properties": {…}}
//	GET  /ws/query              a query over a WebSocket, its columns first, then a row a frame; PRINT a line a frame
//	POST /close-query           ends a query by its id
//	POST /inserts-stream        {"target": "S"}, then a row a line; an acknowledgement for each when it is durable
//	GET  /status, /status/…     what became of statements
//	GET  /info, /healthcheck, /clusterStatus, /v1/metadata, /v1/metadata/id, /chc/live, /chc/ready, /is_valid_property/…
//
// Owner and locks: the Server is safe for concurrent use. Of its own the package has the queries that run and the last commands, each with
// one lock that is not held while something is sent.
//
// Format: application/vnd.ksql.v1+json, for rows one of package rowstream's. Errors are {"@type", "error_code", "message"}, for statements
// with statementText and the entities of those before it; the code is the HTTP status times 100 and tells kinds apart in its last digits.
// An error after the first row is the last element of the answer. A client that does not read for 10 s is dropped.
//
// Not here: what statements do, what rows there are, encodings of rows.
package ksql

import (
	"context"
	"net/http"
	"strings"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// mediaKSQL is the media type of all answers but rows.
const mediaKSQL = "application/vnd.ksql.v1+json"

// A Result is what a statement did.
type Result = session.Result

// A Server executes statements. Errors that are a statement's fault are *session.StatementError.
type Server interface {
	// Exec executes statements. With an error come the results of those before it.
	Exec(ctx context.Context, r Request) ([]Result, error)
	// Query starts a query. When it returns, a push query sees all that is written from then on.
	Query(ctx context.Context, r Request) (query.Rows, error)
	// Print starts PRINT.
	Print(ctx context.Context, r Request) (Lines, error)
	// Insert returns what writes rows into a stream.
	Insert(ctx context.Context, target ast.Name) (Inserter, error)
	Info() Info
}

// An Inserter writes rows into one stream.
type Inserter interface {
	// Columns are those of the key, then those of the value.
	Columns() (key, value row.Schema)
	// Insert returns when the rows, values by their columns' names, are durable. An error leaves out all of them.
	Insert(ctx context.Context, rows []map[string]row.Value) error
}

// handlers are the paths of one server.
type handlers struct {
	server   Server
	clock    clock.Clock
	running  openQueries
	commands commands
}

// Paths returns the handlers by their patterns. The clock tells how long clients take to read.
func Paths(s Server, c clock.Clock) map[string]http.HandlerFunc {
	h := &handlers{server: s, clock: c}
	h.running.mu.queries = map[string]query.Rows{}
	h.commands.mu.done = map[string]command{}
	return map[string]http.HandlerFunc{
		"POST /ksql":                           h.statements,
		"POST /ksql/terminate":                 h.terminate,
		"POST /query":                          h.query,
		"POST /query-stream":                   h.queryStream,
		"GET /ws/query":                        h.webSocket,
		"POST /close-query":                    h.closeQuery,
		"POST /inserts-stream":                 h.inserts,
		"GET /{$}":                             redirect,
		"GET /info":                            h.info,
		"GET /status":                          h.statuses,
		"GET /status/{type}/{entity}/{action}": h.status,
		"GET /healthcheck":                     healthcheck,
		"GET /clusterStatus":                   h.clusterStatus,
		"GET /v1/metadata":                     h.metadata,
		"GET /v1/metadata/id":                  h.clusterID,
		"GET /chc/live":                        alive,
		"GET /chc/ready":                       alive,
		"GET /is_valid_property/{name}":        validProperty,
	}
}

// statements serves /ksql.
func (h *handlers) statements(w http.ResponseWriter, r *http.Request) {
	req, f := statementsOf(w, r, "ksql")
	if f != nil {
		f.send(w)
		return
	}
	results, err := h.server.Exec(r.Context(), req)
	h.commands.add(results)
	entities := entitiesOf(results)
	if err != nil {
		f := failureOf(err, req.Text)
		if f.statement != "" {
			f.entities = entities
			if isQuery(f.statement) {
				f.kind = kindOtherPath
			}
		}
		f.send(w)
		return
	}
	answer(w, entities)
}

// entitiesOf are what statements show, without those that show nothing.
func entitiesOf(results []Result) []any {
	out := []any{}
	for _, done := range results {
		if e := entity(done); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// isQuery tells whether a statement is one for /query.
func isQuery(text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return strings.EqualFold(word, "SELECT") || isPrint(text)
}
