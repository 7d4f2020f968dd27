package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrStopped: the broker ended, or its storage failed, before the result was durable. Whatever was asked may or may not have
// taken place: a later read tells.
var ErrStopped = errors.New("broker has stopped")

// A Future is a result that comes once its journal frames are durable. Only the broker completes it.
type Future[T any] struct {
	done  chan struct{}
	value T
	err   error // why there is no result; read after done
}

// Done is closed when the result is there, or never will be.
func (f *Future[T]) Done() <-chan struct{} { return f.done }

// Value may be called after Done. When the broker stopped first, results that can carry an error carry a retriable one
// (KAFKA_STORAGE_ERROR after a failure); maps and lists are nil then, while an empty result is never nil.
func (f *Future[T]) Value() T { return f.value }

// Wait returns the result, or ctx's error when it ends first, or ErrStopped. A result not waited for still takes place.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero T
		return zero, context.Cause(ctx)
	}
}

func (f *Future[T]) finish() { close(f.done) }

// done returns a Future that needs no journal.
func done[T any](v T) *Future[T] {
	f := &Future[T]{done: make(chan struct{}), value: v}
	close(f.done)
	return f
}

// A stop is the reason why nothing is taken or acknowledged any more, in the words of each kind of caller.
type stop struct {
	err         error
	partition   *kerr.Error // for produce, topics and reads
	coordinator *kerr.Error // for groups and transactions
}

// cleanStop tells clients to try again, which they do at the next start. storageStop follows a storage error.
func cleanStop() *stop {
	return &stop{ErrStopped, kerr.NotLeaderForPartition, kerr.CoordinatorNotAvailable}
}

func storageStop(cause error) *stop {
	return &stop{errors.Join(ErrStopped, cause), kerr.KafkaStorageError, kerr.KafkaStorageError}
}

// fullStop refuses one command for want of space: clients try again.
func fullStop() *stop {
	return &stop{ErrDiskFull, kerr.KafkaStorageError, kerr.CoordinatorNotAvailable}
}

// An outcome is handed out when its round is durable (finish), or never will be (fail). Exactly one of the two is called once.
type outcome interface {
	finish()
	fail(*stop)
}

// A command is one unit of work of the sequencer. exec computes the outcome against the pending state and gives it to the round.
type command interface {
	outcome
	exec(s *sequencer)
	cost() int64 // bytes of the in-flight budget that it holds until it has an outcome
}

// A call is the command of most methods: run computes the value in the sequencer, lost makes the value of a stopped broker.
type call[T any] struct {
	Future[T]
	run   func(s *sequencer) T
	lost  func(*stop) T
	frees bool // makes room, or ends something: it is taken while the journal has hardly room
	bytes int64
}

func (c *call[T]) exec(s *sequencer) {
	if c.lost != nil && !c.frees && s.starved() {
		c.value = c.lost(fullStop())
	} else {
		c.value = c.run(s)
	}
	s.round.outcomes = append(s.round.outcomes, c)
}

func (c *call[T]) fail(why *stop) {
	var zero T
	c.value, c.err = zero, why.err
	if c.lost != nil {
		c.value = c.lost(why)
	}
	c.finish()
}

func (c *call[T]) cost() int64 { return c.bytes + callCost }

// callCost is charged for every command in bytes, so that many small ones are bounded too.
const callCost = 256

// push queues c, or fails it when the broker has stopped. It may wait for room.
func (b *Broker) push(c command) {
	if why := b.queue.Push(c, c.cost()); why != nil {
		c.fail(why)
	}
}

// submit queues run; the Future comes with the round's sync. With lost, it is refused while the disk has no room for the journal.
func submit[T any](b *Broker, lost func(*stop) T, run func(s *sequencer) T) *Future[T] {
	return push(b, &call[T]{run: run, lost: lost})
}

// submitFreeing is submit for what makes room or ends something: it is taken as long as the journal's reserve lasts.
func submitFreeing[T any](b *Broker, lost func(*stop) T, run func(s *sequencer) T) *Future[T] {
	return push(b, &call[T]{run: run, lost: lost, frees: true})
}

func push[T any](b *Broker, c *call[T]) *Future[T] {
	c.done = make(chan struct{})
	b.push(c)
	return &c.Future
}
