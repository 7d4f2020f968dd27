// Package worker runs a topology in a program of your own, against any Kafka cluster or a Mainstem node elsewhere.
//
// Run reads the topology's source topics, keeps its tables in memory with checkpoints in Config.Dir, and commits outputs,
// changelogs and positions in one Kafka transaction per epoch: every input counts exactly once, whatever is killed when. The
// brokers must be Kafka 2.5 or newer, or speak its protocol.
//
// One process runs an application at a time: a second one takes over and the first ends with ErrFenced. With Config.Shared as many as there
// are tasks share it: each has its Dir, tasks move when workers come and go, and exactly-once holds across all of that; see
// docs/workers.md. Everything else about running (state, restore, epochs) is package engine's; this package links no broker, no SQL and no page.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/stream"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Sentinels that Run's errors wrap.
var (
	// ErrFenced: another process runs the application now.
	ErrFenced = client.ErrFenced
	// ErrGap: records were deleted from a source before they were processed.
	ErrGap = client.ErrGap
	// ErrRecreated: a topic was deleted and made anew.
	ErrRecreated = client.ErrRecreated
	// ErrUnknownTopic: a topic was deleted while it was being read.
	ErrUnknownTopic = client.ErrUnknownTopic
	// ErrPartitions: the topology does not fit the topics' numbers of partitions, or its state was made for others.
	ErrPartitions = engine.ErrPartitions
	// ErrPublished: a published table's topic cannot be its changelog.
	ErrPublished = engine.ErrPublished
	// ErrShared: the topology can't be shared (stream.Consistent), or rows that workers shared wait for them.
	ErrShared = engine.ErrShared
)

// Config says where a topology runs; zero fields take the defaults.
type Config struct {
	// Brokers of the cluster, host:port. Required.
	Brokers []string
	// Connection is given to every connection to the cluster: TLS, SASL, a dialer.
	Connection []kgo.Opt
	// App names the application: its consumer group, transactional id and internal topics. Default: the topology's name.
	App string
	// Dir keeps checkpoints of the tables, so that a restart reads only the tails of their changelogs. Empty: none are kept and a
	// restart reads the whole changelogs.
	Dir string
	// StateBytes bounds the memory that the tables take. What there is no room for stays in Dir and is read when it is needed; tables that
	// are read in order or by time keep their keys in memory, and without Dir everything does. Buffers, what the garbage collector has not
	// taken yet, and a cache of what is read (a sixteenth of it, 8 to 128 MiB) come on top. Default: half of GOMEMLIMIT where that is set, or
	// else 1 GiB.
	StateBytes int64
	// Shared: other processes may run the application too, all of them with Shared, and share its tasks. Repartitions then run over topics,
	// <App>-<name>-repartition.
	Shared bool
	// Worker is this process's name among them, the same after a restart, and no other's. Default: one that is kept in Dir, without Dir a
	// random one.
	Worker string
	// Session is after how long the others take over the tasks of a worker that is not heard of. Default 45 s; brokers allow 6 s to 30 min.
	Session time.Duration
	// EpochInterval is the least time between two commits; results become visible with a commit. Default 50 ms.
	EpochInterval time.Duration
	// CacheBytes holds updates of kept tables back until the next commit, or until so many bytes of them are held, and merges those of a
	// key, as Kafka Streams does with statestore.cache.max.bytes; stream.Uncached leaves a table out. Default 0: every update goes on.
	CacheBytes int64
	// MaxTaskIdle is how long a task that has records waits for those of its source partitions that have none, so that records of
	// different partitions are taken in the order of their times; as Kafka Streams' max.task.idle.ms above 0. Default 0: it does not wait.
	MaxTaskIdle time.Duration
	// DeadLetter sends records that can't be processed to <topic>.dead with the reason in headers, and goes on. By default Run ends
	// with an error that names the record.
	DeadLetter bool
	// OnFailure, when set, decides about each record that can't be processed, in place of DeadLetter; see package failure.
	OnFailure failure.Handler
	// DeadLetterTopic takes the bad records of all topics. Default: <topic>.dead for each.
	DeadLetterTopic string
	// Listen is told what happens to the worker, from several goroutines: it must return at once. Default: nobody listens.
	Listen func(Event)
	// Logger is told what an operator should know. Default: nobody.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.EpochInterval <= 0 {
		c.EpochInterval = 50 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Run opens a Worker, runs it until ctx ends, which commits everything processed and returns nil, and closes it. It goes on by itself when
// brokers come and go; it returns an error that needs a decision: a bad record, a gap in a source, another process in charge.
func Run(ctx context.Context, t *stream.Topology, c Config) error {
	w, err := Open(ctx, t, c)
	if ctx.Err() != nil && w == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(w.Run(ctx), w.Close())
}

// A Worker runs a topology, for programs that want to look at it while it runs: read its tables, pause it, show its figures. Its methods are
// safe for concurrent use.
type Worker struct {
	engine *engine.Engine
	door   client.Door
	state  kv.Store // nil: there is no Config.Dir
}

// Open connects to the cluster, for which it waits as long as ctx allows, and opens Config.Dir. Nothing runs before Run.
func Open(ctx context.Context, t *stream.Topology, c Config) (w *Worker, err error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("worker needs the address of a broker")
	}
	if t == nil {
		return nil, errors.New("worker needs a topology")
	}
	c = c.withDefaults()
	opened := &Worker{}
	defer func() {
		if err != nil {
			w, err = nil, errors.Join(err, opened.Close())
		}
	}()
	o := c.options(t)
	if c.Dir != "" {
		if opened.state, err = kv.OpenPebble(c.Dir, kv.PebbleOptions{CacheBytes: o.State.CacheBytes()}); err != nil {
			return nil, fmt.Errorf("open state in %s: %w", c.Dir, err)
		}
		o.Checkpoints = opened.state
	}
	door, err := remote.Await(ctx, c.remote(), func(err error, wait time.Duration) {
		c.Logger.Warn("connection is tried again", "brokers", c.Brokers, "error", err, "wait", wait)
	})
	if err != nil {
		return nil, err
	}
	opened.door, o.Door = door, door
	opened.engine, err = engine.New(o)
	return opened, err
}

