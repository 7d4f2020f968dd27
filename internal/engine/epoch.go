package engine

import (
	"context"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// positionsInterval is how long an epoch may wait that has nothing but positions: a crash only reads again what gives nothing.
const positionsInterval = 100 * time.Millisecond

// maybeSeal hands the forming epoch to the committer when it is due, or returns when to ask again.
func (s *session) maybeSeal() (wake <-chan time.Time, err error) {
	if s.committing || !s.moved {
		return nil, nil
	}
	now := s.o.Clock.Mono()
	due := s.lastSeal + s.o.EpochInterval
	if s.filling.Count() == 0 && s.set.Held() == 0 {
		due = max(due, s.filled+positionsInterval)
	}
	if s.set.TakeCommitAsked() {
		due = now
	}
	if now < due && int64(s.filling.Size())+s.set.HeldBytes() < int64(s.o.EpochBytes) {
		return s.o.Clock.After(due - now), nil
	}
	return nil, s.seal(now)
}

// seal ends the forming epoch and begins the next. No commit is under way.
func (s *session) seal(now time.Duration) error {
	if err := s.set.Flush(s.filling); err != nil {
		return err
	}
	if err := s.set.Seal(s.filling); err != nil {
		return err
	}
	c := commit{epoch: s.filling, positions: s.set.Positions(), checkpoint: s.checkpointDue(now)}
	s.filling, s.moved, s.committing, s.lastSeal = s.producer.NewEpoch(), false, true, now
	s.stats.sealed(c)
	s.sealed <- c
	return nil
}

// folded takes the committer's answer: the sealed epoch is durable, or the run is over.
func (s *session) folded(done outcome) error {
	s.committing = false
	if done.err != nil {
		return away(done.err)
	}
	s.set.Commit()
	s.stats.committed(s.o.Clock.Now())
	if done.ends != nil {
		s.checkpoint(done.ends)
	}
	return nil
}

// finish commits what was processed and writes a last checkpoint, so that the next start has nothing to replay.
func (s *session) finish(ctx context.Context) error {
	if s.committing {
		if err := s.folded(<-s.committed); err != nil {
			return err
		}
	}
	if s.moved {
		if err := s.seal(s.o.Clock.Mono()); err != nil {
			return err
		}
		if err := s.folded(<-s.committed); err != nil {
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

func (s *session) commitAll(ctx context.Context) {
	for c := range s.sealed {
		var done outcome
		done.err = s.producer.Commit(ctx, c.epoch, c.positions)
		if done.err == nil && c.checkpoint {
			done.ends, done.err = s.tailEnds(ctx)
		}
		s.committed <- done
	}
}

// tailEnds returns the ends of the changelogs; not nil, also when there are none.
func (s *session) tailEnds(ctx context.Context) (map[record.TopicPartition]record.Offset, error) {
	if len(s.tails) == 0 {
		return map[record.TopicPartition]record.Offset{}, nil
	}
	return s.o.Door.Ends(ctx, s.tails...)
}
