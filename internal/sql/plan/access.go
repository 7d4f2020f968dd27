package plan

import (
	"fmt"
	"math"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/row"
)

// An Access says where a pull query looks in a table. It only narrows what is looked at: the condition counts for each row that is found.
type Access struct {
	Keys []row.Row // the keys that it looks up, each once; nil: it looks at all rows
	// Start and End are the bounds of the windows' starts and ends, for windowed tables.
	Start, End Bounds
}

// Bounds of times in ms; both are inclusive.
type Bounds struct{ From, To int64 }

var unbounded = Bounds{math.MinInt64, math.MaxInt64}

// both narrows bounds by others.
func (b Bounds) both(o Bounds) Bounds { return Bounds{max(b.From, o.From), min(b.To, o.To)} }

// either widens bounds to what one of two lets through.
func (b Bounds) either(o Bounds) Bounds { return Bounds{min(b.From, o.From), max(b.To, o.To)} }

// Limits of what is looked for in a condition; beyond them a table is scanned.
const (
	maxDisjuncts = 4096
	maxConjuncts = 1 << 16 // of all disjuncts together
	maxKeys      = 4096
)

// access finds out how the condition of a pull query on a table narrows it, and refuses scans that the settings do not allow.
func (p *planner) access(root Node) (Access, error) {
	a := &accessing{p: p, source: p.sources[0], scope: p.scope(root, "WHERE")}
	out := Access{Start: unbounded, End: unbounded}
	scans := p.settings.on(settingTableScan)
	if p.query.Where == nil {
		if !scans {
			return out, a.refuse("Missing WHERE clause.")
		}
		return out, nil
	}
	all, ok := disjuncts(p.query.Where)
	if !ok {
		if !scans {
			return out, a.refuse("The WHERE clause has too many alternatives.")
		}
		return out, nil
	}
	seen := map[row.Row]bool{}
	for i, conjuncts := range all {
		f, err := a.disjunct(conjuncts)
		if err != nil {
			return out, err
		}
		if f.scan != nil && !scans && !(f.ranged && a.rangeAllowed()) {
			return out, f.scan
		}
		if i == 0 {
			out.Start, out.End = f.start, f.end
		} else {
			out.Start, out.End = out.Start.either(f.start), out.End.either(f.end)
		}
		switch {
		case f.scan != nil:
			seen = nil
		case seen != nil && !seen[f.key]:
			seen[f.key] = true
			out.Keys = append(out.Keys, f.key)
		}
	}
	if seen == nil || len(out.Keys) > maxKeys {
		out.Keys = nil
	}
	return out, nil
}

// disjuncts is a condition as alternatives of conditions that hold together. It is false where there are too many.
func disjuncts(e ast.Expr) (out [][]ast.Expr, ok bool) {
	switch e := e.(type) {
	case *ast.Binary:
		if e.Op != ast.And && e.Op != ast.Or {
			break
		}
		left, lok := disjuncts(e.Left)
		right, rok := disjuncts(e.Right)
		if !lok || !rok {
			return nil, false
		}
		if e.Op == ast.Or {
			out = append(left, right...)
			return out, len(out) <= maxDisjuncts
		}
		if len(left)*len(right) > maxDisjuncts {
			return nil, false
		}
		if len(right) == 1 { // as in a chain, which is not copied at each step
			for i := range left {
				left[i] = append(left[i], right[0]...)
			}
			return left, conjuncts(left) <= maxConjuncts
		}
		for _, l := range left {
			for _, r := range right {
				out = append(out, append(l[:len(l):len(l)], r...))
			}
		}
		return out, conjuncts(out) <= maxConjuncts
	case *ast.In:
		if e.Not || len(e.List) > maxDisjuncts {
			break
		}
		for _, x := range e.List {
			out = append(out, []ast.Expr{&ast.Binary{Span: e.Span, Op: ast.Eq, Left: e.X, Right: x}})
		}
		return out, true
	case *ast.Between:
		if e.Not {
			break
		}
		return [][]ast.Expr{{
			&ast.Binary{Span: e.Span, Op: ast.Ge, Left: e.X, Right: e.Low}, &ast.Binary{Span: e.Span, Op: ast.Le, Left: e.X, Right: e.High},
		}}, true
	}
	return [][]ast.Expr{{e}}, true
}

