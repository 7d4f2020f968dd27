package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
		return Result{}, s.unknownTarget(st.Target)
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

// unknownTarget says that there is no source of a name, and which one has it in other case.
func (s *Session) unknownTarget(name ast.Name) error {
	e := &plan.Error{Message: "Cannot insert values into an unknown stream/table: " + row.Quote(name.Text), Span: name.Span}
	for _, source := range s.catalog.Sources() {
		switch {
		case !strings.EqualFold(source.Name, name.Text):
		case name.Quoted:
			e.Message += "\nDid you mean " + source.Name + "? Hint: try removing double quotes from the source name."
		default:
			e.Message += "\nDid you mean \"" + source.Name + "\"? Hint: wrap the source name in double quotes to make it case-sensitive."
		}
	}
	return e
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
