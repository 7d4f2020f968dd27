package expr

import (
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// An AggregateCall is a compiled call of an aggregate. States are plain values; none is ever changed.
type AggregateCall struct {
	call  *ast.Call
	bound *function.BoundAggregate
	args  []*Expr
	cols  []int
}

// CompileAggregate compiles a call of an aggregate, COUNT(*) too. The error is as Compile's.
func CompileAggregate(call *ast.Call, scope Scope, lib *function.Library) (*AggregateCall, error) {
	c := &compiler{scope: scope, lib: lib}
	nodes, args, err := c.arguments(call.Args)
	if err != nil {
		return nil, err
	}
	bound, err := lib.Aggregate(call.Name.Text, args)
	if err != nil {
		return nil, located(call, err)
	}
	out := &AggregateCall{call: call, bound: bound, cols: c.columnList()}
	for _, i := range bound.Values {
		n := nodes[i]
		if p := bound.Params[i]; p != nil {
			if n, err = c.argument(n, p); err != nil {
				return nil, err
			}
		}
		out.args = append(out.args, c.finish(n))
	}
	return out, nil
}

// Name is the function's name in upper case.
func (a *AggregateCall) Name() string { return a.call.Name.Text }

// String is the call's canonical text.
func (a *AggregateCall) String() string { return ast.Format(a.call) }

// Type is the type of results.
func (a *AggregateCall) Type() *row.Type { return a.bound.Returns }

// State is the type of states.
func (a *AggregateCall) State() *row.Type { return a.bound.State }

// Columns lists the places in the row that the arguments read, in ascending order.
func (a *AggregateCall) Columns() []int { return a.cols }

// Undoable tells whether rows can be taken back, which groups of a table's rows need.
func (a *AggregateCall) Undoable() bool { return a.bound.Undo != nil }

// Initial is the state of an empty group.
func (a *AggregateCall) Initial() row.Value { return a.bound.Initial }

// Add returns the state with a row. An argument that cannot be computed counts as null; report, which may be nil, is told.
func (a *AggregateCall) Add(state row.Value, r row.Row, report func(error)) (row.Value, error) {
	var buf [4]row.Value
	return a.bound.Add(state, a.values(buf[:0], r, report))
}

// Undo returns the state without a row that was added before. It may only be called if Undoable.
func (a *AggregateCall) Undo(state row.Value, r row.Row, report func(error)) (row.Value, error) {
	var buf [4]row.Value
	return a.bound.Undo(state, a.values(buf[:0], r, report))
}

func (a *AggregateCall) values(dst []row.Value, r row.Row, report func(error)) []row.Value {
	for _, x := range a.args {
		v, err := x.EvalReport(r, report)
		if err != nil && report != nil {
			report(err)
		}
		if err != nil {
			v = row.Null
		}
		dst = append(dst, v)
	}
	return dst
}

// Merge joins the states of two sessions that became one; first is the earlier.
func (a *AggregateCall) Merge(first, second row.Value) (row.Value, error) {
	return a.bound.Merge(first, second)
}

// Result is what a state amounts to.
func (a *AggregateCall) Result(state row.Value) (row.Value, error) {
	if a.bound.Result == nil {
		return state, nil
	}
	return a.bound.Result(state)
}

// A TableCall is a compiled call of a table function.
type TableCall struct {
	call  *ast.Call
	bound *function.BoundTable
	args  []*Expr
	cols  []int
}

// CompileTable compiles a call of a table function. The error is as Compile's.
func CompileTable(call *ast.Call, scope Scope, lib *function.Library) (*TableCall, error) {
	c := &compiler{scope: scope, lib: lib}
	nodes, args, err := c.arguments(call.Args)
	if err != nil {
		return nil, err
	}
	bound, err := lib.Table(call.Name.Text, args)
	if err != nil {
		return nil, located(call, err)
	}
	out := &TableCall{call: call, bound: bound, cols: c.columnList()}
	for i, n := range nodes {
		if p := bound.Params[i]; p != nil {
			if n, err = c.argument(n, p); err != nil {
				return nil, err
			}
		}
		out.args = append(out.args, c.finish(n))
	}
	return out, nil
}

// String is the call's canonical text.
func (t *TableCall) String() string { return ast.Format(t.call) }

// Type is the type of the values in the rows.
func (t *TableCall) Type() *row.Type { return t.bound.Returns }

// Columns lists the places in the row that the arguments read, in ascending order.
func (t *TableCall) Columns() []int { return t.cols }

// Rows computes the rows for one row. The error is of an argument or of the function.
func (t *TableCall) Rows(r row.Row) ([]row.Value, error) {
	args := make([]row.Value, len(t.args))
	for i, x := range t.args {
		v, err := x.Eval(r)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return t.bound.Rows(args)
}
