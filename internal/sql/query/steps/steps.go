// Package steps runs queries of their own whose rows depend on others: groups, windows, joins.
//
// The host calls it; it calls package task for the very tasks that run persistent queries.
//
// Owner and locks: a computation belongs to the goroutine that reads its query.
//
// There is no format: tables begin empty and are in memory only, changelogs go nowhere, and no topic is made.
//
// Not here: reading topics (package query), what the steps are (package lower).
package steps

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
)

// Options of New.
type Options struct {
	Topology *topology.Topology
	// Result is the topic that the topology writes its rows to: values are rows, keys are keys' rows. It exists nowhere.
	Result     string
	Partitions map[string]int32          // of the sources' topics
	Gone       func(key row.Row) row.Row // the row of a key whose row went away
	Now        record.Timestamp
	// MaxBytes bounds what the stores hold; 0: nothing does.
	MaxBytes int64
	// Failed decides about records that cannot be processed.
	Failed failure.Handler
}

// ErrTooLarge: the state of a query of its own has grown beyond its limit.
var ErrTooLarge = errors.New("the query keeps more rows than it may")

// New returns a computation that runs the tasks of a topology in the process. Nothing is left when the query ends.
func New(o Options) (query.Computation, error) {
	partitions := map[string]int32{o.Result: 1}
	for topic, n := range o.Partitions {
		partitions[topic] = n
	}
	set, err := task.New(task.Config{
		Topology: o.Topology, Partitions: partitions,
		OnBadRecord: func(e *task.RecordError) task.Decision { return o.Failed(e.Failure()) },
	})
	if err != nil {
		return nil, err
	}
	s := &steps{Options: o, set: set}
	return s, set.Tick(s, o.Now)
}

type steps struct {
	Options
	set     *task.Set
	rows    []query.Row
	pending bool // the set may have records that it has not taken
}

// Add implements query.Computation.
func (s *steps) Add(c client.Chunk) error {
	s.pending = true
	return s.set.Add(c)
}

// processAtOnce bounds the records from which rows are gathered at once.
const processAtOnce = 1024

// Rows implements query.Computation.
func (s *steps) Rows() ([]query.Row, error) {
	for s.pending && len(s.rows) == 0 {
		n, err := s.set.Process(s, processAtOnce)
		if err != nil {
			return nil, err
		}
		s.pending = n > 0
		if err := s.commit(); err != nil {
			return nil, err
		}
	}
	rows := s.rows
	s.rows = nil
	return rows, nil
}

// commit folds what was changed into the tables.
func (s *steps) commit() error {
	if err := s.set.Flush(s); err != nil {
		return err
	}
	if err := s.set.Seal(discarded{}); err != nil {
		return err
	}
	s.set.Commit()
	if s.MaxBytes == 0 {
		return nil
	}
	var held int64
	for _, st := range s.set.Stores() {
		held += st.Bytes()
		forget(st)
	}
	if held > s.MaxBytes {
		return fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, held, s.MaxBytes)
	}
	return nil
}

// forget lets a store without a checkpoint drop what it would write to one.
func forget(st store.Store) { _ = st.Dirty() }

// Append implements task.Output.
func (s *steps) Append(tp record.TopicPartition, _ record.Timestamp, key, value []byte, _ []record.Header) error {
	if tp.Topic != s.Result {
		return nil
	}
	if value == nil {
		s.rows = append(s.rows, query.Row{Values: s.Gone(row.Row(key)), Tombstone: true})
	} else {
		s.rows = append(s.rows, query.Row{Values: row.Row(value)})
	}
	return nil
}

// Close implements query.Computation.
func (s *steps) Close() { _ = s.set.Close() }

// discarded is where changelogs go.
type discarded struct{}

// Append implements task.Output.
func (discarded) Append(record.TopicPartition, record.Timestamp, []byte, []byte, []record.Header) error {
	return nil
}
