package broker

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/broker/checkpointfile"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/cleanup"
	"github.com/mainstemio/mainstem/internal/commitlog"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// A keeping is slow work behind a durable round: logs of deleted topics to remove, then a checkpoint to write.
type keeping struct {
	removed    []*partition
	checkpoint *checkpoint
}

// The keeper does what may take long and nobody waits for, one thing after the other: so no log is removed while a checkpoint
// syncs it.
type keeper struct {
	fs      vfs.FS
	dir     string // the broker's
	logs    string // the partitions'
	journal *journal.Journal
	done    func(failed *checkpoint) // tells the sequencer that a checkpoint is durable, or which could not be written
	events  func(Event)
	ready   chan struct{} // capacity 1: there is work

	mu struct {
		sync.Mutex
		work []keeping
	}
}

func newKeeper(home logHome, dir string, j *journal.Journal, events func(Event)) *keeper {
	return &keeper{fs: home.fs, dir: dir, logs: home.dir, journal: j, events: events, ready: make(chan struct{}, 1)}
}

func (k *keeper) push(w keeping) {
	k.mu.Lock()
	k.mu.work = append(k.mu.work, w)
	k.mu.Unlock()
	select {
	case k.ready <- struct{}{}:
	default:
	}
}

// run works until quit is closed and nothing is left, or an error.
func (k *keeper) run(quit <-chan struct{}) error {
	for {
		last := false
		select {
		case <-k.ready:
		case <-quit:
			last = true
		}
		if err := k.drain(); err != nil || last {
			return err
		}
	}
}

func (k *keeper) drain() error {
	k.mu.Lock()
	work := k.mu.work
	k.mu.work = nil
	k.mu.Unlock()
	for _, w := range work {
		if err := k.remove(w.removed); err != nil {
			return err
		}
		if w.checkpoint == nil {
			continue
		}
		switch err := k.write(w.checkpoint); {
		case errors.Is(err, errNoRoom):
			k.events(Event{eventPostponed, []any{"dir", k.dir, "error", err.Error()}})
			k.done(w.checkpoint)
		case err != nil:
			return err
		default:
			k.done(nil)
		}
	}
	return nil
}

// remove deletes the logs of deleted partitions. Recovery repeats it when a crash comes first.
func (k *keeper) remove(ps []*partition) error {
	for _, p := range ps {
		log := p.log.Load()
		if log == nil {
			continue
		}
		if err := log.Remove(); err != nil {
			return fmt.Errorf("remove the log of deleted %v: %w", p.TopicPartition, err)
		}
	}
	return nil
}

// write makes c durable: first the logs that it describes, then the file; then what it covers may go, journal files and the segments
// below the first offsets.
func (k *keeper) write(c *checkpoint) error {
	if planted.Is(planted.ReleasedEarly) {
		if err := k.journal.Release(c.lsn); err != nil {
			return err
		}
	}
	if err := syncLogs(c.dirty); err != nil {
		return err
	}
	if len(c.dirty) > 0 {
		if err := vfs.SyncDir(k.fs, k.logs); err != nil {
			return fmt.Errorf("sync %s: %w", k.logs, err)
		}
	}
	if err := checkpointfile.Write(k.fs, k.dir, uint64(c.lsn), c.body); vfs.IsFull(err) {
		return fmt.Errorf("write checkpoint %d: %w: %w", c.lsn, errNoRoom, err)
	} else if err != nil {
		return fmt.Errorf("write checkpoint %d: %w", c.lsn, err)
	}
	for _, m := range c.cuts {
		m.p.cut.Store(int64(m.start))
	}
	if err := k.journal.Release(c.lsn); err != nil {
		return fmt.Errorf("release the journal up to %d: %w", c.lsn, err)
	}
	for _, m := range c.starts { // only now: the checkpoint before this one needs the files below
		err := m.p.log.Load().AdvanceStart(m.start)
		if vfs.IsFull(err) { // the next checkpoint comes back to it
			k.events(Event{eventKept, []any{"topic", m.p.Topic, "partition", m.p.Partition, "error", err.Error()}})
		} else if err != nil && !m.p.isGone() {
			return fmt.Errorf("advance the start of %v to %d: %w", m.p.TopicPartition, m.start, err)
		}
	}
	k.events(Event{"checkpoint", []any{"lsn", uint64(c.lsn), "bytes", len(c.body), "logs", len(c.dirty)}})
	return nil
}

// syncsAtATime is how many logs are synced beside each other: a file system makes many small syncs durable in one go.
const syncsAtATime = 16

