// Package registry is the node's own schema registry: schemas by id, and the versions of each subject.
//
// Callers: the node, whose SQL asks the Store for schemas (format.Schemas) and whose HTTP server has its Paths, with which clients of
// Confluent's Schema Registry work. It calls a client.Door for the topic that keeps everything.
//
// Owner and locks: a Store is safe for concurrent use; its one lock is held while a change is written, so that changes have an order.
//
// Format: the compacted topic _schemas, one record for each version of a subject, each compatibility level and each subject that was
// deleted, by keys and values like those of Confluent's registry (log.go). An id means the same schema for ever. A change counts when its
// record is durable.
//
// Not here: registries of others (internal/format/registry), several nodes with one registry, contexts, schema rules, modes other than
// READWRITE.
package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/record"
)

// Topic holds the schemas.
const Topic = "_schemas"

// patience bounds a change that has no context of its own.
const patience = 30 * time.Second

// Bounds of a registry.
const (
	maxSchemaBytes = 1 << 20
	maxReferences  = 100
)

// Options of Open.
type Options struct {
	Door client.Door
	// Now is the time of records.
	Now func() record.Timestamp
}

// A Store holds schemas.
type Store struct {
	o  Options
	mu struct {
		sync.Mutex
		producer client.Producer // nil after Close
		byID     map[int]format.Definition
		ids      map[string]int // by what the schema says
		subjects map[string]*subject
		level    Level
		last     int // id
	}
}

// A subject is a name with versions of its schema.
type subject struct {
	versions []version // in the order of their numbers, which no deletion frees
	level    Level     // "": that of the registry
}

type version struct {
	number, id int
	deleted    bool
}

// live are the versions that were not deleted.
func (s *subject) live() []version {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.versions), func(v version) bool { return v.deleted })
}

// Open reads the topic, which it makes if need be.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{o: o}
	s.mu.byID, s.mu.ids, s.mu.subjects, s.mu.level = map[int]format.Definition{}, map[string]int{}, map[string]*subject{}, Backward
	spec := client.TopicSpec{Name: Topic, Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact"}}
	if _, err := o.Door.EnsureTopics(ctx, spec); err != nil {
		return nil, fmt.Errorf("open schema registry: %w", err)
	}
	producer, err := o.Door.OpenProducer(ctx, Topic)
	if err != nil {
		return nil, fmt.Errorf("open schema registry: %w", err)
	}
	s.mu.producer = producer
	if err := s.load(ctx); err != nil {
		producer.Close()
		return nil, fmt.Errorf("open schema registry: %w", err)
	}
	return s, nil
}

// ErrClosed: the registry was closed.
var ErrClosed = errors.New("the schema registry is closed")

// Close ends changes.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.producer != nil {
		s.mu.producer.Close()
		s.mu.producer = nil
	}
}

// identity is what a schema says, for comparison.
func identity(d format.Definition) string {
	return fmt.Sprint(d.Kind, "\x00", d.Text, "\x00", d.References)
}

// Register implements format.Schemas.
func (s *Store) Register(name string, d format.Definition) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.register(ctx, name, d)
}

// register adds a schema as the newest version of a subject, unless it is one of its versions already.
func (s *Store) register(ctx context.Context, name string, d format.Definition) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.checkedLocked(d)
	if err != nil {
		return 0, err
	}
	of := s.mu.subjects[name]
	id, known := s.mu.ids[identity(d)]
	live := of.live()
	if known && slices.ContainsFunc(live, func(v version) bool { return v.id == id }) {
		return id, nil
	}
	if err := s.compatibleLocked(d, live, s.levelLocked(name)); err != nil {
		return 0, err
	}
	if !known {
		id = s.mu.last + 1
	}
	number := 1
	if of != nil && len(of.versions) > 0 {
		number = of.versions[len(of.versions)-1].number + 1
	}
	if err := s.writeLocked(ctx, schemaRecord(name, version{number: number, id: id}, d)); err != nil {
		return 0, err
	}
	s.putLocked(name, version{number: number, id: id}, d)
	return id, nil
}

// putLocked takes up a version.
func (s *Store) putLocked(name string, v version, d format.Definition) {
	of := s.mu.subjects[name]
	if of == nil {
		of = &subject{}
		s.mu.subjects[name] = of
	}
	i, there := slices.BinarySearchFunc(of.versions, v.number, func(o version, n int) int { return o.number - n })
	if there {
		of.versions[i] = v
	} else {
		of.versions = slices.Insert(of.versions, i, v)
	}
	s.mu.byID[v.id] = d
	if _, known := s.mu.ids[identity(d)]; !known {
		s.mu.ids[identity(d)] = v.id
	}
	s.mu.last = max(s.mu.last, v.id)
}

