package kv

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// compactions decides when Pebble merges tables: one merge at a time, and none before the first commit. What a killed process has left to merge
// can keep a processor busy for many seconds, and these are the seconds in which tables are restored; as long as nothing is written,
// there is no more to merge than when the database was opened. Flushes do not come here.
//
//	waiting ──begin──► one at a time ──Unregister──► none
//
// turn is held while the database is asked or told to merge, which takes Pebble's locks. Pebble calls TrySchedule with its locks held: so mu
// is the last of all, and turn comes before them.
type compactions struct {
	db   pebble.DBForCompaction // set by Register, before everything else
	turn sync.Mutex
	mu   struct {
		sync.Mutex
		begun, ended bool
		running      int
	}
}

var _ pebble.CompactionScheduler = (*compactions)(nil)

// begin has merges begin that were held back.
func (c *compactions) begin() {
	c.mu.Lock()
	first := !c.mu.begun
	c.mu.begun = true
	c.mu.Unlock()
	if first {
		c.grant()
	}
}

// free tells whether a merge may start.
func (c *compactions) free() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.freeLocked()
}

func (c *compactions) freeLocked() bool { return c.mu.begun && !c.mu.ended && c.mu.running < 1 }

// grant starts a merge that waits for its turn. One that begins between the question and its answer runs beside it, which does no harm.
func (c *compactions) grant() {
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.free() {
		return
	}
	if waits, _ := c.db.GetWaitingCompaction(); waits && c.db.Schedule(c) {
		c.count(1)
	}
}

func (c *compactions) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.running += n
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) { c.db = db }

// Unregister implements pebble.CompactionScheduler: the database is not called any more when it returns.
func (c *compactions) Unregister() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.ended = true
}

// TrySchedule implements pebble.CompactionScheduler. Where it says no the database remembers that a merge waits.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.freeLocked() {
		return false, nil
	}
	c.mu.running++
	return true, c
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler: there is never more than one.
func (c *compactions) UpdateGetAllowedWithoutPermission() {}

// Done implements pebble.CompactionGrantHandle.
func (c *compactions) Done() {
	c.count(-1)
	c.grant()
}

// Started implements pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}
