package process

import (
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
)

// A node is what all kinds of processors have, and the task that they see.
type node struct {
	site     *operator.Site
	sched    *Scheduler
	tables   map[*state.Spec]state.Bytes
	children []string // names
	skips    bool     // a record that fails here is dropped
	begin    func() error
	end      func() error
	begun    bool
	planned  int // schedules made in Init

	// While code of the processor runs:
	rows   *operator.Rows // nil otherwise
	row    int32
	failed error // the first error of its own: of a store, of a wrong call
	behind error // the first error of the steps behind

	punctuation operator.Rows // one row with its time
	time        [1]record.Timestamp
}

// noRows is one row that comes from no record.
var noRows = operator.Rows{
	Sel: operator.FirstRows(1), Timestamps: []record.Timestamp{0}, Origins: []operator.Origin{operator.NoOrigin},
}

// newNode connects the stores.
func newNode(s *operator.Site, stores []*state.Spec, skips bool) *node {
	n := &node{site: s, sched: schedulerOf(s.Task), tables: map[*state.Spec]state.Bytes{}, children: s.ChildNames, skips: skips}
	for _, spec := range stores {
		n.tables[spec] = tableOf(s, n.sched, spec)
	}
	n.punctuation = noRows
	n.punctuation.Timestamps = n.time[:]
	n.sched.nodes = append(n.sched.nodes, n)
	return n
}

// link connects what is not a store of processors.
func (n *node) link(links map[*state.Spec]Link) {
	for spec, l := range links {
		n.tables[spec] = l.table(n)
	}
}

// enter notes that code of the processor runs for a row, until leave.
func (n *node) enter(r *operator.Rows, row int32) (before *node) {
	before = n.sched.at
	n.sched.at, n.rows, n.row, n.failed, n.behind = n, r, row, nil, nil
	return before
}

func (n *node) leave(before *node) { n.sched.at, n.rows = before, nil }

// punctuate calls a scheduled function.
func (n *node) punctuate(call func(record.Timestamp) error, now record.Timestamp) (err error) {
	n.time[0] = now
	defer n.leave(n.enter(&n.punctuation, 0))
	row := int32(0)
	defer operator.Catch(&err, &row, n.rows, n.site.Node)
	return n.outcome(call(now))
}

// outcome is the error of the record whose processing ended with err.
func (n *node) outcome(err error) error {
	if n.behind != nil {
		return n.behind
	}
	if n.failed != nil {
		err = n.failed
	}
	if err == nil {
		return nil
	}
	if failed, ok := err.(*operator.RowError); ok {
		return failed
	}
	return operator.Rejected(n.rows, n.row, n.site.Node, err)
}

// settled is outcome, or nothing where failed records are skipped: those that failed here, not behind.
func (n *node) settled(err error) error {
	if err == nil || !n.skips || n.behind != nil {
		return err
	}
	n.site.Drops.Add(operator.DropFailed)
	return nil
}

func (n *node) fail(err error) {
	if n.failed == nil {
		n.failed = err
	}
}

// A misuse is a wrong call; its text says nothing from the record.
type misuse string

func (m misuse) Error() string  { return string(m) }
func (m misuse) Reason() string { return string(m) }

var errAway = errors.New("a context works only while its processor is called")

// Table implements state.Host.
func (n *node) Table(spec *state.Spec) state.Bytes {
	t := n.tables[spec]
	if t == nil {
		panic(fmt.Sprintf("the store %q is not connected to %s: give the step the option stream.Connect with it", spec.Name, n.site.Node))
	}
	return t
}

// Partition implements processor.Task.
func (n *node) Partition() int32 { return n.site.Partition }

// Source implements processor.Task.
func (n *node) Source() (s processor.Source, ok bool) {
	if n.rows == nil {
		return s, false
	}
	o := n.rows.Origins[n.row]
	if o == operator.NoOrigin {
		return s, false
	}
	return processor.Source{TopicPartition: n.site.SourcePartitions[o.Input], Offset: o.Offset}, true
}

// StreamTime implements processor.Task.
func (n *node) StreamTime() record.Timestamp { return n.sched.stream }

// WallTime implements processor.Task.
func (n *node) WallTime() record.Timestamp { return n.sched.wall }

// Schedule implements processor.Task.
func (n *node) Schedule(every time.Duration, by processor.Clock, f func(record.Timestamp) error) processor.Schedule {
	return n.sched.schedule(n, every, by, f)
}

// Commit implements processor.Task.
func (n *node) Commit() { n.site.CommitAsked = true }
