package format

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/row"
)

// The names of columns that a schema without fields gives.
const (
	rowKey   = "ROWKEY"
	rowValue = "ROWVAL"
)

// Infer returns the columns of a topic's keys or values by the schema whose id the side gives, otherwise by the subject's newest. Names are
// in upper case unless the id is given. An unwrapped side has one column, ROWKEY or ROWVAL.
func Infer(s Side) (row.Schema, error) {
	if s.Schemas == nil {
		return nil, errNoRegistry(s)
	}
	found, given, err := givenSchema(s)
	if !given {
		found, err = s.Schemas.Latest(Subject(s.Topic, s.Key))
	}
	switch {
	case errors.Is(err, ErrNoSchema):
		return nil, missing(s)
	case err != nil:
		return nil, fmt.Errorf("Schema registry fetch for topic %s request failed. Topic: %s: %w", side(s.Key, "key", "value"), s.Topic, err)
	}
	d := dialects[s.Name]
	if found.Kind != d.kind() {
		return nil, fmt.Errorf("%s schema is not in the expected format. You may want to set %s to '%s'.\ntopic: %s\nexpected format: %s\nactual format: %s",
			side(s.Key, "Key", "Value"), side(s.Key, "KEY_FORMAT", "VALUE_FORMAT"), found.Kind, s.Topic, d.kind(), found.Kind)
	}
	columns, err := columnsOf(s, found, !given)
	if err != nil {
		return nil, fmt.Errorf("Unable to verify if the %s schema for topic %s is compatible with ksqlDB.\nReason: %w\nSchema: %s",
			side(s.Key, "key", "value"), s.Topic, err, found.Text)
	}
	return columns, nil
}

func side(key bool, ofKey, ofValue string) string {
	if key {
		return ofKey
	}
	return ofValue
}

// missing tells what may be wrong where a schema is not there.
func missing(s Side) error {
	return fmt.Errorf("Schema for message %s on topic '%s' does not exist in the Schema Registry.\nSubject: %s\nPossible causes: the topic does not exist (SHOW TOPICS tells); its records are not written in a format with registered schemas (PRINT tells); the schema is in another registry; it may not be read by this user.",
		side(s.Key, "keys", "values"), s.Topic, Subject(s.Topic, s.Key))
}

// columnsOf makes columns of a schema.
func columnsOf(s Side, found Registered, upper bool) (row.Schema, error) {
	d, err := resolve(s.Schemas, found.Definition)
	if err != nil {
		return nil, err
	}
	t, err := dialects[s.Name].infer(s, d)
	if err != nil {
		return nil, err
	}
	if upper {
		if t, err = inUpperCase(t); err != nil {
			return nil, err
		}
	}
	if s.Unwrapped && traits[s.Name].Unwraps {
		return row.Schema{{Name: side(s.Key, rowKey, rowValue), Type: t}}, nil
	}
	if t.Kind != row.KindStruct {
		return nil, errors.New("Schema returned from schema registry is anonymous type. To use this schema with ksqlDB, set 'WRAP_SINGLE_VALUE=false' in the WITH clause properties.")
	}
	columns := make(row.Schema, len(t.Fields))
	for i, f := range t.Fields {
		columns[i] = row.Column(f)
	}
	return columns, nil
}

// inUpperCase is a type with the names of its fields in upper case.
func inUpperCase(t *row.Type) (_ *row.Type, err error) {
	if !t.Kind.IsNested() {
		return t, nil
	}
	out := *t
	if t.Elem != nil {
		if out.Elem, err = inUpperCase(t.Elem); err != nil {
			return nil, err
		}
	}
	if t.Key != nil {
		if out.Key, err = inUpperCase(t.Key); err != nil {
			return nil, err
		}
	}
	out.Fields = make([]row.Field, len(t.Fields))
	seen := map[string]bool{}
	for i, f := range t.Fields {
		name := strings.ToUpper(f.Name)
		if seen[name] {
			return nil, fmt.Errorf("two fields are called %s", row.Quote(name))
		}
		seen[name] = true
		inner, err := inUpperCase(f.Type)
		if err != nil {
			return nil, err
		}
		out.Fields[i] = row.Field{Name: name, Type: inner}
	}
	return &out, nil
}

// Register makes sure that a topic's records have a schema: the one whose id the side gives, or that of the columns. replace registers
// that of the columns also where the subject has another one already.
func Register(s Side, replace bool) error {
	if !traits[s.Name].Infers || len(s.Schema) == 0 {
		return nil
	}
	if s.Schemas == nil {
		return errNoRegistry(s)
	}
	subject := Subject(s.Topic, s.Key)
	latest, err := s.Schemas.Latest(subject)
	switch {
	case err == nil && !replace:
		return nil
	case err != nil && !errors.Is(err, ErrNoSchema):
		return fmt.Errorf("Could not register schema for topic: %w", err)
	}
	given, ok, err := givenSchema(s)
	if err != nil {
		return err
	}
	if !ok {
		text, err := dialects[s.Name].text(s)
		if err != nil {
			return err
		}
		given.Definition = Definition{Kind: dialects[s.Name].kind(), Text: text}
	} else if _, err := writerOf(s, given); err != nil && replace {
		return err
	}
	if ok && latest.ID == given.ID {
		return nil
	}
	if _, err := s.Schemas.Register(subject, given.Definition); err != nil {
		return fmt.Errorf("Could not register schema for topic: %w", err)
	}
	return nil
}

// CheckGiven says why columns cannot be written with the schema whose id the side gives: it must have each of them, in their order.
func CheckGiven(s Side) error {
	have, err := Infer(s)
	if err != nil {
		return err
	}
	var wrong row.Schema
	next := 0
	for _, c := range s.Schema {
		at := next
		for at < len(have) && have[at].Name != c.Name && !s.Unwrapped {
			at++
		}
		if at == len(have) || !have[at].Type.Equal(c.Type) {
			wrong = append(wrong, c)
			continue
		}
		next = at + 1
	}
	if len(wrong) > 0 {
		return fmt.Errorf("The following %s columns are changed, missing or reordered: [%s]. Schema from schema registry is [%s]",
			side(s.Key, "key", "value"), wrong, have)
	}
	return nil
}
