package cleanup

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// CleanerOptions tell how often and with what the logs are cleaned; fields not above zero take the defaults, Kafka's.
type CleanerOptions struct {
	CheckInterval time.Duration // between looks for what retention removes, log.retention.check.interval.ms; default 5 minutes
	Backoff       time.Duration // between looks for what to compact, log.cleaner.backoff.ms; default 15 s
	MapBytes      int64         // memory while a log is compacted, 16 bytes a key, log.cleaner.dedupe.buffer.size; default 128 MiB
	NoCompaction  bool          // log.cleaner.enable=false
}

// WithDefaults returns o with every field set.
func (o CleanerOptions) WithDefaults() CleanerOptions {
	if o.CheckInterval <= 0 {
		o.CheckInterval = 5 * time.Minute
	}
	if o.Backoff <= 0 {
		o.Backoff = 15 * time.Second
	}
	if o.MapBytes <= 0 {
		o.MapBytes = 128 << 20
	}
	return o
}

const (
	// firstLook is how long after the start retention begins, so that a start has the machine to itself.
	firstLook = 30 * time.Second
	// compactAgain is how long a partition whose compaction failed is left alone.
	compactAgain = 5 * time.Minute
	// restAfter is after how long at the latest a log or a journal that gets nothing gives back memory, divided by two.
	restAfter = 15 * time.Second
)

// A Node is the broker as its cleaner sees it. Commands return once they are durable; one that is lost, at the end of the broker or
// for want of room, is found again by the next look.
type Node interface {
	// Partitions yields those with a log that can be read.
	Partitions(yield func(Partition) bool)
	// Trim carries out what still holds.
	Trim(all []Trimming) error
	// Forget takes aborted transactions without records, named by their markers, off the list that readers get.
	Forget(number uint32, markers []record.Offset) error
	// Checkpoint asks for one.
	Checkpoint() error
	// Rest gives back memory that was not needed since the last call, besides that of the partitions.
	Rest()
}

// A Partition is one log with what the cleaner must know.
type Partition interface {
	Log
	Name() record.TopicPartition
	Number() uint32
	Rules() *settings.Rules
	SegmentBytes() int64 // most that a segment may have
	Bounds() (b Bounds, exists bool)
	Aborted() []AbortedTxn // as readers are told, by marker

	// Rest gives back memory if nothing came since the last call.
	Rest()
	Start() record.Offset
	Size() int64
	Cleaned() record.Offset
	LastTime(base record.Offset) (record.Timestamp, error)
	FirstTime(base record.Offset) (record.Timestamp, error)
}

// Bounds are the offsets of a partition that limit what may be done.
type Bounds struct {
	High, Stable record.Offset
	Cut          record.Offset // a start may cut the log at or behind it: compaction stays below
}

// A Trimming is what is to become of one partition: the active segment that begins at Roll ends, and records below Keep go.
type Trimming struct {
	Number     uint32
	Keep, Roll record.Offset // Roll -1: none ends
}

// Env is what a Cleaner works with. Event is told what was compacted and what failed, in slog-style pairs.
type Env struct {
	Clock clock.Clock
	Node  Node
	Event func(kind string, tp record.TopicPartition, fields ...any)
	// Backoff is CleanerOptions' as it was changed while the node runs; ok is false when it was not. May be nil.
	Backoff func() (d time.Duration, ok bool)
}

// A Cleaner removes what retention does not keep, ends segments by age and compacts, one log after the other, in the goroutine that
// calls Run.
type Cleaner struct {
	o     CleanerOptions
	e     Env
	quit  chan struct{}
	ended sync.Once

	mu struct {
		sync.Mutex // held while logs are looked at and cleaned

		born  map[uint32]sighting      // the active segment of a partition when it was first seen
		again map[uint32]time.Duration // partitions whose compaction failed
	}
}

type sighting struct {
	base record.Offset
	at   record.Timestamp
}

// New returns a Cleaner, to Run.
func New(o CleanerOptions, e Env) *Cleaner {
	c := &Cleaner{o: o.WithDefaults(), e: e, quit: make(chan struct{})}
	c.mu.again = map[uint32]time.Duration{}
	return c
}

// Stop makes Run return soon, also from the middle of a compaction.
func (c *Cleaner) Stop() { c.ended.Do(func() { close(c.quit) }) }

// backoff is what Options say unless it was changed meanwhile; so short a one that the cleaner would spin counts as 10 ms.
func (c *Cleaner) backoff() time.Duration {
	if c.e.Backoff != nil {
		if d, ok := c.e.Backoff(); ok {
			return max(d, 10*time.Millisecond)
		}
	}
	return c.o.Backoff
}

// Run works until Stop.
func (c *Cleaner) Run() {
	next, rest := c.e.Clock.Mono()+firstLook, c.e.Clock.Mono()+restAfter
	for {
		select {
		case <-c.e.Clock.After(min(c.backoff(), max(next-c.e.Clock.Mono(), 0))):
		case <-c.quit:
			return
		}
		if c.e.Clock.Mono() >= next {
			c.Retain()
			next = c.e.Clock.Mono() + c.o.CheckInterval
		}
		if c.e.Clock.Mono() >= rest {
			for p := range c.e.Node.Partitions {
				p.Rest()
			}
			c.e.Node.Rest()
			rest = c.e.Clock.Mono() + restAfter
		}
		if !c.o.NoCompaction {
			c.compactUntil(func() bool { return c.e.Clock.Mono() >= next })
		}
	}
}

// Retain looks once for what retention removes and which segments are to end, as Run does at its times.
func (c *Cleaner) Retain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retain()
}

// Compact looks once for logs that are dirty enough and compacts them, as Run does at its times.
func (c *Cleaner) Compact() { c.compactUntil(func() bool { return false }) }

