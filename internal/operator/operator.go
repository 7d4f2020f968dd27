// Package operator is the library of steps that a topology's nodes compute: filter, map, aggregate, repartition, sinks and so on.
//
// The DSL makes a Spec for each node, typed and checked by the compiler; package task makes the Specs into instances, one per
// task, children before parents, and feeds batches to the sources. Operators call package store for state.
//
// Instances belong to their Set's goroutine and take no locks. A Batch belongs to whoever emits it: a receiver reads it during the
// call, changes nothing and keeps nothing. What outlives the call is copied.
//
// Order is exact: an operator emits what follows from a row before what follows from the next, and a node whose children meet
// again hands on row by row (topology.Node.RowWise). An operator that changes anything registers an Undoer, so that a unit of
// work can be taken back when one of its rows fails.
//
// Types are erased only in the wiring: Spec.Instance gets its children as any and asserts each once. Choosing input, time, and
// what happens to bad records are not here: see package task.
package operator

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
)

// MaxRows is the most rows a batch has.
const MaxRows = 1024

// A Receiver takes the rows of a stream.
type Receiver[K, V any] interface {
	Receive(b *Batch[K, V]) error
}

// A ChangeReceiver takes the updates of a table.
type ChangeReceiver[K, V any] interface {
	ReceiveChanges(c *Changes[K, V]) error
}

// A Spec makes the instances of a node between sources and sinks: the result is a Receiver or a ChangeReceiver for its inputs.
// Where the inputs differ in type it is a Slots.
type Spec interface {
	Instance(s *Site) (any, error)
}

// Slots is an instance with one receiver for each input.
type Slots []any

// A Site is where an instance will stand: its node in one task.
type Site struct {
	*Env
	Node      string // the node's name, for errors
	Partition int32  // the task's
	RowWise   bool
	Children  []any // receivers of the children, in order
}

// An Env is what all instances of a Set share.
type Env struct {
	Partitions     map[string]int32 // of the sink topics
	MaxRecordBytes int              // of key, value and headers together, of anything that leaves
	RecordBytes    map[string]int   // the same for sink topics that have a limit of their own
	Arena          Arena            // encoded bytes; they live until the unit ends
	Stage          Stage            // what the unit has emitted so far
	Drops          Drops            // what it has dropped
	Undoers        []Undoer         // everything that changes state
	Stores         []store.Store    // appended to by Instance
}

// An Undoer takes part in units of work.
type Undoer interface {
	// Keep ends a unit that succeeded, Undo takes back everything since the last Keep or Undo.
	Keep()
	Undo()
}

// An Origin is the input record that a row comes from.
type Origin struct {
	Input  int32 // index in task.Set.Sources
	Offset record.Offset
}

// A RowError says which row failed, where and why.
type RowError struct {
	Origin Origin
	Node   string
	Reason string // contains nothing from the row
	Cause  error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s: %s", e.Node, e.Reason) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Cause }

// A Drop is a reason for dropping a row. Those that Kafka Streams counts as dropped records have a name without "uncounted".
type Drop uint8

// The reasons.
const (
	DropNullKey     Drop = iota // an aggregate or table cannot take a null key
	DropNullValue               // an aggregate cannot take a null value
	DropInvalidTime             // a negative timestamp, where the source allows to skip them
	DropDeadLetter              // a bad record that went to the dead-letter topic
	DropUnkeyed                 // a repartition leaves out null keys; Kafka Streams does not count them
	dropReasons                 // the number of reasons
)

var dropNames = [dropReasons]string{"null key", "null value", "invalid timestamp", "dead letter", "null key at repartition"}

// String returns the reason in words.
func (d Drop) String() string { return dropNames[d] }

// Drops counts dropped rows by reason: those of the current unit apart.
type Drops struct {
	kept [dropReasons]int64
	unit [dropReasons]int64
}

// Add counts one.
func (d *Drops) Add(reason Drop) { d.unit[reason]++ }

// Keep and Undo end a unit.
func (d *Drops) Keep() {
	for i, n := range d.unit {
		d.kept[i] += n
	}
	d.unit = [dropReasons]int64{}
}

// Undo forgets the unit's.
func (d *Drops) Undo() { d.unit = [dropReasons]int64{} }

// Counts returns the kept numbers above 0 by the reasons' names.
func (d *Drops) Counts() map[string]int64 {
	counts := map[string]int64{}
	for i, n := range d.kept {
		if n > 0 {
			counts[Drop(i).String()] = n
		}
	}
	return counts
}

// wrongType is the error of a wiring that the DSL's types rule out.
func wrongType(node string, child any, want string) error {
	return fmt.Errorf("wire %s: a child is %T, which does not take %s", node, child, want)
}
