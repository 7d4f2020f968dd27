package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/queue"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/space"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// The sequencer turns commands into frames, one round at a time. A round is what gathered while the previous one ran: its frames
// are appended and applied, its batches are written to the logs, and its outcomes wait for the journal to be durable.
type sequencer struct {
	clock   clock.Clock
	journal *journal.Journal
	frame   int // a frame longer than this many bytes travels as fragments
	queue   *queue.Queue[command, stop]
	commits *committer
	limits  limits
	figures *figures
	space   *space.Watch
	reserve int64 // bytes of the journal that are kept for what makes room
	events  func(Event)

	mu      sync.Mutex // held for a round; those who look at the pending state from outside hold it too
	st      *state
	writers map[string]*EpochWriter // the newest of each group

	round    *round
	commands []command
	parked   map[group.Token]parked
	token    group.Token
	last     journal.LSN // of the newest frame
	err      error       // first failure of the journal or a log: the round must not be acknowledged
	keeping  bool        // a checkpoint is being written
	wanted   bool        // somebody waits for a checkpoint, however short the journal is
	keepAt   time.Duration

	nextExpiry time.Duration // when offsets that nobody needs are looked for
	full       error         // why the round waits for room in the logs; nil when none does

	scratch []byte
	parts   []journal.Part
}

// limits are the parts of Options that decide about requests.
type limits struct {
	nodeID            int32
	defaultPartitions int32
	autoCreate        bool
	maxMetadata       int
}

// run works until ctx ends (nil) or the storage failed.
func (s *sequencer) run(ctx context.Context) error {
	var wake <-chan time.Time
	var armed time.Duration
	for {
		if at, ok := s.nextTick(); !ok {
			wake = nil
		} else if wake == nil || at != armed {
			armed, wake = at, s.clock.After(at-s.clock.Mono())
		}
		ready := s.queue.Ready()
		if s.full != nil {
			ready = nil // one round at a time
		}
		select {
		case <-ready:
		case <-wake:
			wake = nil
		case <-s.commits.failed:
			return s.commits.failure()
		case <-ctx.Done():
			return nil
		}
		if err := s.step(); err != nil {
			return err
		}
	}
}

// finish takes what came before the queue was stopped and gives up on parked requests.
func (s *sequencer) finish(why *stop) error {
	for range 2 { // a round that waits for room comes before what is queued
		if err := s.step(); err != nil {
			return err
		}
	}
	if s.full != nil {
		return s.full
	}
	s.abandon(why)
	return nil
}

// abandon fails what is queued or parked, and a round that still waits for room.
func (s *sequencer) abandon(why *stop) {
	for _, c := range s.queue.Take(nil) {
		s.queue.Release(c.cost())
		c.fail(why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, p := range s.parked {
		delete(s.parked, t)
		p.fail(why)
	}
	if s.full != nil {
		s.commits.fail(s.full, s.round)
		s.full, s.round = nil, nil
	}
}

func (s *sequencer) nextTick() (at time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.st.groups.Next()
	if t, more := s.st.txns.Next(); more && (!ok || t < at) {
		at, ok = t, true
	}
	if t, more := s.space.Next(); more && (!ok || t < at) {
		at, ok = t, true
	}
	if !ok || s.nextExpiry < at {
		at, ok = s.nextExpiry, true
	}
	if s.full != nil || s.commits.starved.Load() {
		if t := s.clock.Mono() + fullInterval; !ok || t < at {
			at, ok = t, true
		}
	}
	return at, ok
}

// fullInterval is how often something that found no room is tried again.
const fullInterval = 500 * time.Millisecond

// starved tells whether the journal could not get its next file, and has only the reserve left for deletions and ends.
func (s *sequencer) starved() bool {
	return s.commits.starved.Load() && s.journal.Room() < s.reserve
}

// fullDetail tells a client why its bytes were refused.
func (s *sequencer) fullDetail() string {
	d := s.space.Status()
	return fmt.Sprintf("The disk of %s is low: %d bytes are free, %d have to stay free.", d.Dir, d.Free, d.MinFree)
}

// step is one round.
func (s *sequencer) step() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.close()
	}
	s.round = s.commits.newRound()
	before := s.last
	s.st.now = record.Timestamp(s.clock.Now().UnixMilli())
	s.tick()
	s.commands = s.queue.Take(s.commands)
	for _, c := range s.commands {
		s.round.cost += c.cost()
		c.exec(s)
	}
	clear(s.commands)
	if s.last != before {
		s.commits.kick()
	}
	return s.close()
}

