package ksql

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxBody is the largest request body.
const maxBody = 16 << 20

// A Request is what a client asks for.
type Request struct {
	Text      string            // statements, or one query
	Settings  map[string]string // ksqlDB calls them properties
	Variables map[string]string // of ${…} in statements
}

// body is a request as clients send it: to /query-stream by its own names.
type body struct {
	KSQL              string         `json:"ksql"`
	StreamsProperties map[string]any `json:"streamsProperties"`
	SQL               string         `json:"sql"`
	Properties        map[string]any `json:"properties"`
	Variables         map[string]any `json:"sessionVariables"`
	Request           map[string]any `json:"requestProperties"`
}

// tokens are the properties of a request that name what was read before, for a query that is to go on from there.
var tokens = []string{"request.ksql.query.push.continuation.token", "request.ksql.query.pull.consistency.token"}

// token refuses a request that brings a token along. No answer of this server has any, so it is of another one, and what it stands for is not
// known here; clients that have none yet send an empty one.
func (b *body) token() error {
	for _, name := range tokens {
		if text, given := b.Request[name].(string); given && text != "" {
			return fmt.Errorf("the token in %s is none of this server, which gives no tokens: send the query without it", name)
		}
	}
	return nil
}

// read reads a request's body as JSON into to. The whole body is read: only then the server notices that a client went away.
func read(w http.ResponseWriter, r *http.Request, to any) *failure {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &failure{status: http.StatusRequestEntityTooLarge, message: "The request body is larger than the 16 MiB that are allowed"}
	case err != nil:
		return &failure{status: http.StatusBadRequest, message: "The request body is not JSON of the form that this path takes: " + err.Error()}
	}
	return nil
}

// statementsOf reads a request for statements or a query under ksqlDB's name for its text.
func statementsOf(w http.ResponseWriter, r *http.Request, field string) (Request, *failure) {
	var b body
	if f := read(w, r, &b); f != nil {
		return Request{}, f
	}
	if err := b.token(); err != nil {
		return Request{}, &failure{status: http.StatusBadRequest, message: err.Error()}
	}
	req := Request{Text: b.KSQL, Settings: texts(b.StreamsProperties), Variables: texts(b.Variables)}
	if field == "sql" {
		req.Text, req.Settings = b.SQL, texts(b.Properties)
	}
	if strings.TrimSpace(req.Text) == "" {
		return req, &failure{status: http.StatusBadRequest, message: `"` + field + `" field must be populated`}
	}
	return req, nil
}

// texts are the values of JSON as settings have them.
func texts(values map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range values {
		switch v := v.(type) {
		case string:
			out[name] = v
		case nil:
		default:
			b, _ := json.Marshal(v) // it came from JSON
			out[name] = string(b)
		}
	}
	return out
}
