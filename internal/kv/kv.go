// Package kv is an ordered store of byte keys with snapshots and atomic batches: Pebble on disk, a sorted slice in memory for
// tests.
//
// Callers: package store (checkpoints); the root opens the one database of a process. It calls Pebble and package vfs.
//
// Owner and locks: a Store and its Snapshots are safe for concurrent use; a Batch or Run belongs to one goroutine. Everything else
// must be closed before the Store.
//
// Format: Pebble's own, at the fixed format version of pebbleFormat; what the keys mean is the caller's business. Beside its files stands the
// folder of runs that are being written, which nobody needs after a start.
//
// Not here: key layouts, encodings, retries. A storage error is final for the Store that returned it.
package kv

import "errors"

// ErrNotFound: no such key.
var ErrNotFound = errors.New("key not found")

// ErrFull: the disk is too full for a commit now. Nothing was changed; later there may be room.
var ErrFull = errors.New("no room for a commit")

// A Reader reads one consistent state.
type Reader interface {
	// Get returns a copy of the value.
	Get(key []byte) ([]byte, error)
	// Scan calls fn for each key in [from, to) in order until fn returns an error, which it returns. Slices are valid during the
	// call. nil to: no upper end.
	Scan(from, to []byte, fn func(key, value []byte) error) error
}

// A Writer collects changes. It copies keys and values; the last change of a key counts.
type Writer interface {
	Put(key, value []byte) error
	Delete(key []byte) error
}

// A Batch is applied as a whole by Commit (durable on return when sync is true) or forgotten by Close. It is committed once at
// most, and closed in any case.
type Batch interface {
	Writer
	// Len is the number of changes collected.
	Len() int
	Commit(sync bool) error
	Close() error
}

// A Run is for many changes: they come in ascending order of their keys, each key once, and go to files as they come. Commit, which comes
// once at most, makes all of them durable and seen at once. Replace does so, too, and removes whatever else the database has from from to
// before to. Close, which comes in any case, forgets what was not committed.
type Run interface {
	Writer
	Commit() error
	Replace(from, to []byte) error
	Close() error
}

// A Store is an open database. What it reads is the newest state; a Scan sees one state.
type Store interface {
	Reader
	// GetAll calls fn for each of keys, which must ascend, with its value, nil where there is none, until fn returns an error, which it
	// returns. It is the cheaper way to read many at once: neighbours share what is read of the disk. Slices are valid during the call.
	GetAll(keys [][]byte, fn func(i int, value []byte) error) error
	NewBatch() Batch
	// NewRun is for changes beyond a few hundred kB.
	NewRun() Run
	// Room tells whether a commit may begin: nil, ErrFull, or why the database takes none any more. A commit that fails for want of
	// space may end the database, so ask first.
	Room() error
	// Snapshot is a state that later writes don't change.
	Snapshot() (Snapshot, error)
	Close() error
}

// A Snapshot must be closed.
type Snapshot interface {
	Reader
	Close() error
}
