package session

import (
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
)

// sides are how a source's keys and values are written.
func (s *Session) sides(source *catalog.Source) (key, value format.Side) {
	return format.Side{
			Spec: source.KeyFormat.Spec, Schema: source.Key, Key: true, Unwrapped: source.KeyFormat.Unwrapped, Topic: source.Topic, Schemas: s.o.Schemas,
		}, format.Side{
			Spec: source.ValueFormat.Spec, Schema: source.Value, Unwrapped: source.ValueFormat.Unwrapped, Topic: source.Topic, Schemas: s.o.Schemas,
		}
}

// register makes sure that a source's topic has schemas. replace registers those of a query's result also where others are there.
func (s *Session) register(source *catalog.Source, replace bool) error {
	key, value := s.sides(source)
	if err := format.Register(key, replace); err != nil {
		return err
	}
	return format.Register(value, replace)
}

// checkSchemas refuses results that the schemas whose ids the statement gives do not have.
func (s *Session) checkSchemas(sink *catalog.Source) error {
	key, value := s.sides(sink)
	for _, side := range []format.Side{key, value} {
		if _, given := side.Props[format.PropSchemaID]; !given {
			continue
		}
		if err := format.CheckGiven(side); err != nil {
			return err
		}
	}
	return nil
}
