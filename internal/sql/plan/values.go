package plan

import (
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// Values computes what INSERT INTO … VALUES writes: the values by their columns, and the time, NoTimestamp if none is given.
func Values(c Context, source *catalog.Source, st *ast.InsertValues) (map[string]row.Value, record.Timestamp, error) {
	at := record.NoTimestamp
	columns, err := insertColumns(source, st)
	if err != nil {
		return nil, at, err
	}
	if len(columns) != len(st.Values) {
		return nil, at, errorf("Expected a value for each column. Expected Columns: %s. Got %d values", columnNames(columns), len(st.Values))
	}
	out := map[string]row.Value{}
	none := &scope{layout: &Layout{}, where: "VALUES"}
	for i, e := range st.Values {
		x, err := expr.Compile(e, none, c.Functions)
		if err != nil {
			return nil, at, err
		}
		if x, err = converted(x, columns[i].Type); err != nil {
			return nil, at, err
		}
		v, err := x.Eval(row.NewRow())
		if err != nil {
			return nil, at, errorAt(e, "Failed to evaluate the value of %s: %s", row.Quote(columns[i].Name), err)
		}
		if columns[i].Name == rowTime && source.Value.Index(rowTime) < 0 {
			if !v.IsNull() {
				at = record.Timestamp(v.Int64())
			}
			continue
		}
		out[columns[i].Name] = v
	}
	return out, at, nil
}

// insertColumns are the columns that values are given for.
func insertColumns(source *catalog.Source, st *ast.InsertValues) (row.Schema, error) {
	if st.Columns == nil {
		if len(source.Headers) > 0 {
			return nil, errorf("Cannot insert into HEADER columns: %s", headerNames(source))
		}
		return slices.Concat(source.Key, source.Value), nil
	}
	var out row.Schema
	for _, name := range st.Columns {
		if slices.ContainsFunc(source.Headers, func(h catalog.Header) bool { return h.Name == name.Text }) {
			return nil, errorf("Cannot insert into HEADER columns: %s", name.Text)
		}
		t, _, ok := source.Column(name.Text)
		switch {
		case ok:
		case name.Text == rowTime:
			t = row.Bigint
		case isPseudo(name.Text):
			return nil, errorAt(name, "Inserting into column %s is not allowed.", row.Quote(name.Text))
		default:
			return nil, errorAt(name, "Column name %s does not exist.", row.Quote(name.Text))
		}
		out = append(out, row.Column{Name: name.Text, Type: t})
	}
	return out, nil
}

func headerNames(s *catalog.Source) string {
	var names []string
	for _, h := range s.Headers {
		names = append(names, h.Name)
	}
	return strings.Join(names, ", ")
}

func columnNames(s row.Schema) string {
	var names []string
	for _, c := range s {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
