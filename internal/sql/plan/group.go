package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// Prefixes of the columns behind an aggregation.
const (
	groupColumn  = "KSQL_GROUP_"
	resultColumn = "KSQL_AGG_VARIABLE_"
)

// grouped tells whether the query aggregates.
func (p *planner) grouped() bool { return p.query.GroupBy != nil || p.aggregates() != nil }

// aggregates lists the aggregate calls of SELECT and HAVING.
func (p *planner) aggregates() []*ast.Call {
	var calls []*ast.Call
	visit := func(n ast.Node) bool {
		call, ok := n.(*ast.Call)
		if ok && p.lib.Kind(call.Name.Text) == function.AggregateFunction {
			calls = append(calls, call)
		}
		return true
	}
	for _, i := range p.items {
		ast.Inspect(i.expr, visit)
	}
	if p.query.Having != nil {
		ast.Inspect(p.query.Having, visit)
	}
	return calls
}

// group adds the aggregation with what follows it: HAVING.
func (p *planner) group(in Node) (Node, error) {
	q := p.query
	calls := p.aggregates()
	if p.own && q.GroupBy == nil && len(calls) > 0 && p.notGrouped() == nil {
		one := *q // all rows are one group
		one.GroupBy = &ast.Grouping{Span: calls[0].Span, Exprs: []ast.Expr{&ast.IntegerLiteral{Span: calls[0].Span}}}
		p.query, q = &one, &one
	}
	if err := p.checkGroup(in, calls); err != nil || q.GroupBy == nil {
		return in, err
	}
	g := &grouping{p: p, in: in, out: &Aggregate{step: step{in: []Node{in}}}, groups: map[string]int{}, results: map[string]int{}, largest: 1}
	if err := g.by(); err != nil {
		return nil, err
	}
	if err := g.calls(calls); err != nil {
		return nil, err
	}
	if err := g.window(); err != nil {
		return nil, err
	}
	for i := range p.items {
		e, err := g.behind(p.items[i].expr, "SELECT")
		if err != nil {
			return nil, err
		}
		p.items[i].expr = e
	}
	if len(g.wrong) > 0 {
		return nil, errorf("Non-aggregate SELECT expression(s) not part of GROUP BY: %s\nEither add the column(s) to the GROUP BY or remove them from the SELECT.", strings.Join(g.wrong, ", "))
	}
	var root Node = g.out
	if q.Having != nil {
		having, err := g.behind(q.Having, "HAVING")
		if err != nil {
			return nil, err
		}
		if len(g.wrong) > 0 {
			return nil, errorAt(q.Having, "Non-aggregate HAVING expression not part of GROUP BY: %s", strings.Join(g.wrong, ", "))
		}
		root, err = p.filter(root, having, "HAVING")
		return root, g.readable(err)
	}
	return root, nil
}

// checkGroup refuses what GROUP BY, aggregates and WINDOW cannot be together.
func (p *planner) checkGroup(in Node, calls []*ast.Call) error {
	q := p.query
	switch {
	case q.GroupBy == nil && len(calls) > 0:
		if err := p.notGrouped(); err != nil {
			return err
		}
		var texts []string
		for _, c := range calls {
			texts = append(texts, ast.Format(c))
		}
		statement := "CREATE TABLE AS SELECT"
		if p.into == "" {
			statement = "SELECT"
		}
		return errorAt(calls[0], "Use of aggregate function %s requires a GROUP BY clause. %s statement does not support aggregate function [%s] without a GROUP BY clause.",
			calls[0].Name.Text, statement, strings.Join(texts, ", "))
	case q.GroupBy == nil && q.Window != nil:
		return errorAt(q.Window, "WINDOW clause requires a GROUP BY clause.")
	case q.GroupBy == nil && q.Having != nil:
		return errorAt(q.Having, "HAVING clause requires a GROUP BY clause.")
	case q.GroupBy == nil:
		return nil
	case len(q.GroupBy.Exprs) == 0:
		return errorAt(q.GroupBy, "GROUP BY requires at least one expression")
	case in.Layout().Table && q.Window != nil:
		return errorAt(q.Window, "WINDOW clause is only supported for streams.")
	}
	for _, e := range q.GroupBy.Exprs {
		var found *ast.Call
		ast.Inspect(e, func(n ast.Node) bool {
			if c, ok := n.(*ast.Call); ok && p.lib.Kind(c.Name.Text) == function.AggregateFunction {
				found = c
			}
			return true
		})
		if found != nil {
			return errorAt(found, "GROUP BY does not support aggregate functions: %s is an aggregate function.", found.Name.Text)
		}
	}
	if err := p.checkBounds(in, calls); err != nil {
		return err
	}
	for _, e := range q.GroupBy.Exprs {
		if _, err := p.compile(in, e, "GROUP BY"); err != nil {
			return clause(err, "GROUP BY")
		}
	}
	if len(calls) == 0 {
		if err := p.checkFunctions(in); err != nil {
			return err
		}
		return errorAt(q.GroupBy, "GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")
	}
	return nil
}

