package plan

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// NoLimit is the Limit of a Select without LIMIT.
const NoLimit = -1

// A Select is a planned query of its own. Its Root is a Sink without a topic, whose values are the rows of the result.
type Select struct {
	Query
	Push bool // it goes on until it is closed; otherwise it is a pull query
	// RowByRow: each record of the one source gives one row or none, so that nothing has to be remembered: the steps are Filters over
	// a Source.
	RowByRow bool
	// Key says for each column of the result which part of a row's key has its value, -1: none. The parts are the columns of the layout's
	// key, then, if it is windowed, the start and the end of the window.
	Key    []int
	Limit  int64 // NoLimit: none
	Access Access
}

// Of returns the source of a query that has only one.
func (s *Select) Of() *catalog.Source { return s.Sources[0] }

// Own plans a SELECT that stands by itself. With EMIT it is a push query, otherwise a pull query.
func Own(c Context, q *ast.Query) (*Select, error) {
	if q.Emit == ast.EmitNone {
		return pull(c, q)
	}
	return push(c, q)
}

// push plans a query that goes on with what comes.
func push(c Context, q *ast.Query) (*Select, error) {
	p := newPlanner(c, q, "")
	p.own = true
	if q.Emit == ast.EmitFinal && q.Window == nil {
		return nil, errorf(finalWindows)
	}
	if q.Limit != nil && q.Limit.Value < 0 {
		return nil, errorAt(q.Limit, "Push queries don't support negative integers in the LIMIT clause.")
	}
	root, err := p.rows()
	if err != nil {
		return nil, err
	}
	out, err := p.result(root)
	if err != nil {
		return nil, err
	}
	out.Push = true
	return out, nil
}

// result ends a query of its own with what its rows are.
func (p *planner) result(root Node) (*Select, error) {
	layout := root.Layout()
	sink := &Sink{step: step{*layout, []Node{root}}, Time: -1}
	out := &Select{Query: Query{Root: sink, Final: p.query.Emit == ast.EmitFinal}, Limit: NoLimit, RowByRow: rowByRow(root)}
	if p.query.Limit != nil {
		out.Limit = p.query.Limit.Value
	}
	for _, s := range p.sources {
		out.Sources = append(out.Sources, s.Source)
	}
	taken := map[string]bool{}
	for _, i := range p.items {
		x, err := p.compile(root, i.expr, "SELECT")
		if err != nil {
			return nil, selectError(err)
		}
		if x.Type() == nil {
			return nil, untyped(i.expr)
		}
		if taken[i.name] {
			return nil, errorf("Duplicate value columns found in schema: %s %s", row.Quote(i.name), x.Type())
		}
		taken[i.name] = true
		part := p.keyPart(root, i.expr)
		sink.Exprs = append(sink.Exprs, x)
		out.Key = append(out.Key, part)
		out.Output = append(out.Output, Output{Name: i.name, Type: x.Type(), Key: part >= 0})
	}
	return out, nil
}

// rowByRow tells whether a step needs nothing but the record at hand.
func rowByRow(n Node) bool {
	for {
		switch f := n.(type) {
		case *Source:
			return true
		case *Filter:
			n = f.Inputs()[0]
		default:
			return false
		}
	}
}

// keyPart is the part of the rows' key that an expression over a step is, -1 if it is none.
func (p *planner) keyPart(root Node, e ast.Expr) int {
	ref, ok := e.(*ast.ColumnRef)
	if !ok {
		return -1
	}
	layout := root.Layout()
	if layout.Window.Windowed() && len(p.sources) == 1 {
		switch ref.Name.Text {
		case windowStart:
			return len(layout.Key)
		case windowEnd:
			return len(layout.Key) + 1
		}
	}
	text := canonical(e, &p.all)
	return slices.IndexFunc(p.keys, func(k key) bool { return slices.Contains(k.texts, text) })
}
