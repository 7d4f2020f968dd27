package ksql

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mainstemio/mainstem/internal/sql/session"
)

// A failure is an error of a request. Its error_code is the HTTP status times 100, plus what tells kinds of errors apart.
type failure struct {
	status    int
	kind      int // added to the code
	message   string
	statement string // that is at fault: then it is an error of a statement
	entities  []any  // of the statements before it
}

// What error codes add to the status.
const (
	kindStatement = 1 // a statement that cannot be
	kindOtherPath = 2 // it is for another path
)

// codeAssertion is that of an ASSERT that does not hold, which is an answer and no mistake: it has a status of its own.
const codeAssertion = string(session.CodeAssertion)

// failureOf is what a server says, about a statement where one is at fault.
func failureOf(err error, text string) *failure {
	f := &failure{status: http.StatusBadRequest, kind: kindStatement, message: err.Error(), statement: text, entities: []any{}}
	var at *session.StatementError
	switch {
	case !errors.As(err, &at):
		return &failure{status: http.StatusInternalServerError, message: err.Error()}
	case at.Code == codeAssertion:
		return &failure{status: http.StatusExpectationFailed, message: err.Error()}
	case at.Statement != "":
		f.statement = at.Statement
	}
	return f
}

// bytes is the failure as JSON.
func (f *failure) bytes() []byte {
	out := map[string]any{"@type": "generic_error", "error_code": f.status*100 + f.kind, "message": f.message}
	if f.statement != "" {
		out["@type"], out["statementText"], out["entities"] = "statement_error", f.statement, f.entities
	}
	b, _ := json.Marshal(out) // texts and entities, which are of JSON's types
	return b
}

// send answers with the failure.
func (f *failure) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", mediaKSQL)
	w.WriteHeader(f.status)
	_, _ = w.Write(f.bytes()) // the client is gone if it fails
}

// answer sends a body as JSON.
func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", mediaKSQL)
	_ = json.NewEncoder(w).Encode(body) // the client is gone if it fails
}
