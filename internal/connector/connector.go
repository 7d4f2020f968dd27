// Package connector keeps sinks running: it reads topics through the client door and hands batches to a connect.Sink.
//
// Purpose. Run starts from the positions the sink itself holds, so that delivery is exactly once whoever was killed: the reader
// may read a record again, the sink knows that it has it.
//
// Callers. The root, the demo and connect/deliver call Run with a door and a sink; it calls client.Door, client.Reader and the
// sink, and tells the caller what happened through Events.
//
// Owner. Everything belongs to the goroutine that calls Run; there are no locks. Events are called on that goroutine.
//
// State machine. open (sink, then topics) → read → write → read …. A retryable error of the sink waits and repeats the same call,
// for a bounded time. A broker that is away is waited for as long as it takes, and reading begins anew at the sink's positions.
// The end of ctx is a clean end; every other error ends Run: a fence, a bad record, a gap, a topic made anew.
//
// Not here: databases (one package each below), decoding, the choice of topics' partitions by several workers.
package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/record"
)

// Defaults of Options.
const (
	DefaultBatchBytes = 4 << 20
	DefaultRetryFor   = time.Minute
)

// Backoff between tries of a retryable error, and between looks for topics that do not exist yet.
const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

// Options of Run.
type Options struct {
	// Topics are read in all their partitions. One that does not exist yet is waited for; partitions added later are read from
	// the next start on.
	Topics []string
	// BatchBytes bounds what is read for one Write, as far as the broker's batches allow. 0 means DefaultBatchBytes.
	BatchBytes int
	// RetryFor is how long one call is repeated after retryable errors before Run gives up. 0 means DefaultRetryFor.
	RetryFor time.Duration
	// Clock is required.
	Clock  clock.Clock
	Events Events
}

// Events tell what a running sink does. Each may be nil. They are called on Run's goroutine and must not wait.
type Events struct {
	// Started: the sink is open and reads from these positions.
	Started func(from map[record.TopicPartition]record.Offset)
	// Waiting: these topics do not exist yet.
	Waiting func(topics []string)
	// Written: a batch is durable in the target.
	Written func(Written)
	// Retrying: the sink or the broker failed and is tried again after wait.
	Retrying func(err error, wait time.Duration)
}

// Written describes a batch that has just become durable.
type Written struct {
	Batch connect.Batch // valid during the call
	At    time.Time     // when it was durable; minus a record's timestamp it is that record's freshness
	Lag   int64         // offsets between the positions written and the ends of the partitions as last seen
}

// Run delivers until ctx ends (nil) or something fails. It opens the sink and closes it.
func Run(ctx context.Context, door client.Door, sink connect.Sink, opts Options) error {
	if len(opts.Topics) == 0 || opts.Clock == nil {
		return fmt.Errorf("run sink %s: needs topics and a clock", sink.Name())
	}
	if opts.BatchBytes <= 0 {
		opts.BatchBytes = DefaultBatchBytes
	}
	if opts.RetryFor <= 0 {
		opts.RetryFor = DefaultRetryFor
	}
	r := &run{door: door, sink: sink, opts: opts}
	err := r.run(ctx)
	if cerr := sink.Close(); cerr != nil && err == nil {
		err = cerr
	}
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return fmt.Errorf("run sink %s: %w", sink.Name(), err)
}

type run struct {
	door client.Door
	sink connect.Sink
	opts Options

	ids  map[string][16]byte                        // topic → id
	lags map[record.TopicPartition]int64            // as of the last chunk
	free []record.Record                            // reused between batches
	held map[record.TopicPartition]connect.Position // as of the last write

	polled bool // since reading last began
}

func (r *run) run(ctx context.Context) error {
	err := r.retry(ctx, func() error {
		var err error
		r.held, err = r.sink.Open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		r.polled = false
		err := r.deliver(ctx)
		var away *awayError
		if ctx.Err() != nil || !errors.As(err, &away) {
			return err
		}
		if r.polled {
			wait = minBackoff // it was there for a while
		}
		if r.opts.Events.Retrying != nil {
			r.opts.Events.Retrying(away.err, wait)
		}
		if err := r.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// deliver reads from the sink's positions on until something fails.
func (r *run) deliver(ctx context.Context) error {
	topics, err := r.awaitTopics(ctx)
	if err != nil {
		return err
	}
	from, err := r.startingPoints(ctx, topics)
	if err != nil {
		return err
	}
	reader, err := r.door.OpenReader(ctx, from)
	if err != nil {
		return doorError("open reader", err)
	}
	defer reader.Close()
	if err := r.measureLag(ctx, from); err != nil {
		return err
	}
	if r.opts.Events.Started != nil {
		r.opts.Events.Started(from)
	}
	for {
		chunks, err := reader.Poll(ctx, r.opts.BatchBytes)
		if err != nil {
			return doorError("read", err)
		}
		r.polled = true
		if err := r.write(ctx, r.batch(chunks)); err != nil {
			return err
		}
	}
}

// An awayError is one of the broker's that passes by itself.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }
func (e *awayError) Unwrap() error { return e.err }

// doorError tells errors that need a decision from a broker that is away.
func doorError(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	for _, decisive := range []error{client.ErrGap, client.ErrRecreated, client.ErrUnknownTopic, client.ErrFenced, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, decisive) {
			return err
		}
	}
	return &awayError{err}
}

// write applies a batch and tells about it.
func (r *run) write(ctx context.Context, b connect.Batch) error {
	if len(b.Positions) == 0 {
		return nil
	}
	if err := r.retry(ctx, func() error { return r.sink.Write(ctx, b) }); err != nil {
		return err
	}
	for tp, p := range b.Positions {
		r.held[tp] = p
	}
	if r.opts.Events.Written == nil {
		return nil
	}
	w := Written{Batch: b, At: r.opts.Clock.Now()}
	for _, n := range r.lags {
		w.Lag += n
	}
	r.opts.Events.Written(w)
	return nil
}

// batch puts the chunks into the sink's form: records in rows instead of columns.
func (r *run) batch(chunks []client.Chunk) connect.Batch {
	b := connect.Batch{Records: r.free[:0], Positions: make(map[record.TopicPartition]connect.Position, len(chunks))}
	for i := range chunks {
		c := &chunks[i]
		for j := range c.Offsets {
			rec := record.Record{TopicPartition: c.TopicPartition, Offset: c.Offsets[j], Timestamp: c.Timestamps[j], Key: c.Keys[j], Value: c.Values[j]}
			if c.Headers != nil {
				rec.Headers = c.Headers[j]
			}
			b.Records = append(b.Records, rec)
		}
		b.Positions[c.TopicPartition] = connect.Position{Offset: c.Next, TopicID: r.ids[c.Topic]}
		r.lags[c.TopicPartition] = max(0, int64(c.End-c.Next))
	}
	r.free = b.Records
	return b
}

// retry repeats call while its error is retryable, waiting longer each time, until it has gone on for RetryFor.
func (r *run) retry(ctx context.Context, call func() error) error {
	began, wait := r.opts.Clock.Mono(), minBackoff
	for {
		err := call()
		if err == nil || !connect.Retryable(err) {
			return err
		}
		if tried := r.opts.Clock.Mono() - began; tried >= r.opts.RetryFor {
			return fmt.Errorf("gave up after %s: %w", tried, err)
		}
		if r.opts.Events.Retrying != nil {
			r.opts.Events.Retrying(err, wait)
		}
		if err := r.sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxBackoff)
	}
}

func (r *run) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.opts.Clock.After(d):
		return nil
	}
}