// conjuncts is how many conditions there are in all disjuncts.
func conjuncts(disjuncts [][]ast.Expr) (n int) {
	for _, d := range disjuncts {
		n += len(d)
	}
	return n
}

// accessing looks at the parts of a condition.
type accessing struct {
	p      *planner
	source namedSource
	scope  *scope
}

// A found is what conditions that hold together say of the key and the window.
type found struct {
	key        row.Row
	scan       error // why the key is not known
	ranged     bool  // it lies in a range at least
	start, end Bounds
}

// disjunct looks at conditions that hold together.
func (a *accessing) disjunct(conjuncts []ast.Expr) (found, error) {
	f := found{start: unbounded, end: unbounded}
	values := make([]row.Value, len(a.source.Key))
	given, seen := make([]bool, len(a.source.Key)), make([]bool, len(a.source.Key))
	compared := false
	why := func(text string) {
		if f.scan == nil {
			f.scan = a.refuse(text)
		}
	}
	for _, e := range conjuncts {
		c, ok := a.comparison(e)
		if !ok {
			continue
		}
		switch {
		case c.bound != "":
			f.narrow(c)
			continue
		case c.problem != "":
			why(c.problem)
			compared = true
			continue
		case c.op == ast.Ne:
			compared = true
			why(fmt.Sprintf("Bound on key columns '[%s]' must currently be '='.", describe(a.source.Key, nil)))
			continue
		}
		compared = true
		if seen[c.column] {
			why("A comparison condition on the key column cannot be combined with other comparisons such as an IN predicate.")
			continue
		}
		seen[c.column] = true
		if c.op != ast.Eq {
			f.ranged = true
			continue
		}
		v, err := a.value(c)
		if err != nil {
			return f, err
		}
		values[c.column], given[c.column] = v, true
	}
	return a.keyOf(f, conjuncts, keyFound{values, given, compared}), nil
}

// A keyFound is what is known of the key's columns.
type keyFound struct {
	values   []row.Value
	given    []bool
	compared bool // a key column is compared with something
}

// keyOf ends a found: with the key, or why it is not known.
func (a *accessing) keyOf(f found, conjuncts []ast.Expr, k keyFound) found {
	var missing, specified []string
	for i, c := range a.source.Key {
		if k.given[i] {
			specified = append(specified, row.Quote(c.Name))
		} else {
			missing = append(missing, row.Quote(c.Name))
		}
	}
	switch {
	case f.scan != nil:
		f.ranged = false
	case len(missing) == 0:
		f.key, f.ranged = row.NewRow(k.values...), false
	case !k.compared:
		var texts []string
		for _, e := range conjuncts {
			texts = append(texts, a.p.shown(e))
		}
		f.scan = a.refuse("WHERE clause missing key column for disjunct: " + strings.Join(texts, " AND "))
	case len(a.source.Key) > 1 && !f.allCompared(a, conjuncts):
		f.scan, f.ranged = a.refuse(fmt.Sprintf("Multi-column sources must specify every key in the WHERE clause. Specified: [%s] Expected: [%s].",
			strings.Join(specified, ", "), describe(a.source.Key, nil))), false
	default:
		f.scan = a.refuse("Query requires table scan to be enabled. Table scans can be enabled by setting " + settingTableScan + "=true.")
	}
	return f
}

// allCompared tells whether each column of the key is compared with something.
func (f *found) allCompared(a *accessing, conjuncts []ast.Expr) bool {
	seen := map[int]bool{}
	for _, e := range conjuncts {
		if c, ok := a.comparison(e); ok && c.bound == "" && c.problem == "" {
			seen[c.column] = true
		}
	}
	return len(seen) == len(a.source.Key)
}

// rangeAllowed tells whether a range of keys may be read without scans being allowed: as in ksqlDB of one text column without windows.
func (a *accessing) rangeAllowed() bool {
	s := a.source
	return a.p.settings.on(settingRangeScan) && len(s.Key) == 1 && s.Key[0].Type.Is(row.KindString) && !s.Window.Windowed()
}

// A comparison is one of a key column or a window's bound with something that is known.
type comparison struct {
	column  int    // of the key
	bound   string // WINDOWSTART or WINDOWEND, if it is one
	op      ast.BinaryOp
	value   ast.Expr
	at      int64  // what a bound is compared with
	problem string // why it says nothing of the key
}

