// Package engine runs a topology on a broker: it owns the goroutines and the time that the pure parts below it lack.
//
// Callers are worker (a user's program on any cluster) and the root (a node with the broker inside); the engine knows brokers
// only as a client.Door and does its work through task.Set.
//
// Three goroutines, joined by Run: the loop owns the task set and the forming epoch; the poller owns the Reader and reads
// when the loop grants it; the committer commits one sealed epoch at a time while the loop fills the next. A fourth writes
// checkpoints in the background, a fifth watches the numbers of partitions. They talk over channels of capacity one; nothing
// is shared but figures (atomics).
//
// Life: ensure topics → fence older instances → read committed positions → restore stores → loop. An error ends the run
// with everything after the last durable epoch forgotten: Run again goes on from there, so nothing is lost or counted twice.
//
// Not here: several workers sharing one application (the Group door), standby replicas.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// CheckpointInterval bounds the changelog tail that a restart replays; default 30 s.
	CheckpointInterval time.Duration
	// TopicsInterval is how often the sources' numbers of partitions are looked at; default 5 s.
	TopicsInterval time.Duration
	// PollBytes is how much is read at once and held unprocessed; default 1 MiB.
	PollBytes int
	// CacheBytes bounds the updates that Kafka Streams' record caches hold back until their epoch ends; 0: there are none.
	CacheBytes int64
	// MaxIdle is how long a task waits for those of its source partitions that are empty; 0: it does not wait. See task.Config.
	MaxIdle time.Duration
	// DeadLetter sends records that can't be processed to <topic>.dead and goes on; by default the run stops at them.
	DeadLetter bool
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
	if o.CheckpointInterval <= 0 {
		o.CheckpointInterval = 30 * time.Second
	}
	if o.TopicsInterval <= 0 {
		o.TopicsInterval = 5 * time.Second
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
}

// New checks the options; nothing is opened before Run.
func New(o Options) (*Engine, error) {
	if o.Topology == nil || o.Door == nil {
		return nil, errors.New("engine needs a topology and a door")
	}
	e := &Engine{o: o.withDefaults()}
	e.stats.state.Store(int32(StateStopped))
	return e, nil
}

// A session is one life of the engine, from opening to the first error.
type session struct {
	o          Options
	stats      *stats
	set        *task.Set
	ckpt       *store.Checkpoints // nil: none
	producer   client.Producer
	tails      []record.TopicPartition                 // the stores' changelog partitions, in the order of set.Stores
	changelogs map[string][16]byte                     // ids of the changelog topics
	counts     map[string]int32                        // partitions of the source topics
	globals    map[record.TopicPartition]record.Offset // where the global tables were read from

	sealed    chan commit  // capacity 1: one epoch under way
	committed chan outcome // capacity 1: the committer never waits for the loop

	filling     client.Epoch
	filled      time.Duration // when the forming epoch took its first record
	lastSeal    time.Duration
	moved       bool // positions moved since the last seal
	committing  bool
	alarm       alarm
	lastCkpt    time.Duration
	checkpoints chan error // capacity 1: the one checkpoint under way
	writing     bool
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
	s, reader, err := e.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start %s: %w", e.o.App, err)
	}
	defer s.producer.Close()
	e.stats.running()
	e.o.Events(Event{"engine-running", []any{"app", e.o.App, "stores", len(s.set.Stores())}})
	if err := errors.Join(s.run(ctx, reader), s.set.Close()); err != nil {
		return fmt.Errorf("run %s: %w", e.o.App, err)
	}
	return nil
}
