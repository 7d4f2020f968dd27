// Package expr compiles expressions of SQL to closures that compute them from a row.
//
// Purpose: names become places in a row, operators and functions get types, and evaluation does no look-ups and, for numbers, comparisons
// and CASE, no allocation.
//
// Callers and callees: the planner compiles, the steps of a query evaluate. It calls the function library, casts and decimals.
//
// Owner and locks: an Expr does not change once it is compiled and may be evaluated by several goroutines.
//
// Format: types and results are ksqlDB's: INTEGER and BIGINT wrap around, DECIMAL results have the precision of SQL Server's rules, a
// comparison with null is false, AND and OR have three values, an index counts from 1, negative ones from the end. What cannot be computed
// is an error of Eval; the caller makes it a null and a record in the processing log. Within ARRAY[…], MAP(…) and STRUCT(…) only the part
// that failed is null.
//
// Not here: which columns there are (Scope), aggregation itself, the expressions of windows.
package expr

import (
	"slices"
	"sync"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// A Scope finds columns: the place in the row that Eval will get, and the type. Its errors reach the caller of Compile as they are.
type Scope interface {
	Column(ref *ast.ColumnRef) (index int, t *row.Type, err error)
}

// An Expr is a compiled expression.
type Expr struct {
	node    *node
	columns []int
	vars    int         // of lambdas
	args    []row.Value // of calls: constants, and room for what is computed
	lambdas int         // calls with lambdas
	parts   bool        // it has constructors, whose parts may fail by themselves
	frames  *sync.Pool
	lib     *function.Library
}

// Compile compiles an expression; lib must be filled. The error is an *Error, a *function.Error wrapped in one, or the scope's.
func Compile(e ast.Expr, scope Scope, lib *function.Library) (*Expr, error) {
	c := &compiler{scope: scope, lib: lib}
	n, err := c.compile(e)
	if err != nil {
		return nil, err
	}
	return c.finish(n), nil
}

// finish makes the Expr around its node.
func (c *compiler) finish(n *node) *Expr {
	x := &Expr{node: n, columns: c.columnList(), vars: c.maxVars, args: slices.Clip(c.args), lambdas: c.lambdas, parts: c.parts, lib: c.lib}
	vars, args, lambdas := x.vars, x.args, x.lambdas // not c: it holds the scope, with all of its columns
	x.frames = &sync.Pool{New: func() any { return newFrame(vars, args, lambdas) }}
	return x
}

func newFrame(vars int, args []row.Value, lambdas int) *frame {
	return &frame{vars: make([]row.Value, vars), args: slices.Clone(args), lambdas: make([][]function.Lambda, lambdas)}
}

// needFrame has a frame made for every evaluation: it counts what calls do.
func (c *compiler) needFrame() {
	if len(c.args) == 0 {
		c.args = make([]row.Value, 1)
	}
}

// frame makes memory for what is compiled so far.
func (c *compiler) frame() *frame { return newFrame(c.maxVars, c.args, c.lambdas) }

func (c *compiler) columnList() []int {
	out := make([]int, 0, len(c.columns))
	for i := range c.columns {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// Type is the type of the results; nil: the expression is a bare NULL.
func (x *Expr) Type() *row.Type { return x.node.typ }

// Columns lists the places in the row that the expression reads, in ascending order.
func (x *Expr) Columns() []int { return x.columns }

// Column returns the place of an expression that is a plain column of the row.
func (x *Expr) Column() (place int, ok bool) { return x.node.column, x.node.column >= 0 }

// Constant returns the value of an expression that reads no column and is the same each time.
func (x *Expr) Constant() (row.Value, bool) { return x.node.value, x.node.constant }

// String is the expression's canonical text.
func (x *Expr) String() string { return ast.Format(x.node.e) }

// Eval computes the expression. Parts of arrays, maps and structs that fail are null without a word; EvalReport tells of them.
func (x *Expr) Eval(r row.Row) (row.Value, error) { return x.EvalReport(r, nil) }

// EvalReport is Eval, and calls report (which may be nil) for each error that made a part of the result null.
func (x *Expr) EvalReport(r row.Row, report func(error)) (row.Value, error) {
	if x.vars == 0 && len(x.args) == 0 && (report == nil || !x.parts) {
		return x.node.eval(env{row: r})
	}
	f := x.begin(r, report)
	v, err := x.node.eval(env{r, f})
	x.end(f)
	return v, err
}

func (x *Expr) begin(r row.Row, report func(error)) *frame {
	f := x.frames.Get().(*frame)
	f.row, f.report, f.worked = r, report, 0
	return f
}

func (x *Expr) end(f *frame) {
	f.row, f.report = "", nil
	copy(f.args, x.args) // so that nothing of a row is kept
	clear(f.vars)
	x.frames.Put(f)
}

// ChoosesElements tells whether the expression is an array of what another one has, which EvalElements computes without making it.
func (x *Expr) ChoosesElements() bool { return x.node.elements != nil }

// EvalElements is EvalReport for an expression that chooses elements.
func (x *Expr) EvalElements(r row.Row, report func(error)) (row.Elements, error) {
	f := x.begin(r, report)
	v, err := x.node.elements(env{r, f})
	x.end(f)
	return v, err
}

// Test computes a condition: null is false.
func (x *Expr) Test(r row.Row) (bool, error) {
	v, err := x.EvalReport(r, nil)
	return v.Boolean(), err
}

// Convert returns the expression as one of another type, as values are converted where they are written into a column: numbers to wider
// ones, literals by their text. The error is an *Error.
func (x *Expr) Convert(t *row.Type) (*Expr, error) {
	c := &compiler{lib: x.lib, maxVars: x.vars, args: x.args, lambdas: x.lambdas, parts: x.parts}
	n, err := c.convert(x.node, t)
	if err != nil {
		return nil, err
	}
	out := c.finish(n)
	out.columns, out.parts = x.columns, x.parts || n.parts != nil
	return out, nil
}

// env is what an evaluation has: the row, and for lambdas and calls a frame.
type env struct {
	row   row.Row
	frame *frame
}

// A frame is the memory of one evaluation.
type frame struct {
	row     row.Row
	vars    []row.Value         // of lambdas
	args    []row.Value         // of calls, each with a part of its own; constants stay in it
	lambdas [][]function.Lambda // of calls, made when they are first called and bound to the frame
	report  func(error)
	worked  int // so far: see function.MaxWork
}

// did counts a call that gave v.
func (f *frame) did(v row.Value) error {
	size := function.Size(v)
	if size > function.MaxBytes {
		return function.ErrTooLarge
	}
	return f.work(size >> 4)
}

// work counts a call and what it did beyond that.
func (f *frame) work(more int) error {
	if f.worked += 1 + more; f.worked > function.MaxWork {
		return function.ErrWork
	}
	return nil
}

// fail reports an error that makes only a part null.
func (e env) fail(err error) {
	if e.frame != nil && e.frame.report != nil {
		e.frame.report(err)
	}
}

type eval func(env) (row.Value, error)
