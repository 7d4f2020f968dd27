package process

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A Scheduler is the time of a task, and what its processors have planned.
type Scheduler struct {
	stream record.Timestamp // highest time of any row taken
	wall   record.Timestamp // as the last Begin or Wall said
	nodes  []*node          // children before parents
	plans  []*plan
	kept   []savedPlan
	dirty  bool // plans changed since kept
	begun  bool
	at     *node // the one whose code runs

	rows *operator.State[string, int64] // nil before Keep
}

// A plan is one schedule.
type plan struct {
	s         *Scheduler
	node      *node
	by        processor.Clock
	every     record.Timestamp
	next      record.Timestamp // of the next call
	call      func(now record.Timestamp) error
	key       []byte // of its row; nil: made behind Init, so it is not kept
	cancelled bool
}

// A savedPlan is a plan as it was when the unit began.
type savedPlan struct {
	*plan
	next      record.Timestamp
	cancelled bool
}

const schedulerKey = "scheduler"

// SchedulerOf returns the task's Scheduler; nil: it has no processors.
func SchedulerOf(t *operator.Task) *Scheduler {
	s, _ := t.Shared(schedulerKey).(*Scheduler)
	return s
}

// Share gives the task the Scheduler of another.
func (s *Scheduler) Share(t *operator.Task) { t.Share(schedulerKey, s) }

func schedulerOf(t *operator.Task) *Scheduler {
	s := SchedulerOf(t)
	if s == nil {
		s = &Scheduler{stream: record.NoTimestamp, wall: record.NoTimestamp}
		s.Share(t)
	}
	return s
}

// Keep makes the table in which the Scheduler lasts, unless it has one, and returns its name.
func (s *Scheduler) Keep(site *operator.Site) (name string, made bool) {
	if s.rows != nil {
		return s.rows.Table.Name(), false
	}
	name = s.nodes[len(s.nodes)-1].site.Node + "-time"
	s.rows = operator.NewState(site, store.Options[string, int64]{
		Name: name, Partition: site.Partition, Key: serde.String, Value: serde.Int64, Marks: 1,
	})
	site.Undoers = append(site.Undoers, keeper{s})
	return name, true
}

// Begin starts the processors, parents before children, at a wall-clock time. The stores are restored.
func (s *Scheduler) Begin(now record.Timestamp) error {
	if s.begun {
		return nil
	}
	s.begun, s.wall = true, now
	s.stream = max(s.stream, record.Timestamp(s.rows.Table.Marks()[0]))
	for _, n := range slices.Backward(s.nodes) {
		if err := s.run(n, "Init", n.begin); err != nil {
			return err
		}
		n.begun = true
	}
	return nil
}

// Close ends the processors, in the order of Begin.
func (s *Scheduler) Close() error {
	var all []error
	for _, n := range slices.Backward(s.nodes) {
		if n.begun {
			n.begun = false
			all = append(all, s.run(n, "Close", n.end))
		}
	}
	return errors.Join(all...)
}

// run calls a function of a processor's outside of records.
func (s *Scheduler) run(n *node, what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			cause := &operator.PanicError{Value: v, Stack: debug.Stack()}
			err = fmt.Errorf("%s of %s: %w: %v", what, n.site.Node, cause, v)
		}
	}()
	defer n.leave(n.enter(&noRows, 0))
	if err := errors.Join(f(), n.failed, n.behind); err != nil {
		return fmt.Errorf("%s of %s: %w", what, n.site.Node, err)
	}
	return nil
}

// Stream is the stream time.
func (s *Scheduler) Stream() record.Timestamp { return s.stream }

// See moves the stream time to at least ts.
func (s *Scheduler) See(ts record.Timestamp) {
	if ts > s.stream {
		s.stream = ts
		s.rows.Table.Marks()[0] = int64(ts)
	}
}

