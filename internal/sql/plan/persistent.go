package plan

import (
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// A projection is the SELECT list over a step: which columns are keys, and the expressions of the others.
type projection struct {
	root  Node
	key   row.Schema
	value row.Schema
	exprs []*expr.Expr
}

// CreateAs plans CREATE STREAM AS and CREATE TABLE AS.
func CreateAs(c Context, s *ast.CreateAs) (*Query, error) {
	w, err := withOf(s.With, known(false))
	if err != nil {
		return nil, err
	}
	if s.Query.Limit != nil {
		return nil, errorAt(s.Query.Limit, "CREATE %s AS SELECT statements don't support LIMIT clause.", kindText(s.Table))
	}
	p := newPlanner(c, s.Query, s.Name.Text)
	pr, err := p.projection()
	if err != nil {
		return nil, err
	}
	if err := checkResult(s, pr.root.Layout().Table); err != nil {
		return nil, err
	}
	sink := &catalog.Source{Name: s.Name.Text, Table: s.Table, Key: pr.key, Value: pr.value, Made: true, Window: pr.root.Layout().Window}
	topic, ok, err := w.text(withTopic)
	if err != nil {
		return nil, err
	}
	if !ok {
		topic = c.Settings.get(settingPrefix, "") + s.Name.Text
	}
	sink.Topic = topic
	if err := p.sinkFormats(w, pr, sink); err != nil {
		return nil, err
	}
	if sink.Time, err = timeOf(w, append(append(row.Schema(nil), pr.key...), pr.value...)); err != nil {
		return nil, err
	}
	return p.persistent(pr, sink), nil
}

// checkResult tells that the other of CREATE STREAM and CREATE TABLE is meant.
func checkResult(s *ast.CreateAs, table bool) error {
	switch {
	case table && !s.Table:
		return errorAt(s, "Invalid result type. Your SELECT query produces a TABLE. Please use CREATE TABLE AS SELECT statement instead.")
	case !table && s.Table:
		return errorAt(s, "Invalid result type. Your SELECT query produces a STREAM. Please use CREATE STREAM AS SELECT statement instead.")
	}
	return nil
}

// sinkFormats decides how the result is written: as the clause says, otherwise as the first source.
func (p *planner) sinkFormats(w with, pr *projection, sink *catalog.Source) error {
	key, value, err := w.formatNames()
	if err != nil {
		return err
	}
	keySpec := p.sources[0].KeyFormat.Spec
	if keySpec.Name == format.None {
		keySpec = p.sources[0].KeySpec
	}
	for _, name := range []string{key, value} {
		if _, ok := format.TraitOf(name); !ok && name != "" {
			return errorf("Unknown format: %s", name)
		}
	}
	switch {
	case key != "" && len(pr.key) == 0 && key != format.None && w.props[withFormat] == nil:
		return errorf("Key format specified for stream without key columns.")
	case key != "" && key != keySpec.Name:
		keySpec = format.Spec{Name: key}
	case keySpec.Name == format.None || keySpec.Name == "":
		keySpec = format.Spec{Name: strings.ToUpper(p.settings.get(settingKeyFormat, format.Kafka))}
	}
	valueSpec := p.sources[0].ValueFormat.Spec
	if value != "" && value != valueSpec.Name {
		valueSpec = format.Spec{Name: value}
	}
	if err := w.schemaIDs(keySpec.Name, valueSpec.Name); err != nil {
		return err
	}
	sink.KeySpec = keySpec
	if sink.KeyFormat, err = w.keyFormat(inherited(keySpec), pr.key); err != nil {
		return err
	}
	sink.KeyFormat = named(sink.KeyFormat, sink.Name)
	sink.ValueFormat, err = w.valueFormat(inherited(valueSpec), pr.value, p.settings)
	return err
}

// inherited is a spec without what belongs to one topic only.
func inherited(s format.Spec) format.Spec {
	props := map[string]string{}
	for k, v := range s.Props {
		if k != "schemaId" && k != "fullSchemaName" {
			props[k] = v
		}
	}
	return format.Spec{Name: s.Name, Props: props}
}

// persistent ends a plan with its sink.
func (p *planner) persistent(pr *projection, sink *catalog.Source) *Query {
	layout := *pr.root.Layout()
	out := &Sink{step: step{layout, []Node{pr.root}}, To: sink, Exprs: pr.exprs}
	q := &Query{Root: out, Sink: sink, Final: p.query.Emit == ast.EmitFinal, Output: pr.output()}
	for _, s := range p.sources {
		q.Sources = append(q.Sources, s.Source)
	}
	return q
}

func (pr *projection) output() []Output {
	var out []Output
	for _, c := range pr.key {
		out = append(out, Output{c.Name, c.Type, true})
	}
	for _, c := range pr.value {
		out = append(out, Output{c.Name, c.Type, false})
	}
	return out
}

// projection plans all but the sink of a persistent query.
func (p *planner) projection() (*projection, error) {
	if p.query.Limit != nil {
		return nil, errorAt(p.query.Limit, "INSERT INTO statements don't support LIMIT clause.")
	}
	root, err := p.rows()
	if err != nil {
		return nil, err
	}
	for _, s := range p.sources {
		if s.Table && s.Window.Windowed() {
			return nil, errorAt(s.at, "KSQL does not support persistent queries on windowed tables.")
		}
	}
	for _, i := range p.items {
		if isPseudo(i.name) && !i.star {
			return nil, errorf("Reserved column name in select: `%s`. Please remove or alias the column.", i.name)
		}
	}
	for _, i := range p.items { // what cannot be computed at all is told before what lacks
		if _, err := p.compile(root, i.expr, "SELECT"); err != nil {
			return nil, selectError(err)
		}
	}
	pr := &projection{root: root}
	isKey, err := p.keyItems(pr)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, k := range pr.key {
		taken[k.Name] = true
	}
	for n, i := range p.items {
		if isKey[n] {
			continue
		}
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
		pr.exprs = append(pr.exprs, x)
		pr.value = append(pr.value, row.Column{Name: i.name, Type: x.Type()})
	}
	if len(pr.value) == 0 {
		return nil, errorf("The projection contains no value columns.")
	}
	return pr, nil
}

func selectError(err error) error {
	if _, ours := err.(*Error); ours {
		return err
	}
	return placed("Invalid Select: ", err)
}

// keyItems finds the key columns among the items.
func (p *planner) keyItems(pr *projection) (isKey map[int]bool, err error) {
	isKey = map[int]bool{}
	var missing []key
	var keyPlaces []int // of the items that are keys
	places := p.canonicals(p.items)
	layout := pr.root.Layout()
	for n, k := range p.keys {
		var found []int
		for _, text := range k.texts { // the first of a join's columns that is there
			if found = places[text]; len(found) > 0 {
				break
			}
		}
		if len(found) == 0 {
			missing = append(missing, k)
			continue
		}
		if len(found) > 1 {
			return nil, p.keyTwice(k, found)
		}
		isKey[found[0]] = true
		keyPlaces = append(keyPlaces, found[0])
		pr.key = append(pr.key, row.Column{Name: p.items[found[0]].name, Type: layout.Key[n].Type})
	}
	if p.projectsKeys(layout) {
		return isKey, p.projectKeys(pr, keyPlaces)
	}
	if len(missing) > 0 {
		if kind := missing[0].kind; kind == "key column" || kind == "partitioning expression" {
			missing = p.keys // the message names all of them, those that are there too
		}
		return nil, p.keyMissing(missing)
	}
	return isKey, nil
}

// projectsKeys tells whether the projection decides about the key of a stream, as with the planner that ksqlDB began and left off.
func (p *planner) projectsKeys(l *Layout) bool {
	return strings.EqualFold(p.settings.get(settingNewPlanner, ""), "true") && !l.Table && !l.Window.Windowed() && len(p.sources) == 1 &&
		p.query.PartitionBy == nil
}

// projectKeys gives a stream the key columns that its projection has, in their order there; places are those of the items.
func (p *planner) projectKeys(pr *projection, places []int) error {
	layout := *pr.root.Layout()
	if len(places) == len(layout.Key) && slices.IsSorted(places) {
		return nil
	}
	slices.Sort(places)
	out := &Rekey{}
	in := pr.root
	layout.Key, pr.key = nil, nil
	for _, at := range places {
		x, err := p.compile(in, p.items[at].expr, "SELECT")
		if err != nil {
			return err
		}
		out.Exprs = append(out.Exprs, x)
		pr.key = append(pr.key, row.Column{Name: p.items[at].name, Type: x.Type()})
	}
	if layout.Key = pr.key; pr.key == nil {
		layout.Format = catalog.Serialized{Spec: format.Spec{Name: format.None}}
	}
	out.step = step{layout, []Node{in}}
	pr.root = out
	return nil
}

func (p *planner) keyTwice(k key, found []int) error {
	var aliases []string
	for _, i := range found {
		aliases = append(aliases, p.items[i].name)
	}
	if k.kind == "grouping expression" {
		return errorf("The projection contains a key column more than once: `%s`.", strings.Join(aliases, "` and `"))
	}
	slices.Sort(aliases)
	name := k.show[0]
	if _, column, ok := strings.Cut(name, "."); ok {
		name = column
		if len(p.sources) > 1 && p.shared(column) {
			name = strings.ReplaceAll(k.show[0], ".", "_")
		}
	}
	return errorf("The projection contains a key column (`%s`) more than once, aliased as: %s.", name, list(aliases, "and"))
}

func (p *planner) keyMissing(missing []key) error {
	kind := missing[0].kind
	if kind == "primary key column" {
		table, _, _ := strings.Cut(missing[0].show[0], ".")
		var names []string
		for _, k := range missing {
			names = append(names, row.Quote(strings.TrimPrefix(k.show[0], table+".")))
		}
		return errorf("Primary key columns missing in projection. For foreign-key table-table joins, the projection must include all primary key columns from the left input table (%s). Missing columns: %s.",
			row.Quote(table), strings.Join(names, ", "))
	}
	var shown []string
	or := "and"
	for _, k := range missing {
		if kind == "key column" {
			_, name, _ := strings.Cut(k.show[0], ".")
			shown = append(shown, name)
			continue
		}
		shown = append(shown, k.show...)
	}
	example := strings.Join(shown, ", ")
	if kind == "join expression" {
		or, example = "or", shown[0]
	}
	if len(shown) > 1 {
		kind += "s"
	}
	text := "Key missing from projection (ie, SELECT). See https://cnfl.io/2LV7ouS.\nThe query used to build `" + p.into + "` must include the " + kind + " " + list(shown, or) +
		" in its projection (eg, SELECT " + example + "...)."
	if shown[0] == rowKey {
		text += "\nROWKEY was added as a synthetic key column because the join criteria did not match any source column. This expression must be included in the projection and may be aliased."
	}
	return errorf("%s", text)
}

// list is "a", "a and b", "a, b and c".
func list(items []string, word string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " " + word + " " + items[len(items)-1]
}

// InsertInto plans INSERT INTO … SELECT.
func InsertInto(c Context, s *ast.InsertInto) (*Query, error) {
	target := c.Catalog.Source(s.Target.Text)
	switch {
	case target == nil:
		return nil, errorAt(s.Target, "Source %s does not exist.", row.Quote(s.Target.Text))
	case target.ReadOnly:
		return nil, errorf("Cannot insert into read-only %s: %s", target.Kind(), target.Name)
	case target.Table:
		return nil, errorAt(s.Target, "INSERT INTO can only be used to insert into a stream. %s is a table.", target.Name)
	case len(target.Headers) > 0:
		return nil, errorf("Cannot insert into %s because it has header columns", target.Name)
	}
	if _, err := withOf(s.With, []string{withQueryID}); err != nil {
		return nil, err
	}
	p := newPlanner(c, s.Query, target.Name)
	pr, err := p.projection()
	if err != nil {
		return nil, err
	}
	if pr.root.Layout().Table {
		return nil, errorAt(s, "Incompatible data sink types: the query gives a table, and %s is a stream", target.Name)
	}
	if err := p.fitInto(pr, target); err != nil {
		return nil, err
	}
	q := p.persistent(pr, target)
	q.Inserts = true
	return q, nil
}

// fitInto converts the result to the columns of an existing source, which must have the same names in the same order.
func (p *planner) fitInto(pr *projection, target *catalog.Source) error {
	mismatch := func() error {
		return errorf("Incompatible schema between results and sink.\nResult schema is %s\nSink schema is %s", describe(pr.key, pr.value), describe(target.Key, target.Value))
	}
	if len(pr.key) != len(target.Key) || len(pr.value) != len(target.Value) {
		return mismatch()
	}
	for i, c := range pr.key {
		if c.Name != target.Key[i].Name || !c.Type.Equal(target.Key[i].Type) {
			return mismatch()
		}
	}
	for i, c := range pr.value {
		x, ok := assigned(pr.exprs[i], target.Value[i].Type)
		if c.Name != target.Value[i].Name || !ok {
			return mismatch()
		}
		pr.exprs[i] = x
	}
	return nil
}

func describe(key, value row.Schema) string {
	var parts []string
	for _, c := range key {
		parts = append(parts, row.Quote(c.Name)+" "+c.Type.String()+" KEY")
	}
	for _, c := range value {
		parts = append(parts, row.Quote(c.Name)+" "+c.Type.String())
	}
	return strings.Join(parts, ", ")
}

// converted is an expression as one of another type, where that can be.
func converted(x *expr.Expr, t *row.Type) (*expr.Expr, error) {
	if x.Type() == nil || x.Type().Equal(t) {
		return x, nil
	}
	return x.Convert(t)
}
