package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/expr"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/cast"
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
	switch {
	case len(columns) == len(st.Values):
	case st.Columns == nil:
		return nil, at, errorf("Expected a value for each column. Expected Columns: %s. Got %d values", columnNames(columns), len(st.Values))
	default:
		return nil, at, errorf("Failed to prepare statement: Expected number columns and values to match: %d, %d", len(columns), len(st.Values))
	}
	out := map[string]row.Value{}
	none := &scope{columns: &columnSet{}, where: "VALUES", types: c.Catalog}
	for i, e := range st.Values {
		x, err := expr.Compile(e, none, c.Functions)
		if err != nil {
			return nil, at, prepared(err)
		}
		if x, err = inserted(source, e, x, columns[i]); err != nil {
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

// prepared puts the words of ksqlDB's phase in front of an error on a name.
func prepared(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		out := *e
		out.Message = "Failed to prepare statement: " + e.Message
		return &out
	}
	return err
}

// inserted is a value as one of its column's type: numbers become wider, texts dates, times and, in base64, bytes. A text is no number here,
// and nothing but a text is one.
func inserted(into *catalog.Source, e ast.Expr, x *expr.Expr, c row.Column) (*expr.Expr, error) {
	if out, ok := assigned(x, c.Type); ok {
		return out, nil
	}
	shown := ""
	if v, known := x.Constant(); known {
		shown = "(" + cast.Text(v, x.Type()) + ")"
	}
	return nil, errorAt(e, "Failed to insert values into '%s'. Expected type %s for field %s but got %s%s", into.Name, c.Type, row.Quote(c.Name), x.Type(), shown)
}

// assigned is an expression as one of a column's type, where its values can be written there as they are or as wider ones.
func assigned(x *expr.Expr, t *row.Type) (*expr.Expr, bool) {
	if !assignable(x.Type(), t) {
		return nil, false
	}
	out, err := converted(x, t)
	return out, err == nil
}

// assignable tells whether values of a type can be written into columns of another.
func assignable(from, to *row.Type) bool {
	switch {
	case from == nil || from.Equal(to):
		return true
	case to.Kind == row.KindString:
		return false
	case from.Kind == row.KindString:
		return to.Kind.IsTemporal() || to.Kind == row.KindBytes
	case from.Kind == row.KindArray && to.Kind == row.KindArray:
		return assignable(from.Elem, to.Elem)
	case from.Kind == row.KindMap && to.Kind == row.KindMap:
		return assignable(from.Key, to.Key) && assignable(from.Elem, to.Elem)
	}
	return true // the conversion itself decides
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
	types, headers := map[string]*row.Type{}, map[string]bool{}
	for _, c := range slices.Concat(source.Key, source.Value) {
		types[c.Name] = c.Type
	}
	for _, h := range source.Headers {
		headers[h.Name] = true
	}
	for _, name := range st.Columns {
		if out.Index(name.Text) >= 0 {
			return nil, errorAt(name, "Column name %s is given twice.", row.Quote(name.Text))
		}
		if headers[name.Text] {
			return nil, errorf("Cannot insert into HEADER columns: %s", name.Text)
		}
		t := types[name.Text]
		switch {
		case t != nil:
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
