// Package state holds the stores of processors: key-value, window, session and versioned stores, typed, and what a store of your
// own is made of.
//
// Programs describe a store once, as a value, connect it to the processors that use it (stream.Connect) and get it in their Init
// (Builder.In). The engine keeps the bytes; the package calls serdes only.
//
// A store belongs to the task that its processors run in, one at a time: no locks. Keys and values that it returns are the
// caller's. Nothing done to a store is final before the record that caused it is: it is undone with a record that fails, and durable
// in the same commit as the outputs.
//
// Formats: a key-value store's changelog has the keys and values as their serdes write them. The other stores have composite keys: the
// key with every 0 byte followed by 255, ended by 0 1, and then times of 8 bytes, big-endian (window: start; session: end, start;
// versioned: valid from). A versioned value begins with 1, a version that is a delete is the one byte 0.
//
// Errors are the record's: a store whose serde fails remembers the first error, answers as if it were empty, and the record becomes
// a bad record when the processor returns. So there is nothing to check at every call. Where the bytes live, changelogs and
// checkpoints are not here.
package state

import (
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/record"
)

// An Order is a direction of reading.
type Order bool

// The orders.
const (
	Ascending  Order = false
	Descending Order = true
)

// Bytes is a durable, ordered table of bytes in one task: what every store is made of. Implementing it is for the engine and for
// tests; stores of your own use it (see Custom).
type Bytes interface {
	// Get returns a row, with the time it was put with.
	Get(key []byte) (value []byte, ts record.Timestamp, ok bool)
	// Put sets a row. Both slices are copied; a nil value deletes.
	Put(key, value []byte, ts record.Timestamp)
	Delete(key []byte)
	// Scan calls fn with the rows whose key is at or behind from and, unless to is nil, before to, in the order of the keys' bytes, until
	// it returns false. fn must not change the table; the slices are valid during the call.
	Scan(from, to []byte, o Order, fn func(key, value []byte, ts record.Timestamp) bool)
	// Len is the number of rows as of the last commit.
	Len() int
	// Mark is a number that is kept beside the rows, as many as Spec.Marks, record.NoTimestamp at first; SetMark changes it.
	Mark(i int) record.Timestamp
	SetMark(i int, ts record.Timestamp)
	// Now is the time of the record that is being processed, or of the punctuation.
	Now() record.Timestamp
	// Drop counts a change that is dropped because it is too old for the store.
	Drop()
	// Fail makes the record that is being processed a bad record. The first error counts.
	Fail(err error)
}

// A Spec is what the engine needs to know about a store.
type Spec struct {
	Name string
	// Marks is how many numbers are kept beside the rows. They have the empty key, so no row of such a store may have it.
	Marks int
	// Retention, when not 0, is how long a row is kept: once Mark(0) has reached the row's time plus Retention, it may be removed at any
	// moment. Reading must not depend on when. TimeOf tells a row's time from its key.
	Retention time.Duration
	TimeOf    func(key []byte) record.Timestamp
	// Changelog are settings of the changelog topic, where it is made: see stream.ChangelogTopic.
	Changelog map[string]string
	// Err is a mistake in the description, which the topology reports.
	Err error
}

// A Connectable is the description of a store of any type.
type Connectable interface {
	Spec() *Spec
}

// A Host has the tables of the stores that are connected to a processor: its context. Table panics with a clear text for a store
// that is not connected.
type Host interface {
	Table(s *Spec) Bytes
}

// A Builder describes a store that processors get as an S. Processors share a store by using the same Builder.
type Builder[S any] struct {
	spec Spec
	open func(Bytes) S
}

// Custom describes a store of your own: open makes it over its table, once in each task.
func Custom[S any](spec Spec, open func(Bytes) S) *Builder[S] {
	b := &Builder[S]{spec: spec, open: open}
	switch {
	case open == nil:
		b.mistake("no function opens it")
	case spec.Retention < 0:
		b.mistake("its retention is negative")
	case spec.Retention > 0 && (spec.TimeOf == nil || spec.Marks == 0):
		b.mistake("a retention needs TimeOf and a mark")
	}
	return b
}

func (b *Builder[S]) mistake(what string) {
	if b.spec.Err == nil {
		b.spec.Err = fmt.Errorf("store %q: %s", b.spec.Name, what)
	}
}

// ChangelogTopic has the store's changelog topic made with settings of your own, if it does not exist yet, and returns the Builder. What
// the runtime relies on (cleanup.policy, retention.ms) cannot be set.
func (b *Builder[S]) ChangelogTopic(settings map[string]string) *Builder[S] {
	b.spec.Changelog = settings
	return b
}

// Name is the store's name, which fixes its changelog topic's.
func (b *Builder[S]) Name() string { return b.spec.Name }

// Spec implements Connectable.
func (b *Builder[S]) Spec() *Spec { return &b.spec }

// In returns the store of the task that the context belongs to. The store must be connected to the processor: anything else is a
// mistake in the program and panics, which ends the start with that text.
func (b *Builder[S]) In(ctx Host) S { return b.open(ctx.Table(&b.spec)) }

// Over returns the store over a table that you have.
func (b *Builder[S]) Over(t Bytes) S { return b.open(t) }
