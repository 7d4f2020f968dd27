package qtt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// defaultPartitions is how many partitions a topic has that nobody said more of.
const defaultPartitions = 4

// allTopics returns the topics that are there before the statements run: the case's own, those of its CREATE statements, and those of
// its records. Where the case does not say how many partitions its topic has, the statement does.
func (c *testCase) allTopics() []topicNode {
	inferred := inferTopics(c.Statements)
	named := slices.Clone(c.Topics)
	for _, t := range inferred {
		if t.columns {
			named = append(named, t.topicNode)
		}
	}
	for _, n := range slices.Concat(c.Inputs, c.Outputs) {
		named = append(named, topicNode{Name: n.Topic})
	}
	var topics []topicNode
	for _, t := range named {
		if slices.ContainsFunc(topics, func(other topicNode) bool { return other.Name == t.Name }) {
			continue
		}
		for _, i := range inferred {
			if i.Name == t.Name {
				t.Partitions, t.Replicas = cmp.Or(t.Partitions, i.Partitions), cmp.Or(t.Replicas, i.Replicas)
			}
		}
		t.Partitions, t.Replicas = cmp.Or(t.Partitions, defaultPartitions), cmp.Or(t.Replicas, 1)
		topics = append(topics, t)
	}
	return topics
}

// derivedSchemas is how many schemas upstream's runner derives for a topic that only a CREATE statement speaks of. They have ids too.
func (c *testCase) derivedSchemas(topic string) int {
	if slices.ContainsFunc(c.Topics, func(t topicNode) bool { return t.Name == topic }) {
		return 0
	}
	for _, t := range inferTopics(c.Statements) {
		if t.Name == topic && t.columns {
			return t.schemas
		}
	}
	return 0
}

// hashPlace is where a topic stands in upstream's map of topics, which decides the order in which schemas get their ids: a small HashMap of
// Java.
func hashPlace(name string) int {
	hash := int32(0)
	for _, unit := range utf16.Encode([]rune(name)) {
		hash = 31*hash + int32(unit)
	}
	return int((uint32(hash) ^ uint32(hash)>>16) & 15)
}

// registerSchemas registers the schemas of a topic's keys and values, and those that they import.
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
		s.References = append(s.References, Reference{Name: ref.Name, Subject: ref.Name, Version: 1})
	}
	if n.id == nil {
		registry.Register(subject, s) // cases count on its id, and not on those of what it imports
	} else if err := registry.RegisterAs(subject, s, *n.id); err != nil {
		return err
	}
	for _, ref := range n.references {
		imported, err := schemaText(ref.Schema)
		if err != nil {
			return fmt.Errorf("reference %s: %w", ref.Name, err)
		}
		registry.Register(ref.Name, Schema{Type: schemaType(ref.Format), Text: imported})
	}
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