// checkFunctions refuses functions of SELECT that there are none of: one may have been meant for an aggregate.
func (p *planner) checkFunctions(in Node) error {
	for _, i := range p.items {
		_, err := p.compile(in, i.expr, "SELECT")
		if e := (*expr.Error)(nil); errors.As(err, &e) && e.Code == expr.Code(function.CodeUnknown) {
			return selectError(err)
		}
	}
	return nil
}

// notGrouped names what stands beside aggregates in a SELECT without GROUP BY.
func (p *planner) notGrouped() error {
	var texts []string
	for _, i := range p.items {
		aggregated := false
		ast.Inspect(i.expr, func(n ast.Node) bool {
			c, ok := n.(*ast.Call)
			aggregated = aggregated || ok && p.lib.Kind(c.Name.Text) == function.AggregateFunction
			return true
		})
		if _, column := i.expr.(*ast.ColumnRef); column && !aggregated {
			texts = append(texts, p.shown(i.expr))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errorf("Non-aggregate SELECT expression(s) not part of GROUP BY: %s\nEither add the column(s) to the GROUP BY or remove them from the SELECT.", strings.Join(texts, ", "))
}

// checkBounds refuses the bounds of the query's own windows where they are not known yet.
func (p *planner) checkBounds(in Node, calls []*ast.Call) error {
	q := p.query
	if q.Window == nil || in.Layout().Window.Windowed() {
		return nil
	}
	exprs := q.GroupBy.Exprs
	for _, c := range calls {
		exprs = append(exprs[:len(exprs):len(exprs)], c.Args...)
	}
	if q.Having != nil {
		exprs = append(exprs, q.Having)
	}
	var wrong error
	for _, e := range exprs {
		eachColumn(e, func(ref *ast.ColumnRef) {
			if name := ref.Name.Text; wrong == nil && (name == windowStart || name == windowEnd) {
				wrong = errorAt(ref, "Window bounds column %s can only be used in the SELECT clause of windowed aggregations and can not be passed to aggregate functions.", name)
			}
		})
	}
	return wrong
}

// checkEarlyBounds refuses the bounds of the query's own windows in WHERE, where no row has any yet.
func (p *planner) checkEarlyBounds() (wrong error) {
	if p.query.Window == nil {
		return nil
	}
	eachColumn(p.query.Where, func(ref *ast.ColumnRef) {
		name := ref.Name.Text
		if wrong != nil || name != windowStart && name != windowEnd || p.known(ref) {
			return
		}
		wrong = &Error{
			Code: codeColumn, Message: "Error in WHERE expression: Unknown column " + name + ".", Span: ref.Span,
			Hint: "windows are made behind WHERE; filter the result of the query by its " + name,
		}
	})
	return wrong
}

// readable puts the aggregate calls into a message in the place of the columns that hold their results.
func (g *grouping) readable(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	for _, call := range g.p.aggregates() {
		name := internalName(resultColumn, g.results[canonical(call, &g.p.all)])
		out.Message = strings.ReplaceAll(out.Message, name+" ", g.p.shown(call)+" ")
	}
	return &out
}

// A grouping is an Aggregate being planned.
type grouping struct {
	p       *planner
	in      Node
	out     *Aggregate
	groups  map[string]int // by canonical form
	results map[string]int // aggregate calls by canonical form
	largest int            // parts of the largest group
	wrong   []string       // expressions that are neither
}

// by plans the groups.
func (g *grouping) by() error {
	p := g.p
	in := g.in.Layout()
	same := len(p.query.GroupBy.Exprs) == len(p.keys) && !in.Window.Windowed()
	var schema row.Schema
	var keys []key
	names := newKeyNames()
	for i, e := range p.query.GroupBy.Exprs {
		x, err := p.compile(g.in, e, "GROUP BY")
		if err != nil {
			return clause(err, "GROUP BY")
		}
		if x.Type() == nil {
			return untyped(e)
		}
		text := canonical(e, &p.all)
		if _, twice := g.groups[text]; twice {
			return errorAt(e, "Duplicate GROUP BY expression: %s", ast.Format(qualified(e, &p.all)))
		}
		same = same && p.keys[i].is(text)
		g.groups[text] = i
		g.sized(e)
		g.out.By = append(g.out.By, x)
		schema = append(schema, row.Column{Name: names.another(p.keyName(e)), Type: x.Type()})
		keys = append(keys, key{texts: []string{ast.Format(internal(e, groupColumn, i))}, show: []string{p.shown(e)}, kind: "grouping expression"})
		g.out.layout.Columns = append(g.out.layout.Columns, Column{Name: internalName(groupColumn, i), Type: x.Type()})
	}
	g.out.KeySame = same
	g.out.layout.Table, g.out.layout.Key, g.out.layout.Format, g.out.layout.Window = true, schema, in.Format, catalog.Window{}
	p.keys = keys
	return nil
}

// sized notes how many parts a group has.
func (g *grouping) sized(e ast.Expr) {
	parts := 0
	ast.Inspect(e, func(ast.Node) bool {
		parts++
		return true
	})
	g.largest = max(g.largest, parts)
}

// shown is an expression for messages: without the source where there is only one.
func (p *planner) shown(e ast.Expr) string {
	if len(p.sources) > 1 {
		return ast.Format(qualified(e, &p.all))
	}
	return ast.Format(rewrite(e, func(x ast.Expr) ast.Expr {
		if ref, ok := x.(*ast.ColumnRef); ok {
			n := *ref
			n.Source = ast.Name{}
			return &n
		}
		return nil
	}))
}

// calls plans the aggregates, each once.
func (g *grouping) calls(calls []*ast.Call) error {
	for _, call := range calls {
		text := canonical(call, &g.p.all)
		if _, known := g.results[text]; known {
			continue
		}
		c, err := expr.CompileAggregate(call, g.p.scope(g.in, "SELECT"), g.p.lib)
		if err != nil {
			return err
		}
		if !expr.Inferred(c.Type()) || !expr.Inferred(c.State()) {
			return untyped(call)
		}
		i := len(g.out.Calls)
		g.results[text] = i
		g.out.Calls = append(g.out.Calls, c)
		g.out.layout.Columns = append(g.out.layout.Columns, Column{Name: internalName(resultColumn, i), Type: c.Type()})
	}
	if !g.in.Layout().Table {
		return nil
	}
	var names []string
	for _, c := range g.out.Calls {
		if !c.Undoable() {
			names = append(names, c.Name())
		}
	}
	if len(names) > 0 {
		return errorf("The aggregation %s cannot be applied to a table source, only to a stream source.", functionList(names))
	}
	return nil
}

// functionList is "function A" or "functions A, B and C".
func functionList(names []string) string {
	seen := map[string]bool{}
	var unique []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			unique = append(unique, n)
		}
	}
	if len(unique) == 1 {
		return "function " + unique[0]
	}
	return "functions " + strings.Join(unique[:len(unique)-1], ", ") + " and " + unique[len(unique)-1]
}

