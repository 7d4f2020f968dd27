// Package sqlite delivers topics into a table of an SQLite database, exactly once.
//
// Purpose. It is for programs that own an SQLite database and want a table in it kept equal to a topic: they describe the table
// and how a record becomes rows in Go, and hand the sink to connect/deliver, or to a node in the same process.
//
// Callers. Users' programs. It is the public face of internal/connector/sqlite, which does the work.
//
// Owner. See connect.Sink: one goroutine drives a sink. Anybody may read the database meanwhile.
//
// Format. Besides the table, the database gets mainstem_positions: the sink's next offset of each partition, written in the
// same transaction as the rows, and the epoch that fences an older writer.
//
// Not here: reading topics (connect/deliver), other databases.
package sqlite

import (
	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/connector/sqlite"
)

// What a sink is configured with; see each type's own documentation.
type (
	// A Table is the target: columns, primary key, and the leading part of the key that one record owns.
	Table = sqlite.Table
	// A Column of a table.
	Column = sqlite.Column
	// A Row holds values in the order of the table's columns.
	Row = sqlite.Row
	// A Record is a decoded record.
	Record[K, V any] = sqlite.Record[K, V]
	// A Config describes a sink.
	Config[K, V any] = sqlite.Config[K, V]
)

// New checks the configuration and returns a sink that opens the database when it is run.
func New[K, V any](cfg Config[K, V]) (connect.Sink, error) {
	s, err := sqlite.New(cfg)
	if err != nil {
		return nil, err // not s: a nil pointer in an interface is no nil
	}
	return s, nil
}

// Spec describes the options that Kind takes.
func Spec() connect.Spec { return sqlite.Spec() }

// Kind makes sinks of one mapping from options, for a connect.Registry: cfg's Path and BusyTimeout are taken from them.
func Kind[K, V any](cfg Config[K, V]) connect.SinkKind { return sqlite.Kind(cfg) }
