package sqlshell

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An entity is what the node says to a statement, with the parts that are shown in a form of their own.
type entity struct {
	Type          string `json:"@type"`
	Warnings      []struct{ Message string }
	CommandStatus struct{ Message string }
	Message       string // of a statement that did nothing, as it may
	Streams       []source
	Tables        []source
	Queries       []query
	Description   *description  `json:"sourceDescription"`
	Descriptions  []description `json:"sourceDescriptions"`
	Explained     *explained    `json:"queryDescription"`
	Name          string        // of a function
	Text          string        `json:"description"` // of a function
	Author        string
	Version       string
	Overloads     []overload `json:"functions"`
}

// show prints an entity.
func (s *shell) show(raw json.RawMessage) error {
	if s.json {
		_, err := fmt.Fprintf(s.out, "%s\n", raw)
		return err
	}
	var e entity
	if err := json.Unmarshal(raw, &e); err != nil {
		e.Type = "" // a form that this version does not know
	}
	for _, w := range e.Warnings {
		fmt.Fprintln(s.io.Err, "warning:", w.Message)
	}
	switch e.Type {
	case "currentStatus":
		_, err := fmt.Fprintln(s.out, e.CommandStatus.Message)
		return err
	case "warning_entity":
		_, err := fmt.Fprintln(s.out, e.Message)
		return err
	case "streams", "tables":
		return s.sources(append(e.Streams, e.Tables...))
	case "queries":
		return s.queries(e.Queries)
	case "sourceDescription":
		if e.Description != nil {
			return e.Description.print(s.out, s.width())
		}
	case "source_descriptions":
		for i := range e.Descriptions {
			if err := e.Descriptions[i].print(s.out, s.width()); err != nil {
				return err
			}
		}
		return nil
	case "queryDescription":
		if e.Explained != nil {
			return e.Explained.print(s.out, s.width())
		}
	case "describe_function":
		return e.function(s.out)
	}
	return s.anything(raw)
}

// function prints what DESCRIBE FUNCTION tells.
func (e *entity) function(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n", e.Name, e.Text)
	if made := strings.TrimSpace(e.Author + " " + e.Version); made != "" {
		fmt.Fprintf(w, "  by %s\n", made)
	}
	for _, o := range e.Overloads {
		var args []string
		for _, a := range o.Arguments {
			text := strings.TrimSpace(a.Name + " " + a.Type)
			if a.IsVariadic {
				text += "..."
			}
			args = append(args, text)
		}
		if _, err := fmt.Fprintf(w, "  %s(%s) returns %s\n", e.Name, strings.Join(args, ", "), o.ReturnType); err != nil {
			return err
		}
	}
	return nil
}

type source struct {
	Name, Topic, KeyFormat, ValueFormat string
	IsWindowed                          bool
}

func (s *shell) sources(all []source) error {
	t := table{names: []string{"NAME", "TOPIC", "KEY FORMAT", "VALUE FORMAT", "WINDOWED"}}
	for _, x := range all {
		t.rows = append(t.rows, []string{x.Name, x.Topic, x.KeyFormat, x.ValueFormat, fmt.Sprint(x.IsWindowed)})
	}
	return t.print(s.out, s.width())
}

type query struct {
	ID, State   string
	Replaces    string // the query whose place it takes when it is built
	Sinks       []string
	Topics      []string `json:"sinkKafkaTopics"`
	QueryString string
}

func (s *shell) queries(all []query) error {
	t := table{names: []string{"QUERY", "STATE", "INTO", "TOPIC", "STATEMENT"}}
	for _, q := range all {
		t.rows = append(t.rows, []string{q.ID, stateOf(q.State, q.Replaces), strings.Join(q.Sinks, ","), strings.Join(q.Topics, ","), strings.Join(strings.Fields(q.QueryString), " ")})
	}
	if s.width() == 0 { // the statements would take most of the page
		t.names = t.names[:4]
		for i := range t.rows {
			t.rows[i] = t.rows[i][:4]
		}
	}
	return t.print(s.out, s.width())
}

// stateOf is a query's state with what it is built for.
func stateOf(state, replaces string) string {
	if replaces == "" {
		return state
	}
	return state + ", replaces " + replaces
}

type fieldType struct {
	Type         string
	MemberSchema *fieldType
	Fields       []field
	Parameters   map[string]int
}

type field struct {
	Name, Type string // Type is KEY, HEADER or nothing
	Schema     fieldType
}

func (f fieldType) String() string {
	switch {
	case len(f.Fields) > 0:
		parts := make([]string, len(f.Fields))
		for i, x := range f.Fields {
			parts[i] = x.Name + " " + x.Schema.String()
		}
		return f.Type + "<" + strings.Join(parts, ", ") + ">"
	case f.MemberSchema != nil && f.Type == "MAP":
		return "MAP<STRING, " + f.MemberSchema.String() + ">"
	case f.MemberSchema != nil:
		return f.Type + "<" + f.MemberSchema.String() + ">"
	case f.Type == "DECIMAL" && f.Parameters != nil:
		return fmt.Sprintf("DECIMAL(%d, %d)", f.Parameters["precision"], f.Parameters["scale"])
	}
	return f.Type
}

type description struct {
	Name, Type, Topic, KeyFormat, ValueFormat string
	WindowType, Timestamp, Statement          string
	Fields                                    []field
	Partitions                                int
	Extended                                  bool
	Statistics                                string
	ReadQueries, WriteQueries                 []query
}

