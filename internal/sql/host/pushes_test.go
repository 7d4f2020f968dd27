package host_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// listed are the push queries that LIST QUERIES shows.
func (l *living) listed() (ids []string) {
	l.t.Helper()
	done, err := l.Exec(l.t.Context(), "LIST QUERIES;", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range done[0].Shows.(session.QueryList).Pushes {
		ids = append(ids, p.ID)
	}
	return ids
}

// Push queries are listed, explained and terminated as persistent ones are; the catalog knows nothing of them.
func TestPushQueriesAreListedExplainedAndTerminated(t *testing.T) {
	w, state := newWorld(t), kv.NewMemory()
	l := w.live(t, state)
	l.exec(shop)
	const statement = "SELECT n FROM sales WHERE n > 1 EMIT CHANGES;"
	var all []query.Rows
	var ids []string
	for range 12 { // in the order in which they began, the tenth not before the second
		rows := l.query(statement, nil)
		defer rows.Close()
		all, ids = append(all, rows), append(ids, rows.Header().ID)
	}
	if got := l.listed(); !slices.Equal(got, ids) {
		t.Errorf("%q listed, %q run", got, ids)
	}
	pulled := l.query("SELECT n FROM sales;", nil)
	defer pulled.Close()
	if got := l.listed(); len(got) != len(ids) {
		t.Errorf("a pull query is listed: %q", got)
	}

	done, err := l.Exec(t.Context(), "LIST QUERIES EXTENDED; EXPLAIN "+ids[3]+"; EXPLAIN (AST) "+ids[3]+";", nil)
	if err != nil {
		t.Fatal(err)
	}
	extended := done[0].Shows.(session.QueryDescriptions).Queries
	last, explained := extended[len(extended)-1], done[1].Shows.(session.QueryDescription)
	if explained.ID != ids[3] || last.ID != ids[11] || !last.Push || !explained.Push || explained.Statement != statement || explained.Topology == "" {
		t.Errorf("%+v, %+v", last, explained)
	}

	done, err = l.Exec(t.Context(), "TERMINATE "+ids[3]+";", nil)
	if err != nil {
		t.Fatal(err)
	}
	if shown := done[0].Shows; shown != (session.PushEnd{ID: ids[3]}) {
		t.Errorf("%+v", shown)
	}
	if _, err := all[3].Next(t.Context()); !errors.Is(err, query.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if got := l.listed(); slices.Contains(got, ids[3]) || len(got) != len(ids)-1 {
		t.Errorf("%q listed", got)
	}
	if _, err := l.Exec(t.Context(), "TERMINATE "+ids[3]+";", nil); err == nil {
		t.Error("it was terminated twice")
	}
	l.end()
	if got := w.live(t, state).listed(); len(got) != 0 {
		t.Errorf("%q run after a restart", got)
	}
}
