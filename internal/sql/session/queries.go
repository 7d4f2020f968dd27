package session

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/plan"
)

// start runs a query; one with its id ends first, and goes on if the new one cannot.
func (s *Session) start(ctx context.Context, env *Env, q *Query) (Result, error) {
	q.Settings = s.inForce(env)
	i := slices.IndexFunc(s.queries, func(o *Query) bool { return o.ID == q.ID })
	if i >= 0 {
		q.Paused = s.queries[i].Paused
	}
	if !env.Again {
		if err := s.swap(ctx, i, q); err != nil {
			return Result{}, running(err)
		}
	}
	if i >= 0 {
		s.queries = slices.Clone(s.queries)
		s.queries[i] = q
	} else {
		s.queries = append(s.queries, q)
		s.made++
		s.used[q.ID] = true
	}
	if q.Beside != "" {
		return Result{
			Message: "Created query with ID " + q.ID + ", which takes the place of " + q.Beside + " when it has caught up", Query: q.ID, State: plan.State(q.Plan),
		}, nil
	}
	if q.Plan.Sink.Made {
		s.catalog.Put(q.Plan.Sink)
	}
	return Result{Message: "Created query with ID " + q.ID, Query: q.ID, State: plan.State(q.Plan)}, nil
}

// swap starts a query in the place of the one at i, if there is one.
func (s *Session) swap(ctx context.Context, i int, q *Query) error {
	if i < 0 {
		return s.o.Host.Start(ctx, q)
	}
	// Before the old one ends, the new one has to be possible: what cannot be built leaves everything as it was.
	if _, err := s.o.Host.Topology(q); err != nil {
		return err
	}
	if err := s.o.Host.Stop(ctx, s.queries[i]); err != nil {
		return err
	}
	err := s.o.Host.Start(ctx, q)
	if err != nil {
		err = errors.Join(err, s.o.Host.Start(ctx, s.queries[i]))
	}
	return err
}

// end stops the query at a place; a negative one is none.
func (s *Session) end(ctx context.Context, env *Env, i int) error {
	if i < 0 || env.Again {
		return nil
	}
	return running(s.o.Host.Stop(ctx, s.queries[i]))
}

func (s *Session) insertInto(ctx context.Context, env *Env, st *ast.InsertInto, text string) (Result, error) {
	q, err := plan.InsertInto(s.context(env), st)
	if err != nil {
		return Result{}, err
	}
	id := plan.QueryID(st.With)
	if id == "" {
		id = "INSERTQUERY_" + strconv.Itoa(s.made)
	} else if s.used[id] { // its group and topics may be there still
		return Result{}, &Error{
			Code: CodeExists, Message: "Query ID '" + id + "' already exists.", Span: spanOf(st.With, "QUERY_ID"),
			Hint: "use another id: one is not used twice, also when its query was terminated",
		}
	}
	result, err := s.start(ctx, env, &Query{ID: id, Statement: text, Plan: q})
	result.Command = command(q.Sink, "create")
	return result, err
}

// Query finds a query by its id, whose case does not count, nil if there is none.
func (s *Session) Query(id string) *Query {
	if i := slices.IndexFunc(s.queries, func(q *Query) bool { return strings.EqualFold(q.ID, id) }); i >= 0 {
		return s.queries[i]
	}
	return nil
}

// targets are the queries that a statement means.
func (s *Session) targets(t ast.QueryTarget) ([]*Query, error) {
	if t.All {
		return slices.Clone(s.queries), nil
	}
	if q := s.Query(t.ID.Text); q != nil {
		return []*Query{q}, nil
	}
	return nil, s.unknownQuery(t.ID)
}

func (s *Session) unknownQuery(id ast.Name) error {
	var ids []string
	for _, q := range s.queries {
		ids = append(ids, q.ID)
	}
	hint := didYouMean(id.Text, ids)
	if hint == "" {
		hint = "LIST QUERIES; shows the ids"
	}
	return errorAt(id, CodeUnknown, "Unknown queryId: %s", id.Text).hint(hint)
}

func (s *Session) terminate(ctx context.Context, env *Env, st *ast.Terminate) (Result, error) {
	if h, ok := s.o.Host.(Pushes); ok && !st.All && s.Query(st.ID.Text) == nil && h.EndPush(st.ID.Text) {
		return Result{Message: "Query terminated.", Shows: PushEnd{st.ID.Text}}, nil
	}
	ended, err := s.targets(st.QueryTarget)
	if err != nil {
		return Result{}, err
	}
	for _, q := range ended {
		if next := s.besideOf(q.ID); next != nil && !st.All {
			return Result{}, errorAt(st.ID, CodeInUse, "Query %s is being built to take the place of %s.", next.ID, q.ID).hint("TERMINATE " + next.ID + "; keeps the old one")
		}
		if err := s.end(ctx, env, slices.Index(s.queries, q)); err != nil {
			return Result{}, err
		}
		s.queries = slices.DeleteFunc(slices.Clone(s.queries), func(o *Query) bool { return o == q })
	}
	return Result{Message: "Query terminated.", Command: Command{"terminate", targetName(st.QueryTarget), "execute"}}, nil
}

func targetName(t ast.QueryTarget) string {
	if t.All {
		return "ALL"
	}
	return t.ID.Text
}

// pause has queries take no more records, or go on. It lasts until the opposite is said, over restarts.
func (s *Session) pause(ctx context.Context, env *Env, t ast.QueryTarget, paused bool) (Result, error) {
	turned, err := s.targets(t)
	if err != nil {
		return Result{}, err
	}
	for _, q := range turned {
		next := *q
		next.Paused = paused
		if !env.Again {
			if err := s.o.Host.Pause(ctx, &next, paused); err != nil {
				return Result{}, running(err)
			}
		}
		s.queries = slices.Clone(s.queries)
		s.queries[slices.Index(s.queries, q)] = &next
	}
	r := Result{Message: "Query resumed.", Command: Command{"resume", targetName(t), "execute"}}
	if paused {
		r = Result{Message: "Query paused.", Command: Command{"pause", targetName(t), "execute"}}
	}
	return r, nil
}
