package task

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// A task is one partition of a sub-topology.
type task struct {
	sub       int
	partition int32
	ports     []port // in order: ties between equal timestamps go to the first
	sources   []*input
	inboxes   []operator.Inbox

	streamTime record.Timestamp
	keptTime   record.Timestamp // streamTime before the unit
	touched    bool             // the unit has used this task
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
	run    operator.Run
}

// times ends before a record whose fate is decided already, or shows it alone.
func (p *sourcePort) times() []record.Timestamp {
	times := p.in.waiting()
	if len(p.set.verdicts) == 0 || len(times) == 0 {
		return times
	}
	offsets := p.in.chunks[p.in.chunk].Offsets[p.in.row:]
	for i := range times {
		if p.set.verdict(p.in.index, offsets[i]) != nil {
			return times[:max(i, 1)]
		}
	}
	return times
}

func (p *sourcePort) feed(n int) error {
	p.in.take(n, &p.run)
	if e := p.set.verdict(p.in.index, p.run.Offsets[0]); e != nil {
		p.set.deadLetter(&p.run, 0, e)
		return nil
	}
	return p.feeder.Feed(&p.run, p.bad)
}

type inboxPort struct{ in operator.Inbox }

func (p *inboxPort) times() []record.Timestamp { return p.in.Timestamps() }
func (p *inboxPort) feed(n int) error          { return p.in.Feed(n) }

// head returns the lowest timestamp of the rows that wait.
func (t *task) head() (record.Timestamp, bool) {
	var lowest record.Timestamp
	found := false
	for _, p := range t.ports {
		if times := p.times(); len(times) > 0 && (!found || times[0] < lowest) {
			lowest, found = times[0], true
		}
	}
	return lowest, found
}

// choose returns the port whose next row has the lowest timestamp, and how many of its rows, at most limit, come before those of
// the others: the rule of Kafka Streams' PartitionGroup, as a run. n is 0 when nothing waits.
func (t *task) choose(limit int) (chosen port, n int) {
	var times []record.Timestamp
	at := -1
	for i, p := range t.ports {
		if waiting := p.times(); len(waiting) > 0 && (at < 0 || waiting[0] < times[0]) {
			at, times = i, waiting
		}
	}
	if at < 0 {
		return nil, 0
	}
	times = times[:min(len(times), limit)]
	n = len(times)
	for i, p := range t.ports {
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
	return t.ports[at], n
}

// step passes one run of at most limit rows through the operators and returns how many it was.
func (t *task) step(limit int) (int, error) {
	p, n := t.choose(limit)
	if n == 0 {
		return 0, nil
	}
	for _, ts := range p.times()[:n] {
		t.streamTime = max(t.streamTime, ts)
	}
	return n, p.feed(n)
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
	t.keptTime, t.touched = t.streamTime, false
}

func (t *task) undo() {
	for _, in := range t.sources {
		in.undo()
	}
	t.streamTime, t.touched = t.keptTime, false
}
