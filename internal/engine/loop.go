package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// run is the loop: it takes what the poller read, processes it, and keeps one epoch committing while the next one fills.
func (s *session) run(ctx context.Context, reader client.Reader) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // a commit under way outlives ctx: its epoch is whole or absent
	var joined sync.WaitGroup
	polls, stopPolls := context.WithCancel(ctx)
	grants, polled := make(chan struct{}, 1), make(chan pollResult, 1) // one grant, one answer: what is read ahead stays bounded
	sealed, committed := make(chan commit, 1), make(chan outcome, 1)   // one epoch under way
	joined.Go(func() { poll(polls, reader, s.o.PollBytes, grants, polled) })
	joined.Go(func() { s.commitAll(work, sealed, committed) })
	defer func() {
		stopPolls()
		close(sealed)
		stop()
		joined.Wait()
		reader.Close()
		if s.writing {
			<-s.checkpoints
		}
	}()

	grants <- struct{}{}
	var wake <-chan time.Time
	for {
		select {
		case r := <-polled:
			if r.err != nil {
				if ctx.Err() != nil {
					return s.finish(work, sealed, committed)
				}
				return errors.Join(r.err, s.finish(work, sealed, committed))
			}
			if err := s.take(r.chunks); err != nil {
				return errors.Join(err, s.finish(work, sealed, committed))
			}
			grants <- struct{}{}
		case done := <-committed:
			if err := s.folded(done); err != nil {
				return err
			}
		case err := <-s.checkpoints:
			s.writing = false
			if err != nil {
				return err
			}
		case <-wake:
		case <-ctx.Done():
			return s.finish(work, sealed, committed)
		}
		var err error
		if wake, err = s.maybeSeal(sealed); err != nil {
			return err
		}
		for s.committing && s.filling.Size() >= s.o.EpochBytes { // the disk is slower than we are: stop taking more
			if err := s.folded(<-committed); err != nil {
				return err
			}
			if wake, err = s.maybeSeal(sealed); err != nil {
				return err
			}
		}
	}
}

// take processes chunks to the end: everything derived from them is in the forming epoch afterwards.
func (s *session) take(chunks []client.Chunk) error {
	for i := range chunks {
		if err := s.set.Add(chunks[i]); err != nil {
			return err
		}
		s.stats.observe(&chunks[i])
	}
	if !s.moved {
		s.moved, s.filled = true, s.o.Clock.Mono()
	}
	for {
		n, err := s.set.Process(s.filling, processAtOnce)
		s.stats.processed.Add(int64(n))
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// processAtOnce is the number of records a task takes in one go: enough to amortise the calls, few enough to stay in cache.
const processAtOnce = 2048

// maybeSeal hands the forming epoch to the committer when it is due, or returns when to ask again.
func (s *session) maybeSeal(sealed chan<- commit) (wake <-chan time.Time, err error) {
	if s.committing || !s.moved {
		return nil, nil
	}
	now := s.o.Clock.Mono()
	due := s.lastSeal + s.o.EpochInterval
	if s.filling.Count() == 0 { // nothing but positions: they can wait, a crash only reads again what gives nothing
		due = s.filled + positionsInterval
	}
	if now < due && s.filling.Size() < s.o.EpochBytes {
		return s.o.Clock.After(due - now), nil
	}
	return nil, s.seal(sealed, now)
}

const positionsInterval = 100 * time.Millisecond

func (s *session) seal(sealed chan<- commit, now time.Duration) error {
	if err := s.set.Seal(s.filling); err != nil {
		return err
	}
	c := commit{epoch: s.filling, positions: s.set.Positions(), checkpoint: s.checkpointDue(now)}
	s.filling, s.moved, s.committing, s.lastSeal = s.producer.NewEpoch(), false, true, now
	s.stats.sealed(c.epoch)
	sealed <- c
	return nil
}

// folded takes the committer's answer: the sealed epoch is durable, or the run is over.
func (s *session) folded(done outcome) error {
	s.committing = false
	if done.err != nil {
		return done.err
	}
	s.set.Commit()
	s.stats.committed(s.o.Clock.Now())
	if done.ends != nil {
		s.checkpoint(done.ends)
	}
	return nil
}

// finish commits what was processed and writes a last checkpoint, so that the next start has nothing to replay.
func (s *session) finish(ctx context.Context, sealed chan<- commit, committed <-chan outcome) error {
	if s.committing {
		if err := s.folded(<-committed); err != nil {
			return err
		}
	}
	if s.moved {
		if err := s.seal(sealed, s.o.Clock.Mono()); err != nil {
			return err
		}
		if err := s.folded(<-committed); err != nil {
			return err
		}
	}
	return s.lastCheckpoint(ctx)
}

// A commit is a sealed epoch on its way; an outcome is its end. ends, when asked for, are the changelogs' ends right after it:
// what a checkpoint of the state it leaves may claim to hold.
type commit struct {
	epoch      client.Epoch
	positions  map[record.TopicPartition]record.Offset
	checkpoint bool
}

type outcome struct {
	err  error
	ends map[record.TopicPartition]record.Offset
}

func (s *session) commitAll(ctx context.Context, sealed <-chan commit, committed chan<- outcome) {
	for c := range sealed {
		var done outcome
		done.err = s.producer.Commit(ctx, c.epoch, c.positions)
		if done.err == nil && c.checkpoint {
			done.ends, done.err = s.o.Door.Ends(ctx, s.tails...)
		}
		committed <- done
	}
}

type pollResult struct {
	chunks []client.Chunk
	err    error
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
