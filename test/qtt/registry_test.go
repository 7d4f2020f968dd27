package qtt

import (
	"fmt"
	"sync"
)

// A Registry is a schema registry in memory. The runner and the engine of a case share one, as their producers and consumers would share
// a server. Ids are given from 1 in the order of registration; the same schema has the same id under every subject.
type Registry struct {
	mu struct {
		sync.Mutex
		schemas  map[int]Schema
		subjects map[string][]int // ids by version, from version 1
		next     int
	}
}

// A Schema is a registered schema's text.
type Schema struct {
	Type       string // "AVRO", "PROTOBUF", "JSON"
	Text       string
	References []Reference
}

// A Reference names a schema that another one imports.
type Reference struct {
	Name    string // as the import says
	Subject string
	Version int
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	r := &Registry{}
	r.mu.schemas, r.mu.subjects, r.mu.next = map[int]Schema{}, map[string][]int{}, 1
	return r
}

// Register adds a version to a subject unless it has the schema already, and returns the schema's id.
func (r *Registry) Register(subject string, s Schema) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, known := range r.mu.schemas {
		if known.same(s) {
			r.addLocked(subject, id)
			return id
		}
	}
	for r.mu.schemas[r.mu.next].Type != "" {
		r.mu.next++
	}
	id := r.mu.next
	r.mu.schemas[id] = s
	r.addLocked(subject, id)
	return id
}

// Reserve leaves out the next n ids.
func (r *Registry) Reserve(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.next += n
}

// RegisterAs adds a version with an id that the caller chose.
func (r *Registry) RegisterAs(subject string, s Schema, id int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.mu.schemas[id]; ok && !known.same(s) {
		return fmt.Errorf("schema id %d has another schema", id)
	}
	r.mu.schemas[id] = s
	r.addLocked(subject, id)
	return nil
}

func (r *Registry) addLocked(subject string, id int) {
	for _, known := range r.mu.subjects[subject] {
		if known == id {
			return
		}
	}
	r.mu.subjects[subject] = append(r.mu.subjects[subject], id)
}

// Latest returns the newest schema of a subject and its id.
func (r *Registry) Latest(subject string) (Schema, int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.mu.subjects[subject]
	if len(ids) == 0 {
		return Schema{}, 0, false
	}
	id := ids[len(ids)-1]
	return r.mu.schemas[id], id, true
}

// ByID returns the schema of an id.
func (r *Registry) ByID(id int) (Schema, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.mu.schemas[id]
	return s, ok
}

// Version returns the schema of one version of a subject, from 1.
func (r *Registry) Version(subject string, version int) (Schema, int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.mu.subjects[subject]
	if version < 1 || version > len(ids) {
		return Schema{}, 0, false
	}
	return r.mu.schemas[ids[version-1]], ids[version-1], true
}

// same tells whether two schemas have one id.
func (s Schema) same(other Schema) bool {
	if s.Type != other.Type || s.Text != other.Text || len(s.References) != len(other.References) {
		return false
	}
	for i, ref := range s.References {
		if ref != other.References[i] {
			return false
		}
	}
	return true
}
