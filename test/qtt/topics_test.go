package qtt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// defaultPartitions is how many partitions a topic has that nobody said more of.
const defaultPartitions = 4

// allTopics returns the topics that are there before the statements run: the case's own, those of its CREATE statements, and those of
// its records.
func (c *testCase) allTopics() []topicNode {
	named := slices.Concat(c.Topics, inferTopics(c.Statements))
	for _, n := range slices.Concat(c.Inputs, c.Outputs) {
		named = append(named, topicNode{Name: n.Topic})
	}
	var topics []topicNode
	for _, t := range named {
		if slices.ContainsFunc(topics, func(other topicNode) bool { return other.Name == t.Name }) {
			continue
		}
		t.Partitions, t.Replicas = cmp.Or(t.Partitions, defaultPartitions), cmp.Or(t.Replicas, 1)
		topics = append(topics, t)
	}
	return topics
}

// registerSchemas registers the schemas of a topic's keys and values, and first those that they import.
func registerSchemas(t topicNode, registry *Registry) error {
	keyFormat, valueFormat := t.KeyFormat, cmp.Or(t.ValueFormat, t.OldFormat)
	valueSchema := t.ValueSchema
	if valueSchema == nil {
		valueSchema = t.OldSchema
	}
	if err := registerSchema(t.Name+"-key", schemaNode{keyFormat, t.KeySchema, t.KeySchemaID, t.KeyReferences}, registry); err != nil {
		return err
	}
	return registerSchema(t.Name+"-value", schemaNode{valueFormat, valueSchema, t.ValueSchemaID, t.ValueReferences}, registry)
}

// A schemaNode is one schema of a topic.
type schemaNode struct {
	format     string
	schema     json.RawMessage
	id         *int
	references []referenceNode
}

func registerSchema(subject string, n schemaNode, registry *Registry) error {
	text, err := schemaText(n.schema)
	if text == "" || err != nil {
		return err
	}
	s := Schema{Type: schemaType(n.format), Text: text}
	for _, ref := range n.references {
		imported, err := schemaText(ref.Schema)
		if err != nil {
			return fmt.Errorf("reference %s: %w", ref.Name, err)
		}
		registry.Register(ref.Name, Schema{Type: schemaType(ref.Format), Text: imported})
		s.References = append(s.References, Reference{Name: ref.Name, Subject: ref.Name, Version: 1})
	}
	if n.id != nil {
		return registry.RegisterAs(subject, s, *n.id)
	}
	registry.Register(subject, s)
	return nil
}

// schemaType is the registry's name for a format's schemas; nothing stands for AVRO.
func schemaType(format string) string {
	switch f := strings.ToUpper(format); f {
	case "JSON", "JSON_SR":
		return "JSON"
	case "PROTOBUF", "PROTOBUF_NOSR":
		return "PROTOBUF"
	}
	return "AVRO"
}

// schemaText returns a schema's text: that of a JSON value, or a text itself if it is a Protobuf file.
func schemaText(raw json.RawMessage) (string, error) {
	v, err := parseJSON(raw)
	if v == nil || err != nil {
		return "", err
	}
	if text, ok := v.(string); ok && strings.ContainsAny(text, ";{ ") {
		return text, nil
	}
	return string(appendJSON(nil, v)), nil
}
