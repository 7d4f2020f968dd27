package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// run is the loop: it takes what the poller read, processes it, and keeps one epoch committing while the next one fills.
func (s *session) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	beside, stopBeside := context.WithCancel(ctx)
	s.work, s.looking = work, s.o.Clock.After(s.o.TopicsInterval)
	if s.shared != nil {
		s.joined.Go(func() { s.shared.listen(work) }) // the last commit may have to wait for a round
	}
	defer func() {
		stopBeside()
		stop()
		s.joined.Wait()
		s.stopReading()
		if s.writing {
			<-s.checkpoints
		}
	}()

	if err := s.tick(); err != nil {
		return err
	}
	s.startReading(beside)
	if err := s.news(beside); err != nil {
		return err
	}
	wake, err := s.maybeSeal() // where new sources begin
	if err != nil {
		return err
	}
	for {
		if ended, err := s.await(ctx, beside, wake); ended || err != nil {
			return s.ended(work, err)
		}
		if wake, err = s.maybeSeal(); err != nil {
			return err
		}
		s.trim(beside)
	}
}

// await handles the next thing that happens; ended says that ctx has.
func (s *session) await(ctx, beside context.Context, wake <-chan time.Time) (ended bool, err error) {
	select {
	case <-s.valve.turned:
		s.stats.valveTurned()
		return false, nil
	case <-through(s.valve, s.alarm.c):
		s.alarm.set = false
		if s.o.MaxIdle == 0 {
			return false, s.tick()
		}
		err := s.take(nil) // a task may have waited long enough
		s.hold()
		return false, err
	case <-through(s.valve, s.newsToRead()):
		s.pollAgain()
		return false, nil
	case r := <-through(s.valve, s.polled()):
		switch {
		case r.err != nil && ctx.Err() != nil:
			return true, nil
		case r.err != nil:
			return false, s.notRead(beside, r.err)
		case len(r.chunks) == 0:
			s.nothingRead()
			return false, nil
		}
		if err := s.take(r.chunks); err != nil {
			return false, err
		}
		s.grant()
		return false, nil
	case done := <-s.committed:
		return false, s.folded(done)
	case err := <-s.checkpoints:
		s.writing = false
		if err != nil {
			return false, &epochError{err}
		}
		s.letGo()
		return false, nil
	case <-s.looking:
		s.looking = nil
		s.joined.Go(func() { s.looked <- s.look(beside) })
	case err := <-s.looked:
		s.looking = s.o.Clock.After(s.o.TopicsInterval)
		s.rest()
		return cutShort(ctx, err)
	case <-s.shared.newsCame():
		return cutShort(ctx, s.news(beside))
	case o := <-s.shared.openings():
		return cutShort(ctx, s.adopt(beside, o))
	case <-wake:
		return false, nil
	case <-ctx.Done():
		return true, nil
	}
	return false, nil
}

// rest gives back memory if nothing was processed since the last look at the topics.
func (s *session) rest() {
	processed := s.stats.processed.Load()
	idle := processed == s.seen && !s.moved && !s.committing && s.filling.Count() == 0
	s.seen = processed
	if !idle {
		return
	}
	for _, sh := range s.shards {
		if records, _ := sh.set.BufferedTotal(); records > 0 {
			return
		}
	}
	s.reading.rest()
	if processed == s.rested {
		return
	}
	for _, sh := range s.shards {
		sh.set.Rest()
	}
	s.producer.Rest()
	s.filling, s.rested = s.producer.NewEpoch(), processed
}

// cutShort tells that ctx has ended what would have gone on: opening the reader anew, above all.
func cutShort(ctx context.Context, err error) (ended bool, _ error) {
	var broken *epochError
	if err != nil && ctx.Err() != nil && !errors.As(err, &broken) {
		return true, nil
	}
	return false, err
}

// ended commits what was processed before err, unless err left the forming epoch with half a record's results, or a commit without a known
// outcome: then it is forgotten, positions and all.
func (s *session) ended(ctx context.Context, err error) error {
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
		if err := s.add(chunks[i]); err != nil {
			return &epochError{err}
		}
	}
	s.touch()
	if err := s.tick(); err != nil {
		return err
	}
	for {
		n, err := s.process(processAtOnce)
		if n > 0 {
			s.stats.process(n, s.dropped())
		}
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
			return err
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
		if err := s.settle(); err != nil {
			return err
		}
		if err := s.seal(s.o.Clock.Mono(), false); err != nil {
			return err
		}
	}
	return nil
}

// An alarm wakes the loop when processors have planned something, or a task has waited long enough for an empty partition.
type alarm struct {
	c   <-chan time.Time
	at  record.Timestamp
	set bool
}

// tick tells the tasks the time, and sets the alarm for their next plan.
func (s *session) tick() error {
	now := record.Timestamp(s.o.Clock.Now().UnixMilli())
	if at, ok := s.nextTick(); ok && at <= now {
		s.touch()
	}
	for _, sh := range s.shards {
		if err := sh.set.Tick(s.filling, now); err != nil {
			return &epochError{err}
		}
	}
	s.arm()
	return nil
}

// arm sets the alarm for what the tasks have planned next.
func (s *session) arm() {
	now := record.Timestamp(s.o.Clock.Now().UnixMilli())
	at, ok := s.nextTick()
	if ok && (!s.alarm.set || s.alarm.at != at) {
		wait := time.Duration(max(at-now, 1)) * time.Millisecond
		s.alarm = alarm{c: s.o.Clock.After(wait), at: at, set: true}
	}
}

// calls makes the calls of steps to the outside: at most limit goroutines take them in order.
func calls(n, limit int, call func(ctx context.Context, i int)) {
	if n == 1 {
		call(context.Background(), 0)
		return
	}
	var next atomic.Int64
	var joined sync.WaitGroup
	for range min(n, limit) {
		joined.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				call(context.Background(), i)
			}
		})
	}
	joined.Wait()
}
