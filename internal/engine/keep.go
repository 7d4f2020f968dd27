package engine

import (
	"context"
	"errors"
	"time"

	"github.com/mainstemio/mainstem/internal/assign"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
)

// Backoff between two runs of Keep.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Keep runs the engine until ctx ends (nil, or what kept the last epoch from being committed) and starts it again after errors
// that pass by themselves: a broker that restarts, a timeout. It returns the first error that needs a decision.
func (e *Engine) Keep(ctx context.Context) error {
	wait := minBackoff
	for {
		began := e.o.Clock.Mono()
		err := e.Run(ctx)
		if err == nil || ctx.Err() != nil || !Retryable(err) {
			return err
		}
		if e.o.Clock.Mono()-began > 10*maxBackoff || errors.Is(err, client.ErrExpelled) {
			wait = minBackoff // it had been well for a while, or the brokers are well and this worker has to hurry
		}
		e.o.Events(Event{"engine-retrying", []any{"app", e.o.App, "error", err, "wait", wait}})
		e.stats.tell(Retry{App: e.o.App, Err: err, Wait: wait})
		select {
		case <-ctx.Done():
			return nil
		case <-e.o.Clock.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// ErrPartitions: the topology does not fit the topics' numbers of partitions, or its state was made for others.
var ErrPartitions = errors.New("partitions do not fit the topology")

// ErrPublished: a published table's topic cannot be its changelog.
var ErrPublished = errors.New("the topic cannot hold the table")

// A doorError is an error of the broker or cluster behind the door: it may pass by itself. Errors from elsewhere (the topology,
// the stores, the checkpoints' disk) are not marked and never do.
type doorError struct {
	err      error
	starting bool // topics may have just been created and be unknown for a moment
}

func (e *doorError) Error() string { return e.err.Error() }
func (e *doorError) Unwrap() error { return e.err }

func away(err error) error {
	var marked *doorError
	if err == nil || errors.As(err, &marked) {
		return err
	}
	return &doorError{err: err}
}

// Retryable reports whether a run that ended with err may simply be started again: the broker was away or slow, or the sources
// got more partitions. Bad records, fencing, gaps, deleted topics and a topology that doesn't fit need a decision.
func Retryable(err error) bool {
	var bad *task.RecordError
	var door *doorError
	if errors.As(err, &bad) || !errors.As(err, &door) {
		return false
	}
	for _, decisive := range []error{client.ErrFenced, client.ErrGap, client.ErrRecreated, client.ErrTooLarge, ErrPartitions, ErrPublished, ErrShared, assign.ErrVersion, context.Canceled} {
		if errors.Is(err, decisive) {
			return false
		}
	}
	return door.starting || !errors.Is(err, client.ErrUnknownTopic)
}
