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
	"context"
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
	*Task
	ID        int    // the node's number in the topology
	Node      string // the node's name, for errors
	Inputs    []int  // the numbers of the nodes in front, by slot
	Partition int32  // the task's
	RowWise   bool
	Unkeyed   bool      // of a Repartition: rows with a null key move too
	Published bool      // the Sink behind the node writes the changes of its store, in place of a changelog
	Cached    bool      // a cache stands between the node's table and its children: see Caches
	Retention Retention // of the node's store, set by the operator before it makes its out
	Children  []any     // receivers of the children, in order

	ChildNames []string // beside Children
	ChildRows  []*int64 // beside Children: how many rows they took; nil: nobody counts

	shown func(reader any) any // of the node's table in consistent mode: its reader, as the steps behind the cache know the rows
}

// KeepBytes is for how many bytes a table over windows stays readable when its retention is over: as long as a cache of Kafka Streams,
// which forgets by size and not by time, would hold it. 0 where there is no cache.
func (s *Site) KeepBytes() int64 {
	if !s.Cached || s.Caches.Consistent {
		return 0
	}
	return s.Caches.Limit
}

// A Task is what the instances of one task share.
type Task struct {
	StreamTime record.Timestamp // highest time of any row taken so far, NoTimestamp before the first
	readers    map[int]any      // of tables, by node
	wired      []func() error
	shared     map[string]any
}

// NewTask returns the shared part of a task that has not seen a row.
func NewTask() *Task { return &Task{StreamTime: record.NoTimestamp, readers: map[int]any{}} }

// Provide makes a table's Reader known under the node's number. The node has made its out before.
func (s *Site) Provide(reader any) {
	if s.shown != nil {
		reader = s.shown(reader)
	}
	s.readers[s.ID] = reader
}

// AfterWiring has f called when all instances of the task are there: children are made before the tables in front of them.
func (s *Site) AfterWiring(f func() error) { s.wired = append(s.wired, f) }

// Share has Shared return v for a name.
func (t *Task) Share(name string, v any) {
	if t.shared == nil {
		t.shared = map[string]any{}
	}
	t.shared[name] = v
}

// Shared returns what instances of the task share under a name, nil: nothing yet.
func (t *Task) Shared(name string) any { return t.shared[name] }

// Wired ends the wiring of a task.
func (t *Task) Wired() error {
	for _, f := range t.wired {
		if err := f(); err != nil {
			return err
		}
	}
	t.wired = nil
	return nil
}

// A Reader reads the rows of a table in its task, as they are at the moment: of a table that is kept, or of one that is computed from
// such a table row by row.
type Reader[K, V any] interface {
	// Read returns the row of key, which encoded holds as bytes. The error is that of a function between.
	Read(key K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error)
}

// A Foreseer is a Reader that wants to know which keys are read next: of those that are not in memory it reads many at once. Nil keys count
// for nothing. It changes nothing that anybody sees.
type Foreseer interface{ Foresee(keys [][]byte) }

// Foresee tells a table's Reader which keys are read next, if it wants to know.
func Foresee(reader any, keys [][]byte) {
	if f, ok := reader.(Foreseer); ok {
		f.Foresee(keys)
	}
}

// ReaderOf sets r, after the wiring, to the Reader of the table that the node gives.
func ReaderOf[K, V any](s *Site, node int, r *Reader[K, V]) {
	s.AfterWiring(func() error {
		known, ok := s.readers[node].(Reader[K, V])
		if !ok {
			return fmt.Errorf("wire %s: the table of node %d cannot be read: %T", s.Node, node, s.readers[node])
		}
		*r = known
		return nil
	})
}

// ShareGlobals lets the instances of e read the global tables of o.
func (e *Env) ShareGlobals(o *Env) { e.globals = o.globals }

// ProvideGlobal makes a global table's Reader known to all tasks under the node's number.
func (s *Site) ProvideGlobal(reader any) {
	if s.globals == nil {
		s.globals = map[int]any{}
	}
	s.globals[s.ID] = reader
}

// GlobalReaderOf returns the Reader of the global table that the node gives. Global tables are wired before all others.
func GlobalReaderOf[K, V any](s *Site, node int) (Reader[K, V], error) {
	r, ok := s.globals[node].(Reader[K, V])
	if !ok {
		return nil, fmt.Errorf("wire %s: there is no global table at node %d: %T", s.Node, node, s.globals[node])
	}
	return r, nil
}

