// Package catalog holds what SQL knows by name: streams and tables with their columns, topics and formats, and named types.
//
// Callers: the planner reads it, the session changes it. It calls row and format.
//
// Owner and locks: a Catalog belongs to its session, which changes it from one goroutine. A Source never changes once it is in: a new
// version takes its place.
//
// Format: none; what is durable is the text of the statements that made the entries.
//
// Not here: running queries, topics themselves.
package catalog

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/format"
	"github.com/mainstemio/mainstem/row"
)

// A WindowKind is how the keys of a source are windowed.
type WindowKind string

// The kinds of windowed keys.
const (
	NotWindowed WindowKind = ""
	Tumbling    WindowKind = "TUMBLING"
	Hopping     WindowKind = "HOPPING"
	Session     WindowKind = "SESSION"
)

// A Window says how a source's keys are windowed. SizeMs is 0 for sessions.
type Window struct {
	Kind   WindowKind
	SizeMs int64
}

// Windowed tells whether keys carry a window.
func (w Window) Windowed() bool { return w.Kind != NotWindowed }

// A Serialized says how keys or values are written.
type Serialized struct {
	format.Spec
	// Unwrapped: a single column stands for itself. Chosen tells that the statement said so, by WRAP_SINGLE_VALUE.
	Unwrapped, Chosen bool
}

// A Header is a column of record headers: all of them, or the value of the last one with the Key.
type Header struct {
	row.Column
	Key string // empty: all
}

// A Source is a stream or a table.
type Source struct {
	Name    string
	Table   bool
	Key     row.Schema
	Value   row.Schema
	Headers []Header
	Topic   string
	// KeyFormat and ValueFormat say how the topic's records are written.
	KeyFormat, ValueFormat Serialized
	KeySpec                format.Spec // what was said of keys, also where there are none: what queries on the source begin with
	Window                 Window
	Time                   Time
	ReadOnly               bool   // CREATE SOURCE
	Made                   bool   // by a query, which writes its topic
	Statement              string // that made it
	Partitions             int32  // of the topic, when it was made
}

// A Time says which column gives the times of records; without one it is the record's own.
type Time struct {
	Column string
	Format string // of a text column, a pattern of Java's DateTimeFormatter
}

// Kind is the word for what the source is: stream or table.
func (s *Source) Kind() string {
	if s.Table {
		return "table"
	}
	return "stream"
}

// Column finds a key or value column by its name.
func (s *Source) Column(name string) (t *row.Type, key, ok bool) {
	if i := s.Key.Index(name); i >= 0 {
		return s.Key[i].Type, true, true
	}
	if i := s.Value.Index(name); i >= 0 {
		return s.Value[i].Type, false, true
	}
	for _, h := range s.Headers {
		if h.Name == name {
			return h.Type, false, true
		}
	}
	return nil, false, false
}

// A Catalog is all that has a name.
type Catalog struct {
	sources map[string]*Source
	types   map[string]*row.Type
}

// New returns an empty catalog.
func New() *Catalog {
	return &Catalog{sources: map[string]*Source{}, types: map[string]*row.Type{}}
}

// Clone returns a copy that can be changed on its own.
func (c *Catalog) Clone() *Catalog {
	return &Catalog{sources: maps.Clone(c.sources), types: maps.Clone(c.types)}
}

// Source returns a stream or table, nil if there is none of the name.
func (c *Catalog) Source(name string) *Source { return c.sources[name] }

// Sources returns all in the order of their names.
func (c *Catalog) Sources() []*Source {
	return slices.SortedFunc(maps.Values(c.sources), func(a, b *Source) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// Each yields all in no order, for those who look for a few among many.
func (c *Catalog) Each() iter.Seq[*Source] { return maps.Values(c.sources) }

// Put adds a source or puts it in the place of the one with its name.
func (c *Catalog) Put(s *Source) { c.sources[s.Name] = s }

// Drop removes a source.
func (c *Catalog) Drop(name string) { delete(c.sources, name) }

// Type returns a named type, nil if there is none.
func (c *Catalog) Type(name string) *row.Type { return c.types[name] }

// Types returns the named types.
func (c *Catalog) Types() map[string]*row.Type { return maps.Clone(c.types) }

// PutType names a type.
func (c *Catalog) PutType(name string, t *row.Type) error {
	if c.types[name] != nil {
		return fmt.Errorf("Cannot register custom type '%s' since it is already registered with type: %s", name, c.types[name])
	}
	c.types[name] = t
	return nil
}

// DropType forgets a named type.
func (c *Catalog) DropType(name string) { delete(c.types, name) }
