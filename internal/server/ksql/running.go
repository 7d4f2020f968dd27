package ksql

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/sql/query"
)

// A runningQuery is one whose rows are on their way to a client.
type runningQuery struct {
	rows   query.Rows
	closed atomic.Bool // another request asked for its end
}

// openQueries are the queries that can be closed by their ids.
type openQueries struct {
	mu struct {
		sync.Mutex
		queries map[string]*runningQuery
	}
}

func (q *openQueries) add(rows query.Rows) *runningQuery {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := &runningQuery{rows: rows}
	q.mu.queries[rows.Header().ID] = one
	return one
}

func (q *openQueries) remove(one *runningQuery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.mu.queries, one.rows.Header().ID)
}

// close ends a query, if it runs.
func (q *openQueries) close(id string) bool {
	q.mu.Lock()
	one := q.mu.queries[id]
	q.mu.Unlock()
	if one == nil {
		return false
	}
	one.closed.Store(true)
	one.rows.Close()
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
