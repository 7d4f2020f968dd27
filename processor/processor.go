// Package processor is the interface of steps that are written by hand: they see every record with its time, headers and place, keep
// stores, forward what they like and are called at times.
//
// Programs implement a Processor or a FixedKey and give stream.Process or stream.ProcessValues a function that makes one for each
// task. The engine calls it.
//
// A processor belongs to its task, which calls it from one goroutine at a time: no locks. Records are processed one at a time, to the
// end: what a Forward causes in later steps has happened when it returns.
//
// A record that fails is undone: stores, outputs and times are as before it, and it stops the pipeline or goes to the dead letters. The fields
// of a processor are its own: they are not undone, and they are lost in a restart, so what counts belongs in stores.
//
// The types of stores are in package state. Connecting processors to streams is not here: see package stream.
package processor

import (
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
)

// A Record is what a processor gets and forwards. KeyNull and ValueNull mark a null that the type cannot hold itself; the field has its
// zero value then.
type Record[K, V any] struct {
	Key       K
	Value     V
	KeyNull   bool
	ValueNull bool
	Time      record.Timestamp // at least 0
	Headers   []record.Header  // not to be changed in place
}

// A Processor takes records of one type and forwards records of another.
//
// Init is called once, after the stores are restored and before the first record: it gets stores and schedules punctuations. Close is
// called when the task ends in an orderly way. An error of Process makes its record a bad record; one of Init ends the start.
type Processor[KIn, VIn, KOut, VOut any] interface {
	Init(ctx Context[KOut, VOut]) error
	Process(ctx Context[KOut, VOut], r Record[KIn, VIn]) error
	Close() error
}

// A FixedKey processor keeps the key: what it forwards has the key of the record it is given, so nothing behind it has to move. Otherwise it is as
// a Processor.
type FixedKey[K, VIn, VOut any] interface {
	Init(ctx FixedKeyContext[VOut]) error
	Process(ctx FixedKeyContext[VOut], r Record[K, VIn]) error
	Close() error
}

// A Table processor computes the rows of a table from those of another: Process is given each update, with ValueNull for a delete, and
// returns the key's new row; ok is false for none, which deletes it. The result has the update's time. Otherwise it is as a Processor, but has
// nothing to forward: a row that depends on stores or on the time changes with the next update of its key only.
type Table[K, V, W any] interface {
	Init(ctx Task) error
	Process(ctx Task, r Record[K, V]) (w W, ok bool, err error)
	Close() error
}

// TableFunc makes a Table processor of a function.
type TableFunc[K, V, W any] func(ctx Task, r Record[K, V]) (w W, ok bool, err error)

// Init implements Table.
func (TableFunc[K, V, W]) Init(Task) error { return nil }

// Process implements Table.
func (f TableFunc[K, V, W]) Process(ctx Task, r Record[K, V]) (w W, ok bool, err error) {
	return f(ctx, r)
}

// Close implements Table.
func (TableFunc[K, V, W]) Close() error { return nil }

// Func makes a Processor of a function, for those that keep nothing.
type Func[KIn, VIn, KOut, VOut any] func(ctx Context[KOut, VOut], r Record[KIn, VIn]) error

// Init implements Processor.
func (Func[KIn, VIn, KOut, VOut]) Init(Context[KOut, VOut]) error { return nil }

// Process implements Processor.
func (f Func[KIn, VIn, KOut, VOut]) Process(ctx Context[KOut, VOut], r Record[KIn, VIn]) error {
	return f(ctx, r)
}

// Close implements Processor.
func (Func[KIn, VIn, KOut, VOut]) Close() error { return nil }

// FixedKeyFunc makes a FixedKey processor of a function.
type FixedKeyFunc[K, VIn, VOut any] func(ctx FixedKeyContext[VOut], r Record[K, VIn]) error

// Init implements FixedKey.
func (FixedKeyFunc[K, VIn, VOut]) Init(FixedKeyContext[VOut]) error { return nil }

// Process implements FixedKey.
func (f FixedKeyFunc[K, VIn, VOut]) Process(ctx FixedKeyContext[VOut], r Record[K, VIn]) error {
	return f(ctx, r)
}

// Close implements FixedKey.
func (FixedKeyFunc[K, VIn, VOut]) Close() error { return nil }

// A Context is where a processor stands.
type Context[K, V any] interface {
	Task
	// Forward hands r to all steps behind, in the order of their creation. When one fails, the record that is being processed is a
	// bad record, and what is forwarded after that is left out.
	Forward(r Record[K, V])
	// ForwardTo hands r to the step behind that has this name. A name that none has is an error of the record.
	ForwardTo(step string, r Record[K, V])
}

// A FixedKeyContext is where a FixedKey processor stands.
type FixedKeyContext[V any] interface {
	Task
	// Forward hands on v with key, time and headers of the record that is being processed, ForwardAt with another time. In a
	// punctuation there is no such record: calling them is an error.
	Forward(v V)
	ForwardAt(v V, ts record.Timestamp)
}

// A Task is what processors know about the task they run in.
type Task interface {
	state.Host
	// Partition is the task's.
	Partition() int32
	// Source says which record of the input the current one comes from; ok is false in Init and in punctuations. Behind a repartition it
	// is the record in front of it.
	Source() (s Source, ok bool)
	// StreamTime is the highest time of any record that the task has taken, record.NoTimestamp before the first. It survives restarts.
	StreamTime() record.Timestamp
	// WallTime is the time of the machine, in ms since 1970, as of a moment ago. It may jump.
	WallTime() record.Timestamp
	// Schedule has f called again and again: see Clock. Every must be at least a millisecond. An error of f ends the run: unlike a
	// record, a punctuation cannot be set aside.
	//
	// What Init schedules goes on after a restart where it was; what is scheduled later is gone then, as the fields of the processor.
	Schedule(every time.Duration, by Clock, f func(now record.Timestamp) error) Schedule
	// Commit asks for a commit as soon as the current record is done. There is one soon anyway: use it where waiting is not enough.
	Commit()
}

// A Clock says which time a punctuation goes by.
type Clock uint8

// The clocks.
const (
	// StreamClock is the task's stream time: it moves with records only. The first call follows the first record, the others the first
	// record at or behind each multiple of the interval; a jump over several of them gives one call.
	StreamClock Clock = iota
	// WallClock is the time of the machine. The first call comes one interval after Schedule, the others follow in steps of the
	// interval from there; a delay over several of them gives one call.
	WallClock
)

// A Source is a record of the input.
type Source struct {
	record.TopicPartition
	Offset record.Offset
}

// A Schedule is one that was made.
type Schedule interface {
	// Cancel ends the calls. It may be called at any time, also by the scheduled function.
	Cancel()
}
