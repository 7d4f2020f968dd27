package ksql

import (
	"net/http"
	"sync"

	"github.com/mainstemio/mainstem/internal/sql/query"
)

// openQueries are those whose rows are on their way to clients. They can be closed by their ids.
type openQueries struct {
	mu struct {
		sync.Mutex
		queries map[string]query.Rows
	}
}

func (q *openQueries) add(rows query.Rows) (remove func()) {
	id := rows.Header().ID
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.queries[id] = rows
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.mu.queries, id)
	}
}

// close ends a query, if it runs.
func (q *openQueries) close(id string) bool {
	q.mu.Lock()
	rows := q.mu.queries[id]
	q.mu.Unlock()
	if rows == nil {
		return false
	}
	rows.Close()
	return true
}

// closeQuery serves /close-query.
func (h *handlers) closeQuery(w http.ResponseWriter, r *http.Request) {
	var args struct {
		ID string `json:"queryId"`
	}
	if f := read(w, r, &args); f != nil {
		f.send(w)
		return
	}
	if !h.running.close(args.ID) {
		(&failure{status: http.StatusBadRequest, message: "No query with id " + args.ID}).send(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}
