package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstemio/mainstem/record"
)

// An alarm wakes the loop when processors have planned something, or a task has waited long enough for an empty partition.
type alarm struct {
	c   <-chan time.Time
	at  record.Timestamp
	set bool
}

// tick tells the tasks the time, and sets the alarm for their next plan.
func (s *session) tick() error {
	now := record.Timestamp(s.o.Clock.Now().UnixMilli())
	if at, ok := s.set.NextTick(); ok && at <= now {
		s.touch()
	}
	if err := s.set.Tick(s.filling, now); err != nil {
		return &epochError{err}
	}
	s.arm()
	return nil
}

// arm sets the alarm for what the tasks have planned next.
func (s *session) arm() {
	now := record.Timestamp(s.o.Clock.Now().UnixMilli())
	at, ok := s.set.NextTick()
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
