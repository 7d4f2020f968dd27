package qtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (n responseNode) String() string {
	for _, part := range []json.RawMessage{n.Admin, listOf(n.Query), listOf(n.QueryProto)} {
		if v, err := parseJSON(part); v != nil && err == nil {
			return string(appendJSON(nil, v))
		}
	}
	return "nothing"
}

func listOf(rows []json.RawMessage) json.RawMessage {
	if rows == nil {
		return nil
	}
	text, err := json.Marshal(rows)
	if err != nil {
		panic(err) // they were read from JSON
	}
	return text
}

// judge judges a case whose last request must fail: it passes by class, which is the status and the type of the error.
func (n *restFailure) judge(failed *restFailed) verdict {
	v := verdict{negative: true}
	if failed == nil {
		v.err = fmt.Errorf("accepted, but it must fail: %s %q", n.Type, n.Message)
		return v
	}
	var refusal *restRefusal
	if !errors.As(failed.err, &refusal) {
		v.err = failed.err
		return v
	}
	v.text = strings.Contains(refusal.Text, n.Message)
	types := map[string]string{"KsqlStatementErrorMessage": "statement_error", "KsqlErrorMessage": "generic_error"}
	want := types[n.Type[strings.LastIndex(n.Type, ".")+1:]]
	switch {
	case !failed.last:
		v.err = fmt.Errorf("class: not the last request failed: %w", failed.err)
	case n.Status != 0 && n.Status != refusal.status:
		v.err = fmt.Errorf("class: want status %d, got %w", n.Status, failed.err)
	case want != "" && want != refusal.Type:
		v.err = fmt.Errorf("class: want %s, got %w", want, failed.err)
	default:
		v.passed = true
		if !v.text {
			v.err = fmt.Errorf("text\nwant %q\n got %q", n.Message, refusal.Text)
		}
	}
	return v
}

// compareResponses compares the answers with those that the case has; it may have fewer.
func (r *restRun) compareResponses() error {
	want := r.c.REST.Responses
	if len(r.responses) < len(want) {
		return fmt.Errorf("want %d answers, got %d", len(want), len(r.responses))
	}
	var differ []error
	for i, w := range want {
		m := responseMatch{order: r.c.REST.Output.VerifyOrder}
		if i < len(r.c.Statements) {
			m.statement = r.c.Statements[i]
		}
		if err := m.compare(w, r.responses[i]); err != nil {
			differ = append(differ, fmt.Errorf("answer %d: %w", i+1, err))
		}
	}
	return errors.Join(differ...)
}

// A responseMatch compares one answer. What the case does not speak of does not matter.
type responseMatch struct {
	statement string
	order     bool           // of rows
	columns   map[string]int // rows by their text: how many more are there than wanted; rows may come in any order
}

func (m *responseMatch) compare(want responseNode, got restResponse) error {
	kind, rows := "admin", []json.RawMessage(nil)
	switch {
	case want.Query != nil:
		kind, rows = "query", want.Query
	case want.QueryProto != nil:
		kind, rows = "queryProto", want.QueryProto
	}
	if got.kind != kind {
		return fmt.Errorf("want %s, got %s", kind, got.kind)
	}
	switch kind {
	case "admin":
		entity, err := parseJSON(want.Admin)
		if err != nil {
			return err
		}
		return m.fields(entity, got.entity, "admin")
	case "queryProto":
		return compareProtobufRows(rows, got.rows, m.order)
	}
	return m.compareRows(rows, got.rows)
}

func (m *responseMatch) compareRows(want []json.RawMessage, got []any) error {
	if len(want) != len(got) {
		return fmt.Errorf("want %d rows, got %d\nwant %s\n got %s", len(want), len(got), listOf(want), appendJSON(nil, got))
	}
	m.columns = map[string]int{}
	for i := range want {
		w, err := parseJSON(want[i])
		if err != nil {
			return err
		}
		if err := m.fields(w, got[i], fmt.Sprintf("row %d", i+1)); err != nil {
			return fmt.Errorf("%w\n got %s", err, appendJSON(nil, got[i]))
		}
	}
	var missing, tooMany []string
	for _, text := range slices.Sorted(maps.Keys(m.columns)) {
		switch n := m.columns[text]; {
		case n < 0:
			missing = append(missing, text)
		case n > 0:
			tooMany = append(tooMany, text)
		}
	}
	if len(missing)+len(tooMany) > 0 {
		return fmt.Errorf("rows differ\nwant %s\n got %s", strings.Join(missing, " "), strings.Join(tooMany, " "))
	}
	return nil
}

// fields compares the fields that are wanted. A name may end with |starts_with: then the text may go on.
func (m *responseMatch) fields(want, got any, place string) error {
	w, isObject := want.(*object)
	if !isObject {
		return m.value(want, got, place)
	}
	g, ok := got.(*object)
	if !ok {
		return fmt.Errorf("%s: want an object, got %s", place, appendJSON(nil, got))
	}
	for _, name := range w.names {
		field, operator, _ := strings.Cut(name, "|")
		value, ok := g.values[field]
		inside := place + "." + field
		if !ok {
			return fmt.Errorf("%s: it is missing", inside)
		}
		if err := m.field(w.values[name], value, inside, operator); err != nil {
			return err
		}
	}
	return nil
}

func (m *responseMatch) field(want, got any, place, operator string) error {
	switch {
	case strings.EqualFold(operator, "starts_with"):
		w, _ := m.expand(want).(string)
		if g, ok := got.(string); !ok || !strings.HasPrefix(g, w) {
			return fmt.Errorf("%s: want %q and more, got %s", place, w, appendJSON(nil, got))
		}
		return nil
	case operator != "":
		return fmt.Errorf("%s: the operator %s is unknown", place, operator)
	case m.columns != nil && !m.order && strings.HasSuffix(place, ".row.columns"):
		m.columns[canonical(m.expand(want))]--
		m.columns[canonical(got)]++
		return nil
	}
	return m.fields(want, got, place)
}

func (m *responseMatch) value(want, got any, place string) error {
	if w, g := canonical(m.expand(want)), canonical(got); w != g {
		return fmt.Errorf("%s: want %s, got %s", place, w, g)
	}
	return nil
}

// expand puts the statement into a text that asks for it.
func (m *responseMatch) expand(want any) any {
	if text, ok := want.(string); ok {
		return strings.ReplaceAll(text, "{STATEMENT}", m.statement)
	}
	return want
}

// canonical writes equal JSON values alike: fields in the order of their names, decimals with their scale.
func canonical(v any) string {
	return string(appendJSON(nil, sorted(v)))
}

func sorted(v any) any {
	switch v := v.(type) {
	case number:
		if d, err := parseDecimal(string(v)); err == nil && d.scale >= 0 {
			return number(d.String())
		}
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = sorted(item)
		}
		return list
	case *object:
		o := newObject()
		for _, name := range slices.Sorted(slices.Values(v.names)) {
			o.set(name, sorted(v.values[name]))
		}
		return o
	}
	return v
}
