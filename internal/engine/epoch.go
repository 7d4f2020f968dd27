package engine

import (
	"context"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// positionsInterval is how long an epoch may wait that has nothing but positions: a crash only reads again what gives nothing.
const positionsInterval = 100 * time.Millisecond

// maybeSeal has the forming epoch committed when it is due, or returns when to ask again.
func (s *session) maybeSeal() (wake <-chan time.Time, err error) {
	if s.committing || !s.moved {
		return nil, nil
	}
	now := s.o.Clock.Mono()
	due := s.lastSeal + s.o.EpochInterval
	held, bytes := s.held()
	if s.filling.Count() == 0 && !held {
		due = max(due, s.filled+positionsInterval)
	}
	if s.commitAsked() {
		due = now
	}
	if now < due && int64(s.filling.Size())+bytes < int64(s.o.EpochBytes) {
		return s.o.Clock.After(due - now), nil
	}
	return nil, s.seal(now, s.checkpointDue(now))
}

// seal ends the forming epoch and begins the next. No commit is under way.
func (s *session) seal(now time.Duration, checkpoint bool) error {
	if err := s.sealShards(); err != nil {
		return &epochError{err}
	}
	s.commit(s.filling, checkpoint)
	s.filling, s.moved, s.lastSeal, s.committingSince = s.producer.NewEpoch(), false, now, s.filled
	return nil
}

// commit begins to commit an epoch. None is under way.
func (s *session) commit(e client.Epoch, checkpoint bool) {
	c := commit{epoch: e, positions: s.positions(), checkpoint: checkpoint}
	if checkpoint {
		c.tails = s.tails()
	}
	s.committing = true
	s.stats.sealed(c)
	s.joined.Go(func() { s.committed <- s.carryOut(s.work, c) })
}

// folded takes the outcome of a commit: the sealed epoch is durable, or the run is over.
func (s *session) folded(done outcome) error {
	if err := s.fold(done); err != nil {
		return err
	}
	if done.ends != nil {
		s.checkpoint(done.ends)
	}
	return nil
}

func (s *session) fold(done outcome) error {
	s.committing = false
	if done.err != nil {
		return &epochError{away(done.err)}
	}
	for _, sh := range s.shards {
		sh.set.Commit()
	}
	s.stats.committed(s.o.Clock.Now())
	now := s.o.Clock.Mono()
	s.stats.commits.Observe(now - s.committingSince)
	s.stats.figure(now, !s.moved, s.sets()...)
	s.shared.consumed(done.positions)
	return nil
}

// settle waits for the commit under way.
func (s *session) settle() error {
	if !s.committing {
		return nil
	}
	return s.folded(<-s.committed)
}

// finish commits what was processed and writes a last checkpoint, so that the next start has nothing to replay.
func (s *session) finish(ctx context.Context) error {
	if err := s.settle(); err != nil {
		return err
	}
	if s.moved {
		if err := s.seal(s.o.Clock.Mono(), false); err != nil {
			return err
		}
		if err := s.settle(); err != nil {
			return err
		}
	}
	return s.lastCheckpoint(ctx)
}

// A commit is a sealed epoch on its way; an outcome is its end. tails are asked for with a checkpoint, ends are then where they
// ended right before the commit: what a checkpoint of the state behind it may claim to hold. Not after it: by then others may have
// taken over and written what this worker's state lacks, as if it had stood still in between. That the commit succeeds shows that
// nobody had when the ends were read.
type commit struct {
	epoch      client.Epoch
	positions  map[record.TopicPartition]record.Offset
	checkpoint bool
	tails      []record.TopicPartition
}

type outcome struct {
	err       error
	positions map[record.TopicPartition]record.Offset
	ends      map[record.TopicPartition]record.Offset
}

func (s *session) carryOut(ctx context.Context, c commit) outcome {
	done := outcome{positions: c.positions}
	if c.checkpoint {
		done.ends, done.err = s.tailEnds(ctx, c.tails)
	}
	if done.err == nil && (s.shared == nil || len(c.positions) > 0) {
		done.err = s.notRead(ctx, s.producer.Commit(ctx, c.epoch, c.positions))
	} // else no task runs here: there are at most dead letters of global tables, which the others write, too
	return done
}

// tailEnds returns the ends of changelogs; not nil, also when there are none.
func (s *session) tailEnds(ctx context.Context, tails []record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	if len(tails) == 0 {
		return map[record.TopicPartition]record.Offset{}, nil
	}
	return s.o.Door.Ends(ctx, tails...)
}
