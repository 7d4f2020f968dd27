package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// Context is what planning may look at.
type Context struct {
	Catalog   *catalog.Catalog
	Functions *function.Library
	// Settings are those of the session by ksqlDB's names.
	Settings Settings
	Schemas  format.Schemas // nil: there is no schema registry
}

// A planner plans one query.
type planner struct {
	catalog   *catalog.Catalog
	lib       *function.Library
	settings  Settings
	query     *ast.Query
	sources   []namedSource
	all       columnSet              // what the sources can give
	sets      map[*Layout]*columnSet // of the steps that were compiled against
	used      map[string]bool        // names of columns that are read
	items     []item
	synthetic string // the name of the key column that a join gives its rows where no column has the key; empty: there is none
	keys      []key  // of the rows at this point
	into      string // the result's name, for messages
	own       bool   // a query of its own: * has the bounds of windows, and aggregates need no GROUP BY
}

// A key is a key column of the rows between two steps.
type key struct {
	texts []string // canonical forms of the columns that have its value, by which a projection names it
	equal []string // those of all expressions that have its value
	show  []string // the same for messages
	kind  string   // what it is, for messages: key column, grouping expression, …
}

// is tells whether an expression is the key column.
func (k key) is(text string) bool {
	return slices.Contains(k.texts, text) || slices.Contains(k.equal, text)
}

func newPlanner(c Context, q *ast.Query, into string) *planner {
	return &planner{catalog: c.Catalog, lib: c.Functions, settings: c.Settings, query: q, used: map[string]bool{}, sets: map[*Layout]*columnSet{}, into: into}
}

// rows plans everything but the end: a step whose rows hold what the items need, the items over its columns.
func (p *planner) rows() (Node, error) {
	q := p.query
	var err error
	if p.sources, err = p.from(q.From); err != nil {
		return nil, err
	}
	if err := checkSources(p.sources); err != nil {
		return nil, err
	}
	p.all = columnSet{list: all(p.sources)}
	if err := p.readTimes(); err != nil {
		return nil, err
	}
	q = p.query
	if err := p.nameSynthetic(q.From); err != nil {
		return nil, err
	}
	if err := p.expandItems(); err != nil {
		return nil, err
	}
	for _, i := range p.items {
		p.use(i.expr)
	}
	p.use(q.Where, q.Having)
	for _, g := range []*ast.Grouping{q.GroupBy, q.PartitionBy} {
		if g != nil {
			p.use(g.Exprs...)
		}
	}
	p.useJoins(q.From)
	root, err := p.relation(q.From)
	if err != nil {
		return nil, err
	}
	if q.Where != nil {
		if err := p.checkEarlyBounds(); err != nil {
			return nil, err
		}
		if root, err = p.filter(root, q.Where, "WHERE"); err != nil {
			return nil, err
		}
	}
	if root, err = p.expand(root); err != nil {
		return nil, err
	}
	if root, err = p.group(root); err != nil {
		return nil, err
	}
	if p.query.Emit == ast.EmitFinal && p.query.GroupBy == nil {
		return nil, errorf(finalWindows)
	}
	return p.partition(root)
}

// finalWindows: nothing else has an end.
const finalWindows = "EMIT FINAL is only supported for windowed aggregations."

// scope looks names up among the columns of a step.
func (p *planner) scope(n Node, where string) *scope {
	layout := n.Layout()
	set := p.sets[layout]
	if set == nil {
		set = &columnSet{}
		p.sets[layout] = set
	}
	set.list = layout.Columns // more than before, while the step is being made
	return p.scopeOf(set, where)
}

func (p *planner) scopeOf(columns *columnSet, where string) *scope {
	s := &scope{columns: columns, where: where, known: p.all.list, types: p.catalog}
	for _, source := range p.sources {
		s.aliases = append(s.aliases, source.alias)
	}
	return s
}

// compile gives an expression over the columns of a step.
func (p *planner) compile(n Node, e ast.Expr, where string) (*expr.Expr, error) {
	x, err := expr.Compile(e, p.scope(n, where), p.lib)
	if err == nil && x.Type() != nil && !expr.Inferred(x.Type()) {
		return nil, untyped(e)
	}
	return x, err
}

// untyped says that a NULL needs a type.
func untyped(e ast.Expr) error {
	return errorAt(e, "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).")
}

