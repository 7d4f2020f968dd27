// Package deliver runs a sink in a program of your own, against any Kafka cluster or a Mainstem node elsewhere.
//
// Purpose. A service that keeps derived data in its own database runs the sink that fills it: Run reads the topics from the
// position that the database holds and writes rows and positions in one transaction, so each record counts exactly once,
// whatever is killed when. No consumer group is involved.
//
// Callers. Users' programs. It opens the Kafka client and calls internal/connector, which does the work.
//
// Owner. Everything belongs to the call of Run. One process delivers to a target at a time: a second one takes over and the
// first ends with connect.ErrFenced.
//
// Not here: sinks (package connect and below it), deriving data (package worker).
package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/remote"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/connector"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Sentinels that Run's errors wrap, besides those of package connect.
var (
	// ErrGap: records were deleted from a topic before they were delivered.
	ErrGap = client.ErrGap
	// ErrRecreated: a topic was deleted and made anew, so the target's positions mean nothing in it.
	ErrRecreated = client.ErrRecreated
)

// Config says what to deliver from where; zero fields take the defaults.
type Config struct {
	// Brokers of the cluster, host:port. Required.
	Brokers []string
	// Connection is given to every connection to the cluster: TLS, SASL, a dialer.
	Connection []kgo.Opt
	// Topics are delivered in all their partitions; one that does not exist yet is waited for. Required.
	Topics []string
	// RetryFor is how long a target that is locked or away is tried again before Run ends. Default 1 minute.
	RetryFor time.Duration
	// Written, if not nil, is called after every batch that is durable in the target. It must not wait.
	Written func(Written)
	// Logger is told what an operator should know. Default: nobody.
	Logger *slog.Logger
}

// Written describes a batch that has just become durable.
type Written struct {
	Records int       // in the batch
	At      time.Time // when it was durable
	Lag     int64     // offsets between what is written and the ends of the topics as last seen
}

// Run delivers until ctx ends, which returns nil. It goes on by itself when brokers come and go; it returns an error that needs
// a decision: a record that the target refuses (*connect.RecordError), a gap in a topic, another process in charge.
func Run(ctx context.Context, sink connect.Sink, c Config) (err error) {
	if len(c.Brokers) == 0 {
		return errors.New("delivery needs the address of a broker")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
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
	return connector.Run(ctx, door, sink, connector.Options{
		Topics: c.Topics, RetryFor: c.RetryFor, Clock: clock.System, Events: c.events(sink.Name()),
	})
}

func (c Config) events(sink string) connector.Events {
	log := c.Logger.With("sink", sink)
	return connector.Events{
		Waiting: func(topics []string) { log.Info("waiting for topics", "topics", topics) },
		Started: func(from map[record.TopicPartition]record.Offset) {
			log.Info("delivery started", "partitions", len(from))
		},
		Retrying: func(err error, wait time.Duration) {
			log.Warn("delivery waits", "error", err, "wait", wait)
		},
		Written: func(w connector.Written) {
			if c.Written != nil {
				c.Written(Written{Records: len(w.Batch.Records), At: w.At, Lag: w.Lag})
			}
		},
	}
}
