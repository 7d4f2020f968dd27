package ksql

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/row"
)

func sourceList(l session.SourceList, text string) map[string]any {
	kind := "streams"
	if l.Tables {
		kind = "tables"
	}
	return with(kind, text, kind, each(l.Sources, func(s *catalog.Source) any {
		return map[string]any{
			"type": strings.ToUpper(s.Kind()), "name": s.Name, "topic": s.Topic, "keyFormat": s.KeyFormat.Name, "valueFormat": s.ValueFormat.Name,
			"isWindowed": s.Window.Windowed(),
		}
	}))
}

func sourceDescriptions(e session.SourceDescriptions, text string) map[string]any {
	if !e.List {
		return with("sourceDescription", text, "sourceDescription", sourceEntity(e.Sources[0]))
	}
	return with("source_descriptions", text, "sourceDescriptions", each(e.Sources, sourceEntity))
}

func sourceEntity(d session.SourceDescription) any {
	out := map[string]any{
		"name": d.Name, "windowType": nullable(string(d.Window.Kind)), "readQueries": each(d.Readers, runningEntity),
		"writeQueries": each(d.Writers, runningEntity), "fields": fieldsOf(d.Source), "type": strings.ToUpper(d.Kind()), "timestamp": d.Time.Column,
		"statistics": "", "errorStats": "", "extended": d.Extended, "keyFormat": d.KeyFormat.Name, "valueFormat": d.ValueFormat.Name,
		"topic": d.Source.Topic, "partitions": d.Partitions, "replication": max(d.Topic.Replicas, 1), "statement": d.Statement,
		"queryOffsetSummaries": each(d.Groups, func(g session.GroupOffsets) any {
			return map[string]any{"groupId": g.Group, "topicSummaries": []any{map[string]any{
				"kafkaTopic": d.Source.Topic, "offsets": each(g.Offsets, func(o session.PartitionOffsets) any {
					return map[string]any{"partition": o.Partition, "logStartOffset": o.Start, "logEndOffset": o.End, "consumerOffset": o.Now}
				}),
			}}}
		}),
		"sourceConstraints": []any{}, "clusterStatistics": []any{}, "clusterErrorStats": []any{},
	}
	if d.Extended {
		out["statistics"], out["errorStats"] = statistics(d)
	}
	return out
}

// statistics are the counts of a source: of its topic, and of the queries that write it.
func statistics(d session.SourceDescription) (counts, failures string) {
	if d.Topic.Records >= 0 {
		counts = fmt.Sprintf("records in topic: %d", d.Topic.Records)
	}
	var emitted, failed int64
	last := ""
	for _, q := range d.Writers {
		emitted += q.Status.Emitted
		failed += q.Status.RowErrors
		last = q.Status.LastError
	}
	if len(d.Writers) > 0 {
		counts += fmt.Sprintf(" total-messages: %d", emitted)
	}
	if failed > 0 {
		failures = fmt.Sprintf("failed rows: %d, last: %s", failed, last)
	}
	return strings.TrimSpace(counts), failures
}

func fieldsOf(s *catalog.Source) []any {
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
	for _, h := range s.Headers {
		f := map[string]any{"name": h.Name, "schema": schemaOf(h.Type), "type": "HEADER"}
		if h.Key != "" {
			f["headerKey"] = h.Key
		}
		fields = append(fields, f)
	}
	return fields
}

func runningEntity(q session.RunningQuery) any {
	out := map[string]any{
		"queryString": q.Statement, "sinks": []string{q.Plan.Sink.Name}, "sinkKafkaTopics": []string{q.Plan.Sink.Topic}, "id": q.ID,
		"statusCount": map[string]int{counted(q.Status.State): 1}, "queryType": "PERSISTENT", "state": string(q.Status.State),
	}
	if q.Beside != "" {
		out["replaces"] = q.Beside
	}
	return out
}

func pushEntity(q session.PushQuery) any {
	return map[string]any{
		"queryString": q.Statement, "sinks": []string{}, "sinkKafkaTopics": []string{}, "id": q.ID,
		"statusCount": map[string]int{string(session.Running): 1}, "queryType": "PUSH", "state": string(session.Running),
	}
}

// counted is a state where ksqlDB's clients read one of a list of names, and refuse the whole answer with any other. What they show to people,
// "state", is any text to them.
func counted(s session.State) string {
	if s == session.Building {
		return string(session.Running)
	}
	return string(s)
}

func queryDescription(d session.QueryDescription) any {
	var errors []any
	if d.Status.Err != nil {
		errors = append(errors, map[string]any{"timestamp": 0, "errorMessage": d.Status.Err.Error(), "type": "USER"})
	}
	fields := each(d.Query.Plan.Output, func(o plan.Output) any {
		f := map[string]any{"name": o.Name, "schema": schemaOf(o.Type)}
		if o.Key {
			f["type"] = "KEY"
		}
		return f
	})
	out := map[string]any{
		"id": d.ID, "statementText": d.Statement, "windowType": nil, "fields": fields,
		"sources": each(d.Query.Plan.Sources, func(s *catalog.Source) any { return s.Name }), "sinks": []any{}, "topology": d.Topology,
		"executionPlan": d.Steps, "overriddenProperties": d.Settings, "queryType": "PERSISTENT", "queryErrors": append([]any{}, errors...),
		"tasksMetadata": []any{}, "consumerGroupId": nullable(d.App), "state": nil, "ksqlHostQueryStatus": map[string]string{},
	}
	switch sink := d.Query.Plan.Sink; {
	case d.Push:
		out["queryType"] = "PUSH"
	case sink != nil && d.Running:
		out["sinks"], out["windowType"] = []any{sink.Name}, nullable(string(sink.Window.Kind))
	}
	if d.Running {
		out["state"], out["ksqlHostQueryStatus"] = string(d.Status.State), map[string]string{"mainstem": counted(d.Status.State)}
		if d.Beside != "" {
			out["replaces"] = d.Beside
		}
	} else {
		out["id"] = ""
	}
	return out
}