// typeOf is the type of an expression over all that the sources can give.
func (p *planner) typeOf(e ast.Expr, where string) (*row.Type, error) {
	x, err := expr.Compile(e, p.scopeOf(&p.all, where), p.lib)
	if err != nil {
		return nil, err
	}
	return x.Type(), nil
}

// filter keeps rows for which a condition is true.
func (p *planner) filter(in Node, e ast.Expr, what string) (Node, error) {
	test, err := p.compile(in, e, what)
	if err != nil {
		return nil, clause(err, what)
	}
	if !test.Type().Is(row.KindBoolean) {
		return nil, errorAt(e, "Type error in %s expression: Should evaluate to boolean but is %s (%s) instead.", what, ast.Format(e), test.Type())
	}
	return &Filter{step: step{*in.Layout(), []Node{in}}, Test: test, What: what}, nil
}

// clause says in which clause an expression is wrong, unless the message says so.
func clause(err error, what string) error {
	if _, ours := err.(*Error); ours {
		return err
	}
	return placed("Error in "+what+" expression: ", err)
}

// expandItems expands the SELECT list; with PARTITION BY, * begins with the new key.
func (p *planner) expandItems() error {
	items, err := p.selectItems(p.query.Select)
	if err != nil {
		return err
	}
	if by := p.query.PartitionBy; by != nil {
		items = p.starPartitioned(items, by)
	}
	p.items = items
	return nil
}

// starPartitioned orders the columns of * as they are behind PARTITION BY: the new keys, then of each source the values and its old keys. In
// a join there stand the pseudo columns between the two, as in ksqlDB.
func (p *planner) starPartitioned(items []item, by *ast.Grouping) []item {
	star := slices.IndexFunc(items, func(i item) bool { return i.star })
	if star < 0 {
		return items
	}
	end := star
	for end < len(items) && items[end].star {
		end++
	}
	isKey := map[string]bool{}
	var out []item
	out = append(out, items[:star]...)
	n := newNames()
	for _, c := range p.all.list {
		n.taken[c.Name] = true
	}
	texts := p.canonicals(items)
	for _, e := range by.Exprs {
		if _, null := e.(*ast.NullLiteral); null {
			continue // the rows get no key, and so no column of one
		}
		text := canonical(e, &p.all)
		isKey[text] = true
		if found := texts[text]; len(found) == 0 {
			out = append(out, item{expr: e, name: p.name(&ast.SelectExpr{Expr: e}, n), star: true})
		} else if items[found[0]].star {
			out = append(out, items[found[0]])
		}
	}
	for _, s := range p.sources {
		out = append(out, p.partitioned(s, items[star:end], isKey)...)
	}
	return append(out, items[end:]...)
}

// partitioned orders what of * comes from one source.
func (p *planner) partitioned(s namedSource, items []item, isKey map[string]bool) []item {
	var values, old []item
	for _, i := range items {
		ref, ok := i.expr.(*ast.ColumnRef)
		switch {
		case !ok || ref.Source.Text != s.alias || isKey[canonical(i.expr, &p.all)]:
		case s.Key.Index(ref.Name.Text) >= 0:
			old = append(old, i)
		default:
			values = append(values, i)
		}
	}
	if len(p.sources) > 1 && len(values)+len(old) > 0 {
		for _, name := range []string{rowTime, rowPartition, rowOffset} {
			ref := columnRef(p.query, Column{Source: s.alias, Name: name})
			values = append(values, item{expr: ref, name: s.alias + "_" + name, star: true})
		}
	}
	return append(values, old...)
}

// expand adds the values of table functions to the rows.
func (p *planner) expand(in Node) (Node, error) {
	var calls []*ast.Call
	for n, i := range p.items {
		var found error
		p.items[n].expr = rewrite(i.expr, func(e ast.Expr) ast.Expr {
			call, ok := e.(*ast.Call)
			if !ok || p.lib.Kind(call.Name.Text) != function.TableFunction {
				return nil
			}
			for _, arg := range call.Args {
				ast.Inspect(arg, func(n ast.Node) bool {
					if c, ok := n.(*ast.Call); ok && p.lib.Kind(c.Name.Text) == function.TableFunction {
						found = errorAt(c, "Table functions can't be nested: %s", ast.Format(call))
					}
					return true
				})
			}
			at := slices.Index(calls, call) // the fields of call->* are those of one call
			if at < 0 {
				at, calls = len(calls), append(calls, call)
			}
			return internal(call, "KSQL_SYNTH_", at)
		})
		if found != nil {
			return nil, found
		}
	}
	if len(calls) == 0 {
		return in, nil
	}
	if in.Layout().Table {
		return nil, errorf("Table source is not supported with table functions")
	}
	if p.grouped() {
		return nil, errorf("Table functions cannot be used with aggregations.")
	}
	out := &Expand{step: step{*in.Layout(), []Node{in}}}
	out.layout.Columns = slices.Clone(out.layout.Columns)
	for i, call := range calls {
		c, err := expr.CompileTable(call, p.scope(in, "SELECT"), p.lib)
		if err != nil {
			return nil, err
		}
		if !expr.Inferred(c.Type()) {
			return nil, untyped(call)
		}
		out.Calls = append(out.Calls, c)
		out.layout.Columns = append(out.layout.Columns, Column{Name: internalName("KSQL_SYNTH_", i), Type: c.Type()})
	}
	return out, nil
}