// AfterRow makes the calls that the stream time has made due.
func (s *Scheduler) AfterRow() error {
	if s.stream == record.NoTimestamp {
		return nil
	}
	return s.calls(processor.StreamClock, s.stream)
}

// Wall moves the wall-clock time and makes the calls that are due.
func (s *Scheduler) Wall(now record.Timestamp) error {
	s.wall = now
	return s.calls(processor.WallClock, now)
}

// SetWall moves the wall-clock time and calls nothing.
func (s *Scheduler) SetWall(now record.Timestamp) { s.wall = now }

// NextWall returns when the next wall-clock call is due.
func (s *Scheduler) NextWall() (at record.Timestamp, ok bool) {
	if p := s.first(processor.WallClock); p != nil {
		return p.next, true
	}
	return record.NoTimestamp, false
}

// first returns the plan that is due first; of equal ones the oldest.
func (s *Scheduler) first(by processor.Clock) (first *plan) {
	for _, p := range s.plans {
		if p.by == by && (first == nil || p.next < first.next) {
			first = p
		}
	}
	return first
}

func (s *Scheduler) calls(by processor.Clock, now record.Timestamp) error {
	for {
		p := s.first(by)
		if p == nil || p.next > now {
			return nil
		}
		s.dirty = true
		p.advance(now)
		if err := p.node.punctuate(p.call, now); err != nil {
			return err
		}
		if err := p.save(); err != nil {
			return err
		}
	}
}

// advance moves a plan behind now: over what was missed at once, and still in step.
func (p *plan) advance(now record.Timestamp) {
	missed := (now - p.next) / p.every
	p.next += (missed + 1) * p.every
}

// save keeps the next time of a plan that lasts.
func (p *plan) save() error {
	if p.key == nil || p.cancelled {
		return nil
	}
	_, err := p.s.rows.Set(p.key, int64(p.next), max(p.s.stream, 0), &noRows, 0)
	return err
}

// Cancel implements processor.Schedule.
func (p *plan) Cancel() {
	if p.cancelled {
		return
	}
	p.cancelled, p.s.dirty = true, true
	p.s.plans = slices.DeleteFunc(slices.Clone(p.s.plans), func(q *plan) bool { return q == p })
	if p.key != nil {
		p.s.rows.Remove(p.key)
	}
}

// errInterval: a schedule needs one.
var errInterval = errors.New("a schedule needs an interval of at least a millisecond and a function")

func (s *Scheduler) schedule(n *node, every time.Duration, by processor.Clock, f func(record.Timestamp) error) *plan {
	p := &plan{s: s, node: n, by: by, every: record.Timestamp(every.Milliseconds()), call: f}
	if p.every < 1 || f == nil {
		n.fail(errInterval)
		p.cancelled = true
		return p
	}
	if by == processor.WallClock {
		p.next = s.wall + p.every
	}
	s.plans, s.dirty = append(slices.Clone(s.plans), p), true
	if n.begun {
		return p
	}
	p.key = []byte(n.site.Node + "/" + strconv.Itoa(n.planned))
	n.planned++
	if next, _, ok := s.rows.Table.Get(p.key); ok {
		p.next = record.Timestamp(next)
	} else if err := p.save(); err != nil {
		n.fail(err)
	}
	return p
}

// keeper makes a Scheduler an Undoer.
type keeper struct{ s *Scheduler }

func (k keeper) Keep() {
	s := k.s
	if !s.dirty {
		return
	}
	s.dirty, s.kept = false, s.kept[:0]
	for _, p := range s.plans {
		s.kept = append(s.kept, savedPlan{p, p.next, p.cancelled})
	}
}

func (k keeper) Undo() {
	s := k.s
	s.stream = record.Timestamp(s.rows.Table.Marks()[0]) // undone before
	if !s.dirty {
		return
	}
	s.dirty, s.plans = false, nil
	for _, p := range s.kept {
		p.plan.next, p.plan.cancelled = p.next, p.cancelled
		s.plans = append(s.plans, p.plan)
	}
}