// behind is an expression over the columns behind the aggregation. What is left over is noted as wrong.
func (g *grouping) behind(e ast.Expr, where string) (ast.Expr, error) {
	wrong := false
	out := rewrite(qualified(e, &g.p.all), func(x ast.Expr) ast.Expr {
		if _, call := x.(*ast.Call); !call && !atMost(x, g.largest) {
			return nil // neither a group nor an aggregate: not every part of a large expression is written out
		}
		text := canonical(x, &g.p.all)
		if i, ok := g.groups[text]; ok {
			return internal(x, groupColumn, i)
		}
		switch x := x.(type) {
		case *ast.Call:
			if i, ok := g.results[text]; ok {
				return internal(x, resultColumn, i)
			}
		case *ast.ColumnRef:
			if g.isBound(x) {
				return &ast.ColumnRef{Span: x.Span, Name: x.Name}
			}
			if !g.p.known(x) {
				return x
			}
			if where == "HAVING" {
				g.wrong = append(g.wrong, g.p.shown(x))
			}
			wrong = true
			return x
		}
		return nil
	})
	if wrong && where != "HAVING" {
		g.wrong = append(g.wrong, g.p.shown(e))
	}
	return out, nil
}

// isBound tells whether a name is a bound of the aggregation's windows. Over a join there are none, as in ksqlDB.
func (g *grouping) isBound(ref *ast.ColumnRef) bool {
	sources := g.p.sources
	if g.out.Over == nil || len(sources) > 1 || ref.Name.Text != windowStart && ref.Name.Text != windowEnd {
		return false
	}
	return !ref.Source.Given() || ref.Source.Text == sources[0].alias
}

