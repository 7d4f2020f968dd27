// Package store keeps the engine's tables: typed values resident in memory, the running epoch's changes in an overlay above
// them, a changelog record for the last change of each key of an epoch, and checkpoints in an ordered store. What a Budget has no room for
// is in the checkpoints only.
//
// Callers: tasks and operators read and change a Table, the engine drives it as a Store through its epochs, queries read it
// through a View. It calls packages kv (checkpoints) and serde (keys and values), nothing else.
//
// Owner and locks: the task's goroutine owns a Table and calls every method of it and of Store; only the function that Dirty
// returns runs elsewhere. Views run anywhere: what they see (the key index and the committed rows) changes under one
// RWMutex per Table, which the owner takes to add a key, to commit, to restore and to bring back a row, never to read or to change a row
// that is in memory.
// Checkpoints has no state besides its kv.Store and may be used from any goroutine; the writes of one table must not overlap.
//
// Format: docs/format/checkpoint.md. A changelog record is the table's key and value as their serdes write them; the row's
// timestamp is the record's own timestamp.
//
// Not here: who calls Seal and Commit when (engine), where changelogs live (client), windows and joins (operator).
package store

import (
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

// A Store is what the engine sees of a Table of any type.
//
// Life of an epoch: the task changes the table → Seal (the overlay becomes the sealed epoch; its changes go to the
// changelog) → a new overlay fills while the sealed epoch is being made durable → Commit folds the sealed epoch into the
// resident table. After a failed commit the Table is thrown away: it is rebuilt from the last checkpoint and the changelog.
type Store interface {
	Name() string
	Partition() int32
	// Seal ends the epoch: it hands the last change of every changed key, in order of first change, to changelog (nil value:
	// deleted; the slices are valid during the call). At most one sealed epoch may be uncommitted. After an error the Store
	// must be thrown away.
	Seal(changelog func(key, value []byte, ts record.Timestamp) error) error
	// Commit folds the sealed epoch into the resident table; without one it does nothing.
	Commit()
	// Restore applies one changelog record (nil value: deleted), outside of any epoch.
	Restore(key, value []byte, ts record.Timestamp) error
	// Touch says which keys Restore will have next: it brings what the index has of them into the processor's caches.
	Touch(keys [][]byte)
	// Dirty returns what was committed or restored since the last call, as a function that encodes and writes it to a
	// checkpoint batch from another goroutine; nil when nothing changed. Without a checkpoint, call it now and then all the
	// same: until then the table remembers every deleted key. If the checkpoint fails, throw the Store away.
	Dirty() func(w kv.Writer) error
	// Done returns what is to be called, from any goroutine, when the checkpoint that Dirty was called for last is in the database: from
	// then on its rows may leave memory.
	Done() func()
	// Load fills the empty table from a checkpoint: r holds this table's rows only.
	Load(r kv.Reader) error
	// Tail is how many changelog records were sealed or restored since Dirty was called last: a restart replays them.
	Tail() int
	// Len is the number of resident rows, Bytes an estimate of the resident bytes.
	Len() int
	Bytes() int64

	// spill lets rows leave memory that the checkpoint has, as far as the budget needs it. It comes before Load and everything else.
	spill(to *spilled, share *Share)
}
