package broker

import (
	"fmt"
	"sync"

	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/vfs"
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
	done    func() // tells the sequencer that a checkpoint is durable
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
		if err := k.write(w.checkpoint); err != nil {
			return err
		}
		k.done()
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
	for _, p := range c.dirty {
		if err := p.log.Load().Sync(); err != nil && !p.isGone() {
			return fmt.Errorf("sync the log of %v: %w", p.TopicPartition, err)
		}
	}
	if len(c.dirty) > 0 {
		if err := vfs.SyncDir(k.fs, k.logs); err != nil {
			return fmt.Errorf("sync %s: %w", k.logs, err)
		}
	}
	if err := writeCheckpoint(k.fs, k.dir, c.lsn, c.body); err != nil {
		return fmt.Errorf("write checkpoint %d: %w", c.lsn, err)
	}
	if err := k.journal.Release(c.lsn); err != nil {
		return fmt.Errorf("release the journal up to %d: %w", c.lsn, err)
	}
	for _, m := range c.starts { // only now: the checkpoint before this one needs the files below
		if err := m.p.log.Load().AdvanceStart(m.start); err != nil && !m.p.isGone() {
			return fmt.Errorf("advance the start of %v to %d: %w", m.p.TopicPartition, m.start, err)
		}
	}
	k.events(Event{"checkpoint", []any{"lsn", uint64(c.lsn), "bytes", len(c.body), "logs", len(c.dirty)}})
	return nil
}

func (p *partition) isGone() bool {
	p.shown.RLock()
	defer p.shown.RUnlock()
	return p.shown.gone
}

// A kept command tells the sequencer, in its own goroutine, that a checkpoint is durable.
type kept struct{}

func (k kept) cost() int64 { return 0 }
func (k kept) finish()     {}
func (k kept) fail(*stop)  {}

func (k kept) exec(s *sequencer) { s.keeping = false }
