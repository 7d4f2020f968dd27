package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// insertValues writes one record.
func (s *Session) insertValues(ctx context.Context, env *Env, st *ast.InsertValues) (Result, error) {
	source, err := s.target(st.Target)
	if err != nil {
		return Result{}, err
	}
	values, at, err := plan.Values(s.context(env), source, st)
	if err != nil {
		return Result{}, err
	}
	t, err := s.targetOf(source)
	if err != nil {
		return Result{}, running(inserting(source, err))
	}
	r, err := t.Record(values)
	if err != nil {
		return Result{}, running(err)
	}
	r.Timestamp = at
	return Result{}, running(s.o.Host.Produce(ctx, source.Topic, r))
}

// target is the source that records are inserted into.
func (s *Session) target(name ast.Name) (*catalog.Source, error) {
	source := s.catalog.Source(name.Text)
	switch {
	case source == nil:
		return nil, s.unknownTarget(name)
	case source.ReadOnly:
		return nil, errorAt(name, CodeInvalid, "Cannot insert values into read-only %s: %s", source.Kind(), source.Name)
	case source.Window.Windowed():
		return nil, errorAt(name, CodeInvalid, "Cannot insert values into windowed %s %s", source.Kind(), source.Name)
	}
	return source, nil
}

// unknownTarget says that there is no source of a name, and which one has it in other case.
func (s *Session) unknownTarget(name ast.Name) error {
	e := s.unknownSource(name, "Cannot insert values into an unknown stream/table: `%s`")
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

// A Target writes the records of a stream or table from their columns' values. It is safe for concurrent use.
type Target struct {
	*catalog.Source
	keys, values format.Codec
}

// Target returns what writes the records of a stream, for those who have values instead of statements. The error is a *StatementError.
func (s *Session) Target(name ast.Name) (*Target, error) {
	source, err := s.target(name)
	if err == nil && source.Table {
		err = errorAt(name, CodeInvalid, "Cannot insert into a table").hint("use INSERT INTO ... VALUES")
	}
	if err != nil {
		return nil, failed(parse.Part{}, name.Text, err)
	}
	t, err := s.targetOf(source)
	if err != nil {
		return nil, failed(parse.Part{}, name.Text, running(inserting(source, err)))
	}
	return t, nil
}

func (s *Session) targetOf(source *catalog.Source) (*Target, error) {
	key, value := s.sides(source)
	t := &Target{Source: source}
	var err error
	if t.keys, err = format.New(key); err != nil {
		return nil, err
	}
	t.values, err = format.New(value)
	return t, err
}

func inserting(source *catalog.Source, err error) error {
	return fmt.Errorf("Failed to insert values into '%s'. %w", source.Name, err)
}

// Record writes values, by their columns' names, as a record. What is not given is null.
func (t *Target) Record(values map[string]row.Value) (Record, error) {
	key, none := pick(t.Key, values)
	if none && t.Table {
		return Record{}, inserting(t.Source, fmt.Errorf("Value for primary key column(s) %s is required for tables", t.Key))
	}
	if none {
		key = ""
	}
	r := Record{Timestamp: record.NoTimestamp}
	var err error
	if r.Key, err = t.keys.Append([]byte{}, key); err != nil {
		return r, inserting(t.Source, err)
	}
	value, _ := pick(t.Value, values)
	if r.Value, err = t.values.Append([]byte{}, value); err != nil {
		return r, inserting(t.Source, err)
	}
	return r, nil
}

// pick puts the values of some columns into a row; none tells that all of them are null.
func pick(schema row.Schema, values map[string]row.Value) (r row.Row, none bool) {
	out := make([]row.Value, len(schema))
	none = len(schema) > 0
	for i, c := range schema {
		out[i] = values[c.Name]
		none = none && out[i].IsNull()
	}
	return row.NewRow(out...), none
}