var mirrored = map[ast.BinaryOp]ast.BinaryOp{ast.Eq: ast.Eq, ast.Ne: ast.Ne, ast.Lt: ast.Gt, ast.Le: ast.Ge, ast.Gt: ast.Lt, ast.Ge: ast.Le}

// comparison reads a condition. It is false for one that says nothing of key and window.
func (a *accessing) comparison(e ast.Expr) (c comparison, ok bool) {
	b, isBinary := e.(*ast.Binary)
	if !isBinary || mirrored[b.Op] == "" {
		return c, false
	}
	left, right, op := b.Left, b.Right, b.Op
	if !a.direct(left) && a.direct(right) {
		left, right, op = right, left, mirrored[op]
	}
	if !a.direct(left) {
		touches := a.reads(left) || a.reads(right)
		return comparison{op: op, problem: "A comparison must directly reference a key column."}, touches
	}
	name := left.(*ast.ColumnRef).Name.Text
	c = comparison{op: op, value: right, column: a.source.Key.Index(name)}
	if name == windowStart || name == windowEnd {
		at, err := a.constant(right, row.Bigint)
		if err != nil || at.IsNull() {
			return c, false // the condition itself decides
		}
		c.bound, c.at = name, at.Int64()
		return c, true
	}
	resolvable := true
	eachColumn(right, func(*ast.ColumnRef) { resolvable = false })
	if !resolvable {
		c.problem = "A comparison must be between a key column and a resolvable expression."
	}
	return c, true
}

// direct tells whether an expression is a key column or a window's bound.
func (a *accessing) direct(e ast.Expr) bool {
	ref, ok := e.(*ast.ColumnRef)
	if !ok {
		return false
	}
	return a.source.Key.Index(ref.Name.Text) >= 0 || a.source.Window.Windowed() && (ref.Name.Text == windowStart || ref.Name.Text == windowEnd)
}

// reads tells whether an expression reads a key column.
func (a *accessing) reads(e ast.Expr) (found bool) {
	eachColumn(e, func(ref *ast.ColumnRef) { found = found || a.source.Key.Index(ref.Name.Text) >= 0 })
	return found
}

// constant computes an expression that reads no columns, as a type.
func (a *accessing) constant(e ast.Expr, t *row.Type) (row.Value, error) {
	x, err := expr.Compile(e, &scope{columns: &columnSet{}, where: "WHERE", types: a.p.catalog}, a.p.lib)
	if err != nil {
		return row.Null, err
	}
	if x.Type().Is(row.KindString) && (t.Kind.IsNumber() || t.Is(row.KindBoolean)) {
		return row.Null, errorAt(e, "a text is no %s", t) // though a literal could be read as one
	}
	if x, err = converted(x, t); err != nil {
		return row.Null, err
	}
	return x.Eval(row.NewRow())
}

// value computes what a key column must be equal to.
func (a *accessing) value(c comparison) (row.Value, error) {
	column := a.source.Key[c.column]
	v, err := a.constant(c.value, column.Type)
	if err != nil {
		return v, errorAt(c.value, "%s can not be converted to the type of the key column: %s %s KEY", ast.Format(c.value), ast.Quote(column.Name), column.Type)
	}
	return v, nil
}

// narrow takes over what a comparison says of the windows.
func (f *found) narrow(c comparison) {
	b := unbounded
	switch c.op {
	case ast.Eq:
		b = Bounds{c.at, c.at}
	case ast.Lt:
		b.To = max(c.at, math.MinInt64+1) - 1
	case ast.Le:
		b.To = c.at
	case ast.Gt:
		b.From = min(c.at, math.MaxInt64-1) + 1
	case ast.Ge:
		b.From = c.at
	}
	if c.bound == windowStart {
		f.start = f.start.both(b)
	} else {
		f.end = f.end.both(b)
	}
}

// refuse says why a pull query cannot be answered without looking at all rows.
func (a *accessing) refuse(reason string) error {
	return errorf("%s"+pullHelp+
		"\nPull queries on a table need the key in the WHERE clause, or %s=true to look at all rows.", reason, settingTableScan)
}
