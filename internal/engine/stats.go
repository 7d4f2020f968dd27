package engine

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// A State is where an engine stands.
type State int32

// States in the order of a life: stopped → starting → restoring → running → stopped or failed; Run starts again from either.
const (
	StateStopped State = iota
	StateStarting
	StateRestoring
	StateRunning
	StateFailed
)

// String returns the word shown to people.
func (s State) String() string {
	return [...]string{"stopped", "starting", "restoring", "running", "failed"}[s]
}

// A Status is what pages and metrics show of an engine.
type Status struct {
	App       string
	State     State
	Err       error // why it failed, or failed last while it is starting again
	Processed int64 // input records, over all runs of the engine; a record that was not committed counts again
	Emitted   int64 // records in committed epochs, changelogs included
	Epochs    int64 // committed
	LastEpoch time.Time
	Dropped   map[string]int64 // records left out by rule (null keys, …), by reason
}

type stats struct {
	state     atomic.Int32
	processed atomic.Int64
	emitted   atomic.Int64
	pending   atomic.Int64 // records of the sealed epoch
	epochs    atomic.Int64
	lastEpoch atomic.Int64                     // unix nanoseconds
	dropped   atomic.Pointer[map[string]int64] // never changed once stored
	mu        struct {
		sync.Mutex
		err  error
		next map[record.TopicPartition]record.Offset // of each source partition, behind the newest sealed epoch
	}
}

func (s *stats) begin() {
	s.state.Store(int32(StateStarting))
}

// reads notes where the run begins to read.
func (s *stats) reads(positions map[record.TopicPartition]record.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.next = maps.Clone(positions)
}

func (s *stats) running() { s.well(StateRunning) }
func (s *stats) stopped() { s.well(StateStopped) }

func (s *stats) well(state State) {
	s.mu.Lock()
	s.mu.err = nil
	s.mu.Unlock()
	s.state.Store(int32(state))
}

// process notes what the loop has processed. Only the loop may ask the set for its counts.
func (s *stats) process(n int, set *task.Set) {
	if n == 0 {
		return
	}
	s.processed.Add(int64(n))
	dropped := set.Dropped()
	s.dropped.Store(&dropped)
}

func (s *stats) fail(err error) {
	s.mu.Lock()
	s.mu.err = err
	s.mu.Unlock()
	s.state.Store(int32(StateFailed))
}

func (s *stats) sealed(c commit) {
	s.pending.Store(int64(c.epoch.Count()))
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.mu.next, c.positions)
}

func (s *stats) committed(at time.Time) {
	s.emitted.Add(s.pending.Load())
	s.epochs.Add(1)
	s.lastEpoch.Store(at.UnixNano())
}

// Status returns the figures now.
func (e *Engine) Status() Status {
	s := &e.stats
	st := Status{App: e.o.App, State: State(s.state.Load()), Processed: s.processed.Load(), Emitted: s.emitted.Load(), Epochs: s.epochs.Load()}
	if ns := s.lastEpoch.Load(); ns > 0 {
		st.LastEpoch = time.Unix(0, ns)
	}
	if dropped := s.dropped.Load(); dropped != nil {
		st.Dropped = maps.Clone(*dropped)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Err = s.mu.err
	return st
}

// Lag returns how many input records wait, given the ends of the source partitions. It is counted from where the newest epoch
// ended, so it grows when the engine is stuck or has stopped. Markers and aborted records count.
func (e *Engine) Lag(ends map[record.TopicPartition]record.Offset) int64 {
	s := &e.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	lag := int64(0)
	for tp, next := range s.mu.next {
		lag += max(0, int64(ends[tp]-next))
	}
	return lag
}
