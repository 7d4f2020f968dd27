package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/row"
)

// pinBeside is the setting that says beside which query a statement built its own. The statement means the same again, whatever a later
// program could do in place.
const pinBeside = "mainstem.beside"

// A place is where the query of CREATE … AS comes: under which id, and beside which query until it has caught up, empty: none.
type place struct{ id, beside string }

// replaces finds the place of the query that CREATE … AS makes. If there is one already and both keep the same state, it is that one's: the
// new query goes on where the old one was. With other state it is built beside the old one, if the user wants that.
func (s *Session) replaces(env *Env, st *ast.CreateAs, q *plan.Query) (place, error) {
	prefix := "CSAS_"
	if st.Table {
		prefix = "CTAS_"
	}
	fresh := place{id: fmt.Sprintf("%s%s_%d", prefix, st.Name.Text, s.made)}
	old := s.catalog.Source(st.Name.Text)
	if old == nil {
		return fresh, nil
	}
	if err := plan.CheckReplace(old, q.Sink); err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(s.queries, func(o *Query) bool { return o.Plan.Sink == old })
	if i < 0 {
		return fresh, nil
	}
	running := s.queries[i]
	if next := s.besideOf(running.ID); next != nil {
		return place{}, errorAt(st.Name, CodeInUse, "Query %s is being built to take the place of %s.", next.ID, running.ID).hint("TERMINATE " + next.ID + "; gives that up")
	}
	was, now := plan.State(running.Plan), plan.State(q)
	same := slices.Equal(was, now)
	rebuild := strings.EqualFold(s.inForce(env)[SettingReplace], replaceRebuild) && !same
	if env.Again {
		rebuild = env.Settings[pinBeside] != ""
	}
	switch host, able := s.o.Host.(Rebuilder); {
	case rebuild && old.Window != q.Sink.Window:
		return place{}, errorAt(st.Name, CodeReplace, "Cannot upgrade data source: the windows of %s would change, and its readers know those it has.", row.Quote(old.Name)).
			hint("make one beside it under another name")
	case rebuild && able && host.Rebuilds():
		fresh.beside = running.ID
		return fresh, nil
	case rebuild || !same:
		return place{}, errorAt(st.Name, CodeReplace, "Cannot upgrade data source: DataSource '%s' (%s) cannot be replaced: its query keeps other state than before. It has %s and would have %s",
			row.Quote(old.Name), old.Kind(), stateText(was), stateText(now)).
			hint("SET '" + SettingReplace + "'='" + replaceRebuild + "'; builds the new query beside the old one and switches when it has caught up. Or drop it and create it anew")
	}
	return place{id: running.ID}, nil
}

// besideOf is the query that is built to take the place of another one, nil: none is.
func (s *Session) besideOf(id string) *Query {
	if i := slices.IndexFunc(s.queries, func(q *Query) bool { return q.Beside == id }); i >= 0 {
		return s.queries[i]
	}
	return nil
}

// Switch puts a query that was built beside another one in its place, in what the session knows; the host has both of them stand still. It
// returns both as they are now. The error is that there is no such query.
func (s *Session) Switch(id string) (old, next *Query, err error) {
	q := s.Query(id)
	if q == nil || q.Beside == "" {
		return nil, nil, &Error{Code: CodeUnknown, Message: "Query " + id + " is not built beside another one."}
	}
	if old = s.Query(q.Beside); old == nil {
		return nil, nil, &Error{Code: CodeUnknown, Message: "Query " + id + " is built beside " + q.Beside + ", which is gone."}
	}
	placed := *q
	placed.Beside = ""
	s.queries = slices.DeleteFunc(slices.Clone(s.queries), func(o *Query) bool { return o == old })
	s.queries[slices.Index(s.queries, q)] = &placed
	s.catalog.Put(placed.Plan.Sink)
	return old, &placed, nil
}

// reads tells whether a query reads a source, which CREATE OR REPLACE may have changed since.
func (q *Query) reads(source *catalog.Source) bool {
	return slices.ContainsFunc(q.Plan.Sources, func(o *catalog.Source) bool { return o.Name == source.Name })
}
