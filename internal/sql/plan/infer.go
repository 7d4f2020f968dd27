package plan

import (
	"strings"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/row"
)

// The properties of WITH that name a registered schema.
const (
	withKeySchemaID   = "KEY_SCHEMA_ID"
	withValueSchemaID = "VALUE_SCHEMA_ID"
)

// inferred gives a source the columns of registered schemas where the statement has none.
func inferred(c Context, w with, out *catalog.Source) error {
	key, value, err := w.formatNames()
	if err != nil {
		return err
	}
	if key == "" {
		key = strings.ToUpper(c.Settings.get(settingKeyFormat, format.Kafka))
	}
	if value == "" {
		value = strings.ToUpper(c.Settings.get(settingValueFormat, ""))
	}
	if err := w.schemaIDs(key, value); err != nil {
		return err
	}
	for _, side := range []struct {
		name, id string
		key      bool
		columns  *row.Schema
	}{{key, withKeySchemaID, true, &out.Key}, {value, withValueSchemaID, false, &out.Value}} {
		if _, given := w.props[side.id]; given && len(*side.columns) > 0 {
			return errorf("Table elements and %s cannot both exist for create statement.", side.id)
		}
		trait, ok := format.TraitOf(side.name)
		if !ok || !trait.Infers || len(*side.columns) > 0 {
			continue
		}
		spec, err := w.properties(format.Spec{Name: side.name}, side.key)
		if err != nil {
			return err
		}
		wrap, given, err := w.boolean(withWrap)
		if err != nil {
			return err
		}
		unwrapped := side.key && trait.Unwraps || !side.key && given && !wrap
		*side.columns, err = format.Infer(format.Side{Spec: spec, Key: side.key, Unwrapped: unwrapped, Topic: out.Topic, Schemas: c.Schemas})
		if err != nil {
			return errorf("%s", err)
		}
	}
	return distinct(out)
}

// distinct refuses a column that key and value both have.
func distinct(s *catalog.Source) error {
	keys := map[string]bool{}
	for _, c := range s.Key {
		keys[c.Name] = true
	}
	for _, c := range s.Value {
		if keys[c.Name] {
			return errorf("Duplicate column names: %s", row.Quote(c.Name))
		}
	}
	return nil
}

// schemaIDs refuses the ids of schemas for formats that have none.
func (w with) schemaIDs(key, value string) error {
	for _, p := range []struct{ id, property, name string }{{withKeySchemaID, withKeyFormat, key}, {withValueSchemaID, withValueFormat, value}} {
		trait, known := format.TraitOf(p.name)
		if _, given := w.props[p.id]; given && known && !trait.Infers {
			return errorf("%s should support schema inference when %s is provided. Current format is %s.", p.property, p.id, p.name)
		}
	}
	return nil
}

// named gives the records of Avro keys a name of their own, as ksqlDB does: that of the source.
func named(s catalog.Serialized, source string) catalog.Serialized {
	if _, given := s.Props[format.PropFullName]; given || s.Name != format.Avro {
		return s
	}
	var camel strings.Builder
	upper := true
	for _, c := range strings.ToLower(source) {
		switch {
		case c >= 'a' && c <= 'z' && upper:
			camel.WriteRune(c - 'a' + 'A')
			upper = false
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			camel.WriteRune(c)
		default:
			upper = true
		}
	}
	s.Spec = s.With(format.PropFullName, avroNamespace+"."+camel.String()+"Key")
	return s
}

// avroNamespace is that of the names that ksqlDB gives.
const avroNamespace = "io.confluent.ksql.avro_schemas"
