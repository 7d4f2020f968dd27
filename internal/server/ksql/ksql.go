// Package ksql serves statements of SQL over HTTP in the forms that clients of ksqlDB know.
//
// The root hands in a Server; nothing here reaches back. Paths:
//
//	POST /ksql                  statements: {"ksql": "…;", "streamsProperties": {…}}; one entity for each that has something to say
//	GET  /info                  the server's version
//	GET  /healthcheck           whether it serves
//	GET  /is_valid_property/…   whether a setting can be set
//
// Owner and locks: handlers keep nothing; the Server is safe for concurrent use.
//
// Format: application/vnd.ksql.v1+json. Errors are {"@type", "error_code", "message"}, for statements with statementText and the entities of
// those before it; the code is the HTTP status times 100.
//
// Not here: what statements do; /query, /query-stream and /inserts-stream.
package ksql

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// A Result is what a statement did.
type Result = session.Result

// A Catalog is what has a name, and what runs.
type Catalog struct {
	Sources []*catalog.Source
	Queries []Query
}

// A Query is a persistent query and its state, RUNNING or ERROR.
type Query struct {
	*session.Query
	State string
}

// A Server executes statements. The error of Exec is a *session.StatementError where a statement is at fault.
type Server interface {
	Exec(ctx context.Context, script string, settings map[string]string) ([]Result, error)
	Catalog(ctx context.Context) (Catalog, error)
	Info() (version, cluster string)
}

// maxBody is the largest request body.
const maxBody = 16 << 20

// Paths returns the handlers by their patterns.
func Paths(s Server) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /ksql": func(w http.ResponseWriter, r *http.Request) { statements(w, r, s) },
		"GET /info": func(w http.ResponseWriter, _ *http.Request) {
			version, cluster := s.Info()
			write(w, http.StatusOK, map[string]any{"KsqlServerInfo": map[string]string{
				"version": version, "kafkaClusterId": cluster, "ksqlServiceId": "mainstem_", "serverStatus": "RUNNING",
			}})
		},
		"GET /healthcheck": func(w http.ResponseWriter, _ *http.Request) {
			healthy := map[string]bool{"isHealthy": true}
			write(w, http.StatusOK, map[string]any{"isHealthy": true, "details": map[string]any{"kafka": healthy, "metastore": healthy}})
		},
		"GET /is_valid_property/{name}": func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.PathValue("name"), "ksql.") && !known[r.PathValue("name")] {
				fail(w, failure{status: http.StatusBadRequest, message: "Not recognizable as ksql, streams, consumer, or producer property: '" + r.PathValue("name") + "'"})
				return
			}
			write(w, http.StatusOK, true)
		},
	}
}

// known are the settings besides ksql's own.
var known = map[string]bool{"auto.offset.reset": true, "processing.guarantee": true, "cache.max.bytes.buffering": true, "commit.interval.ms": true}

type request struct {
	KSQL       string            `json:"ksql"`
	Properties map[string]any    `json:"streamsProperties"`
	Variables  map[string]string `json:"sessionVariables"`
}

// settings are the properties as text.
func (r request) settings() map[string]string {
	out := map[string]string{}
	for name, v := range r.Properties {
		switch v := v.(type) {
		case string:
			out[name] = v
		default:
			b, _ := json.Marshal(v) // it came from JSON
			out[name] = string(b)
		}
	}
	return out
}

func statements(w http.ResponseWriter, r *http.Request, s Server) {
	var req request
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	body.UseNumber()
	if err := body.Decode(&req); err != nil {
		fail(w, failure{status: http.StatusBadRequest, message: "The request body is not JSON of the form {\"ksql\": \"...\"}: " + err.Error()})
		return
	}
	if strings.TrimSpace(req.KSQL) == "" {
		fail(w, failure{status: http.StatusBadRequest, message: "\"ksql\" field must be populated"})
		return
	}
	results, err := s.Exec(r.Context(), req.KSQL, req.settings())
	entities := []any{}
	c, catalogErr := s.Catalog(r.Context())
	if err == nil {
		err = catalogErr
	}
	for _, done := range results {
		if e := entity(done, c); e != nil {
			entities = append(entities, e)
		}
	}
	if err != nil {
		f := failure{status: http.StatusBadRequest, message: err.Error(), entities: entities}
		var at *session.StatementError
		switch {
		case !errors.As(err, &at):
			f.status = http.StatusInternalServerError
		case at.Statement != "":
			f.statement = at.Statement
		default:
			f.statement = req.KSQL
		}
		fail(w, f)
		return
	}
	write(w, http.StatusOK, entities)
}

// A failure is an error of a request.
type failure struct {
	status    int
	message   string
	statement string
	entities  []any
}

func fail(w http.ResponseWriter, f failure) {
	body := map[string]any{"@type": "generic_error", "error_code": f.status * 100, "message": f.message}
	if f.statement != "" {
		body["@type"], body["error_code"], body["statementText"], body["entities"] = "statement_error", f.status*100+1, f.statement, f.entities
	}
	write(w, f.status, body)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/vnd.ksql.v1+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone if it fails
}
