// Package engine runs a topology on a broker: it owns the goroutines and the time that the pure parts below it lack.
//
// Callers are worker (a user's program on any cluster) and the root (a node with the broker inside); the engine knows brokers
// only as a client.Door and does its work through task.Set.
//
// Two goroutines, joined by Run: the loop owns the task sets and the forming epoch; the poller owns the Reader and reads when the loop
// grants it, and on an embedded broker is there while something comes only. Others come and go: one commits a sealed epoch while the loop
// fills the next, one writes a checkpoint, one looks at the numbers of partitions; where workers share the application others listen to the
// group, restore tasks that were assigned, and delete what was read from repartition topics. They talk over channels of capacity one;
// nothing is shared but figures (atomics) and, under the mutex of a sharing, who runs which task. An engine that nothing comes to has one stack there and no buffers: a node has thousands of them.
//
// Life: ensure topics → fence older instances → read committed positions → restore stores → loop. An error ends the run
// with everything after the last durable epoch forgotten: Run again goes on from there, so nothing is lost or counted twice.
//
// Where workers share the application (Options.Shared, sharing.go) a task's life within the run is
//
//	assigned → positions read, when its owner before has let go → restored → running → epoch ended, checkpoint → given up
//
// Not here: how workers agree (client.Member), who gets what (package assign), standby replicas.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// Options of New; zero fields take the defaults.
type Options struct {
	// App names the application: its group of committed positions, its transactional id, the prefix of its internal topics.
	// Default: the topology's name.
	App      string
	Topology *topology.Topology
	Door     client.Door
	// Checkpoints is where the stores are checkpointed; nil: none, a restart replays the whole changelog.
	Checkpoints kv.Store
	Clock       clock.Clock
	// EpochInterval is the least time between two commits; an epoch of EpochBytes commits at once. Defaults: 2 ms, 2 MiB: larger ones only fill caches and wait longer for
	// their sync.
	EpochInterval time.Duration
	EpochBytes    int
	// State bounds the memory of the tables' rows: what it has no room for is read from Checkpoints. Engines of a process share one. Without
	// Checkpoints everything stays in memory. Default: one of store.DefaultBudget for this engine.
	State *store.Budget
	// CheckpointInterval and CheckpointRecords bound the changelog tail that a restart replays; defaults 30 s and 524,288 records, about half
	// a second's work. Large tables may have a longer one: up to a record for every fourth row, so that a checkpoint is worth its price. What
	// comes while one is being written is added to it.
	CheckpointInterval time.Duration
	CheckpointRecords  int
	// TopicsInterval is how often the sources' numbers of partitions are looked at; default 5 s.
	TopicsInterval time.Duration
	// PollBytes is how much is read at once and held unprocessed; default 1 MiB.
	PollBytes int
	// CacheBytes bounds the updates that Kafka Streams' record caches hold back until their epoch ends; 0: there are none.
	CacheBytes int64
	// MaxIdle is how long a task waits for those of its source partitions that are empty; 0: it does not wait. See task.Config.
	MaxIdle time.Duration
	// Shared: several workers share the tasks of the application. Each has a Worker name of its own, which it keeps over restarts; default: one
	// that stands in Checkpoints, a random one without. Session is after how long the others take over the tasks of a worker that is not
	// heard of; default 45 s.
	Shared  bool
	Worker  string
	Session time.Duration
	// TrimInterval is how often what all workers have read of repartition topics is deleted; default 30 s.
	TrimInterval time.Duration
	// DeadLetter sends records that can't be processed to <topic>.dead and goes on; by default the run stops at them.
	DeadLetter bool
	// OnFailure, when set, decides about such records instead; there are dead-letter topics then, unless NoDeadLetters says that it has no use
	// for them: a run ends where it decides for one all the same.
	OnFailure     failure.Handler
	NoDeadLetters bool
	// DeadLetterTopic, when set, takes the bad records of all topics.
	DeadLetterTopic string
	// Listen is told what happens, from any of the engine's goroutines: it must return at once. Default: nobody listens.
	Listen func(Notice)
	// Events is called for what an operator should know, from any of the engine's goroutines.
	Events func(Event)
}

// An Event is something that happened: Kind is a stable word, Fields are slog-style pairs.
type Event struct {
	Kind   string
	Fields []any
}