func (c *Cleaner) compactUntil(enough func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compact(enough)
}

func (c *Cleaner) now() record.Timestamp { return record.Timestamp(c.e.Clock.Now().UnixMilli()) }

// retain looks at every partition once.
func (c *Cleaner) retain() {
	var all []Trimming
	seen := make(map[uint32]sighting, len(c.mu.born))
	for p := range c.e.Node.Partitions {
		first := p.Segments()[0].Base
		t, err := c.look(p, seen)
		if err != nil {
			c.failed("retention-failed", p, first, err)
			continue
		}
		if t.Roll >= 0 || t.Keep > p.Start() {
			all = append(all, t)
		}
	}
	c.mu.born = seen
	if len(all) > 0 {
		_ = c.e.Node.Trim(all) // see Node
	}
}

// look decides about one partition.
func (c *Cleaner) look(p Partition, seen map[uint32]sighting) (Trimming, error) {
	r, now, segments := p.Rules(), c.now(), p.Segments()
	t := Trimming{Number: p.Number(), Keep: segments[0].Base, Roll: -1}
	active := segments[len(segments)-1]
	born := c.mu.born[t.Number]
	if born.base != active.Base || born.at == 0 {
		born = sighting{active.Base, now}
	}
	seen[t.Number] = born
	old, err := isOld(p, active, born.at, now)
	if err != nil {
		return t, err
	}
	if old {
		t.Roll = active.Base
	}
	bounds, exists := p.Bounds()
	if !r.Delete || !exists {
		return t, nil
	}
	t.Keep, err = Retain(segments, Limits{Millis: r.RetentionMillis, Bytes: r.RetentionBytes}, now, bounds.High, p.LastTime)
	if t.Keep > active.Base {
		t.Roll = active.Base
	}
	return t, err
}

// isOld tells whether the active segment is to end for its age.
func isOld(p Partition, active Segment, born, now record.Timestamp) (bool, error) {
	if active.Size == 0 {
		return false, nil
	}
	first, err := p.FirstTime(active.Base)
	last := first
	if err == nil && first >= 0 {
		last, err = p.LastTime(active.Base)
	}
	r := p.Rules()
	// Every partition has its own share of the jitter, always the same.
	early := int64(uint64(p.Number()) * 2654435761 % (uint64(r.JitterMillis) + 1))
	return Roll(first, last, born, now, r.SegmentMillis-min(early, r.SegmentMillis-1)), err
}

// A compaction is one that is due.
type compaction struct {
	Partition
	plan Plan
}

// compact compacts all logs that are dirty enough, the dirtiest first, until enough says that something else has its turn.
func (c *Cleaner) compact(enough func() bool) {
	var due []compaction
	blocked := false
	for p := range c.e.Node.Partitions {
		if at, failed := c.mu.again[p.Number()]; !p.Rules().Compact || failed && c.e.Clock.Mono() < at {
			continue
		}
		first := p.Segments()[0].Base
		plan, waits, err := c.plan(p)
		switch {
		case err != nil:
			c.failed("compaction-failed", p, first, err)
		case plan.Due:
			due = append(due, compaction{p, plan})
		}
		blocked = blocked || waits
	}
	slices.SortFunc(due, func(a, b compaction) int { return cmp.Compare(b.plan.Ratio, a.plan.Ratio) })
	for _, one := range due {
		if c.compactOne(one); enough() {
			break
		}
	}
	if blocked {
		_ = c.e.Node.Checkpoint() // see Node
	}
}

// plan tells what of a log is to be compacted now, or whether that waits for a checkpoint.
func (c *Cleaner) plan(p Partition) (plan Plan, waits bool, err error) {
	bounds, exists := p.Bounds()
	if !exists {
		return plan, false, nil
	}
	r, segments := p.Rules(), p.Segments()
	policy := Policy{DirtyRatio: r.DirtyRatio, MinLag: r.MinLag, MaxLag: r.MaxLag}
	upTo := func(bound record.Offset) (Plan, error) {
		return Compactable(segments, policy, Progress{p.Cleaned(), min(bound, bounds.Stable), c.now()}, p)
	}
	plan, err = upTo(bounds.Cut)
	if active := segments[len(segments)-1].Base; err == nil && !plan.Due && active > bounds.Cut {
		var more Plan
		more, err = upTo(active)
		waits = more.Due
	}
	return plan, waits, err
}

func (c *Cleaner) compactOne(one compaction) {
	before := one.Size()
	result, err := Compact(one, Job{SegmentBytes: one.SegmentBytes(), Stop: c.quit, Options: Options{
		Plan: one.plan, MapBytes: c.o.MapBytes, Now: c.now(), DeleteRetention: one.Rules().DeleteRetention, Aborted: one.Aborted(),
	}})
	if err != nil {
		c.failed("compaction-failed", one, one.plan.Base, err)
		return
	}
	if len(result.EmptyAborts) > 0 {
		_ = c.e.Node.Forget(one.Number(), result.EmptyAborts) // see Node
	}
	c.e.Event("compacted", one.Name(), "from", int64(one.plan.Dirty), "to", int64(one.plan.End), "passes", result.Passes,
		"bytes_before", before, "bytes_after", one.Size())
}

// failed reports an error, unless the partition went away or we did, and leaves the partition alone for a while. When its first segment, which
// began at first, was removed meanwhile the error is no wonder: the next look finds what is left.
func (c *Cleaner) failed(what string, p Partition, first record.Offset, err error) {
	if _, exists := p.Bounds(); !exists || errors.Is(err, ErrStopped) || p.Segments()[0].Base != first {
		return
	}
	c.mu.again[p.Number()] = c.e.Clock.Mono() + compactAgain
	c.e.Event(what, p.Name(), "error", err.Error())
}