func (d *description) print(w io.Writer, width int) error {
	fmt.Fprintf(w, "%s: %s on topic %s (key %s, value %s)\n", d.Name, strings.ToLower(d.Type), d.Topic, d.KeyFormat, d.ValueFormat)
	if err := fields(d.Fields).print(w, width); err != nil {
		return err
	}
	if !d.Extended {
		return nil
	}
	if d.WindowType != "" {
		fmt.Fprintf(w, "windows      %s\n", d.WindowType)
	}
	if d.Timestamp != "" {
		fmt.Fprintf(w, "timestamp    %s\n", d.Timestamp)
	}
	fmt.Fprintf(w, "partitions   %d\n", d.Partitions)
	for _, q := range d.WriteQueries {
		fmt.Fprintf(w, "written by   %s (%s)\n", q.ID, stateOf(q.State, q.Replaces))
	}
	for _, q := range d.ReadQueries {
		fmt.Fprintf(w, "read by      %s (%s)\n", q.ID, q.State)
	}
	if d.Statistics != "" {
		fmt.Fprintf(w, "statistics   %s\n", d.Statistics)
	}
	_, err := fmt.Fprintf(w, "statement    %s\n", d.Statement)
	return err
}

type fields []field

func (f fields) print(w io.Writer, width int) error {
	t := table{names: []string{"COLUMN", "TYPE"}}
	for _, x := range f {
		t.rows = append(t.rows, []string{x.Name, strings.TrimSpace(x.Schema.String() + " " + x.Type)})
	}
	return t.print(w, width)
}

type explained struct {
	ID, State, StatementText string
	Replaces                 string
	Fields                   fields
	Sources, Sinks           []string
	Topology, ExecutionPlan  string
}

func (e *explained) print(w io.Writer, width int) error {
	if e.ID != "" {
		fmt.Fprintf(w, "query     %s %s\n", e.ID, stateOf(e.State, e.Replaces))
	}
	fmt.Fprintf(w, "from      %s\n", strings.Join(e.Sources, ", "))
	if len(e.Sinks) > 0 {
		fmt.Fprintf(w, "into      %s\n", strings.Join(e.Sinks, ", "))
	}
	if e.StatementText != "" {
		fmt.Fprintf(w, "statement %s\n", strings.TrimSpace(e.StatementText))
	}
	if len(e.Fields) > 0 {
		fmt.Fprintln(w)
		if err := e.Fields.print(w, width); err != nil {
			return err
		}
	}
	for _, part := range []struct{ name, text string }{{"plan", e.ExecutionPlan}, {"topology", e.Topology}} {
		if part.text != "" {
			fmt.Fprintf(w, "\n%s\n%s\n", part.name, strings.TrimRight(part.text, "\n"))
		}
	}
	return nil
}

// An overload is a form of a function.
type overload struct {
	Arguments  []argument
	ReturnType string
}

type argument struct {
	Name, Type string
	IsVariadic bool
}

// noise are members that say nothing to a reader of the answer.
var noise = []string{"@type", "statementText", "warnings", "commandSequenceNumber", "commandId"}

// anything prints an entity by its members: lists of objects as tables, texts as they are.
func (s *shell) anything(raw json.RawMessage) error {
	var e map[string]json.RawMessage
	if err := json.Unmarshal(raw, &e); err != nil {
		_, err := fmt.Fprintf(s.out, "%s\n", raw)
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if slices.Contains(noise, name) || empty(e[name]) {
			continue
		}
		if err := s.member(name, e[name]); err != nil {
			return err
		}
	}
	return nil
}

func empty(v json.RawMessage) bool {
	return slices.Contains([]string{"null", "[]", "{}", `""`}, string(v))
}

// member prints one member of an entity.
func (s *shell) member(name string, v json.RawMessage) error {
	var list []map[string]json.RawMessage
	if json.Unmarshal(v, &list) == nil {
		return s.objects(list)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(v, &object) == nil {
		t := table{names: []string{"NAME", strings.ToUpper(name)}}
		for _, k := range slices.Sorted(maps.Keys(object)) {
			t.rows = append(t.rows, []string{k, plain(object[k])})
		}
		return t.print(s.out, s.width())
	}
	text := plain(v)
	if strings.Contains(text, "\n") {
		_, err := fmt.Fprintln(s.out, strings.TrimRight(text, "\n"))
		return err
	}
	_, err := fmt.Fprintf(s.out, "%s: %s\n", name, text)
	return err
}

// objects prints a list of objects as a table of the members that any of them has; name stands first.
func (s *shell) objects(list []map[string]json.RawMessage) error {
	var names []string
	for _, o := range list {
		for k, v := range o {
			if !slices.Contains(names, k) && !empty(v) {
				names = append(names, k)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == "name") != (b == "name") {
			if a == "name" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	t := table{}
	for _, n := range names {
		t.names = append(t.names, strings.ToUpper(n))
	}
	for _, o := range list {
		var cells []string
		for _, n := range names {
			cells = append(cells, plain(o[n]))
		}
		t.rows = append(t.rows, cells)
	}
	return t.print(s.out, s.width())
}

// plain is a value of JSON as text: without quotes, and with types as SQL has them.
func plain(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	var t fieldType
	if v[0] == '{' && json.Unmarshal(v, &t) == nil && t.Type != "" {
		return t.String()
	}
	var list []string
	if json.Unmarshal(v, &list) == nil {
		return strings.Join(list, ",")
	}
	return string(v)
}
