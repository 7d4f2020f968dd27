package plan

import (
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// A named source is one of FROM.
type namedSource struct {
	*catalog.Source
	alias string
	at    ast.Node
}

// from lists the sources of a relation in the order they are written.
func (p *planner) from(r ast.Relation) ([]namedSource, error) {
	switch r := r.(type) {
	case *ast.Source:
		s := p.catalog.Source(r.Name.Text)
		if s == nil {
			return nil, unknown(errorAt(r, "%s does not exist.", r.Name.Text), r.Name.Text, sourceNames(p.catalog))
		}
		return []namedSource{{s, r.Known().Text, r}}, nil
	case *ast.Join:
		left, err := p.from(r.Left)
		if err != nil {
			return nil, err
		}
		right, err := p.from(r.Right)
		if err != nil {
			return nil, err
		}
		return append(left, right...), nil
	}
	return nil, errorAt(r, "this kind of source cannot be read")
}

// checkSources refuses what cannot stand together in one FROM.
func checkSources(sources []namedSource) error {
	for i, s := range sources {
		for _, o := range sources[:i] {
			switch {
			case s.Source == o.Source && len(sources) == 2:
				return errorAt(s.at, "Can not join '%s' to '%s': self joins are not yet supported.", o.Name, s.Name)
			case s.Source == o.Source:
				return errorAt(s.at, "N-way joins do not support multiple occurrences of the same source. Source: '%s'", s.Name)
			case s.alias == o.alias:
				return errorAt(s.at, "Each source needs a name of its own: '%s' stands for two", s.alias)
			}
		}
	}
	return nil
}

// columnsOf lists all that a source can give, as columns of its alias, with where each comes from.
func columnsOf(s namedSource) (columns []Column, reads []Read) {
	add := func(name string, t *row.Type, r Read) {
		columns = append(columns, Column{s.alias, name, t})
		reads = append(reads, r)
	}
	for i, c := range s.Key {
		add(c.Name, c.Type, Read{FromKey, i})
	}
	for i, c := range s.Value {
		add(c.Name, c.Type, Read{FromValue, i})
	}
	for i, h := range s.Headers {
		add(h.Name, h.Type, Read{FromHeaders, i})
	}
	add(rowTime, row.Bigint, Read{Part: RowTime})
	add(rowPartition, row.Int, Read{Part: RowPartition})
	add(rowOffset, row.Bigint, Read{Part: RowOffset})
	if s.Window.Windowed() {
		add(windowStart, row.Bigint, Read{Part: WindowStart})
		add(windowEnd, row.Bigint, Read{Part: WindowEnd})
	}
	return columns, reads
}

// all is everything that the sources can give: what names are looked up in before steps are made.
func all(sources []namedSource) (columns []Column) {
	for _, s := range sources {
		c, _ := columnsOf(s)
		columns = append(columns, c...)
	}
	return columns
}

// source makes the step that reads a source: only the columns that are used.
func (p *planner) source(s namedSource) *Source {
	n := &Source{Of: s.Source, Alias: s.alias}
	n.layout = Layout{Table: s.Table, Key: s.Key, Format: s.KeyFormat, Window: s.Window}
	columns, reads := columnsOf(s)
	for i, c := range columns {
		if p.used[c.Name] {
			n.layout.Columns = append(n.layout.Columns, c)
			n.Reads = append(n.Reads, reads[i])
		}
	}
	return n
}

// use notes the names of columns that an expression reads.
func (p *planner) use(exprs ...ast.Expr) {
	for _, e := range exprs {
		eachColumn(e, func(ref *ast.ColumnRef) { p.used[ref.Name.Text] = true })
	}
}
