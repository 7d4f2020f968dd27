package store

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// DefaultBudget is the budget of a process that was given none: half of GOMEMLIMIT where that is set, or else 1 GiB.
func DefaultBudget() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit / 2
	}
	return 1 << 30
}

// A Budget bounds the memory that the rows of a process take, of all tables that may leave some to a checkpoint. What is above it leaves
// in the tables' next Commit, as far as the checkpoints have it. It may be used from any goroutine.
//
// The measure is what the tables hold, live or not. Buffers, what the collector has not taken yet, and the database's own cache come on
// top of it.
type Budget struct {
	limit   int64
	used    atomic.Int64
	unsaved atomic.Int64 // of them, bytes of rows that no checkpoint has
	tables  atomic.Int64
}

// NewBudget returns a budget of limit bytes; below 1 it is DefaultBudget.
func NewBudget(limit int64) *Budget {
	if limit < 1 {
		limit = DefaultBudget()
	}
	return &Budget{limit: limit}
}

// CacheBytes is what the database that rows leave for may keep in memory on top of the budget. The filters of runs that wait to be
// merged must find room there, or each row that is read by its key reads them, too: with rows of 40 bytes that take four times the budget all
// filters are an eighth of it, those of runs about a half of that.
func (b *Budget) CacheBytes() int64 { return min(max(8<<20, b.limit/16), 128<<20) }

// Used is how many bytes are taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// Share returns a part of the budget for tables that come and go together.
func (b *Budget) Share() *Share {
	s := &Share{budget: b}
	s.mu.accounts = map[string]*account{}
	return s
}

// A Share is what the tables of one engine take of a Budget.
type Share struct {
	budget  *Budget
	unsaved atomic.Int64
	mu      struct {
		sync.Mutex
		accounts map[string]*account // by store and partition
	}
}

// Crowded tells that a checkpoint should be written, so that rows may leave: an eighth of the budget is left, half of it is rows that no
// checkpoint has, and the share has its part of them. Such rows are as good to have in memory as any, and the more of them are written at
// once, the less often the database merges them with what it has.
func (s *Share) Crowded() bool {
	b := s.budget
	unsaved := b.unsaved.Load()
	return unsaved >= b.limit/2 && b.used.Load() >= b.limit-b.limit/8 && s.unsaved.Load() >= unsaved/max(b.tables.Load(), 1)
}

// Over tells that the budget is exceeded by so much that whoever fills the tables should wait for the checkpoint under way.
func (s *Share) Over() bool {
	return s.Crowded() && s.budget.used.Load() > s.budget.limit+s.budget.limit/8
}

// Release gives everything back. The tables must not be used any more.
func (s *Share) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, a := range s.mu.accounts {
		a.close()
		delete(s.mu.accounts, id)
	}
}

// close ends the account of a table.
func (s *Share) close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.mu.accounts[id]; a != nil {
		a.close()
		delete(s.mu.accounts, id)
	}
}

// open returns the account of a table; the one that it had before is closed.
func (s *Share) open(id string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.mu.accounts[id]; before != nil {
		before.close()
	}
	a := &account{share: s}
	s.mu.accounts[id] = a
	s.budget.tables.Add(1)
	return a
}

// An account is what one table takes. It belongs to the table's owner.
type account struct {
	share   *Share
	bytes   int64
	unsaved int64 // of them, bytes of rows that no checkpoint has
}

func (a *account) set(bytes, unsaved int64) {
	a.share.budget.used.Add(bytes - a.bytes)
	a.share.budget.unsaved.Add(unsaved - a.unsaved)
	a.share.unsaved.Add(unsaved - a.unsaved)
	a.bytes, a.unsaved = bytes, unsaved
}

func (a *account) close() {
	a.set(0, 0)
	a.share.budget.tables.Add(-1)
}

// excess is how much of the table should leave: its part of what is too much, but nothing below an equal share of the budget, so that
// tables at rest do not push out those that work.
func (a *account) excess() int64 {
	b := a.share.budget
	used := b.used.Load()
	least := b.limit / max(b.tables.Load(), 1)
	if used <= b.limit || a.bytes <= least {
		return 0
	}
	part := int64(float64(a.bytes) * float64(used-b.limit) / float64(used))
	return min(a.bytes-least, part+1)
}

// room tells whether a table that is being loaded may take more.
func (a *account) room() bool {
	b := a.share.budget
	return b.used.Load() < b.limit*3/4
}
