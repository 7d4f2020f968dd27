package sqltest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// The columns of a window, which ASSERT VALUES may name.
const (
	windowStart = "WINDOWSTART"
	windowEnd   = "WINDOWEND"
)

func (w *world) context() plan.Context {
	return plan.Context{Catalog: w.trial.Catalog(), Functions: w.functions.With(w.env.Settings), Settings: w.env.Settings, Schemas: w.schemas}
}

// values checks ASSERT VALUES and ASSERT NULL VALUES against the next record of the topic.
func (a *asserter) values(st *ast.AssertValues, line int) error {
	of := a.world.trial.Catalog().Source(st.Source.Text)
	if of == nil {
		return fmt.Errorf("%s does not exist", st.Source.Text)
	}
	want, err := a.wanted(of, st)
	if err != nil {
		return err
	}
	c, err := a.world.codec(of)
	if err != nil {
		return err
	}
	position := a.read[of.Topic]
	a.read[of.Topic]++
	m := mismatch{difference: difference{Line: line, Topic: of.Topic, Position: position + 1, Expected: c.show(want)}}
	written := a.world.written[of.Topic]
	if position >= len(written) {
		m.message = "Expected another record, but all records have already been read: " + m.Expected
		a.mismatches = append(a.mismatches, m)
		return nil
	}
	got, err := c.read(written[position])
	if err != nil {
		return fmt.Errorf("topic %s, record %d: %w", of.Topic, position+1, err)
	}
	if m.Fields = c.differ(want, got); len(m.Fields) > 0 {
		m.Got = c.show(got)
		m.message = "Expected record does not match actual. " + strings.Join(m.Fields, "; ")
		a.mismatches = append(a.mismatches, m)
	}
	return nil
}

// wanted is the record that an ASSERT means: columns that it does not name are null.
func (a *asserter) wanted(of *catalog.Source, st *ast.AssertValues) (expected, error) {
	as := *of // with the window's columns: values may be given for them
	as.Headers = nil
	if of.Window.Windowed() {
		as.Value = append(slices.Clone(of.Value), row.Column{Name: windowStart, Type: row.Bigint}, row.Column{Name: windowEnd, Type: row.Bigint})
	}
	insert := &ast.InsertValues{Span: st.Span, Target: st.Source, Columns: st.Columns, Values: st.Values}
	if insert.Columns == nil {
		for _, c := range slices.Concat(of.Key, of.Value) {
			insert.Columns = append(insert.Columns, ast.Name{Text: c.Name})
		}
		if st.Null {
			insert.Columns = insert.Columns[:len(of.Key)]
		}
	}
	values, at, err := plan.Values(a.world.context(), &as, insert)
	if err != nil {
		return expected{}, err
	}
	out := expected{key: pick(of.Key, values), value: pick(of.Value, values)}
	if at != record.NoTimestamp {
		ms := int64(at)
		out.timestamp = &ms
	}
	if start := values[windowStart]; !start.IsNull() {
		out.window = &window{Start: start.Int64(), End: values[windowEnd].Int64()}
	}
	if st.Null {
		for _, c := range of.Value {
			if !values[c.Name].IsNull() {
				return out, fmt.Errorf("column %s: Unexpected value columns specified in ASSERT NULL VALUES", c.Name)
			}
		}
		out.value = ""
	}
	return out, nil
}

// pick makes the row of some columns; of no columns, or none but null keys, it is null.
func pick(schema row.Schema, values map[string]row.Value) row.Row {
	var out row.Builder
	for _, c := range schema {
		out.Add(values[c.Name])
	}
	if len(schema) == 0 {
		return ""
	}
	return out.Row()
}

