package broker

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/space"
	"github.com/mainstemio/mainstem/record"
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
	events  func(Event)
	starved atomic.Bool   // the journal could not get its next file
	reserve time.Duration // when to ask for the next file again
	kicked  chan struct{} // capacity 1: there may be frames to flush
	failed  chan struct{} // closed by the first failure
	showing sync.RWMutex  // held while a round is shown: who holds it for reading sees whole rounds
	times   meter.Histogram

	mu struct {
		sync.Mutex
		durable journal.LSN
		waiting []*round
		free    []*round
		why     *stop // after a failure: nothing is handed out any more
		err     error
		syncs   meter.Recent
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
		for {
			full, ok := c.flush()
			if full == nil {
				if !ok || last {
					return
				}
				break
			}
			select {
			case <-c.clock.After(fullInterval):
			case <-quit:
				c.fail(full, nil)
				return
			}
		}
	}
}

// DurableLSN is the end of what the journal holds for sure; it stands for the end of Kafka's metadata log.
func (b *Broker) DurableLSN() int64 {
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	return int64(b.commits.mu.durable)
}

// flush makes durable what gathered and hands out what is. ok is false after the end. A full disk is an error of its own: nothing
// is lost or acknowledged, and the flush can be tried again.
func (c *committer) flush() (full error, ok bool) {
	start := c.clock.Mono()
	lsn, err := c.journal.Flush()
	if err != nil && !errors.Is(err, journal.ErrFull) {
		c.fail(err, nil)
		return nil, false
	}
	if err == nil {
		c.reserveFile()
	} else if !c.starved.Swap(true) {
		c.events(Event{eventStalled, []any{"error", err.Error()}})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if lsn > c.mu.durable {
		c.mu.durable = lsn
		took := c.clock.Mono() - start
		c.mu.syncs.Observe(took)
		c.times.Observe(took)
	}
	c.handOutLocked()
	return err, c.mu.why == nil
}

// reserveFile sees that the journal's next file exists before it is needed.
func (c *committer) reserveFile() {
	now := c.clock.Mono()
	if c.starved.Load() && now < c.reserve {
		return
	}
	err := c.journal.Reserve()
	if err != nil && !c.starved.Load() {
		c.events(Event{eventDiskLow, []any{"error", err.Error()}})
	}
	c.reserve = now + fullInterval
	c.starved.Store(err != nil)
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
		if r.lsn > c.mu.durable && !planted.Is(planted.AcknowledgedEarly) {
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
	c.showRound(r)
	for _, o := range r.outcomes {
		o.finish()
	}
	c.release(r.cost)
	if len(r.removed) > 0 || r.checkpoint != nil {
		c.keeper.push(keeping{append([]*partition(nil), r.removed...), r.checkpoint})
	}
}

func (c *committer) showRound(r *round) {
	c.showing.Lock()
	defer c.showing.Unlock()
	if r.topics != nil {
		c.show(r.topics)
	}
	for i := range r.changes {
		r.changes[i].publish(r.changes[i].publication)
	}
	for _, p := range r.removed {
		p.retire()
	}
}

func (c *committer) loseLocked(r *round) {
	for _, o := range r.outcomes {
		o.fail(c.mu.why)
	}
	c.release(r.cost)
}

// fail ends all handing out; the rounds that wait, and r, fail, and their batches are not read any more. The first error counts.
func (c *committer) fail(err error, r *round) {
	c.journal.Stop(err)
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

// Stats is what status pages and metrics show.
type Stats struct {
	Topics, Partitions int
	Records, Bytes     int64 // appended since start
	Syncs              int64
	SyncP50, SyncP99   time.Duration // of the last 512 syncs
	SyncTimes          meter.Snapshot
	JournalBytes       int64         // of frames, appended since start
	JournalFiles       int           // that hold frames which no checkpoint covers, and the one under write
	CheckpointAge      time.Duration // since the newest checkpoint was durable, or the start
	Disk               space.Status  // as the last look found it
}

// figures count what was appended.
type figures struct {
	records, bytes atomic.Int64
	journal        atomic.Int64 // bytes of frames
	checkpoint     atomic.Int64 // when the newest one was durable, on the monotonic clock
}

// add counts one batch that p got.
func (f *figures) add(p *partition, v batch.View) {
	f.records.Add(int64(v.Count()))
	f.bytes.Add(int64(len(v)))
	p.traffic.Records.Add(int64(v.Count()))
	p.traffic.Bytes.Add(int64(len(v)))
}

// PartitionStats is what status pages and metrics show of a partition. Counts are since the start of the process.
type PartitionStats struct {
	record.TopicPartition
	Internal            bool
	Start, High, Stable record.Offset
	LogBytes            int64
	Segments            int
	Records, Bytes      int64 // appended by producers and pipelines
	Sent                int64 // bytes read by clients
	Damaged             bool  // its log could not be opened: it refuses everything
}

// EachPartition calls fn for every partition, topic by topic in no order. It meets neither the sequencer nor the disk.
func (b *Broker) EachPartition(fn func(PartitionStats)) {
	for _, t := range b.view.Load().byName {
		for _, p := range t.parts {
			fn(p.stats(t.Internal))
		}
	}
}

func (p *partition) stats(internal bool) PartitionStats {
	s := PartitionStats{
		TopicPartition: p.TopicPartition, Internal: internal, Damaged: p.damage.Load() != nil,
		Records: p.traffic.Records.Load(), Bytes: p.traffic.Bytes.Load(), Sent: p.traffic.Out.Load(),
	}
	p.shown.RLock()
	s.Start, s.High, s.Stable = p.shown.start, p.shown.high, p.shown.stable
	p.shown.RUnlock()
	if log := p.log.Load(); log != nil {
		for _, of := range log.Segments() {
			s.LogBytes += of.Size
			s.Segments++
		}
	}
	return s
}

// Stats returns figures since start.
func (b *Broker) Stats() Stats {
	s := Stats{
		Records: b.figures.records.Load(), Bytes: b.figures.bytes.Load(), Disk: b.space.Status(), SyncTimes: b.commits.times.Snapshot(),
		JournalBytes: b.figures.journal.Load(), JournalFiles: b.journal.Files(),
		CheckpointAge: b.o.Clock.Mono() - time.Duration(b.figures.checkpoint.Load()),
	}
	for _, t := range b.view.Load().byName {
		s.Topics++
		s.Partitions += len(t.parts)
	}
	b.commits.mu.Lock()
	recent := b.commits.mu.syncs
	b.commits.mu.Unlock()
	s.Syncs = recent.Count()
	s.SyncP50, s.SyncP99 = recent.Percentiles()
	return s
}