// sharedTransaction bounds the transactions of workers that share an application: who takes over the tasks of one that was killed within a
// transaction waits until the cluster has ended it.
const sharedTransaction = 10 * time.Second

func (c Config) remote() remote.Options {
	o := remote.Options{Brokers: c.Brokers, Connection: c.Connection}
	if c.Shared {
		o.TransactionTimeout, o.CommitTimeout = sharedTransaction, sharedTransaction-2*time.Second
	}
	return o
}

// options are those of the engine, without what has to be opened.
func (c Config) options(t *stream.Topology) engine.Options {
	return engine.Options{
		App: c.App, Topology: t, State: store.NewBudget(c.StateBytes), Clock: clock.System, Shared: c.Shared, Worker: c.Worker, Session: c.Session, EpochInterval: c.EpochInterval, CacheBytes: c.CacheBytes, MaxIdle: c.MaxTaskIdle,
		DeadLetter: c.DeadLetter, OnFailure: c.OnFailure, DeadLetterTopic: c.DeadLetterTopic, Listen: c.Listen,
		Events: func(e engine.Event) { c.Logger.Info(e.Kind, e.Fields...) },
	}
}

// Run works until ctx ends: see the function Run. One at a time; it may be called again after it returned.
func (w *Worker) Run(ctx context.Context) error { return w.engine.Keep(ctx) }

// Close disconnects and closes Config.Dir. Run must have returned.
func (w *Worker) Close() error {
	var errs []error
	if w.door != nil {
		errs = append(errs, w.door.Close())
	}
	if w.state != nil {
		errs = append(errs, w.state.Close())
	}
	return errors.Join(errs...)
}
