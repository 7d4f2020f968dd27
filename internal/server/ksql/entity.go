package ksql

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/parse"
	"github.com/mainstemio/mainstem/row"
)

// entity is what a statement's answer shows, nil if it shows nothing.
func entity(done Result, c Catalog) map[string]any {
	text := strings.TrimSpace(done.Statement)
	st, err := parse.Statement(text)
	if err != nil {
		return nil // it was executed, so it can be parsed
	}
	switch st := st.(type) {
	case *ast.List:
		return list(st, c, text)
	case *ast.Describe:
		for _, s := range c.Sources {
			if s.Name == st.Name.Text {
				return with("sourceDescription", text, "sourceDescription", description(s, c, st.Extended))
			}
		}
		return nil
	case *ast.SetProperty, *ast.UnsetProperty, *ast.Define, *ast.Undefine, *ast.InsertValues:
		return nil
	}
	e := with("currentStatus", text, "commandStatus", map[string]any{"status": "SUCCESS", "message": done.Message, "queryId": nullable(done.Query)})
	e["commandId"] = strings.ToLower(string(firstWord(text))) + "/" + done.Query + "/create"
	e["commandSequenceNumber"] = -1
	return e
}

func firstWord(text string) string {
	if i := strings.IndexAny(text, " \t\n"); i > 0 {
		return text[:i]
	}
	return text
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func with(kind, text, field string, value any) map[string]any {
	return map[string]any{"@type": kind, "statementText": text, "warnings": []any{}, field: value}
}

func list(st *ast.List, c Catalog, text string) map[string]any {
	switch st.Kind {
	case ast.ListStreams, ast.ListTables:
		table := st.Kind == ast.ListTables
		out := []any{}
		for _, s := range c.Sources {
			if s.Table == table {
				out = append(out, map[string]any{
					"type": strings.ToUpper(s.Kind()), "name": s.Name, "topic": s.Topic, "keyFormat": s.KeyFormat.Name, "valueFormat": s.ValueFormat.Name,
					"isWindowed": s.Window.Windowed(),
				})
			}
		}
		return with(strings.ToLower(string(st.Kind)), text, strings.ToLower(string(st.Kind)), out)
	case ast.ListQueries:
		out := []any{}
		for _, q := range c.Queries {
			out = append(out, running(q))
		}
		return with("queries", text, "queries", out)
	}
	return nil
}

func running(q Query) map[string]any {
	return map[string]any{
		"queryString": q.Statement, "sinks": []string{q.Plan.Sink.Name}, "sinkKafkaTopics": []string{q.Plan.Sink.Topic}, "id": q.ID,
		"statusCount": map[string]int{q.State: 1}, "queryType": "PERSISTENT", "state": q.State,
	}
}

func description(s *catalog.Source, c Catalog, extended bool) map[string]any {
	reads, writes := []any{}, []any{}
	for _, q := range c.Queries {
		if q.Plan.Sink.Name == s.Name {
			writes = append(writes, running(q))
		}
		for _, source := range q.Plan.Sources {
			if source.Name == s.Name {
				reads = append(reads, running(q))
			}
		}
	}
	fields := []any{}
	add := func(schema row.Schema, kind any) {
		for _, col := range schema {
			f := map[string]any{"name": col.Name, "schema": schemaOf(col.Type)}
			if kind != nil {
				f["type"] = kind
			}
			fields = append(fields, f)
		}
	}
	add(s.Key, "KEY")
	add(s.Value, nil)
	return map[string]any{
		"name": s.Name, "windowType": nullable(string(s.Window.Kind)), "readQueries": reads, "writeQueries": writes, "fields": fields,
		"type": strings.ToUpper(s.Kind()), "timestamp": s.Time.Column, "statistics": "", "errorStats": "", "extended": extended,
		"keyFormat": s.KeyFormat.Name, "valueFormat": s.ValueFormat.Name, "topic": s.Topic, "partitions": s.Partitions, "replication": 1,
		"statement": s.Statement,
	}
}

// schemaOf is a type as clients read it.
func schemaOf(t *row.Type) map[string]any {
	out := map[string]any{"type": t.Kind.String(), "fields": nil, "memberSchema": nil}
	switch t.Kind {
	case row.KindDecimal:
		out["parameters"] = map[string]int{"precision": t.Precision, "scale": t.Scale}
	case row.KindArray, row.KindMap:
		out["memberSchema"] = schemaOf(t.Elem)
	case row.KindStruct:
		fields := make([]any, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = map[string]any{"name": f.Name, "schema": schemaOf(f.Type)}
		}
		out["fields"] = fields
	}
	return out
}