// syncLogs makes what was appended to the logs durable. The first errors count; nothing may be taken for durable then.
func syncLogs(ps []*partition) error {
	if planted.Is(planted.LogsUnsynced) {
		return nil
	}
	var next atomic.Int64
	errs := make([]error, min(len(ps), syncsAtATime))
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() {
			for at := next.Add(1) - 1; at < int64(len(ps)) && errs[i] == nil; at = next.Add(1) - 1 {
				p := ps[at]
				if err := p.log.Load().Sync(); err != nil && !p.isGone() {
					errs[i] = fmt.Errorf("sync the log of %v: %w", p.TopicPartition, err)
				}
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

// errNoRoom says that only the checkpoint file could not be written: the one before it and the journal hold everything.
var errNoRoom = errors.New("no room for a checkpoint")

func (p *partition) isGone() bool {
	p.shown.RLock()
	defer p.shown.RUnlock()
	return p.shown.gone
}

// A kept command tells the sequencer, in its own goroutine, that a checkpoint is durable, or that it failed and why does not matter.
type kept struct{ failed *checkpoint }

func (k kept) cost() int64 { return 0 }
func (k kept) finish()     {}
func (k kept) fail(*stop)  {}

func (k kept) exec(s *sequencer) {
	s.keeping = false
	if k.failed == nil {
		return
	}
	for _, p := range k.failed.dirty {
		p.unsynced = true // no checkpoint covers its bytes after all
	}
	s.keepAt = s.clock.Mono() + keepAgain
}

// keepAgain is how long after a checkpoint that found no room the next one is tried.
const keepAgain = 5 * time.Second

// A cleaned is a partition in the words of package cleanup.
type cleaned struct {
	*commitlog.Log
	p    *partition
	home logHome
}

func (c cleaned) Segments() []cleanup.Segment {
	all := c.Log.Segments()
	out := make([]cleanup.Segment, len(all))
	for i, s := range all {
		out[i] = cleanup.Segment(s)
	}
	return out
}

func (c cleaned) Name() record.TopicPartition { return c.p.TopicPartition }
func (c cleaned) Number() uint32              { return c.p.number }
func (c cleaned) Rules() *settings.Rules      { return c.p.rules.Load() }
func (c cleaned) SegmentBytes() int64         { return c.home.limit(c.p) }

func (c cleaned) Bounds() (cleanup.Bounds, bool) {
	shown, gone := c.p.look()
	return cleanup.Bounds{High: shown.high, Stable: shown.stable, Cut: record.Offset(c.p.cut.Load())}, gone == nil
}

func (c cleaned) Aborted() []cleanup.AbortedTxn {
	shown, _ := c.p.look()
	out := make([]cleanup.AbortedTxn, len(shown.aborted))
	for i, a := range shown.aborted {
		out[i] = cleanup.AbortedTxn{Producer: a.pid, First: a.first, Marker: a.last}
	}
	return out
}

// A cleaning is the broker as its cleaner sees it: the logs, and commands to the sequencer that return when they are durable.
type cleaning struct{ b *Broker }

func (c cleaning) Partitions(yield func(cleanup.Partition) bool) {
	for _, t := range c.b.view.Load().byName {
		for _, p := range t.parts {
			if log := p.log.Load(); log != nil && p.damage.Load() == nil && !yield(cleaned{log, p, c.b.seq.st.home}) {
				return
			}
		}
	}
}

func (c cleaning) do(run func(s *sequencer)) error {
	f := submitFreeing(c.b, func(why *stop) error { return why.err }, func(s *sequencer) error { run(s); return nil })
	<-f.Done()
	return errors.Join(f.Value(), f.err)
}

func (c cleaning) Rest() { c.b.journal.Rest() }

func (c cleaning) Checkpoint() error { return c.do(func(s *sequencer) { s.wanted = true }) }

func (c cleaning) Forget(number uint32, markers []record.Offset) error {
	return c.do(func(s *sequencer) {
		f := frame.AbortsForgotten{Number: number, Markers: markers}
		s.append(frame.KindAbortsForgotten, f.Append(nil))
		s.st.applyAbortsForgotten(f)
	})
}

func (c cleaning) Trim(all []cleanup.Trimming) error {
	return c.do(func(s *sequencer) {
		for _, t := range all {
			s.trim(t)
		}
	})
}

// trim carries out what the cleaner found, as far as it still holds. Records that came to the active segment since then stay.
func (s *sequencer) trim(t cleanup.Trimming) {
	p := s.st.parts[t.Number]
	if p == nil || p.refuses() != nil || p.log.Load() == nil {
		return
	}
	log := p.log.Load()
	if mark := log.Mark(); t.Roll == mark.Segment && mark.Size > 0 {
		if err := log.Roll(); err != nil && !vfs.IsFull(err) {
			s.err = cmp.Or(s.err, fmt.Errorf("end a segment of %v: %w", p.TopicPartition, err))
			return
		}
		p.unsynced = true
	}
	if t.Keep > p.start {
		s.append(frame.KindRecordsDeleted, frame.AppendRecordsDeleted(nil, p.number, t.Keep))
		s.st.applyRecordsDeleted(p.number, t.Keep)
		s.wanted = true // the files go behind a checkpoint
	}
}
