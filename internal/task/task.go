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
// Assignment, polling, epochs and restoring are not here: see package engine.
package task

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// An Output takes what leaves the tasks; a client.Epoch is one. Append copies.
type Output interface {
	Append(tp record.TopicPartition, ts record.Timestamp, key, value []byte, headers []record.Header) error
}

// A Decision says what becomes of a bad record.
type Decision uint8

// The decisions.
const (
	Stop       Decision = iota // Process returns the RecordError; the record and those behind it stay unconsumed
	DeadLetter                 // the original goes to the topic's dead-letter topic and processing goes on
)

// Config of a Set.
type Config struct {
	Topology *topology.Topology
	// App names the application; it prefixes changelog topics. Default: the topology's name.
	App string
	// Partitions gives the number of partitions of every source and sink topic. A dead-letter topic that is missing here is
	// taken to have as many as its source topic.
	Partitions map[string]int32
	// OnBadRecord decides about a record that can't be decoded or processed. It must be a pure function: it may be asked twice.
	// Default: Stop.
	OnBadRecord func(*RecordError) Decision
	// DeadLetters says that OnBadRecord may answer DeadLetter: Topics then lists the dead-letter topics.
	DeadLetters bool
	// MaxRecordBytes bounds key and value together of any output or changelog record; a larger one makes its input a bad
	// record. Default 1,000,000: below Kafka's default message.max.bytes with room for framing.
	MaxRecordBytes int
	// RecordBytes is the same for sink topics that have a limit of their own.
	RecordBytes map[string]int
	// BatchRows bounds the rows that go through the operators at once. Default 1024; more is not accepted.
	BatchRows int
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
	if c.BatchRows == 0 {
		c.BatchRows = defaultBatchRows
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Topology == nil:
		return errors.New("task set: no topology")
	case c.BatchRows < 1 || c.BatchRows > operator.MaxRows:
		return fmt.Errorf("task set: BatchRows is %d: 1 to %d are possible", c.BatchRows, operator.MaxRows)
	case c.MaxRecordBytes < 1:
		return fmt.Errorf("task set: MaxRecordBytes is %d: it must be positive", c.MaxRecordBytes)
	}
	return nil
}
