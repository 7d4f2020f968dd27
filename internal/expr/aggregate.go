package expr

import (
	"sync"

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
	room  *sync.Pool // of []row.Value for the arguments, as pointers
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
	out.room = &sync.Pool{New: func() any {
		room := make([]row.Value, len(out.args))
		return &room
	}}
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

// Mergeable tells whether states can be joined, which session windows need.
func (a *AggregateCall) Mergeable() bool { return a.bound.Merge != nil }

// Initial is the state of an empty group.
func (a *AggregateCall) Initial() row.Value { return a.bound.Initial }

// Add returns the state with a row. An argument that cannot be computed counts as null; report, which may be nil, is told.
func (a *AggregateCall) Add(state row.Value, r row.Row, report func(error)) (row.Value, error) {
	return a.step(a.bound.Add, state, r, report)
}

// Undo returns the state without a row that was added before. It may only be called if Undoable.
func (a *AggregateCall) Undo(state row.Value, r row.Row, report func(error)) (row.Value, error) {
	return a.step(a.bound.Undo, state, r, report)
}

func (a *AggregateCall) step(f func(row.Value, []row.Value) (row.Value, error), state row.Value, r row.Row, report func(error)) (row.Value, error) {
	if len(a.args) == 0 {
		return f(state, nil)
	}
	args := a.arguments(r, report)
	v, err := f(state, *args)
	a.release(args)
	return v, err
}

// arguments computes the arguments of a row, release gives their memory back.
func (a *AggregateCall) arguments(r row.Row, report func(error)) *[]row.Value {
	args := a.room.Get().(*[]row.Value)
	for i, x := range a.args {
		(*args)[i] = x.argument(r, report)
	}
	return args
}

func (a *AggregateCall) release(args *[]row.Value) {
	clear(*args) // so that nothing of a row is kept
	a.room.Put(args)
}

// AddsTo tells whether there is an AddTo, which costs less than Add where the new state becomes a part of a row at once.
func (a *AggregateCall) AddsTo() bool { return a.bound.AddTo != nil }

// AddTo is Add for a caller that puts the state into a row: it adds it to out and returns true, or returns false, with nothing added, where
// the state stays. It may only be called if AddsTo.
func (a *AggregateCall) AddTo(out *row.Builder, state row.Value, r row.Row, report func(error)) bool {
	args := a.arguments(r, report)
	changed := a.bound.AddTo(out, state, *args)
	a.release(args)
	return changed
}

// argument computes an argument; null if it cannot be computed.
func (x *Expr) argument(r row.Row, report func(error)) row.Value {
	if x.node.column >= 0 {
		return r.At(x.node.column)
	}
	v, err := x.EvalReport(r, report)
	if err == nil {
		return v
	}
	if report != nil {
		report(err)
	}
	return row.Null
}

// Merge joins the states of two sessions that became one; first is the earlier.
func (a *AggregateCall) Merge(first, second row.Value) (row.Value, error) {
	return a.bound.Merge(first, second)
}

// Plain tells whether a state is itself what it amounts to.
func (a *AggregateCall) Plain() bool { return a.bound.Result == nil }

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
