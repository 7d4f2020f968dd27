// Package view reads the tables and the stores of a running application, from any goroutine.
//
// Programs get a Source from a worker or from a node's pipeline, and ask. It calls package engine for the stores.
//
// What is read is committed: it does not go away in a crash, and the outputs that belong to it can be read from their topics. Each query
// looks at the tasks that run in this process at that moment; where several processes share an application each has its own part of the
// keys. A query never waits for the processing, and processing waits for it no longer than it takes to copy a row.
//
// Errors: ErrNotReadable while the application starts, restores or has stopped; those of serdes; a name that no store has.
//
// Asking other processes, SQL, and subscriptions are not here.
package view

import (
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/operator/table"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/stream"
)

// ErrNotReadable: the application is starting or restoring, or has stopped.
var ErrNotReadable = engine.ErrNotReadable

// A Source is an application whose tables can be read.
type Source struct{ engine *engine.Engine }

// Over returns the Source of an engine: it is for packages that run one.
func Over(e *engine.Engine) Source { return Source{e} }

// A Table reads the rows of a table that is kept under a name. It may be used as long as the Source, across restarts.
type Table[K, V any] struct {
	source Source
	name   string
}

// Of returns the reader of a table.
func Of[K, V any](s Source, t stream.Table[K, V]) Table[K, V] { return Named[K, V](s, t.StoreName()) }

// OfGlobal returns the reader of a global table, of which every process has all rows.
func OfGlobal[K, V any](s Source, t stream.GlobalTable[K, V]) Table[K, V] {
	return Named[K, V](s, t.StoreName())
}

// Named returns the reader of the table whose store has this name. K and V are the table's types: others are an error of each query.
func Named[K, V any](s Source, store string) Table[K, V] { return Table[K, V]{s, store} }

// Get returns the row of a key. A row of windows is found by its whole key (stream.Windowed) as long as its retention lasts.
func (t Table[K, V]) Get(k K) (v V, ok bool, err error) {
	rows, err := engine.ViewOf[K, V](t.source.engine, t.name)
	if err != nil {
		return v, false, err
	}
	return rows.Get(k)
}

// Scan calls fn with every row and its time until fn returns false, in no particular order. It sees one epoch of each partition.
func (t Table[K, V]) Scan(fn func(k K, v V, ts record.Timestamp) bool) error {
	rows, err := engine.ViewOf[K, V](t.source.engine, t.name)
	if err != nil {
		return err
	}
	return rows.ScanTimed(fn)
}

// A Versioned reads a table that keeps its history.
type Versioned[K, V any] struct {
	source Source
	name   string
}

// OfVersioned returns the reader of a table with the option stream.Versioned.
func OfVersioned[K, V any](s Source, t stream.Table[K, V]) Versioned[K, V] {
	return Versioned[K, V]{s, t.StoreName()}
}

// Get returns the newest value of a key and the time from which it is valid.
func (t Versioned[K, V]) Get(k K) (v V, from record.Timestamp, ok bool, err error) {
	rows, err := t.rows()
	if err != nil {
		return v, record.NoTimestamp, false, err
	}
	return rows.Get(k)
}

// AsOf returns the value that a key had at a time, in ms, and the time from which it had it. Behind the history only the newest value is
// found.
func (t Versioned[K, V]) AsOf(k K, at record.Timestamp) (v V, from record.Timestamp, ok bool, err error) {
	rows, err := t.rows()
	if err != nil {
		return v, record.NoTimestamp, false, err
	}
	return rows.AsOf(k, at)
}

func (t Versioned[K, V]) rows() (*table.VersionsView[K, V], error) {
	stores, err := t.source.stores()
	if err != nil {
		return nil, err
	}
	return table.ViewVersions[K, V](t.name, stores)
}

func (s Source) stores() ([]store.Store, error) { return engine.StoresOf(s.engine) }