// known tells whether a name is a column of a source: others are told when the expression is compiled.
func (p *planner) known(ref *ast.ColumnRef) bool {
	return slices.ContainsFunc(p.all.named(ref.Name.Text), func(i int) bool {
		return !ref.Source.Given() || ref.Source.Text == p.all.list[i].Source
	})
}

// window takes over the WINDOW clause.
func (g *grouping) window() error {
	q := g.p.query
	g.out.Final = q.Emit == ast.EmitFinal
	if q.Window == nil {
		if g.out.Final {
			return errorf(finalWindows)
		}
		return nil
	}
	w, err := windowOf(q.Window)
	if err != nil {
		return err
	}
	g.out.Over = w
	g.out.layout.Window = catalog.Window{Kind: w.Kind, SizeMs: w.Size}
	if w.Kind == catalog.Session {
		g.out.layout.Window.SizeMs = 0
		for _, c := range g.out.Calls {
			if !c.Mergeable() {
				return errorAt(q.Window, "The aggregation function %s cannot be applied over SESSION windows, for it cannot join two sessions.", c.Name())
			}
		}
	}
	if len(g.p.sources) == 1 {
		g.out.Bounds = true
		g.out.layout.Columns = append(g.out.layout.Columns, Column{Name: windowStart, Type: row.Bigint}, Column{Name: windowEnd, Type: row.Bigint})
	}
	return nil
}

// windowOf checks a WINDOW clause.
func windowOf(w *ast.Window) (*Window, error) {
	out := &Window{Kind: catalog.WindowKind(w.Kind)}
	for _, d := range []struct {
		from *ast.Duration
		to   *int64
		has  *bool
		what string
		min  int64
	}{
		{&w.Size, &out.Size, nil, "size", 1},
		{w.Advance, &out.Advance, nil, "advance", 1},
		{w.Grace, &out.Grace, &out.HasGrace, "grace period", 0},
		{w.Retention, &out.Retention, &out.HasRetention, "retention", 0},
	} {
		if d.from == nil {
			continue
		}
		ms, ok := d.from.Millis()
		if !ok || ms < d.min {
			return nil, errorAt(w, "The %s of a window must be at least %d ms and fit into 64 bits", d.what, d.min)
		}
		*d.to = ms
		if d.has != nil {
			*d.has = true
		}
	}
	if out.Advance > out.Size {
		return nil, errorAt(w, "The advance of a hopping window must not be larger than its size")
	}
	if out.Advance == 0 {
		out.Advance = out.Size
	}
	if out.HasRetention && out.Retention < out.Size+out.Grace {
		return nil, errorAt(w, "The retention of a window must be at least its size and grace period together")
	}
	return out, nil
}
