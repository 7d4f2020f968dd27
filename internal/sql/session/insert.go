package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// insertValues writes one record.
func (s *Session) insertValues(ctx context.Context, st *ast.InsertValues) (Result, error) {
	source := s.catalog.Source(st.Target.Text)
	switch {
	case source == nil:
		return Result{}, fmt.Errorf("Cannot insert values into an unknown stream/table: %s", ast.Quote(st.Target.Text))
	case source.ReadOnly:
		return Result{}, fmt.Errorf("Cannot insert values into read-only %s: %s", source.Kind(), source.Name)
	case source.Window.Windowed():
		return Result{}, fmt.Errorf("Cannot insert values into windowed %s %s", source.Kind(), source.Name)
	}
	values, at, err := plan.Values(s.context(), source, st)
	if err != nil {
		return Result{}, err
	}
	r, err := s.encode(source, values)
	if err != nil {
		return Result{}, running(fmt.Errorf("Failed to insert values into '%s'. %w", source.Name, err))
	}
	r.Timestamp = at
	return Result{}, running(s.o.Host.Produce(ctx, source.Topic, r))
}

// encode writes a source's values, by their columns' names, as a record.
func (s *Session) encode(source *catalog.Source, values map[string]row.Value) (Record, error) {
	pick := func(schema row.Schema) row.Row {
		out := make([]row.Value, len(schema))
		null := true
		for i, c := range schema {
			out[i] = values[c.Name]
			null = null && out[i].IsNull()
		}
		if null && len(schema) > 0 && slices.Equal(schema, source.Key) {
			return ""
		}
		return row.NewRow(out...)
	}
	if source.Table && pick(source.Key).IsNull() {
		return Record{}, fmt.Errorf("Value for primary key column(s) %s is required for tables", source.Key)
	}
	key, value := s.sides(source)
	keys, err := format.New(key)
	if err != nil {
		return Record{}, err
	}
	codec, err := format.New(value)
	if err != nil {
		return Record{}, err
	}
	r := Record{Timestamp: record.NoTimestamp}
	if r.Key, err = keys.Append([]byte{}, pick(source.Key)); err != nil {
		return r, err
	}
	r.Value, err = codec.Append([]byte{}, pick(source.Value))
	return r, err
}
