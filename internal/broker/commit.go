package broker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/journal"
)

// A change is what a round makes visible in one partition.
type change struct {
	*partition
	publication
}

// A round is everything that becomes true when the frames up to lsn are durable, in this order: topics and offsets are shown to
// readers, then the outcomes are handed out.
type round struct {
	lsn        journal.LSN
	topics     *snapshot // nil when no topic changed
	changes    []change
	removed    []*partition
	outcomes   []outcome
	checkpoint *checkpoint // taken behind the round; nil for most
	cost       int64
}

// The committer flushes the journal and hands out rounds in order. While one flush runs, the sequencer forms the next rounds.
type committer struct {
	clock   clock.Clock
	journal *journal.Journal
	show    func(*snapshot)
	release func(cost int64)
	keeper  *keeper
	kicked  chan struct{} // capacity 1: there may be frames to flush
	failed  chan struct{} // closed by the first failure

	mu struct {
		sync.Mutex
		durable journal.LSN
		waiting []*round
		free    []*round
		why     *stop // after a failure: nothing is handed out any more
		err     error
		syncs   latencies
	}
}

func newCommitter(c clock.Clock, j *journal.Journal, durable journal.LSN) *committer {
	m := &committer{clock: c, journal: j, kicked: make(chan struct{}, 1), failed: make(chan struct{})}
	m.mu.durable = durable
	return m
}

func (c *committer) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// run flushes after every kick until quit is closed; then once more.
func (c *committer) run(quit <-chan struct{}) {
	for {
		last := false
		select {
		case <-c.kicked:
		case <-quit:
			last = true
		}
		if !c.flush() || last {
			return
		}
	}
}

func (c *committer) flush() bool {
	start := c.clock.Mono()
	lsn, err := c.journal.Flush()
	if err != nil {
		c.fail(err, nil)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if lsn > c.mu.durable {
		c.mu.durable = lsn
		c.mu.syncs.add(c.clock.Mono() - start)
	}
	c.handOutLocked()
	return c.mu.why == nil
}

// add queues r behind the rounds before it, and hands it out at once when its frames are durable already.
func (c *committer) add(r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.waiting = append(c.mu.waiting, r)
	c.handOutLocked()
}

// handOutLocked runs rounds under the lock, which keeps them in order when the sequencer and the flusher meet here. Everything in
// it is short: no step waits for a reader or a file.
func (c *committer) handOutLocked() {
	if c.mu.why != nil {
		for _, r := range c.mu.waiting {
			c.loseLocked(r)
		}
		c.mu.waiting = nil
		return
	}
	n := 0
	for _, r := range c.mu.waiting {
		if r.lsn > c.mu.durable {
			break
		}
		c.handOut(r)
		c.recycleLocked(r)
		n++
	}
	rest := copy(c.mu.waiting, c.mu.waiting[n:])
	clear(c.mu.waiting[rest:])
	c.mu.waiting = c.mu.waiting[:rest]
}

func (c *committer) handOut(r *round) {
	if r.topics != nil {
		c.show(r.topics)
	}
	for i := range r.changes {
		r.changes[i].publish(r.changes[i].publication)
	}
	for _, p := range r.removed {
		p.retire()
	}
	for _, o := range r.outcomes {
		o.finish()
	}
	c.release(r.cost)
	if len(r.removed) > 0 || r.checkpoint != nil {
		c.keeper.push(keeping{append([]*partition(nil), r.removed...), r.checkpoint})
	}
}

func (c *committer) loseLocked(r *round) {
	for _, o := range r.outcomes {
		o.fail(c.mu.why)
	}
	c.release(r.cost)
}

// fail ends all handing out; the rounds that wait, and r, fail. The first error counts.
func (c *committer) fail(err error, r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.why == nil {
		c.mu.err, c.mu.why = err, storageStop(err)
		close(c.failed)
	}
	if r != nil {
		c.mu.waiting = append(c.mu.waiting, r)
	}
	c.handOutLocked()
}

func (c *committer) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

// newRound returns an empty round, used ones first.
func (c *committer) newRound() *round {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.mu.free)
	if n == 0 {
		return &round{}
	}
	r := c.mu.free[n-1]
	c.mu.free = c.mu.free[:n-1]
	return r
}

// keptRounds are enough for one that forms, one that syncs and one that is handed out.
const keptRounds = 4

func (c *committer) recycleLocked(r *round) {
	if len(c.mu.free) == keptRounds || cap(r.outcomes) > 1<<12 {
		return
	}
	clear(r.changes)
	clear(r.removed)
	clear(r.outcomes)
	*r = round{changes: r.changes[:0], removed: r.removed[:0], outcomes: r.outcomes[:0]}
	c.mu.free = append(c.mu.free, r)
}

// latencies keeps the last sync times for the percentiles of Stats.
type latencies struct {
	count int64
	ring  [512]time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.ring[l.count%int64(len(l.ring))] = d
	l.count++
}

// Stats is what status pages and metrics show.
type Stats struct {
	Topics, Partitions int
	Records, Bytes     int64 // appended since start
	Syncs              int64
	SyncP50, SyncP99   time.Duration // of the last 512 syncs
}

// figures count what was appended.
type figures struct {
	records, bytes atomic.Int64
}

func (f *figures) add(records int64, bytes int) {
	f.records.Add(records)
	f.bytes.Add(int64(bytes))
}

// Stats returns figures since start.
func (b *Broker) Stats() Stats {
	s := Stats{Records: b.figures.records.Load(), Bytes: b.figures.bytes.Load()}
	for _, t := range b.view.Load().byName {
		s.Topics++
		s.Partitions += len(t.parts)
	}
	b.commits.mu.Lock()
	l := b.commits.mu.syncs
	b.commits.mu.Unlock()
	s.Syncs = l.count
	if kept := l.ring[:min(l.count, int64(len(l.ring)))]; len(kept) > 0 {
		slices.Sort(kept)
		s.SyncP50, s.SyncP99 = kept[len(kept)/2], kept[len(kept)*99/100]
	}
	return s
}
