package registry

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/record"
)

// The kinds of keys in the topic.
const (
	keySchema = "SCHEMA"
	keyLevel  = "CONFIG"
)

// A logKey says what a record is about. Members stand in this order, for compaction compares bytes.
type logKey struct {
	Kind    string  `json:"keytype"`
	Subject *string `json:"subject"` // null: the registry
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

// A logValue is a version of a subject, or a level.
type logValue struct {
	Subject    string         `json:"subject,omitempty"`
	Version    int            `json:"version,omitempty"`
	ID         int            `json:"id,omitempty"`
	Kind       string         `json:"schemaType,omitempty"` // none: AVRO
	References []logReference `json:"references,omitempty"`
	Schema     string         `json:"schema,omitempty"`
	Deleted    bool           `json:"deleted"`
	Level      Level          `json:"compatibilityLevel,omitempty"`
}

type logReference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// A change is a record of the topic; a value of nil forgets.
type change struct {
	key   logKey
	value *logValue
}

func schemaRecord(name string, v version, d format.Definition) change {
	value := &logValue{Subject: name, Version: v.number, ID: v.id, Kind: kindShown(d.Kind), Schema: d.Text, Deleted: v.deleted, References: shownReferences(d.References)}
	return change{logKey{Kind: keySchema, Subject: &name, Version: v.number, Magic: 1}, value}
}

func levelRecord(name string, l Level) change {
	key := logKey{Kind: keyLevel, Magic: 0}
	if name != "" {
		key.Subject = &name
	}
	if l == "" {
		return change{key, nil}
	}
	return change{key, &logValue{Level: l}}
}

// kindShown is a kind as it is written: Avro is what is meant where there is none.
func kindShown(kind string) string {
	if kind == kindAvro {
		return ""
	}
	return kind
}

func shownReferences(all []format.Reference) []logReference {
	var out []logReference
	for _, r := range all {
		out = append(out, logReference(r))
	}
	return out
}

func references(all []logReference) []format.Reference {
	var out []format.Reference
	for _, r := range all {
		out = append(out, format.Reference(r))
	}
	return out
}

// writeLocked makes a change durable.
func (s *Store) writeLocked(ctx context.Context, c change) error {
	if s.mu.producer == nil {
		return ErrClosed
	}
	key, err := json.Marshal(c.key)
	if err != nil {
		return err
	}
	var value []byte
	if c.value != nil {
		if value, err = json.Marshal(c.value); err != nil {
			return err
		}
	}
	e := s.mu.producer.NewEpoch()
	if err := e.Append(record.TopicPartition{Topic: Topic}, s.o.Now(), key, value, nil); err != nil {
		return err
	}
	if err := s.mu.producer.Commit(ctx, e, nil); err != nil {
		return fmt.Errorf("write topic %s: %w", Topic, err)
	}
	return nil
}

// load reads all records of the topic.
func (s *Store) load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return client.ReadAll(ctx, s.o.Door, record.TopicPartition{Topic: Topic}, func(c client.Chunk) error {
		for i := range c.Keys {
			if err := s.replayLocked(c.Keys[i], c.Values[i]); err != nil {
				return fmt.Errorf("record at offset %d of %s: %w", c.Offsets[i], Topic, err)
			}
		}
		return nil
	})
}

// replayLocked takes up a record. Kinds that are not known here are left out.
func (s *Store) replayLocked(key, value []byte) error {
	var k logKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	v := logValue{}
	if value != nil {
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("value: %w", err)
		}
	}
	name := ""
	if k.Subject != nil {
		name = *k.Subject
	}
	switch {
	case k.Kind == keyLevel:
		s.putLevelLocked(name, v.Level)
	case k.Kind == keySchema && value != nil:
		if v.Kind == "" {
			v.Kind = kindAvro
		}
		d := format.Definition{Kind: v.Kind, Text: v.Schema, References: references(v.References)}
		s.putLocked(name, version{v.Version, v.ID, v.Deleted}, d)
	}
	return nil
}
