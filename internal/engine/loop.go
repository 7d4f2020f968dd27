package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
)

// run is the loop: it takes what the poller read, processes it, and keeps one epoch committing while the next one fills.
func (s *session) run(ctx context.Context, reader client.Reader) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // a commit under way outlives ctx: its epoch is whole or absent
	var joined sync.WaitGroup
	beside, stopBeside := context.WithCancel(ctx)
	grants, polled := make(chan struct{}, 1), make(chan pollResult, 1) // one grant, one answer: what is read ahead stays bounded
	changed := make(chan error, 1)                                     // the watcher says one thing
	joined.Go(func() { poll(beside, reader, s.o.PollBytes, grants, polled) })
	joined.Go(func() { s.watch(beside, changed) })
	joined.Go(func() { s.commitAll(work) })
	defer func() {
		stopBeside()
		close(s.sealed)
		stop()
		joined.Wait()
		reader.Close()
		if s.writing {
			<-s.checkpoints
		}
	}()

	if err := s.tick(); err != nil {
		return err
	}
	grants <- struct{}{}
	var wake <-chan time.Time
	for {
		select {
		case <-s.alarm.c:
			s.alarm.set = false
			if s.o.MaxIdle == 0 {
				if err := s.tick(); err != nil {
					return err
				}
			} else if err := s.take(nil); err != nil { // a task may have waited long enough
				return s.end(work, err)
			}
		case r := <-polled:
			if r.err != nil {
				if ctx.Err() != nil {
					return s.finish(work)
				}
				return s.end(work, away(r.err))
			}
			if err := s.take(r.chunks); err != nil {
				return s.end(work, err)
			}
			grants <- struct{}{}
		case done := <-s.committed:
			if err := s.folded(done); err != nil {
				return err
			}
		case err := <-s.checkpoints:
			s.writing = false
			if err != nil {
				return err
			}
		case err := <-changed:
			return s.end(work, err)
		case <-wake:
		case <-ctx.Done():
			return s.finish(work)
		}
		var err error
		if wake, err = s.maybeSeal(); err != nil {
			return err
		}
	}
}

// end commits what was processed before err, unless err left the forming epoch with half a record's results: then it is
// forgotten, positions and all.
func (s *session) end(ctx context.Context, err error) error {
	var broken *epochError
	if errors.As(err, &broken) {
		return err
	}
	return errors.Join(err, s.finish(ctx))
}

// An epochError is one after which neither the task set nor the forming epoch may be used any more.
type epochError struct{ err error }

func (e *epochError) Error() string { return e.err.Error() }
func (e *epochError) Unwrap() error { return e.err }

// processAtOnce is the number of records processed between two looks at the epoch's size: enough to amortise the calls, few
// enough to stay in cache.
const processAtOnce = 512

// take processes chunks to the end: everything derived from them is in the forming epoch, or in those sealed on the way.
func (s *session) take(chunks []client.Chunk) error {
	for i := range chunks {
		if err := s.set.Add(chunks[i]); err != nil {
			return &epochError{err}
		}
	}
	s.touch()
	if err := s.tick(); err != nil {
		return err
	}
	for {
		n, err := s.set.Process(s.filling, processAtOnce)
		s.stats.process(n, s.set)
		var bad *task.RecordError
		if err != nil && !errors.As(err, &bad) {
			return &epochError{err}
		}
		if n > 0 {
			s.touch()
		}
		if err != nil {
			return err
		}
		if n == 0 {
			s.arm()
			return nil
		}
		if err := s.throttle(); err != nil {
			return &epochError{err}
		}
	}
}

// touch notes that positions have moved.
func (s *session) touch() {
	if !s.moved {
		s.moved, s.filled = true, s.o.Clock.Mono()
	}
}

// throttle seals an epoch that is full. When the one before it is still being committed, the disk is slower than we are: it
// waits, and nothing more is taken.
func (s *session) throttle() error {
	for s.filling.Size() >= s.o.EpochBytes {
		if s.committing {
			if err := s.folded(<-s.committed); err != nil {
				return err
			}
		}
		if err := s.seal(s.o.Clock.Mono()); err != nil {
			return err
		}
	}
	return nil
}

// poll reads once for every grant.
func poll(ctx context.Context, reader client.Reader, maxBytes int, grants <-chan struct{}, polled chan<- pollResult) {
	for {
		select {
		case <-grants:
		case <-ctx.Done():
			return
		}
		chunks, err := reader.Poll(ctx, maxBytes)
		polled <- pollResult{chunks, err} // capacity 1 and one grant: never blocks
		if err != nil {
			return
		}
	}
}

type pollResult struct {
	chunks []client.Chunk
	err    error
}
