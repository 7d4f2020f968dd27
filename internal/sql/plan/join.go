package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
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
func (p *planner) text(e ast.Expr) string { return canonical(e, &p.all) }

// side is the only source that a side of the criterion reads.
func (p *planner) side(j *ast.Join, on *ast.Binary, e ast.Expr) (string, error) {
	var found []string
	var wrong error
	eachColumn(e, func(ref *ast.ColumnRef) {
		source := p.sourceOf(ref)
		if source == "" && wrong == nil {
			_, _, wrong = p.scopeOf(&p.all, "JOIN").Column(ref)
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

// nameSynthetic finds out whether the joins leave a key that no column has, and names it: ROWKEY, or with a number where that is taken.
func (p *planner) nameSynthetic(r ast.Relation) error {
	k, t, err := p.keyOf(r)
	if err != nil || !isJoin(r) || len(k.texts) > 0 {
		return err
	}
	p.synthetic = rowKey
	for i := 1; len(p.all.named(p.synthetic)) > 0; i++ {
		p.synthetic = rowKey + "_" + strconv.Itoa(i)
	}
	p.all.list = append(p.all.list, Column{Name: p.synthetic, Type: t})
	return nil
}

// keyOf is the key that a relation will have, and its type.
func (p *planner) keyOf(r ast.Relation) (key, *row.Type, error) {
	j, ok := r.(*ast.Join)
	if !ok {
		if s := p.named(r.(*ast.Source)); len(s.Key) == 1 {
			return sourceKeys(s)[0], s.Key[0].Type, nil
		}
		return key{}, nil, nil
	}
	left, _, err := p.keyOf(j.Left)
	if err != nil {
		return key{}, nil, err
	}
	c, err := p.criterion(j)
	if err != nil {
		return key{}, nil, err
	}
	if _, err := p.typeOf(c.right, "JOIN ON"); err != nil {
		return key{}, nil, err
	}
	t, err := p.typeOf(c.left, "JOIN ON")
	if p.named(j.Right.(*ast.Source)).Table && !left.is(p.text(c.left)) && p.isTable(j.Left) {
		return left, t, err // a join on a foreign key keeps the left key
	}
	return p.joinedKey(c, left), t, err
}

// isTable tells whether a relation gives a table: its first source does.
func (p *planner) isTable(r ast.Relation) bool {
	for {
		j, ok := r.(*ast.Join)
		if !ok {
			return p.named(r.(*ast.Source)).Table
		}
		r = j.Left
	}
}

// joinedKey is the key of a join's rows. It has the value of both sides of the criterion, and of all that the left key has if that is the
// left side. Rows of a full join may have either side's only.
func (p *planner) joinedKey(c criterion, left key) key {
	k := key{kind: "join expression"}
	if c.at.Kind == ast.FullJoin {
		return k
	}
	if left.is(p.text(c.left)) {
		k.texts, k.equal, k.show = slices.Clone(left.texts), slices.Clone(left.equal), slices.Clone(left.show)
	}
	p.viable(&k, c.left)
	p.viable(&k, c.right)
	return k
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
		p.keys = sourceKeys(p.named(r.(*ast.Source)))
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
func sourceKeys(s namedSource) []key {
	var keys []key
	for _, c := range s.Key {
		text := ast.Format(columnRef(&ast.NullLiteral{}, Column{Source: s.alias, Name: c.Name}))
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
	rightKeys := sourceKeys(namedSource{right.Of, right.Alias, c.at})
	rightSame := len(rightKeys) == 1 && rightKeys[0].is(p.text(c.right))
	if windowed := left.Layout().Window.Windowed(); !leftSame && windowed && left.Layout().Table && right.Of.Table {
		return nil, errorAt(c.at, "Foreign-key table-table joins are not supported on windowed tables.")
	} else if !leftSame && windowed || !rightSame && right.layout.Window.Windowed() {
		return nil, errorAt(c.at, "%s", implicitRepartition)
	}
	if right.Of.Table && !rightSame {
		return nil, p.notPrimary(c, left.Layout().Table)
	}
	if left.Layout().Table && !leftSame {
		return p.foreign(c, left, right)
	}
	var r Node = right
	// Both sides are written in one format where they meet: that of the side that stays where it is, the left one's if both do.
	shared := left.Layout().Format
	if !leftSame && rightSame {
		shared = right.layout.Format
	}
	if !leftSame {
		left = p.rekey(left, lx, row.Column{Name: p.keyName(c.left), Type: lx.Type()}, shared)
	} else if source, ok := left.(*Source); ok {
		left = gathered(source)
	}
	if !rightSame || !right.layout.Format.Spec.Equal(shared.Spec) {
		r = p.rekey(right, rx, row.Column{Name: p.keyName(c.right), Type: rx.Type()}, shared)
	} else {
		r = gathered(right)
	}
	if err := p.checkPartitions(c, left, r); err != nil {
		return nil, err
	}
	out := &Join{step: step{in: []Node{left, r}}, Kind: kindOf(c.at.Kind)}
	if err := within(out, c.at); err != nil {
		return nil, err
	}
	out.layout = Layout{
		Table: left.Layout().Table, Key: left.Layout().Key, Format: left.Layout().Format, Window: left.Layout().Window,
		Columns: slices.Concat(left.Layout().Columns, right.layout.Columns),
	}
	p.joined(out, c)
	return out, nil
}

// joined says what the key of a join's rows is. A key that no column has becomes a column.
func (p *planner) joined(out *Join, c criterion) {
	var left key
	if len(p.keys) == 1 {
		left = p.keys[0]
	}
	k := p.joinedKey(c, left)
	for i, col := range out.layout.Columns { // that of a join in front means nothing any more
		if col.Source == "" {
			out.layout.Columns[i].Name = ""
		}
	}
	if len(k.texts) == 0 {
		name := p.synthetic
		if name == "" {
			name = rowKey
		}
		ref := &ast.ColumnRef{Name: ast.Name{Text: name, Quoted: true}}
		k.texts, k.show = []string{ast.Format(ref)}, []string{name}
		out.layout.Columns = append(out.layout.Columns, Column{Name: name, Type: out.layout.Key[0].Type})
		out.Keyed = true
	}
	p.keys = []key{k}
}

// viable adds an expression that has the value of the key; a projection can name it if it is a column.
func (p *planner) viable(k *key, e ast.Expr) {
	text := p.text(e)
	if _, column := e.(*ast.ColumnRef); !column {
		k.equal = append(k.equal, text)
		return
	}
	if !k.is(text) {
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
	if err := p.checkFormats(); err != nil {
		return err
	}
	leftName := "?"
	if s, ok := j.Left.(*ast.Source); ok {
		leftName = s.Known().Text
	} else if l, ok := j.Left.(*ast.Join); ok {
		leftName = l.Right.(*ast.Source).Known().Text
	}
	switch {
	case left.Table && !right.Of.Table:
		return errorAt(j, "Invalid join order: table-stream joins are not supported; only stream-table joins. Got %s %s %s.", p.sources[0].Name, joinWords(j.Kind), p.sourceName(right.Alias))
	case streams && j.Within == nil:
		return errorAt(j, "%s join %s must have a WITHIN clause: stream-stream joins need a window.", leftName, right.Alias)
	case !streams && j.Within != nil:
		return errorAt(j, "A window definition was provided for a join that involves a table: WITHIN is for stream-stream joins only.")
	case !left.Table && right.Of.Table && (j.Kind == ast.FullJoin || j.Kind == ast.RightJoin):
		return errorAt(j, "%s joins between streams and tables are not supported.", strings.ReplaceAll(strings.Trim(joinWords(j.Kind), " "), " JOIN", ""))
	case left.Window.Windowed() != right.layout.Window.Windowed():
		return errorAt(j, "Can not join windowed source to non-windowed source.\n%s is %s\n%s is %s",
			row.Quote(leftName), windowWords(left.Window), row.Quote(right.Alias), windowWords(right.layout.Window))
	case !sameWindows(left.Window, right.layout.Window):
		return errorAt(j, "%s %s and %s must have windows of the same kind and size, or none", implicitRepartition, leftName, right.Alias)
	}
	return nil
}

const implicitRepartition = "Implicit repartitioning of windowed sources is not supported. See https://github.com/confluentinc/ksql/issues/4385."

func windowWords(w catalog.Window) string {
	if !w.Windowed() {
		return "not windowed"
	}
	return string(w.Kind) + " windowed"
}

// checkPartitions refuses sides that stay where they are and lie in different numbers of partitions.
func (p *planner) checkPartitions(c criterion, left, right Node) error {
	l, r := partitionsOf(left), partitionsOf(right)
	if l == 0 || r == 0 || l == r {
		return nil
	}
	a, b := row.Quote(p.sources[0].Name), row.Quote(p.sourceName(c.at.Right.(*ast.Source).Known().Text))
	return errorAt(c.at, "Can't join %s with %s since the number of partitions don't match. %s partitions = %d; %s partitions = %d. Please repartition either one so that the number of partitions match.",
		a, b, a, l, b, r)
}

// partitionsOf is the number of partitions that rows lie in, 0 if they are moved and take any.
func partitionsOf(n Node) int32 {
	switch n := n.(type) {
	case *Source:
		return n.Of.Partitions
	case *Rekey:
		return 0
	}
	for _, in := range n.Inputs() {
		if partitions := partitionsOf(in); partitions > 0 {
			return partitions
		}
	}
	return 0
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

// rekey moves rows to another key.
func (p *planner) rekey(in Node, x *expr.Expr, name row.Column, as catalog.Serialized) Node {
	layout := *in.Layout()
	layout.Key, layout.Format = row.Schema{name}, as
	layout.Window = catalog.Window{}
	return &Rekey{step: step{layout, []Node{in}}, Exprs: []*expr.Expr{x}}
}

// gathered moves the rows of a topic whose keys begin with the id of a schema. Which partition such a key lies in depends on the id that its
// producer had, so equal keys of two topics, and even of one, need not lie in the same.
func gathered(in *Source) Node {
	if trait, _ := format.TraitOf(in.layout.Format.Name); !trait.Infers {
		return in
	}
	return &Rekey{step: step{in.layout, []Node{in}}, Same: true}
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

// checkFormats refuses sources whose values are too bare to be joined, as ksqlDB does.
func (p *planner) checkFormats() error {
	var bare []string
	for _, s := range p.sources {
		if s.ValueFormat.Name == format.Kafka {
			bare = append(bare, s.Name)
		}
	}
	if len(bare) == 0 {
		return nil
	}
	return errorf("Source(s) %s are using the 'KAFKA' value format. This format does not yet support JOIN.", strings.Join(bare, ", "))
}

// sameWindows tells whether keys with the windows can be the same. Windows of a fixed size are the same whatever their advance.
func sameWindows(a, b catalog.Window) bool {
	return a.Windowed() == b.Windowed() && (a.Kind == catalog.Session) == (b.Kind == catalog.Session) && a.SizeMs == b.SizeMs
}