// close hands the round to the committer. The flush may begin before the logs are written: a round is handed out only after both.
func (s *sequencer) close() error {
	if s.err == nil {
		s.err = s.st.writeLogs()
	}
	if planted.Is(planted.RoundTornByFull) && vfs.IsFull(s.err) {
		s.err = nil
		for _, p := range s.st.dirty {
			p.pend = nil
		}
	}
	if s.waitsForRoom() {
		return nil
	}
	r := s.round
	s.round = nil
	r.lsn = s.last
	if s.err != nil {
		s.commits.fail(s.err, r)
		return s.err
	}
	s.st.publish(r)
	if planted.Is(planted.ShownEarly) {
		for i := range r.changes {
			r.changes[i].publish(r.changes[i].publication)
		}
	}
	if !s.keeping && (s.wanted || s.journal.Files() > 1) && (s.keepAt == 0 || s.clock.Mono() >= s.keepAt) {
		s.keeping, s.wanted = true, false
		r.checkpoint = s.st.checkpoint(s.last, false)
	}
	s.commits.add(r)
	if cap(s.scratch) > keptScratch {
		s.scratch = nil
	}
	return nil
}

// waitsForRoom tells whether a log could not take its batches for want of space. They are kept, in the journal and in memory, and the
// round stays open: it is closed by a later step, and nothing else is taken before.
func (s *sequencer) waitsForRoom() bool {
	if !vfs.IsFull(s.err) {
		s.full = nil
		return false
	}
	if s.full == nil {
		s.events(Event{eventStalled, []any{"dir", s.st.home.dir, "error", s.err.Error()}})
	}
	s.full, s.err = s.err, nil
	return true
}

// publish moves what the round changed for readers into r.
func (st *state) publish(r *round) {
	for i, p := range st.dirty {
		p.dirty = false
		if !p.deleted {
			r.changes = append(r.changes, change{p, p.publication()})
		}
		st.dirty[i] = nil
	}
	st.dirty = st.dirty[:0]
	if st.topicsMoved {
		r.topics = st.snapshot()
	}
	r.removed = append(r.removed, st.removed...)
	st.removed, st.topicsMoved = nil, false
}

// tick gives the coordinators their time.
func (s *sequencer) tick() {
	now := s.clock.Mono()
	if at, ok := s.st.groups.Next(); ok && at <= now {
		s.effects(s.st.groups.Tick(now))
	}
	if now >= s.nextExpiry {
		s.effects(s.st.groups.Expire(now, s.st.now))
		s.nextExpiry = now + group.CheckInterval
	}
	if at, ok := s.st.txns.Next(); ok && at <= now {
		for _, e := range s.st.txns.Tick(now) {
			s.endTxn(e)
		}
	}
	s.space.Tick(now)
	if s.commits.starved.Load() {
		s.commits.kick()
	}
}

// append is put for parts that are copied.
func (s *sequencer) append(kind frame.Kind, parts ...[]byte) { s.put(kind, journal.Copied(parts...)) }

// lend appends the parts of v, which keeps its bytes until its round is over. Its CRC was checked when v was admitted.
func lend(parts []journal.Part, v batch.View) []journal.Part {
	before, counted, crc := v.Summed()
	return append(parts, journal.Part{Bytes: before}, journal.Part{Bytes: counted, Lent: true, Sum: crc})
}

// put puts one frame into the journal, in fragments when it is long, and forgets the parts.
func (s *sequencer) put(kind frame.Kind, parts []journal.Part) {
	defer clear(parts)
	if s.err != nil {
		return
	}
	size := journal.Size(parts)
	s.figures.journal.Add(int64(size))
	if size > s.frame {
		s.appendFragments(kind, size, parts)
		return
	}
	if lsn, err := s.journal.Append(journal.Kind(kind), parts...); err != nil {
		s.err = fmt.Errorf("append to the journal: %w", err)
	} else {
		s.last = lsn
	}
}

// appendFragments splits a frame that is too long for the journal. The first fragment says so and only the last one names the kind:
// recovery applies the whole or, when a crash cut the series, nothing.
func (s *sequencer) appendFragments(kind frame.Kind, size int, parts []journal.Part) {
	whole := make([]byte, 0, size)
	for i := range parts {
		whole = append(whole, parts[i].Bytes...)
	}
	for first := true; len(whole) > 0 && s.err == nil; first = false {
		n := min(len(whole), s.frame)
		head := frame.AppendBool(nil, first)
		if n == len(whole) {
			head = append(head, byte(kind))
		} else {
			head = append(head, 0)
		}
		lsn, err := s.journal.Append(journal.Kind(frame.KindFragment), journal.Copied(head, whole[:n])...)
		if err != nil {
			s.err = fmt.Errorf("append to the journal: %w", err)
			return
		}
		s.last, whole = lsn, whole[n:]
	}
}

// appendBatch gives v its place at the end of p and makes it pending.
func (s *sequencer) appendBatch(p *partition, v batch.View) record.Offset {
	base := p.next
	v.SetBaseOffset(base)
	v.SetLeaderEpoch(p.epoch())
	s.scratch = frame.AppendBatchHead(s.scratch[:0], p.number, base)
	s.parts = lend(append(s.parts[:0], journal.Part{Bytes: s.scratch}), v)
	s.put(frame.KindBatch, s.parts)
	s.st.applyBatch(p, v)
	s.figures.add(p, v)
	if planted.Is(planted.OffsetReused) && base > 0 {
		return base - 1
	}
	return base
}
