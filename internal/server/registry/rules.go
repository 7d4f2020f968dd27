package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/avro"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/format/protorow"
	"github.com/mainstemio/mainstem/internal/server/registry/evolve"
)

// The kinds of schemas.
const (
	kindAvro     = "AVRO"
	kindProtobuf = "PROTOBUF"
	kindJSON     = "JSON"
)

// A Level says which schemas a subject takes, by what it has.
type Level string

// The levels, by Confluent's names.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD" // the new schema reads what the newest one wrote
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD" // the newest one reads what the new one writes
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL" // both
	FullTransitive     Level = "FULL_TRANSITIVE"
)

var levels = []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}

// levelLocked is the level in force for a subject.
func (s *Store) levelLocked(name string) Level {
	if of := s.mu.subjects[name]; of != nil && of.level != "" {
		return of.level
	}
	return s.mu.level
}

// level returns the level of a subject, or of the registry for "". own: not that of the registry in its place.
func (s *Store) level(name string, own bool) (Level, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.mu.subjects[name]; name != "" && own && (of == nil || of.level == "") {
		return "", &problem{status: statusNotFound, code: 40408, message: fmt.Sprintf("Subject '%s' does not have subject-level compatibility configured", name)}
	}
	return s.levelLocked(name), nil
}

// setLevel changes the level of a subject, or of the registry for ""; the level "" forgets a subject's.
func (s *Store) setLevel(ctx context.Context, name string, l Level) error {
	if l != "" && !slices.Contains(levels, l) {
		return &problem{status: statusUnprocessable, code: 42203, message: fmt.Sprintf("Invalid compatibility level %s. Valid values are %v", l, levels)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writeLocked(ctx, levelRecord(name, l)); err != nil {
		return err
	}
	s.putLevelLocked(name, l)
	return nil
}

func (s *Store) putLevelLocked(name string, l Level) {
	switch {
	case name == "" && l == "":
		s.mu.level = Backward
	case name == "":
		s.mu.level = l
	default:
		if s.mu.subjects[name] == nil {
			s.mu.subjects[name] = &subject{}
		}
		s.mu.subjects[name].level = l
	}
}

// checkedLocked returns a schema in the form in which equal ones are equal, or says why it is none.
func (s *Store) checkedLocked(d format.Definition) (format.Definition, error) {
	if d.Kind == "" {
		d.Kind = kindAvro
	}
	switch {
	case len(d.Text) > maxSchemaBytes || len(d.References) > maxReferences:
		return d, invalid(fmt.Errorf("it has more than %d bytes or %d references", maxSchemaBytes, maxReferences))
	case strings.TrimSpace(d.Text) == "":
		return d, invalid(fmt.Errorf("it is empty"))
	}
	switch d.Kind {
	case kindAvro, kindJSON:
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(d.Text)); err != nil {
			if d.Kind == kindAvro && !strings.ContainsAny(d.Text, "{}[]\"") { // the name of a primitive type, without quotes
				d.Text = `"` + strings.TrimSpace(d.Text) + `"`
				return s.checkedLocked(d)
			}
			return d, invalid(err)
		}
		d.Text = compact.String()
	case kindProtobuf:
		d.Text = strings.TrimRight(d.Text, " \r\n\t") + "\n"
	default:
		return d, invalid(fmt.Errorf("there is no kind %s of schemas", d.Kind))
	}
	return d, s.parsesLocked(d)
}

// parsesLocked says why a schema does not parse.
func (s *Store) parsesLocked(d format.Definition) error {
	imports := map[string]string{}
	if err := s.importsLocked(d.References, imports, 0); err != nil {
		return err
	}
	switch d.Kind {
	case kindAvro:
		_, err := s.avroLocked(d)
		return err
	case kindProtobuf:
		if _, err := protorow.Parse(d.Text, imports); err != nil {
			return invalid(err)
		}
	}
	return nil
}

// importsLocked collects the texts that references name, with those that these name.
func (s *Store) importsLocked(references []format.Reference, into map[string]string, depth int) error {
	if depth > maxReferences {
		return invalid(fmt.Errorf("references go round in a circle"))
	}
	for _, r := range references {
		d, ok := s.referredLocked(r)
		if !ok {
			return &problem{status: statusUnprocessable, code: 42201, message: fmt.Sprintf("No schema reference found for subject %q and version %d", r.Subject, r.Version)}
		}
		into[r.Name] = d.Text
		if err := s.importsLocked(d.References, into, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) referredLocked(r format.Reference) (format.Definition, bool) {
	for _, v := range s.mu.subjects[r.Subject].live() {
		if v.number == r.Version {
			return s.mu.byID[v.id], true
		}
	}
	return format.Definition{}, false
}

// avroLocked parses a schema with what it refers to.
func (s *Store) avroLocked(d format.Definition) (*avro.Schema, error) {
	var known avro.SchemaCache
	var learn func(references []format.Reference) error
	learn = func(references []format.Reference) error {
		for _, r := range references {
			other, _ := s.referredLocked(r) // it is there: importsLocked found it
			if err := learn(other.References); err != nil {
				return err
			}
			if _, err := known.Parse(other.Text, avro.WithLaxNames(nil)); err != nil {
				return invalid(err)
			}
		}
		return nil
	}
	if err := learn(d.References); err != nil {
		return nil, err
	}
	parsed, err := known.Parse(d.Text, avro.WithLaxNames(nil))
	if err != nil {
		return nil, invalid(err)
	}
	return parsed, nil
}

// compatibleLocked says why a schema cannot follow the versions that there are.
func (s *Store) compatibleLocked(d format.Definition, live []version, l Level) error {
	if l == None || len(live) == 0 {
		return nil
	}
	transitive := strings.HasSuffix(string(l), "_TRANSITIVE")
	if !transitive {
		live = live[len(live)-1:]
	}
	for _, v := range live {
		old := s.mu.byID[v.id]
		if old.Kind != d.Kind {
			return incompatible([]string{fmt.Sprintf("version %d is of kind %s, not %s", v.number, old.Kind, d.Kind)})
		}
		var why []string
		for _, way := range l.ways() {
			writer, reader := old, d
			if way == Forward {
				writer, reader = d, old
			}
			reasons, err := s.readsLocked(reader, writer)
			if err != nil {
				return err
			}
			for _, r := range reasons {
				why = append(why, fmt.Sprintf("version %d: %s: %s", v.number, unread[way], r))
			}
		}
		if len(why) > 0 {
			return incompatible(why)
		}
	}
	return nil
}

// unread says what one of two schemas cannot do, by the level that asks for it.
var unread = map[Level]string{
	Backward: "the new schema cannot read what it wrote", Forward: "it cannot read what the new schema writes",
}

// ways are what a level asks for: Backward, Forward or both.
func (l Level) ways() []Level {
	switch {
	case strings.HasPrefix(string(l), string(Backward)):
		return []Level{Backward}
	case strings.HasPrefix(string(l), string(Forward)):
		return []Level{Forward}
	}
	return []Level{Backward, Forward}
}

// readsLocked says why a schema does not read what another one of its kind wrote; nothing: it does.
func (s *Store) readsLocked(reader, writer format.Definition) ([]string, error) {
	if reader.Kind == kindAvro {
		return s.avroReadsLocked(reader, writer)
	}
	texts := [2]evolve.Text{}
	for i, d := range []format.Definition{writer, reader} {
		texts[i] = evolve.Text{Schema: d.Text, Imports: map[string]string{}}
		if err := s.importsLocked(d.References, texts[i].Imports, 0); err != nil {
			return nil, err
		}
	}
	var found []evolve.Difference
	var err error
	if reader.Kind == kindProtobuf {
		found, err = protobufReads(texts[1], texts[0])
	} else {
		found, err = evolve.JSON(texts[0], texts[1])
	}
	if err != nil {
		return nil, invalid(err)
	}
	out := make([]string, len(found))
	for i, d := range found {
		out[i] = d.String()
	}
	return out, nil
}

func protobufReads(reader, writer evolve.Text) ([]evolve.Difference, error) {
	newer, err := protorow.Parse(reader.Schema, reader.Imports)
	if err != nil {
		return nil, err
	}
	older, err := protorow.Parse(writer.Schema, writer.Imports)
	if err != nil {
		return nil, err
	}
	return evolve.Protobuf(older.Descriptor(), newer.Descriptor()), nil
}

func (s *Store) avroReadsLocked(reader, writer format.Definition) ([]string, error) {
	newer, err := s.avroLocked(reader)
	if err != nil {
		return nil, err
	}
	older, err := s.avroLocked(writer)
	if err != nil {
		return nil, err
	}
	if err := avro.CheckCompatibility(older, newer); err != nil {
		return []string{err.Error()}, nil
	}
	return nil, nil
}

// test says whether a schema could follow a version of a subject, or with number 0 all that its level asks for.
func (s *Store) test(name string, number int, d format.Definition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.checkedLocked(d)
	if err != nil {
		return err
	}
	live := s.mu.subjects[name].live()
	if number != 0 {
		if len(live) == 0 {
			return noSubject(name)
		}
		i := len(live) - 1
		if number != latest {
			i = slices.IndexFunc(live, func(v version) bool { return v.number == number })
		}
		if i < 0 {
			return noVersion(number)
		}
		live = live[i : i+1]
	}
	return s.compatibleLocked(d, live, s.levelLocked(name))
}
