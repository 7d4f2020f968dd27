package plan

import (
	"slices"
	"strconv"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// An item is a column of the SELECT list: an expression over the sources' columns and the name of its result.
type item struct {
	expr  ast.Expr
	name  string
	given bool // by AS
	star  bool // from *
}

// names makes names for expressions that have none.
type names struct {
	taken  map[string]bool
	next   int
	fields map[string]int // the last number of a field, by its name
}

func newNames() *names { return &names{taken: map[string]bool{}, fields: map[string]int{}} }

func (n *names) generated() string {
	for {
		name := "KSQL_COL_" + strconv.Itoa(n.next)
		n.next++
		if !n.taken[name] {
			n.taken[name] = true
			return name
		}
	}
}

// field names a struct's field: by itself, or with a number where that is taken.
func (n *names) field(name string) string {
	out := name
	for n.taken[out] {
		n.fields[name]++
		out = name + "_" + strconv.Itoa(n.fields[name])
	}
	n.taken[out] = true
	return out
}

// selectItems expands the SELECT list.
func (p *planner) selectItems(list []ast.SelectItem) ([]item, error) {
	n := newNames()
	for _, c := range p.all.list {
		n.taken[c.Name] = true
	}
	var out []item
	for _, s := range list {
		switch s := s.(type) {
		case *ast.SelectAll:
			stars, err := p.star(s)
			if err != nil {
				return nil, err
			}
			out = append(out, stars...)
		case *ast.SelectFields:
			fields, err := p.fields(s)
			if err != nil {
				return nil, err
			}
			out = append(out, fields...)
		case *ast.SelectExpr:
			out = append(out, item{expr: s.Expr, name: p.name(s, n), given: s.Alias.Given()})
		}
	}
	for _, i := range out {
		if i.given && isPseudo(i.name) {
			return nil, errorf("`%s` is a reserved column name. You cannot use it as an alias for a column.", i.name)
		}
	}
	return out, nil
}

// name is the name of an expression's result.
func (p *planner) name(s *ast.SelectExpr, n *names) string {
	if s.Alias.Given() {
		return s.Alias.Text
	}
	switch e := s.Expr.(type) {
	case *ast.ColumnRef:
		if len(p.sources) > 1 && p.shared(e.Name.Text) {
			if source := p.sourceOf(e); source != "" {
				return source + "_" + e.Name.Text
			}
		}
		return e.Name.Text
	case *ast.FieldRef:
		return n.field(e.Field.Text)
	}
	return n.generated()
}

// shared tells whether several sources have a column of the name.
func (p *planner) shared(name string) bool { return len(p.all.named(name)) > 1 }

// sourceOf is the alias of the source of a column, empty if it is not clear.
func (p *planner) sourceOf(ref *ast.ColumnRef) string {
	if ref.Source.Given() {
		return ref.Source.Text
	}
	found := ""
	for _, i := range p.all.named(ref.Name.Text) {
		if found != "" {
			return ""
		}
		found = p.all.list[i].Source
	}
	return found
}

// star expands * and source.*: keys first, then values; in a join with the source in front of the name.
func (p *planner) star(s *ast.SelectAll) ([]item, error) {
	var out []item
	known := false
	if len(p.sources) > 1 && !s.Source.Given() && p.synthetic != "" {
		out = append(out, item{expr: &ast.ColumnRef{Span: s.Span, Name: ast.Name{Text: p.synthetic, Quoted: true}}, name: p.synthetic, star: true})
	}
	for _, source := range p.sources {
		if s.Source.Given() && s.Source.Text != source.alias {
			continue
		}
		known = true
		columns, reads := columnsOf(source)
		bounds := p.own || len(p.sources) > 1
		if bounds {
			columns, reads = boundsBehindKey(source, columns, reads)
		}
		for i, c := range columns {
			if reads[i].Part > FromHeaders && !(bounds && reads[i].Part >= WindowStart) {
				continue
			}
			name := c.Name
			if len(p.sources) > 1 {
				name = c.Source + "_" + c.Name
			}
			out = append(out, item{expr: columnRef(s, c), name: name, star: true})
		}
	}
	if !known {
		return nil, errorAt(s, "'%s' is not a valid stream/table name or alias.", s.Source.Text)
	}
	return out, nil
}

func columnRef(at ast.Node, c Column) *ast.ColumnRef {
	return &ast.ColumnRef{Span: at.Pos(), Source: ast.Name{Text: c.Source, Quoted: true}, Name: ast.Name{Text: c.Name, Quoted: true}}
}

// fields expands struct->*.
func (p *planner) fields(s *ast.SelectFields) ([]item, error) {
	t, err := p.structOf(s.Struct)
	if err != nil {
		return nil, err
	}
	if t == nil || t.Fields == nil {
		return nil, errorAt(s, "Cannot select all fields of '%s': it is no STRUCT", ast.Format(s.Struct))
	}
	var out []item
	for _, f := range t.Fields {
		ref := &ast.FieldRef{Span: s.Span, Base: s.Struct, Field: ast.Name{Text: f.Name, Quoted: true}}
		out = append(out, item{expr: ref, name: f.Name})
	}
	return out, nil
}

// structOf is the type of what stands in front of ->*: an expression, or a table function's call.
func (p *planner) structOf(e ast.Expr) (*row.Type, error) {
	call, ok := e.(*ast.Call)
	if !ok || p.lib.Kind(call.Name.Text) != function.TableFunction {
		return p.typeOf(e, "SELECT")
	}
	c, err := expr.CompileTable(call, p.scopeOf(&p.all, "SELECT"), p.lib)
	if err != nil {
		return nil, err
	}
	return c.Type(), nil
}

// boundsBehindKey moves the bounds of a windowed source from the end to behind its key: there * has them in a query of its own and in joins.
func boundsBehindKey(s namedSource, columns []Column, reads []Read) ([]Column, []Read) {
	if !s.Window.Windowed() {
		return columns, reads
	}
	n, key := len(columns)-2, len(s.Key)
	return slices.Concat(columns[:key], columns[n:], columns[key:n]), slices.Concat(reads[:key], reads[n:], reads[key:n])
}