// source checks ASSERT STREAM and ASSERT TABLE: whatever the statement says must hold.
func (a *asserter) source(st *ast.AssertSource, line int) error {
	of := a.world.trial.Catalog().Source(st.Name.Text)
	if of == nil {
		return fmt.Errorf("%s does not exist", st.Name.Text)
	}
	want, err := a.defined(of, st)
	if err != nil {
		return err
	}
	given := map[string]bool{}
	for _, p := range st.With {
		given[strings.ToUpper(p.Name.Text)] = true
	}
	for _, p := range []struct {
		name, want, got string
		checked         bool
	}{
		{"type", want.Kind(), of.Kind(), true},
		{"schema", columnsOf(want), columnsOf(of), st.Elements != nil},
		{"kafka topic", want.Topic, of.Topic, given["KAFKA_TOPIC"]},
		{"key format", want.KeyFormat.Name, of.KeyFormat.Name, given["KEY_FORMAT"] || given["FORMAT"]},
		{"value format", want.ValueFormat.Name, of.ValueFormat.Name, given["VALUE_FORMAT"] || given["FORMAT"]},
		{"serde options", wrapping(want), wrapping(of), given["WRAP_SINGLE_VALUE"]},
		{"timestamp column", want.Time.Column, of.Time.Column, given["TIMESTAMP"]},
		{"timestamp format", want.Time.Format, of.Time.Format, given["TIMESTAMP_FORMAT"]},
		{"window", windowing(want), windowing(of), given["WINDOW_TYPE"]},
	} {
		if !p.checked || p.want == p.got {
			continue
		}
		a.mismatches = append(a.mismatches, mismatch{
			difference: difference{Line: line, Source: of.Name, Fields: []string{p.name}, Expected: shown(p.want), Got: shown(p.got)},
			message:    fmt.Sprintf("Expected %s does not match actual for source %s. Expected: %s, actual: %s", p.name, of.Name, p.want, p.got),
			source:     true,
		})
	}
	return nil
}

func shown(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// defined is the source that the statement describes. What it leaves out is as it is.
func (a *asserter) defined(of *catalog.Source, st *ast.AssertSource) (*catalog.Source, error) {
	create := &ast.CreateSource{Span: st.Span, Table: st.Table, Name: st.Name, Elements: st.Elements, With: slices.Clone(st.With)}
	has := func(names ...string) bool {
		return slices.ContainsFunc(create.With, func(p ast.Property) bool { return slices.Contains(names, strings.ToUpper(p.Name.Text)) })
	}
	add := func(name, value string) {
		create.With = append(create.With, ast.Property{Name: ast.Name{Text: name}, Value: &ast.StringLiteral{Value: value}})
	}
	if !has("KAFKA_TOPIC") {
		add("KAFKA_TOPIC", of.Topic)
	}
	if !has("FORMAT", "VALUE_FORMAT") {
		add("VALUE_FORMAT", of.ValueFormat.Name)
	}
	if !has("FORMAT", "KEY_FORMAT") {
		add("KEY_FORMAT", of.KeyFormat.Name)
	}
	if create.Elements == nil {
		same := *of
		same.Table = st.Table // the words for keys are those of what the statement names
		var err error
		if create.Elements, err = parse.Columns(columnsOf(&same)); err != nil {
			return nil, err
		}
	}
	return plan.Define(a.world.context(), create)
}

// columnsOf are the columns as a statement has them.
func columnsOf(s *catalog.Source) string {
	var parts []string
	key := " KEY"
	if s.Table {
		key = " PRIMARY KEY"
	}
	for _, c := range s.Key {
		parts = append(parts, row.Quote(c.Name)+" "+c.Type.String()+key)
	}
	for _, c := range s.Value {
		parts = append(parts, row.Quote(c.Name)+" "+c.Type.String())
	}
	for _, h := range s.Headers {
		kind := " HEADERS"
		if h.Key != "" {
			kind = " HEADER('" + h.Key + "')"
		}
		parts = append(parts, row.Quote(h.Name)+" "+h.Type.String()+kind)
	}
	return strings.Join(parts, ", ")
}

func wrapping(s *catalog.Source) string {
	if s.ValueFormat.Unwrapped {
		return "unwrapped"
	}
	return "wrapped"
}

func windowing(s *catalog.Source) string {
	if !s.Window.Windowed() {
		return "none"
	}
	return fmt.Sprintf("%s of %d ms", s.Window.Kind, s.Window.SizeMs)
}
