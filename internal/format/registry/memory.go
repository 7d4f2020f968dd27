package registry

import (
	"slices"
	"sync"

	"github.com/mainstemio/mainstem/internal/format"
)

// A Memory is a registry in memory: ids count from 1, and the same schema has the same id under every subject.
type Memory struct {
	mu struct {
		sync.Mutex
		schemas  []format.Definition // by id, from 1
		subjects map[string][]int    // ids by version, from 1
	}
}

// NewMemory returns an empty registry.
func NewMemory() *Memory {
	m := &Memory{}
	m.mu.subjects = map[string][]int{}
	return m
}

// Register implements format.Schemas.
func (m *Memory) Register(subject string, d format.Definition) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.mu.schemas, func(o format.Definition) bool {
		return o.Kind == d.Kind && o.Text == d.Text && slices.Equal(o.References, d.References)
	})
	if i < 0 {
		i = len(m.mu.schemas)
		m.mu.schemas = append(m.mu.schemas, d)
	}
	id := i + 1
	if !slices.Contains(m.mu.subjects[subject], id) {
		m.mu.subjects[subject] = append(m.mu.subjects[subject], id)
	}
	return id, nil
}

// Latest implements format.Schemas.
func (m *Memory) Latest(subject string) (format.Registered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versionLocked(subject, len(m.mu.subjects[subject]))
}

// Version implements format.Schemas.
func (m *Memory) Version(subject string, version int) (format.Registered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versionLocked(subject, version)
}

func (m *Memory) versionLocked(subject string, version int) (format.Registered, error) {
	ids := m.mu.subjects[subject]
	if version < 1 || version > len(ids) {
		return format.Registered{}, format.ErrNoSchema
	}
	id := ids[version-1]
	return format.Registered{ID: id, Definition: m.mu.schemas[id-1]}, nil
}

// ByID implements format.Schemas.
func (m *Memory) ByID(id int) (format.Registered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id < 1 || id > len(m.mu.schemas) {
		return format.Registered{}, format.ErrNoSchema
	}
	return format.Registered{ID: id, Definition: m.mu.schemas[id-1]}, nil
}
