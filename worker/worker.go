// Package worker runs a topology in a program of your own, against any Kafka cluster or a Mainstem node elsewhere.
//
// Run reads the topology's source topics, keeps its tables in memory with checkpoints in Config.Dir, and commits outputs,
// changelogs and positions in one Kafka transaction per epoch: every input counts exactly once, whatever is killed when. The
// brokers must be Kafka 2.5 or newer, or speak its protocol.
//
// One process runs an application at a time: a second one takes over and the first ends with ErrFenced. Everything else about
// running (state, restore, epochs) is package engine's; this package links no broker, no SQL and no page.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/engine"
	"github.com/mainstemio/mainstem/internal/kv"
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

// Run works until ctx ends, which commits everything processed and returns nil. It goes on by itself when brokers come and go; it
// returns an error that needs a decision: a bad record, a gap in a source, another process in charge.
func Run(ctx context.Context, t *stream.Topology, c Config) (err error) {
	if len(c.Brokers) == 0 {
		return errors.New("worker needs the address of a broker")
	}
	if t == nil {
		return errors.New("worker needs a topology")
	}
	c = c.withDefaults()
	o := engine.Options{App: c.App, Topology: t, Clock: clock.System, EpochInterval: c.EpochInterval, DeadLetter: c.DeadLetter, CacheBytes: c.CacheBytes, MaxIdle: c.MaxTaskIdle}
	o.Events = func(e engine.Event) { c.Logger.Info(e.Kind, e.Fields...) }
	if c.Dir != "" {
		state, openErr := kv.OpenPebble(c.Dir, kv.PebbleOptions{})
		if openErr != nil {
			return fmt.Errorf("open state in %s: %w", c.Dir, openErr)
		}
		defer func() { err = errors.Join(err, state.Close()) }()
		o.Checkpoints = state
	}
	door, err := remote.Await(ctx, remote.Options{Brokers: c.Brokers, Connection: c.Connection}, func(err error, wait time.Duration) {
		c.Logger.Warn("connection is tried again", "brokers", c.Brokers, "error", err, "wait", wait)
	})
	if ctx.Err() != nil && door == nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, door.Close()) }()
	o.Door = door
	e, err := engine.New(o)
	if err != nil {
		return err
	}
	return e.Keep(ctx)
}
