// Package task runs a topology's tasks: it chooses the next records, passes them through the operators, and gathers what leaves.
//
// The engine and the test driver call it: Add input, Process, Seal, commit positions and outputs, Commit. It calls operator for
// the work and store for the state.
//
// A Set belongs to one goroutine. It starts none, reads no clock, does no I/O, and takes no lock: the same input in the same
// order always gives the same output.
//
// Records are processed in units. A unit takes up to some rows of one task and everything that follows from them in other
// tasks; it either succeeds, and its rows reach the Output, or it is undone completely (state, exchanges, positions, counters).
// So a record that fails leaves no trace, whatever it had already done before it failed.
//
// A Set has all tasks of an application, or some of them where workers share it: see Config.Tasks.
//
// Assignment, polling, epochs and restoring are not here: see package engine.
package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// An Output takes what leaves the tasks; a client.Epoch is one. Append copies.
type Output interface {
	Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error
}

// A Decision says what becomes of a bad record: see package failure. With Stop Process returns the RecordError.
type Decision = failure.Decision

// The decisions.
const (
	Stop       = failure.Stop
	DeadLetter = failure.DeadLetter
	Continue   = failure.Continue
	LeaveOut   = failure.LeaveOut
)

// Config of a Set.
type Config struct {
	Topology *topology.Topology
	// App names the application; it prefixes changelog topics. Default: the topology's name.
	App string
	// Partitions gives the number of partitions of every source and sink topic. A dead-letter topic that is missing here is
	// taken to have as many as its source topic.
	Partitions map[string]int32
	// OnBadRecord decides about a record that can't be decoded or processed, or whose output can't be written. It is asked once for a
	// record and step, as long as the record is not consumed. Default: Stop.
	OnBadRecord func(*RecordError) Decision
	// DeadLetters says that OnBadRecord may answer DeadLetter: Topics then lists the dead-letter topics.
	DeadLetters bool
	// DeadLetterTopic, when set, takes the bad records of all topics, in place of one topic for each.
	DeadLetterTopic string
	// LookUp finds a sink topic that Partitions does not have, for rows that choose theirs. Default: there are no others.
	LookUp func(topic string) (operator.Room, error)
	// MaxRecordBytes bounds key and value together of any output or changelog record; a larger one makes its input a bad
	// record. Default 1,000,000: below Kafka's default message.max.bytes with room for framing.
	MaxRecordBytes int
	// RecordBytes is the same for sink topics that have a limit of their own.
	RecordBytes map[string]int
	// CacheBytes bounds the updates that Kafka Streams' record caches hold back; 0, the default: there are none, and every update goes
	// on at once. See Set.Flush. A consistent topology holds back everything until Flush, whatever this says.
	CacheBytes int64
	// FlushEachRecord flushes the caches after every record, also after those that come through exchanges, as Kafka Streams' test
	// driver does. Without it Flush does.
	FlushEachRecord bool
	// MaxIdle is how long, by the clock of Tick, a task that has records waits for each of its source partitions that has none, so that
	// records of different partitions are taken in the order of their times. Default 0: it does not wait. Process may return 0 then
	// although records are buffered: call it again after the next Tick.
	MaxIdle time.Duration
	// BatchRows bounds the rows that go through the operators at once. Default 1024; more is not accepted.
	BatchRows int
	// Tasks, when not nil, are the tasks of this Set: other Sets, in this process or in others, have the rest. Repartitions run over topics
	// then, topology.RepartitionTopic, which are among Topics and, those that the tasks read, among Sources: their positions are committed
	// like those of any source, and their bad records are the receiving task's. Without tasks the Set has the global tables only.
	// Default nil: all tasks, with repartitions in memory.
	Tasks []topology.TaskID
	// Globals is the Set that has the global tables for Sets with Tasks, where the topology has such tables. It belongs to the same goroutine,
	// and must take its input before they take theirs.
	Globals *Set
	// OneTime lets the tasks of a partition have one stream time and one order of punctuations for all sub-topologies, as the single
	// task of Kafka Streams' test driver has. Default: every task has its own, as in Kafka Streams itself.
	OneTime bool
	// Mono, when set, is a clock by which the tasks' work is measured.
	Mono func() time.Duration
	// Calls makes the calls of steps to the outside. Default: one after the other.
	Calls operator.Caller
}

const (
	defaultMaxRecordBytes = 1_000_000
	defaultBatchRows      = operator.MaxRows
)

func (c Config) withDefaults() Config {
	if c.App == "" && c.Topology != nil {
		c.App = c.Topology.Name
	}
	if c.OnBadRecord == nil {
		c.OnBadRecord = func(*RecordError) Decision { return Stop }
	}
	if c.MaxRecordBytes == 0 {
		c.MaxRecordBytes = defaultMaxRecordBytes
	}
	if c.Calls == nil {
		c.Calls = func(n, _ int, call func(context.Context, int)) {
			for i := range n {
				call(context.Background(), i)
			}
		}
	}
	if c.BatchRows == 0 {
		c.BatchRows = defaultBatchRows
	}
	if c.FlushEachRecord {
		c.BatchRows = 1
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Topology == nil:
		return errors.New("task set: no topology")
	case c.BatchRows < 1 || c.BatchRows > operator.MaxRows:
		return fmt.Errorf("task set: BatchRows is %d: 1 to %d are possible", c.BatchRows, operator.MaxRows)
	case c.Tasks != nil && c.Topology.Consistent && hasRepartition(c.Topology):
		return fmt.Errorf("task set: the topology %s is consistent and has repartitions: one process must run all of it", c.Topology.Name)
	case c.CacheBytes < 0:
		return fmt.Errorf("task set: CacheBytes is %d: it must not be negative", c.CacheBytes)
	case c.MaxIdle < 0:
		return fmt.Errorf("task set: MaxIdle is %s: it must not be negative", c.MaxIdle)
	case c.MaxRecordBytes < 1:
		return fmt.Errorf("task set: MaxRecordBytes is %d: it must be positive", c.MaxRecordBytes)
	}
	return nil
}

func hasRepartition(t *topology.Topology) bool {
	return slices.ContainsFunc(t.Nodes, func(n topology.Node) bool { return n.Kind == topology.Repartition })
}
