package session

import (
	"strconv"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
)

// pinSetting begins the settings that say which schema a subject had when a statement took its columns from it.
const pinSetting = "mainstem.schema.id."

// A pinning is the registry for statements that take columns from it. It notes which schema was the newest, and gives the noted one to a
// statement that is repeated: by then there may be a newer one, and the columns must be those that they were.
type pinning struct {
	format.Schemas
	settings map[string]string
	pins     map[string]string
}

// Latest implements format.Schemas.
func (p *pinning) Latest(subject string) (format.Registered, error) {
	if id, err := strconv.Atoi(p.settings[pinSetting+subject]); err == nil {
		return p.ByID(id)
	}
	r, err := p.Schemas.Latest(subject)
	if err == nil {
		p.pins[pinSetting+subject] = strconv.Itoa(r.ID)
	}
	return r, err
}

// sides are how a source's keys and values are written.
func (s *Session) sides(source *catalog.Source) (key, value format.Side) {
	key = format.Side{
		Spec: source.KeyFormat.Spec, Schema: source.Key, Key: true, Unwrapped: source.KeyFormat.Unwrapped, Topic: source.Topic, Schemas: s.o.Schemas,
	}
	value = format.Side{
		Spec: source.ValueFormat.Spec, Schema: source.Value, Unwrapped: source.ValueFormat.Unwrapped, Topic: source.Topic, Schemas: s.o.Schemas,
	}
	return key, value
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
