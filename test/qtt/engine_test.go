package qtt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/catalog"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/internal/sql/function/builtin"
	"github.com/mainstemio/mainstem/internal/sql/plan"
	"github.com/mainstemio/mainstem/internal/sql/session"
	"github.com/mainstemio/mainstem/internal/sql/trial"
	log "github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// An engine is the SQL engine as a Driver.
type engine struct {
	t *trial.Trial
}

// openDriver opens the engine that the cases are about. It shares the registry with the runner.
func openDriver(r *Registry) (Driver, error) {
	lib, err := functions()
	if err != nil {
		return nil, err
	}
	return &engine{trial.New(trial.Options{Functions: lib, Schemas: engineSchemas{r}})}, nil
}

func (e *engine) CreateTopic(name string, partitions, replicas int) error {
	return e.t.CreateTopic(context.Background(), session.Topic{Name: name, Partitions: int32(partitions), Replicas: replicas})
}

func (e *engine) Exec(script string, properties map[string]string) error {
	_, err := e.t.Exec(context.Background(), script, properties)
	var s *session.StatementError
	if !errors.As(err, &s) {
		return err
	}
	phase := map[session.Phase]Phase{session.Parse: PhaseParse, session.Plan: PhaseAnalyse, session.Run: PhaseRun}[s.Phase]
	return &StatementError{Phase: phase, Statement: s.Index, Err: s}
}

func (e *engine) Queries() []Query {
	var out []Query
	for _, q := range e.t.Queries() {
		d := Query{ID: q.ID, Sink: q.Plan.Sink.Topic}
		for _, s := range q.Plan.Sources {
			if !slices.Contains(d.Sources, s.Topic) {
				d.Sources = append(d.Sources, s.Topic)
			}
		}
		out = append(out, d)
	}
	return out
}

func (e *engine) Pipe(query, topic string, r Record) error {
	in := log.Record{Key: r.Key, Value: r.Value, Timestamp: log.Timestamp(r.Timestamp)}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, log.Header{Key: h.Key, Value: h.Value})
	}
	return e.t.Pipe(query, topic, in)
}

func (e *engine) Drain(topic string) []Record {
	var out []Record
	for _, w := range e.t.Drain(topic) {
		r := Record{Key: w.Key, Value: w.Value, Timestamp: int64(w.Timestamp)}
		for _, h := range w.Headers {
			r.Headers = append(r.Headers, Header{Key: h.Key, Value: h.Value})
		}
		out = append(out, r)
	}
	return out
}

func (e *engine) Sources() []Source {
	var out []Source
	for _, s := range e.t.Catalog().Sources() {
		out = append(out, Source{
			Name: s.Name, Type: s.Kind(), Schema: sourceText(s), Topic: s.Topic, ReadOnly: s.ReadOnly,
			Key: formatOf(s.KeyFormat), Value: formatOf(s.ValueFormat), Window: Window{string(s.Window.Kind), s.Window.SizeMs},
		})
	}
	return out
}

func formatOf(s catalog.Serialized) Format {
	return Format{Name: s.Name, Properties: s.Props, Features: plan.Features(s)}
}

// sourceText writes columns as CREATE does.
func sourceText(s *catalog.Source) string {
	var parts []string
	add := func(schema row.Schema, suffix string) {
		for _, c := range schema {
			parts = append(parts, ast.Quote(c.Name)+" "+c.Type.String()+suffix)
		}
	}
	add(s.Key, " KEY")
	add(s.Value, "")
	for _, h := range s.Headers {
		suffix := " HEADERS"
		if h.Key != "" {
			suffix = " HEADER('" + h.Key + "')"
		}
		parts = append(parts, ast.Quote(h.Name)+" "+h.Type.String()+suffix)
	}
	return strings.Join(parts, ", ")
}

func (e *engine) Topics() []Topic {
	var out []Topic
	for _, t := range e.t.Made() {
		out = append(out, Topic{Name: t.Name, Partitions: int(t.Partitions), Replicas: t.Replicas})
	}
	for _, q := range e.t.Queries() {
		for _, name := range e.t.Internal(q.ID) {
			out = append(out, Topic{Name: name, Partitions: 1, Replicas: 1, Internal: true})
		}
	}
	return out
}

func (e *engine) Close() error { return nil }

// engineSchemas is the runner's registry as the engine sees it.
type engineSchemas struct{ r *Registry }

func (s engineSchemas) Register(subject string, d format.Definition) (int, error) {
	schema := Schema{Type: d.Kind, Text: d.Text}
	for _, r := range d.References {
		schema.References = append(schema.References, Reference(r))
	}
	return s.r.Register(subject, schema), nil
}

func (s engineSchemas) Latest(subject string) (format.Registered, error) {
	schema, id, ok := s.r.Latest(subject)
	return registered(schema, id, ok)
}

func (s engineSchemas) ByID(id int) (format.Registered, error) {
	schema, ok := s.r.ByID(id)
	return registered(schema, id, ok)
}

func (s engineSchemas) Version(subject string, version int) (format.Registered, error) {
	schema, id, ok := s.r.Version(subject, version)
	return registered(schema, id, ok)
}

func registered(s Schema, id int, ok bool) (format.Registered, error) {
	if !ok {
		return format.Registered{}, format.ErrNoSchema
	}
	d := format.Definition{Kind: s.Type, Text: s.Text}
	for _, r := range s.References {
		d.References = append(d.References, format.Reference(r))
	}
	return format.Registered{ID: id, Definition: d}, nil
}

// functions is the library of the cases, which they share: the product's own, and those that only the suite has.
var functions = sync.OnceValues(func() (*function.Library, error) {
	lib := builtin.New(builtin.Options{}) // cases that ask for the time want the machine's
	return lib, addTestFunctions(lib)
})
