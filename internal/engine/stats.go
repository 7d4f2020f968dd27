package engine

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/meter"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// A State is where an engine stands.
type State int32

// States in the order of a life: stopped → starting → restoring → running ⇄ paused → stopped or failed; Run starts again from either.
const (
	StateStopped State = iota
	StateStarting
	StateRestoring
	StateRunning
	StateFailed
	StatePaused
)

// String returns the word shown to people.
func (s State) String() string {
	return [...]string{"stopped", "starting", "restoring", "running", "failed", "paused"}[s]
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
	// Figures of tasks, steps and stores, as of a commit at most about a second ago; while nothing comes, the newest.
	Figures task.Figures
	// Commits are the times from the first record that was taken for an epoch until it was committed.
	Commits meter.Snapshot
}

type stats struct {
	app        string
	listen     func(Notice) // nil: nobody
	valve      *valve
	state      atomic.Int32
	processed  atomic.Int64
	emitted    atomic.Int64
	pending    atomic.Int64 // records of the sealed epoch
	committing atomic.Bool  // there is a sealed epoch that is not folded into the tables
	epochs     atomic.Int64
	lastEpoch  atomic.Int64                     // unix nanoseconds
	sources    atomic.Pointer[[]string]         // nil: those of the topology; never changed once stored
	dropped    atomic.Pointer[map[string]int64] // never changed once stored
	figures    atomic.Pointer[task.Figures]     // never changed once stored
	figured    time.Duration                    // when they were taken; the loop's alone
	commits    meter.Histogram
	mu         struct {
		sync.Mutex
		err  error
		next map[record.TopicPartition]record.Offset // of each source partition, behind the newest sealed epoch
	}
}

func (s *stats) begin() { s.enter(StateStarting, nil) }

// enter moves to a state and tells it.
func (s *stats) enter(to State, err error) {
	if from := State(s.state.Swap(int32(to))); from != to {
		s.tell(StateChange{App: s.app, From: from, To: to, Err: err})
	}
}

func (s *stats) tell(n Notice) {
	if s.listen != nil {
		s.listen(n)
	}
}

// valveTurned notes that the valve was closed or opened.
func (s *stats) valveTurned() {
	switch state := State(s.state.Load()); {
	case state == StateRunning && s.valve.closed.Load():
		s.enter(StatePaused, nil)
	case state == StatePaused && !s.valve.closed.Load():
		s.enter(StateRunning, nil)
	}
}

// reads notes where the run begins to read.
func (s *stats) reads(positions map[record.TopicPartition]record.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.next == nil {
		s.mu.next = map[record.TopicPartition]record.Offset{}
	}
	maps.Copy(s.mu.next, positions)
}

// restarts forgets what an earlier run read.
func (s *stats) restarts() {
	s.committing.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.next = nil
}

// leaves notes what others read from now on.
func (s *stats) leaves(positions map[record.TopicPartition]record.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp := range positions {
		delete(s.mu.next, tp)
	}
}

func (s *stats) running() {
	s.well(StateRunning)
	s.valveTurned()
}

func (s *stats) stopped() { s.well(StateStopped) }

func (s *stats) well(state State) {
	s.mu.Lock()
	s.mu.err = nil
	s.mu.Unlock()
	s.enter(state, nil)
}

// figuresInterval is how often the figures of tasks, steps and stores are taken while records come.
const figuresInterval = time.Second

// figure takes the figures of the tasks that one loop runs, when it is time or nothing more has come. Only the loop may ask the sets.
func (s *stats) figure(now time.Duration, idle bool, sets ...*task.Set) {
	if !idle && s.figures.Load() != nil && now-s.figured < figuresInterval {
		return
	}
	s.figured = now
	var all task.Figures
	for _, set := range sets {
		all.Add(set.Figures())
	}
	s.figures.Store(&all)
}

// process notes what the loop has processed.
func (s *stats) process(n int, dropped map[string]int64) {
	s.processed.Add(int64(n))
	s.dropped.Store(&dropped)
}

func (s *stats) fail(err error) {
	s.mu.Lock()
	s.mu.err = err
	s.mu.Unlock()
	s.enter(StateFailed, err)
}

func (s *stats) sealed(c commit) {
	s.committing.Store(true)
	s.pending.Store(int64(c.epoch.Count()))
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.mu.next, c.positions)
}

func (s *stats) committed(at time.Time) {
	s.committing.Store(false)
	s.emitted.Add(s.pending.Load())
	s.epochs.Add(1)
	s.lastEpoch.Store(at.UnixNano())
}

// Committing tells whether an epoch is on its way: its positions and outputs may be durable already, and views do not show it yet.
func (e *Engine) Committing() bool { return e.stats.committing.Load() }

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
	if figures := s.figures.Load(); figures != nil {
		st.Figures = *figures
	}
	st.Commits = s.commits.Snapshot()
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