// Latest implements format.Schemas.
func (s *Store) Latest(name string) (format.Registered, error) {
	r, _, err := s.version(name, latest)
	return r, notThere(err)
}

// Version implements format.Schemas.
func (s *Store) Version(name string, number int) (format.Registered, error) {
	r, _, err := s.version(name, number)
	return r, notThere(err)
}

// ByID implements format.Schemas.
func (s *Store) ByID(id int) (format.Registered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.mu.byID[id]
	if !ok {
		return format.Registered{}, format.ErrNoSchema
	}
	return format.Registered{ID: id, Definition: d}, nil
}

// notThere turns what is missing into the error of format.Schemas.
func notThere(err error) error {
	var p *problem
	if errors.As(err, &p) && p.status == statusNotFound {
		return format.ErrNoSchema
	}
	return err
}

// latest is the number that stands for the newest version.
const latest = -1

// version returns a version of a subject, and its number.
func (s *Store) version(name string, number int) (format.Registered, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.mu.subjects[name].live()
	if len(live) == 0 {
		return format.Registered{}, 0, noSubject(name)
	}
	i := len(live) - 1
	if number != latest {
		i = slices.IndexFunc(live, func(v version) bool { return v.number == number })
	}
	if i < 0 {
		return format.Registered{}, 0, noVersion(number)
	}
	return format.Registered{ID: live[i].id, Definition: s.mu.byID[live[i].id]}, live[i].number, nil
}

// find returns the version of a subject that has a schema.
func (s *Store) find(name string, d format.Definition) (format.Registered, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.mu.subjects[name].live()
	if len(live) == 0 {
		return format.Registered{}, 0, noSubject(name)
	}
	d, err := s.checkedLocked(d)
	if err != nil {
		return format.Registered{}, 0, err
	}
	id, known := s.mu.ids[identity(d)]
	i := slices.IndexFunc(live, func(v version) bool { return v.id == id })
	if !known || i < 0 {
		return format.Registered{}, 0, noSchema()
	}
	return format.Registered{ID: id, Definition: d}, live[i].number, nil
}

// names lists the subjects that have versions.
func (s *Store) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.mu.subjects)) {
		if len(s.mu.subjects[name].live()) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// numbers lists the versions of a subject.
func (s *Store) numbers(name string) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.mu.subjects[name].live()
	if len(live) == 0 {
		return nil, noSubject(name)
	}
	out := make([]int, len(live))
	for i, v := range live {
		out[i] = v.number
	}
	return out, nil
}

// A use is a version of a subject that has a schema.
type use struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// uses lists where a schema is a version.
func (s *Store) uses(id int) ([]use, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.byID[id]; !ok {
		return nil, noSchema()
	}
	out := []use{}
	for _, name := range slices.Sorted(maps.Keys(s.mu.subjects)) {
		for _, v := range s.mu.subjects[name].live() {
			if v.id == id {
				out = append(out, use{name, v.number})
			}
		}
	}
	return out, nil
}

// remove deletes a version of a subject, or with all every version. Ids go on meaning their schemas.
func (s *Store) remove(ctx context.Context, name string, number int, all bool) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.mu.subjects[name].live()
	if len(live) == 0 {
		return nil, noSubject(name)
	}
	if number == latest {
		number = live[len(live)-1].number
	}
	var gone []int
	for _, v := range live {
		if !all && v.number != number {
			continue
		}
		if user := s.userLocked(name, v.number); user != "" {
			return nil, &problem{status: statusUnprocessable, code: 42206, message: fmt.Sprintf("One or more references exist to the schema {subject=%s,version=%d}: %s has one", name, v.number, user)}
		}
		v.deleted = true
		if err := s.writeLocked(ctx, schemaRecord(name, v, s.mu.byID[v.id])); err != nil {
			return nil, err
		}
		s.putLocked(name, v, s.mu.byID[v.id])
		gone = append(gone, v.number)
	}
	if gone == nil {
		return nil, noVersion(number)
	}
	return gone, nil
}

// userLocked is a subject whose schema refers to a version, empty if there is none.
func (s *Store) userLocked(name string, number int) string {
	for other, of := range s.mu.subjects {
		for _, v := range of.live() {
			for _, r := range s.mu.byID[v.id].References {
				if r.Subject == name && r.Version == number {
					return other
				}
			}
		}
	}
	return ""
}
