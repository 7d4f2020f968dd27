// Package connect is the contract between Mainstem and the systems it delivers to.
//
// Purpose. A Sink keeps another system (a database, a service) equal to topics: it takes batches of records and makes their
// effect and the position behind them durable in one step, so that no record is lost or applied twice, whatever is killed.
// A Spec describes a kind of sink and its options once, for validation, documentation and flags; a Registry is a list of kinds.
//
// Callers. Package internal/connector drives sinks; connect/sqlite and later neighbours implement them; a program that owns its
// database builds a sink and hands it to connect/deliver. This package calls nobody.
//
// Owner. One goroutine drives a sink: Open, then Write in order, then Close. Batches belong to the caller and are read only.
//
// State machine. new → Open → open → Write* → Close → closed. An error that is not Retryable ends the open state for good: the
// caller closes the sink and starts again from Open, which returns the positions that really hold. Opening a sink anywhere
// raises its epoch: the next Write of an older writer changes nothing and returns ErrFenced.
//
// Not here: reading topics, retries and freshness (internal/connector), any particular database (its own package).
package connect

import (
	"context"

	"github.com/mainstemio/mainstem/record"
)

// A Position says how far a sink is in a partition.
type Position struct {
	// Offset is the offset of the next record to apply: every record below it is in the target, none at or above it is.
	Offset record.Offset
	// TopicID identifies the topic the offset counts in, so that a topic deleted and made anew under its old name is not taken
	// for the same one. Zero when the broker does not tell.
	TopicID [16]byte
}

// A Batch is what one Write applies.
type Batch struct {
	// Records hold, per partition, consecutive records in offset order. The sink neither keeps nor changes them.
	Records []record.Record
	// Positions are reached when the batch is applied: for each partition in it, the offset behind the last record read, which
	// may lie further because of records that are not delivered (control records, aborted transactions). A partition may have a
	// position and no record.
	Positions map[record.TopicPartition]Position
}

// A Sink applies records to one target. One goroutine uses it.
type Sink interface {
	// Name identifies the sink in its target: positions and epoch are kept under it. Two sinks with one name in one target are
	// the same sink, of which the latest opened lives.
	Name() string
	// Open prepares the target, takes the sink over from any older writer and returns the positions the target holds.
	Open(ctx context.Context) (map[record.TopicPartition]Position, error)
	// Write applies the batch and its positions in one transaction. Records below the target's own position are skipped, so a
	// batch may be written again after an error. A record that a later one of the same key in the batch replaces may be skipped
	// unread. When a single record cannot be applied, everything before it in the batch is applied and the error is a
	// *RecordError that names it. Errors for which Retryable holds have changed nothing.
	Write(ctx context.Context, b Batch) error
	// Close releases the target. It is safe after an error and may be called twice.
	Close() error
}