// A VersionedReader reads the rows of a table that keeps their history as they were at a time.
type VersionedReader[K, V any] interface {
	Reader[K, V]
	// ReadAsOf is Read for the row that was valid at asOf. Behind the history only the newest row is found.
	ReadAsOf(key K, encoded []byte, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool, err error)
}

// VersionedReaderOf is ReaderOf for a table that is versioned, which the DSL knows.
func VersionedReaderOf[K, V any](s *Site, node int, r *VersionedReader[K, V]) {
	s.AfterWiring(func() error {
		known, ok := s.readers[node].(VersionedReader[K, V])
		if !ok {
			return fmt.Errorf("wire %s: the table of node %d has no history: %T", s.Node, node, s.readers[node])
		}
		*r = known
		return nil
	})
}

// InFront sets r, after the wiring, to the Reader of the table in front, if it has one. Reading a computed table needs that.
func InFront[K, V any](s *Site, r *Reader[K, V]) {
	s.AfterWiring(func() error {
		*r, _ = s.readers[s.Inputs[0]].(Reader[K, V])
		return nil
	})
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
	Calls          Caller           // makes calls to the outside
	// LookUp finds a topic that a row was given and Partitions does not have; nil: there are no others. It may take a while.
	LookUp func(topic string) (Room, error)
	// LeaveOut, when set, is asked about a row that a sink cannot write: true leaves out that row alone, and the rest of its record stays.
	LeaveOut    func(e *RowError) bool
	CommitAsked bool // a processor wants a commit soon

	SourcePartitions []record.TopicPartition // by Origin.Input
	OverTopics       bool                    // rows that go through a repartition may be overtaken by others: it is a topic
	Caches           Caches                  // of the tables whose sites are Cached
	globals          map[int]any             // readers of global tables, by node
	found            map[string]Room         // by LookUp
}

// A Caller makes n calls, numbered from 0, at most limit of them at the same time, and returns when all are done. Calls may run on other
// goroutines. The context ends only with the process.
type Caller func(n, limit int, call func(ctx context.Context, i int))

// An Undoer takes part in units of work.
type Undoer interface {
	// Keep ends a unit that succeeded, Undo takes back everything since the last Keep or Undo.
	Keep()
	Undo()
}

// A Rester holds memory that only work needs: columns of the batch before, what a unit may have to take back.
type Rester interface {
	// Rest gives it back. No unit is under way; the next one takes new memory.
	Rest()
}

// An Origin is the input record that a row comes from.
type Origin struct {
	Input  int32 // index in task.Set.Sources
	Offset record.Offset
}

// NoOrigin is the origin of a row that comes from no input record: from a punctuation.
var NoOrigin = Origin{Input: -1, Offset: 1}

// A RowError says which row failed, where and why.
type RowError struct {
	Origin Origin
	Node   string
	Reason string // contains nothing from the row
	Cause  error

	Undecodable bool // the source could not decode it
	Unwritable  bool // a sink could not write it
}

func (e *RowError) Error() string { return fmt.Sprintf("%s: %s", e.Node, e.Reason) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Cause }

// A Drop is a reason for dropping a row. Those that Kafka Streams counts as dropped records have a name without "uncounted".
type Drop uint8

// The reasons.
const (
	DropNullKey        Drop = iota // an aggregate or table cannot take a null key
	DropNullValue                  // an aggregate cannot take a null value
	DropInvalidTime                // a negative timestamp, where the source allows to skip them
	DropDeadLetter                 // a bad record that went to the dead-letter topic
	DropUnkeyed                    // a repartition leaves out null keys; Kafka Streams does not count them
	DropLate                       // its window is closed
	DropExpired                    // the store does not keep its window any more
	DropSuperseded                 // a join takes no updates of a versioned table that are not the newest of their key
	DropNullForeignKey             // an inner foreign-key join takes no row without one
	DropStale                      // a foreign-key join takes no answer about a value that its row has no more
	DropFailed                     // a processor failed and goes on without it
	DropBad                        // a bad record that is left out
	DropUnwritten                  // an output that could not be written, and is left out alone
	DropNowhere                    // a partitioner gave it no partition
	dropReasons                    // the number of reasons
)

var dropNames = [dropReasons]string{"null key", "null value", "invalid timestamp", "dead letter", "null key at repartition", "late", "expired", "superseded", "null foreign key", "stale", "failed", "bad record", "unwritten", "no partition"}

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
