package ksql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

// entity is what a statement's answer shows, nil if it shows nothing. Types and fields have ksqlDB's names, for its clients read them.
func entity(done Result) map[string]any {
	if done.Shows == nil {
		if done.Command == (session.Command{}) {
			return nil
		}
		return status(done)
	}
	text := strings.TrimSpace(done.Statement)
	switch e := done.Shows.(type) {
	case session.SourceList:
		return sourceList(e, text)
	case session.SourceDescriptions:
		return sourceDescriptions(e, text)
	case session.QueryList:
		return with("queries", text, "queries", append(each(e.Queries, runningEntity), each(e.Pushes, pushEntity)...))
	case session.PushEnd:
		out := with("terminate_query", text, "queryId", e.ID)
		out["wasTerminated"] = true
		return out
	case session.QueryDescription:
		return with("queryDescription", text, "queryDescription", queryDescription(e))
	case session.QueryDescriptions:
		return with("query_descriptions", text, "queryDescriptions", each(e.Queries, queryDescription))
	case session.Explanation:
		out := with("explanation", text, "text", e.Text)
		out["stage"] = string(e.Stage)
		return out
	case session.TopicList:
		return topicList(e, text)
	case session.TopicAssertion:
		out := with("assert_topic", text, "topicName", e.Topic)
		out["exists"] = e.Exists
		return out
	case session.SchemaAssertion:
		out := with("assert_schema", text, "subject", nullable(e.Subject))
		out["id"], out["exists"] = nil, e.Exists
		if e.ID != 0 {
			out["id"] = e.ID
		}
		return out
	}
	return nodeEntity(done.Shows, text)
}

// nodeEntity is an entity that tells of the node and not of its data.
func nodeEntity(shown session.Entity, text string) map[string]any {
	switch e := shown.(type) {
	case session.FunctionList:
		return with("function_names", text, "functions", each(e.Functions, func(d function.Description) any {
			return map[string]any{"name": strings.ToUpper(d.Name), "type": d.Kind.String(), "category": d.Category}
		}))
	case session.FunctionDescription:
		return functionDescription(e.Description, text)
	case session.PropertyList:
		out := with("properties", text, "properties", each(e.Properties, func(p session.Property) any {
			return map[string]any{"name": p.Name, "scope": p.Scope, "value": p.Value, "editable": p.Editable, "level": levelOf(p), "source": p.Source}
		}))
		out["overwrittenProperties"], out["defaultProperties"] = named(e.Properties, "session"), named(e.Properties, "default")
		return out
	case session.TypeList:
		types := map[string]any{}
		for name, t := range e.Types {
			types[name] = schemaOf(t)
		}
		return with("type_list", text, "types", types)
	case session.VariableList:
		return with("variables", text, "variables", each(slices.Sorted(maps.Keys(e.Variables)), func(name string) any {
			return map[string]any{"name": name, "value": e.Variables[name]}
		}))
	case session.ConnectorList:
		return with("connector_list", text, "connectors", each(e.Connectors, connectorEntity))
	case session.PluginList:
		return with("connector_plugins_list", text, "connectorsPlugins", each(e.Plugins, func(p session.Plugin) any {
			return map[string]any{"className": p.Class, "type": p.Type, "version": nil}
		}))
	case session.ConnectorDescription:
		return connectorDescription(e, text)
	case session.Warning:
		return with("warning_entity", text, "message", e.Message)
	case session.ConnectorMade:
		return with("connector_info", text, "info", map[string]any{
			"name": e.Name, "config": e.Config, "tasks": []any{map[string]any{"connector": e.Name, "task": 0}}, "type": connectorType(e.Connector),
		})
	case session.ConnectorDropped:
		return with("drop_connector", text, "connectorName", e.Name)
	}
	return with("unknown", text, "text", fmt.Sprintf("%v", shown)) // every type of package session is above
}

// status is the answer to a statement that changed something.
func status(done Result) map[string]any {
	e := with("currentStatus", strings.TrimSpace(done.Statement), "commandStatus", map[string]any{
		"status": "SUCCESS", "message": done.Message, "queryId": nullable(done.Query),
	})
	e["commandId"] = commandID(done.Command)
	e["commandSequenceNumber"] = -1
	return e
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

// each is a list of entities, never null.
func each[T any](list []T, f func(T) any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

func levelOf(p session.Property) string {
	if p.Source == "session" {
		return "SESSION"
	}
	return "SERVER"
}

// named are the names of the properties that are from a source.
func named(list []session.Property, source string) []string {
	out := []string{}
	for _, p := range list {
		if p.Source == source {
			out = append(out, p.Name)
		}
	}
	return out
}

func topicList(l session.TopicList, text string) map[string]any {
	kind := "kafka_topics"
	if l.Extended {
		kind = "kafka_topics_extended"
	}
	return with(kind, text, "topics", each(l.Topics, func(t session.TopicInfo) any {
		replicas := make([]int32, t.Partitions)
		for i := range replicas {
			replicas[i] = t.Replicas
		}
		out := map[string]any{"name": t.Name, "replicaInfo": replicas}
		if l.Extended {
			out["consumerCount"], out["consumerGroupCount"] = t.Consumers, t.Groups
		}
		return out
	}))
}

func functionDescription(d function.Description, text string) map[string]any {
	out := with("describe_function", text, "name", strings.ToUpper(d.Name))
	out["description"], out["author"], out["version"], out["path"], out["type"] = d.Text, d.Author, d.Version, "internal", d.Kind.String()
	out["functions"] = each(d.Signatures, func(signature string) any {
		params, result := function.Parameters(signature)
		return map[string]any{
			"arguments": each(params, func(p function.Parameter) any {
				return map[string]any{"name": "", "type": p.Type, "description": "", "isVariadic": p.Variadic}
			}),
			"returnType": result, "description": "",
		}
	})
	return out
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

func connectorType(c *session.Connector) string {
	if c.Sink {
		return "sink"
	}
	return "source"
}

func connectorState(s session.State) string {
	if s == session.Failed {
		return "FAILED"
	}
	return string(s)
}

func connectorEntity(c session.RunningConnector) any {
	return map[string]any{"name": c.Name, "type": connectorType(c.Connector), "className": c.Class(), "state": connectorState(c.Status.State)}
}

func connectorDescription(d session.ConnectorDescription, text string) map[string]any {
	trace := ""
	if d.Status.Err != nil {
		trace = d.Status.Err.Error()
	}
	state := connectorState(d.Status.State)
	out := with("connector_description", text, "connectorClass", d.Class())
	out["status"] = map[string]any{
		"name": d.Name, "type": connectorType(d.Connector),
		"connector": map[string]any{"state": state, "worker_id": "mainstem", "trace": trace},
		"tasks":     []any{map[string]any{"id": 0, "state": state, "worker_id": "mainstem", "trace": trace}},
	}
	out["sources"] = each(d.Sources, sourceEntity)
	out["topics"] = append([]string{}, d.Topics()...)
	out["delivered"], out["lag"] = d.Status.Delivered, d.Status.Lag
	return out
}