// partition gives a stream the key of PARTITION BY.
func (p *planner) partition(in Node) (Node, error) {
	by := p.query.PartitionBy
	if by == nil {
		return in, nil
	}
	layout := *in.Layout()
	if layout.Table {
		return nil, errorAt(by, "PARTITION BY is not supported for tables: it would change their primary key.")
	}
	if len(by.Exprs) == 0 {
		return nil, errorAt(by, "PARTITION BY requires at least one expression")
	}
	if p.isNull(by.Exprs) {
		if len(by.Exprs) > 1 {
			return nil, errorAt(by, "Cannot PARTITION BY multiple columns including NULL")
		}
		layout.Key, layout.Window, p.keys = nil, catalog.Window{}, nil
		layout.Format = catalog.Serialized{}
		layout.Format.Name = "NONE"
		return &Rekey{step: step{layout, []Node{in}}}, nil
	}
	out := &Rekey{}
	var schema row.Schema
	var keys []key
	same := len(by.Exprs) == len(p.keys)
	names := newKeyNames()
	for i, e := range by.Exprs {
		x, err := p.compile(in, e, "PARTITION BY")
		if err != nil {
			return nil, partitionError(err)
		}
		if x.Type() == nil {
			return nil, untyped(e)
		}
		text := canonical(e, &p.all)
		same = same && p.keys[i].is(text)
		out.Exprs = append(out.Exprs, x)
		schema = append(schema, row.Column{Name: names.another(p.keyName(e)), Type: x.Type()})
		keys = append(keys, key{texts: []string{text}, show: []string{ast.Format(qualified(e, &p.all))}, kind: "partitioning expression"})
	}
	if same && !layout.Window.Windowed() {
		p.keys = keys
		return in, nil
	}
	layout.Key, layout.Window, p.keys = schema, catalog.Window{}, keys
	out.step = step{layout, []Node{in}}
	return out, nil
}

// partitionError says what PARTITION BY sees, when a name is not there.
func partitionError(err error) error {
	e, ok := err.(*Error)
	if ok && strings.HasSuffix(e.Message, "cannot be resolved.") {
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "PARTITION BY column "), " ")
		e.Message += " " + name + " must be a column in the source schema since PARTITION BY is applied on the input."
	}
	return err
}

func (p *planner) isNull(exprs []ast.Expr) bool {
	return slices.ContainsFunc(exprs, func(e ast.Expr) bool { _, null := e.(*ast.NullLiteral); return null })
}

// keyName is the name that a key column has where nothing else names it.
func (p *planner) keyName(e ast.Expr) string {
	if ref, ok := e.(*ast.ColumnRef); ok {
		return ref.Name.Text
	}
	if ref, ok := e.(*ast.FieldRef); ok {
		return ref.Field.Text
	}
	return rowKey
}

// keyNames makes names for key columns that differ in any case: keys of several columns are written by their names.
type keyNames struct{ names }

func newKeyNames() *keyNames { return &keyNames{*newNames()} }

// another is the name, or with a number where that is taken.
func (n *keyNames) another(name string) string {
	folded := strings.ToLower(strings.ToUpper(name))
	return name + strings.TrimPrefix(n.field(folded), folded)
}

func internalName(prefix string, i int) string { return prefix + strconv.Itoa(i) }

// internal is a reference to a column that a step adds.
func internal(at ast.Node, prefix string, i int) *ast.ColumnRef {
	return &ast.ColumnRef{Span: at.Pos(), Name: ast.Name{Text: internalName(prefix, i), Quoted: true}}
}
