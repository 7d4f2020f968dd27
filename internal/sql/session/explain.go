package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/topology"
)

// explain shows what a statement or a query means. There is one tree of steps: BOUND, LOGICAL and OPTIMIZED are names of the same.
func (s *Session) explain(env *Env, st *ast.Explain) (Entity, error) {
	inner, q := st.Statement, (*Query)(nil)
	if inner == nil {
		if q = s.Query(st.ID.Text); q == nil {
			return s.explainPush(env, st)
		}
	}
	switch {
	case st.Stage == ast.ExplainAST && q == nil:
		return Explanation{st.Stage, ast.Dump(inner)}, nil
	case st.Stage == ast.ExplainAST:
		tree, err := parse.Statement(q.Statement)
		if err != nil {
			return nil, err
		}
		return Explanation{st.Stage, ast.Dump(tree)}, nil
	case q != nil && st.Stage == ast.ExplainDefault:
		return s.describeQuery(q)
	case q == nil:
		var err error
		if q, err = s.imagined(env, inner); err != nil {
			return nil, err
		}
	}
	return s.stage(st.Stage, q)
}

// stage shows a query as EXPLAIN (stage) does.
func (s *Session) stage(stage ast.ExplainStage, q *Query) (Entity, error) {
	switch stage {
	case ast.ExplainBound, ast.ExplainLogical, ast.ExplainOptimized:
		return Explanation{stage, plan.Text(q.Plan)}, nil
	}
	t, err := s.o.Host.Topology(q)
	if err != nil {
		return nil, err
	}
	switch stage {
	case ast.ExplainPhysical:
		return Explanation{stage, t.Describe()}, nil
	case ast.ExplainTasks:
		return Explanation{stage, tasks(t, q)}, nil
	}
	return QueryDescription{RunningQuery: RunningQuery{Query: q, Status: Status{State: Running}}, Topology: t.Describe(), Steps: plan.Text(q.Plan)}, nil
}

// imagined is the query that a statement would start.
func (s *Session) imagined(env *Env, st ast.Statement) (*Query, error) {
	q := &Query{ID: "explained", Statement: ast.Format(st), Settings: s.inForce(env)}
	c := s.context(env)
	var err error
	switch st := st.(type) {
	case *ast.CreateAs:
		q.Plan, err = plan.CreateAs(c, st)
	case *ast.InsertInto:
		q.Plan, err = plan.InsertInto(c, st)
	case *ast.Select:
		pushed := *st.Query
		if pushed.Emit == ast.EmitNone { // a pull query is explained as the push query of its rows
			pushed.Emit = ast.EmitChanges
		}
		var own *plan.Select
		if own, err = plan.Own(c, &pushed); err == nil {
			q.Plan = &own.Query
		}
	default:
		return nil, errorAt(st, CodeInvalid, "The provided statement does not run a ksql query")
	}
	return q, err
}

// describeQuery is EXPLAIN of a query that runs.
func (s *Session) describeQuery(q *Query) (QueryDescription, error) {
	t, err := s.o.Host.Topology(q)
	if err != nil {
		return QueryDescription{}, running(err)
	}
	return QueryDescription{
		RunningQuery: RunningQuery{q, s.o.Host.Status(q)}, Running: true, Topology: t.Describe(), Steps: plan.Text(q.Plan), App: t.Name,
	}, nil
}

// explainPush is EXPLAIN of a push query.
func (s *Session) explainPush(env *Env, st *ast.Explain) (Entity, error) {
	all := s.pushes()
	i := slices.IndexFunc(all, func(p PushQuery) bool { return strings.EqualFold(p.ID, st.ID.Text) })
	if i < 0 {
		return nil, s.unknownQuery(st.ID)
	}
	if st.Stage == ast.ExplainDefault {
		return s.describePush(env, all[i])
	}
	tree, err := parse.Statement(all[i].Statement)
	if err != nil {
		return nil, err
	}
	return s.explain(env, &ast.Explain{Span: st.Span, Stage: st.Stage, Statement: tree})
}

func (s *Session) describePush(env *Env, p PushQuery) (QueryDescription, error) {
	tree, err := parse.Statement(p.Statement)
	if err != nil {
		return QueryDescription{}, err
	}
	q, err := s.imagined(env, tree)
	if err != nil {
		return QueryDescription{}, err
	}
	q.ID, q.Statement = p.ID, p.Statement
	t, err := s.o.Host.Topology(q)
	if err != nil {
		return QueryDescription{}, err
	}
	return QueryDescription{
		RunningQuery: RunningQuery{Query: q, Status: Status{State: Running}}, Running: true, Push: true, Topology: t.Describe(), Steps: plan.Text(q.Plan),
	}, nil
}

// tasks lists what runs on its own: a task for each partition of each sub-topology, with the topics it reads and the stores it keeps.
func tasks(t *topology.Topology, q *Query) string {
	partitions := map[string]int32{}
	for _, source := range q.Plan.Sources {
		partitions[source.Topic] = source.Partitions
	}
	var b strings.Builder
	for _, sub := range t.Description().SubTopologies {
		reads, writes, stores := subTopology(sub)
		count := ""
		for _, topic := range reads {
			if n, known := partitions[topic]; known && n > 0 {
				count = fmt.Sprintf(" x %d", n)
			}
		}
		fmt.Fprintf(&b, "Sub-topology %d: 1 task a partition%s\n", sub.ID, count)
		for _, line := range []struct {
			word  string
			names []string
		}{{"reads", reads}, {"keeps", stores}, {"writes", writes}} {
			if len(line.names) > 0 {
				fmt.Fprintf(&b, "  %s %s\n", line.word, strings.Join(line.names, ", "))
			}
		}
	}
	return b.String()
}

func subTopology(sub topology.SubTopologyDescription) (reads, writes, stores []string) {
	seen := map[string]bool{}
	for _, n := range sub.Nodes {
		switch n.Kind {
		case "source":
			reads = append(reads, n.Topics...)
		case "sink":
			writes = append(writes, n.Topics...)
		}
		for _, store := range n.Stores {
			if !seen[store] {
				stores = append(stores, store)
			}
			seen[store] = true
		}
	}
	return reads, writes, stores
}