func (o Options) withDefaults() Options {
	if o.App == "" {
		o.App = o.Topology.Name
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.EpochInterval <= 0 {
		o.EpochInterval = 2 * time.Millisecond
	}
	if o.EpochBytes <= 0 {
		o.EpochBytes = 2 << 20
	}
	if o.State == nil {
		o.State = store.NewBudget(0)
	}
	if o.CheckpointInterval <= 0 {
		o.CheckpointInterval = 30 * time.Second
	}
	if o.CheckpointRecords <= 0 {
		o.CheckpointRecords = 1 << 19
	}
	if o.TopicsInterval <= 0 {
		o.TopicsInterval = 5 * time.Second
	}
	if o.TrimInterval <= 0 {
		o.TrimInterval = 30 * time.Second
	}
	if o.Shared && o.Worker == "" && o.Checkpoints == nil {
		o.Worker = newWorkerName()
	}
	if o.PollBytes <= 0 {
		o.PollBytes = 1 << 20
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	return o
}

// An Engine runs one topology. Run may be called again after it returned.
type Engine struct {
	o     Options
	stats stats
	valve *valve
	shown shown
	share *store.Share
}

// New checks the options; nothing is opened before Run.
func New(o Options) (*Engine, error) {
	if o.Topology == nil || o.Door == nil {
		return nil, errors.New("engine needs a topology and a door")
	}
	if o.Shared && o.Topology.Consistent {
		return nil, fmt.Errorf("%w: topology %s is consistent, so that each of its epochs is one cut of all inputs, which one worker must make: run it unshared, or build it without Consistent",
			ErrShared, o.Topology.Name)
	}
	e := &Engine{o: o.withDefaults(), valve: newValve()}
	e.share = e.o.State.Share()
	e.stats.app, e.stats.listen, e.stats.valve = e.o.App, e.o.Listen, e.valve
	e.stats.state.Store(int32(StateStopped))
	return e, nil
}

// A session is one life of the engine, from opening to the first error.
type session struct {
	o          Options
	share      *store.Share // what the tables take of Options.State
	stats      *stats
	valve      *valve
	shown      *shown
	config     task.Config
	shards     []*shard
	byTP       map[record.TopicPartition]*shard        // of all shards
	turn       int                                     // the shard that took input last
	next       map[record.TopicPartition]record.Offset // where reading goes on
	left       map[string]int64                        // dropped by shards that are gone
	reading    *reading                                // nil: nothing is read
	ckpt       *store.Checkpoints                      // nil: none
	producer   client.Producer
	shared     *sharing                 // nil: one worker does everything
	changelogs map[string][16]byte      // ids of the changelog topics
	tombstones map[string]time.Duration // how long compacted topics of stores keep them
	counts     map[string]int32         // partitions of the source topics

	joined    sync.WaitGroup   // the goroutines
	work      context.Context  //nolint:containedctx // of commits: it outlives Run's own, so that an epoch under way is whole or absent
	committed chan outcome     // capacity 1: one commit under way, which never waits for the loop
	looking   <-chan time.Time // when to look at the topics again; nil: a look is under way
	looked    chan error       // capacity 1: what it found, nil: nothing new
	seen      int64            // records processed when the last look came back
	rested    int64            // records processed when memory was given back; -1: never

	filling         client.Epoch
	filled          time.Duration // when the forming epoch took its first record
	committingSince time.Duration // filled, of the epoch that is being committed
	lastSeal        time.Duration
	moved           bool // positions moved since the last seal
	committing      bool
	alarm           alarm
	lastCkpt        time.Duration
	checkpoints     chan error // capacity 1: the one checkpoint under way
	writing         bool
}

// Run works until ctx ends (nil: everything processed is committed) or until an error. The error names what stopped it; task.RecordError
// for a bad record, client.ErrFenced when another instance took over. One Run at a time.
func (e *Engine) Run(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			e.stats.fail(err)
		} else {
			e.stats.stopped()
		}
	}()
	e.stats.begin()
	defer e.share.Release()
	s, err := e.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start %s: %w", e.o.App, err)
	}
	defer func() { s.close(ctx, err) }()
	s.show()
	defer e.shown.hide()
	e.stats.running()
	e.o.Events(Event{"engine-running", []any{"app", e.o.App, "stores", s.stores()}})
	if err := errors.Join(s.run(ctx), s.closeShards()); err != nil {
		return fmt.Errorf("run %s: %w", e.o.App, err)
	}
	return nil
}

func (s *session) closeShards() error {
	var all []error
	for _, sh := range s.shards {
		all = append(all, sh.set.Close())
	}
	return errors.Join(all...)
}

// close lets go of what open has opened, as far as it came.
func (s *session) close(ctx context.Context, err error) {
	s.stopReading()
	if s.producer != nil {
		s.producer.Close()
	}
	if s.shared != nil {
		s.shared.leave(ctx, err)
	}
}
