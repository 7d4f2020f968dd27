package plan

import (
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// A criterion is what ON says: an expression over one of the sources on the left equals one over the right source.
type criterion struct {
	at          *ast.Join
	left, right ast.Expr
}

// criterion reads ON.
func (p *planner) criterion(j *ast.Join) (criterion, error) {
	on, ok := j.On.(*ast.Binary)
	switch {
	case ok && on.Op == ast.And:
		return criterion{}, errorAt(j, "Invalid join condition: joins on multiple conditions are not yet supported. Got %s.", p.text(j.On))
	case !ok || on.Op != ast.Eq:
		return criterion{}, errorAt(j, "Unsupported join expression: %s. Only equality of one expression of each side is supported.", p.text(j.On))
	}
	left, err := p.side(j, on, on.Left)
	if err != nil {
		return criterion{}, err
	}
	right, err := p.side(j, on, on.Right)
	if err != nil {
		return criterion{}, err
	}
	if left == right {
		return criterion{}, errorAt(j, "Each side of the join must reference exactly one source and not the same source. Left side references `%s` and right references `%s`", left, right)
	}
	joined := j.Right.(*ast.Source).Known().Text
	switch joined {
	case right:
		return criterion{j, on.Left, on.Right}, nil
	case left:
		return criterion{j, on.Right, on.Left}, nil
	}
	return criterion{}, errorAt(j, "A join criteria is expected to reference the source (`%s`) in the FROM clause, instead the right source references `%s` and the left source references `%s`", joined, right, left)
}

// text is an expression with its columns qualified.
func (p *planner) text(e ast.Expr) string { return canonical(e, p.all) }

// side is the only source that a side of the criterion reads.
func (p *planner) side(j *ast.Join, on *ast.Binary, e ast.Expr) (string, error) {
	var found []string
	var wrong error
	eachColumn(e, func(ref *ast.ColumnRef) {
		source := p.sourceOf(ref)
		if source == "" && wrong == nil {
			_, _, wrong = p.scope(&step{layout: Layout{Columns: p.all}}, "JOIN").Column(ref)
		}
		if !slices.Contains(found, source) {
			found = append(found, source)
		}
	})
	if wrong != nil {
		return "", wrong
	}
	if len(found) != 1 {
		return "", errorAt(j, "Invalid comparison expression '%s' in join '%s'. Each side of the join comparision must contain references from exactly one source.", p.text(e), p.text(on))
	}
	return found[0], nil
}

// joinKeys finds out whether the joins leave a key that no column has: ROWKEY then.
func (p *planner) joinKeys(r ast.Relation) error {
	j, ok := r.(*ast.Join)
	if !ok {
		return nil
	}
	c, err := p.criterion(j)
	if err != nil {
		return err
	}
	_, left := c.left.(*ast.ColumnRef)
	_, right := c.right.(*ast.ColumnRef)
	if j.Kind == ast.FullJoin || !left && !right {
		t, err := p.typeOf(c.left)
		if err != nil {
			return err
		}
		p.synthetic = true
		p.all = append(p.all, Column{Name: rowKey, Type: t})
	}
	return nil
}

// useJoins notes the columns that the criteria read.
func (p *planner) useJoins(r ast.Relation) {
	if j, ok := r.(*ast.Join); ok {
		p.use(j.On)
		p.useJoins(j.Left)
	}
}

// relation plans FROM.
func (p *planner) relation(r ast.Relation) (Node, error) {
	j, ok := r.(*ast.Join)
	if !ok {
		n := p.source(p.named(r.(*ast.Source)))
		p.keys = sourceKeys(n)
		return n, nil
	}
	left, err := p.relation(j.Left)
	if err != nil {
		return nil, err
	}
	c, err := p.criterion(j)
	if err != nil {
		return nil, err
	}
	return p.join(c, left, p.source(p.named(j.Right.(*ast.Source))))
}

func (p *planner) named(s *ast.Source) namedSource {
	i := slices.IndexFunc(p.sources, func(n namedSource) bool { return n.alias == s.Known().Text })
	return p.sources[i]
}

// sourceKeys are the key columns of a source.
func sourceKeys(s *Source) []key {
	var keys []key
	for _, c := range s.Of.Key {
		text := ast.Format(columnRef(&ast.NullLiteral{}, Column{Source: s.Alias, Name: c.Name}))
		keys = append(keys, key{texts: []string{text}, show: []string{text}, kind: "key column"})
	}
	return keys
}

// join plans one join.
func (p *planner) join(c criterion, left Node, right *Source) (Node, error) {
	if err := p.checkJoin(c, left.Layout(), right); err != nil {
		return nil, err
	}
	lx, err := p.compile(left, c.left, "JOIN ON")
	if err != nil {
		return nil, err
	}
	rx, err := p.compile(right, c.right, "JOIN ON")
	if err != nil {
		return nil, err
	}
	if !lx.Type().Equal(rx.Type()) {
		return nil, errorAt(c.at, "Invalid join condition: types don't match. Got %s{%s} = %s{%s}.", p.text(c.left), lx.Type(), p.text(c.right), rx.Type())
	}
	leftSame := len(p.keys) == 1 && p.keys[0].is(p.text(c.left))
	rightKeys := sourceKeys(right)
	rightSame := len(rightKeys) == 1 && rightKeys[0].is(p.text(c.right))
	if right.Of.Table && !rightSame {
		return nil, p.notPrimary(c, left.Layout().Table)
	}
	if left.Layout().Table && !leftSame {
		return p.foreign(c, left, right)
	}
	var r Node = right
	format := right.layout.Format
	if !rightSame {
		format = left.Layout().Format
		if !leftSame && format.Name == "NONE" {
			format = right.layout.Format
		}
	}
	if !leftSame || !right.Of.Table && !left.Layout().Table && !left.Layout().Format.Spec.Equal(format.Spec) {
		left = p.rekey(left, lx, row.Column{Name: p.keyName(c.left), Type: lx.Type()}, format)
	}
	if !rightSame {
		r = p.rekey(right, rx, row.Column{Name: p.keyName(c.right), Type: rx.Type()}, format)
	}
	out := &Join{step: step{in: []Node{left, r}}, Kind: kindOf(c.at.Kind)}
	if err := within(out, c.at); err != nil {
		return nil, err
	}
	out.layout = Layout{
		Table: left.Layout().Table, Key: left.Layout().Key, Format: left.Layout().Format, Window: left.Layout().Window,
		Columns: slices.Concat(left.Layout().Columns, right.layout.Columns),
	}
	p.joined(out, c, leftSame)
	return out, nil
}

// joined says what the key of a join's rows is.
func (p *planner) joined(out *Join, c criterion, leftSame bool) {
	k := key{kind: "join expression"}
	if leftSame {
		k.texts, k.show = slices.Clone(p.keys[0].texts), slices.Clone(p.keys[0].show)
	} else {
		p.viable(&k, c.left)
	}
	p.viable(&k, c.right)
	if c.at.Kind == ast.FullJoin || len(k.texts) == 0 {
		ref := &ast.ColumnRef{Name: ast.Name{Text: rowKey, Quoted: true}}
		k.texts, k.show = []string{ast.Format(ref)}, []string{rowKey}
		out.layout.Columns = slices.DeleteFunc(out.layout.Columns, func(c Column) bool { return c.Source == "" && c.Name == rowKey })
		out.layout.Columns = append(out.layout.Columns, Column{Name: rowKey, Type: out.layout.Key[0].Type})
	}
	p.keys = []key{k}
}

// viable adds an expression that is the key if it is a column.
func (p *planner) viable(k *key, e ast.Expr) {
	if _, column := e.(*ast.ColumnRef); !column {
		return
	}
	if text := p.text(e); !k.is(text) {
		k.texts, k.show = append(k.texts, text), append(k.show, text)
	}
}

func kindOf(k ast.JoinKind) JoinKind {
	switch k {
	case ast.LeftJoin:
		return Left
	case ast.RightJoin:
		return Right
	case ast.FullJoin:
		return Full
	}
	return Inner
}

// within takes over WITHIN.
func within(out *Join, j *ast.Join) error {
	if j.Within == nil {
		return nil
	}
	before, ok := j.Within.Before.Millis()
	after, ok2 := j.Within.After.Millis()
	if !ok || !ok2 || before < 0 || after < 0 {
		return errorAt(j.Within, "The sizes of WITHIN must be at least 0 ms and fit into 64 bits")
	}
	out.Before, out.After = before, after
	// Without GRACE PERIOD a day is kept, as Kafka Streams did by default, and results without a partner do not wait.
	out.Eager, out.Grace = true, max(dayMs-before-after, 0)
	if g := j.Within.Grace; g != nil {
		ms, ok := g.Millis()
		if !ok || ms < 0 {
			return errorAt(j.Within, "The grace period must be at least 0 ms and fit into 64 bits")
		}
		out.Eager, out.Grace = false, ms
	}
	return nil
}

const dayMs = 24 * 60 * 60 * 1000

// checkJoin refuses what cannot be joined.
func (p *planner) checkJoin(c criterion, left *Layout, right *Source) error {
	j := c.at
	streams := !left.Table && !right.Of.Table
	leftName := "?"
	if s, ok := j.Left.(*ast.Source); ok {
		leftName = s.Known().Text
	} else if l, ok := j.Left.(*ast.Join); ok {
		leftName = l.Right.(*ast.Source).Known().Text
	}
	switch {
	case left.Table && !right.Of.Table:
		return errorAt(j, "Invalid join order: table-stream joins are not supported; only stream-table joins. Got %s %s %s.", p.sourceName(leftName), joinWords(j.Kind), p.sourceName(right.Alias))
	case streams && j.Within == nil:
		return errorAt(j, "%s join %s must have a WITHIN clause: stream-stream joins need a window.", leftName, right.Alias)
	case !streams && j.Within != nil:
		return errorAt(j, "A window definition was provided for a join that involves a table: WITHIN is for stream-stream joins only.")
	case !left.Table && right.Of.Table && (j.Kind == ast.FullJoin || j.Kind == ast.RightJoin):
		return errorAt(j, "%s joins between streams and tables are not supported.", strings.ReplaceAll(strings.Trim(joinWords(j.Kind), " "), " JOIN", ""))
	case left.Window.Windowed() != right.layout.Window.Windowed():
		return errorAt(j, "Implicit repartitioning of windowed sources is not supported: %s and %s must both be windowed, or neither", leftName, right.Alias)
	}
	return nil
}

// sourceName is the source's own name for an alias.
func (p *planner) sourceName(alias string) string {
	for _, s := range p.sources {
		if s.alias == alias {
			return s.Name
		}
	}
	return alias
}

// joinWords is a join as messages write it.
func joinWords(k ast.JoinKind) string {
	switch k {
	case ast.LeftJoin:
		return "LEFT [OUTER] JOIN"
	case ast.RightJoin:
		return "RIGHT [OUTER] JOIN"
	case ast.FullJoin:
		return "[FULL] OUTER JOIN"
	}
	return "[INNER] JOIN"
}

// notPrimary says that a table is joined on something else than its key.
func (p *planner) notPrimary(c criterion, tables bool) error {
	on := c.at.On.(*ast.Binary)
	if tables {
		return errorAt(c.at, "Invalid join condition: table-table joins require to join on the primary key of the right input table. Got %s = %s.", p.text(on.Left), p.text(on.Right))
	}
	return errorAt(c.at, "Invalid join condition: stream-table joins require to join on the table's primary key. Got %s = %s.", p.text(on.Left), p.text(on.Right))
}

// rekey moves a stream to another key.
func (p *planner) rekey(in Node, x *expr.Expr, name row.Column, format catalog.Serialized) Node {
	layout := *in.Layout()
	layout.Key, layout.Format = row.Schema{name}, format
	layout.Window = catalog.Window{}
	return &Rekey{step: step{layout, []Node{in}}, Exprs: []*expr.Expr{x}}
}

// foreign plans a join on a foreign key.
func (p *planner) foreign(c criterion, left Node, right *Source) (Node, error) {
	switch {
	case isJoin(c.at.Left):
		return nil, errorAt(c.at, "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. Got %s = %s.", p.text(c.left), p.text(c.right))
	case c.at.Kind == ast.RightJoin || c.at.Kind == ast.FullJoin:
		words := "RIGHT OUTER JOIN"
		if c.at.Kind == ast.FullJoin {
			words = "FULL OUTER JOIN"
		}
		return nil, errorAt(c.at, "Invalid join type: %s on a foreign key is not supported. Got %s = %s.", words, p.text(c.left), p.text(c.right))
	}
	x, err := p.compile(left, c.left, "JOIN ON")
	if err != nil {
		return nil, err
	}
	out := &ForeignJoin{step: step{in: []Node{left, right}}, Kind: kindOf(c.at.Kind), Foreign: x}
	out.layout = *left.Layout()
	out.layout.Columns = slices.Concat(left.Layout().Columns, right.layout.Columns)
	for i := range p.keys {
		p.keys[i].kind = "primary key column"
	}
	return out, nil
}

func isJoin(r ast.Relation) bool { _, ok := r.(*ast.Join); return ok }
