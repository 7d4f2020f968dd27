package task

import (
	"time"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/process"
	"github.com/mainstemio/mainstem/record"
)

// A task is one partition of a sub-topology.
type task struct {
	*operator.Task
	sub       int
	partition int32
	ports     []port // in order: ties between equal timestamps go to the first
	sources   []*input
	inboxes   []operator.Inbox
	mail      []port // of the inboxes

	circular  []bool             // of the ports: what follows from a row comes back before the next; see topology.Loops
	between   []port             // those where it passes on its way
	scheduler *process.Scheduler // nil: the task has no processors

	rows     int64            // taken, with those of units that were undone
	busy     time.Duration    // on units that began with its input
	units    int64            // that began with its input
	keptTime record.Timestamp // StreamTime before the unit
	touched  bool             // the unit has used this task
}

// A port is an input of a task: a source partition or an inbox.
type port interface {
	// times returns the timestamps of the next rows, as many as stand together.
	times() []record.Timestamp
	feed(n int) error
}

type sourcePort struct {
	set    *Set
	in     *input
	feeder operator.Feeder
	bad    operator.Bad // the set's
	rows   *int64       // that a source took; nil behind a repartition, whose sender counts
	run    operator.Run // empty but while it is fed: it would keep its chunk in memory
}

// times ends before a record whose fate is decided already, or shows it alone.
func (p *sourcePort) times() []record.Timestamp {
	times := p.in.waiting()
	if len(p.set.verdicts) == 0 || len(times) == 0 {
		return times
	}
	offsets := p.in.chunks[p.in.chunk].Offsets[p.in.row:]
	for i := range times {
		if _, known := p.set.verdict(p.in.index, offsets[i]); known {
			return times[:max(i, 1)]
		}
	}
	return times
}

func (p *sourcePort) feed(n int) error {
	p.in.take(n, &p.run)
	defer func() { p.run = operator.Run{} }()
	if p.rows != nil {
		*p.rows += int64(n)
	}
	if v, known := p.set.verdict(p.in.index, p.run.Offsets[0]); known {
		p.set.setAside(&p.run, 0, v)
		return nil
	}
	return p.feeder.Feed(&p.run, p.bad)
}

type inboxPort struct{ in operator.Inbox }

func (p *inboxPort) times() []record.Timestamp { return p.in.Timestamps() }
func (p *inboxPort) feed(n int) error          { return p.in.Feed(n) }

// head returns the lowest timestamp of the rows that wait.
func head(ports []port) (lowest record.Timestamp, found bool) {
	for _, p := range ports {
		if times := p.times(); len(times) > 0 && (!found || times[0] < lowest) {
			lowest, found = times[0], true
		}
	}
	return lowest, found
}

// choose returns the index of the port whose next row has the lowest timestamp, and how many of its rows, at most limit, come before
// those of the others: the rule of Kafka Streams' PartitionGroup, as a run. n is 0 when nothing waits.
func choose(ports []port, limit int) (at, n int) {
	var times []record.Timestamp
	at = -1
	for i, p := range ports {
		if waiting := p.times(); len(waiting) > 0 && (at < 0 || waiting[0] < times[0]) {
			at, times = i, waiting
		}
	}
	if at < 0 {
		return 0, 0
	}
	times = times[:min(len(times), limit)]
	n = len(times)
	for i, p := range ports {
		waiting := p.times()
		if i == at || len(waiting) == 0 {
			continue
		}
		for j, ts := range times[:n] {
			if ts > waiting[0] || ts == waiting[0] && i < at {
				n = j
				break
			}
		}
	}
	return at, n
}

// step passes one run of at most limit rows through the operators and returns how many it was: one, where what follows must come back
// before the next.
func (t *task) step(limit int) (int, error) {
	at, n := choose(t.ports, t.limit(limit))
	if n == 0 {
		return 0, nil
	}
	if t.circular != nil && t.circular[at] {
		n = 1
	}
	return t.pass(t.ports[at], n)
}

// stepOf is step for some of the ports, of which one has rows.
func (t *task) stepOf(ports []port, limit int) error {
	at, n := choose(ports, t.limit(limit))
	_, err := t.pass(ports[at], n)
	return err
}

// limit is 1 where processors want to know the time.
func (t *task) limit(rows int) int {
	if t.scheduler != nil {
		return 1
	}
	return rows
}

// pass passes the next n rows of a port through the operators.
func (t *task) pass(p port, n int) (int, error) {
	t.rows += int64(n)
	for _, ts := range p.times()[:n] {
		t.StreamTime = max(t.StreamTime, ts)
	}
	if t.scheduler == nil {
		return n, p.feed(n)
	}
	t.scheduler.See(t.StreamTime)
	if err := p.feed(n); err != nil {
		return n, err
	}
	return n, t.scheduler.AfterRow()
}

// hasInput tells whether a source of the task has rows to read.
func (t *task) hasInput() bool {
	for _, in := range t.sources {
		if len(in.waiting()) > 0 {
			return true
		}
	}
	return false
}

// hasMail tells whether an inbox of the task has rows.
func (t *task) hasMail() bool {
	for _, in := range t.inboxes {
		if len(in.Timestamps()) > 0 {
			return true
		}
	}
	return false
}

// ahead counts the source rows the unit has read.
func (t *task) ahead() int {
	n := 0
	for _, in := range t.sources {
		n += in.ahead
	}
	return n
}

func (t *task) keep() {
	for _, in := range t.sources {
		in.keep()
	}
	t.keptTime, t.touched = t.StreamTime, false
}

func (t *task) undo() {
	for _, in := range t.sources {
		in.undo()
	}
	t.StreamTime, t.touched = t.keptTime, false
}
