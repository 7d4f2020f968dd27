package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// open prepares a session: topics, fencing, positions, state, reader. The order matters: older instances are fenced before the
// positions are read, so nobody moves them afterwards.
func (e *Engine) open(ctx context.Context) (*session, error) {
	s := &session{
		o: e.o, share: e.share, stats: &e.stats, valve: e.valve, shown: &e.shown, checkpoints: make(chan error, 1), // capacity 1: the writer never waits for the loop
		committed: make(chan outcome, 1), looked: make(chan error, 1),
		byTP: map[record.TopicPartition]*shard{}, next: map[record.TopicPartition]record.Offset{}, left: map[string]int64{},
		rested: -1,
	}
	e.stats.restarts()
	s.lastCkpt = e.o.Clock.Mono()
	s.lastSeal = s.lastCkpt - e.o.EpochInterval // the first epoch need not wait
	open := s.openAlone
	if e.o.Shared {
		open = s.openShared
	}
	if err := open(ctx); err != nil {
		s.close(ctx, err)
		return nil, err
	}
	return s, nil
}

// openAlone makes this worker the one that does everything.
func (s *session) openAlone(ctx context.Context) error {
	set, err := s.openTopics(ctx)
	if err != nil {
		return err
	}
	if err := s.nobodyShares(ctx); err != nil {
		return err
	}
	if s.producer, err = s.o.Door.OpenProducer(ctx, s.o.App); err != nil {
		return starting(err)
	}
	if err := s.nobodyShares(ctx); err != nil { // who joins from now on ends this producer
		return err
	}
	s.stats.enter(StateRestoring, nil)
	if err := s.openCheckpoints(set); err != nil {
		return err
	}
	if err := s.nothingLeft(ctx); err != nil {
		return err
	}
	committed, err := s.o.Door.Committed(ctx, s.o.App)
	if err != nil {
		return starting(err)
	}
	sh, err := s.fillAll(ctx, set)
	if err != nil {
		return err
	}
	if sh.from, err = s.positionsOf(ctx, set, committed); err != nil {
		return starting(err)
	}
	s.enter(sh)
	s.stats.reads(sh.from)
	return s.openReader(ctx)
}

// fillAll restores the tables of the tasks and the global ones, again without the checkpoints that turn out to be too old.
func (s *session) fillAll(ctx context.Context, set *task.Set) (sh *shard, err error) {
	for {
		sh, s.filling = newShard(set), s.producer.NewEpoch()
		r := s.newRestoring()
		if err = r.restore(ctx, sh); err == nil {
			err = r.globals(ctx, sh, s.filling)
		}
		if err == nil {
			err = r.forgetStale()
		}
		if !errors.Is(err, errStale) {
			r.tell()
			s.shorten(r.records)
			if s.filling.Count() > 0 {
				s.touch() // dead letters
			}
			return sh, err
		}
		if set, err = task.New(s.config); err != nil {
			return nil, err
		}
	}
}

// openCheckpoints opens the checkpoints, if the tables need any.
func (s *session) openCheckpoints(sets ...*task.Set) (err error) {
	for _, set := range sets {
		if s.ckpt == nil && s.o.Checkpoints != nil && len(set.Stores())+len(set.Globals()) > 0 {
			if s.ckpt, err = store.OpenCheckpoints(s.o.Checkpoints, s.o.App); err == nil {
				s.ckpt = s.ckpt.Within(s.share)
			}
		}
	}
	return err
}

func starting(err error) error {
	if err == nil {
		return nil
	}
	return &doorError{err: err, starting: true}
}

// positionsOf are where a set's sources are read from: the committed positions; a partition never committed is read from its start, or
// where its source says so from its end, which is committed with the next epoch: what comes from now on is not skipped after a crash.
func (s *session) positionsOf(ctx context.Context, set *task.Set, committed map[record.TopicPartition]record.Offset) (map[record.TopicPartition]record.Offset, error) {
	starts, err := s.o.Door.Starts(ctx, set.Sources()...)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(starts)
	for tp := range starts {
		if o, ok := committed[tp]; ok {
			out[tp] = o // below the start: the reader says ErrGap, records were deleted before they were processed
		}
	}
	if err := s.fromEnd(ctx, set, committed, out); err != nil {
		return nil, err
	}
	return out, s.expect(ctx, set, out)
}

// expect tells a set what its sources' topics hold already: a task that reads several takes their records in the order of their times, and
// must not go ahead on one because another was not fetched yet.
func (s *session) expect(ctx context.Context, set *task.Set, positions map[record.TopicPartition]record.Offset) error {
	ends, err := s.o.Door.Ends(ctx, slices.Collect(maps.Keys(positions))...)
	if err != nil {
		return err
	}
	for tp, next := range positions {
		if next < ends[tp] {
			if err := set.Expect(tp, ends[tp]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fromEnd moves the positions of partitions that were never committed to their end, or to where it was some time ago, where their source
// wants that.
func (s *session) fromEnd(ctx context.Context, set *task.Set, committed, positions map[record.TopicPartition]record.Offset) error {
	topics := s.o.Topology.TopicsFromEnd()
	fresh := map[time.Duration][]record.TopicPartition{}
	for tp := range positions {
		ago, wanted := topics[tp.Topic]
		if _, known := committed[tp]; !known && wanted {
			fresh[ago] = append(fresh[ago], tp)
		}
	}
	for ago, tps := range fresh {
		begins, err := s.began(ctx, ago, tps)
		if err != nil {
			return err
		}
		for tp, next := range begins {
			positions[tp] = next
			if err := set.Add(client.Chunk{TopicPartition: tp, Next: next, End: next}); err != nil {
				return err
			}
		}
	}
	return nil
}

// began returns the ends of partitions, or where their first records lie that are at most so old.
func (s *session) began(ctx context.Context, ago time.Duration, tps []record.TopicPartition) (map[record.TopicPartition]record.Offset, error) {
	if ago == 0 {
		return s.o.Door.Ends(ctx, tps...)
	}
	return s.o.Door.Since(ctx, s.now()-record.Timestamp(ago.Milliseconds()), tps...)
}
