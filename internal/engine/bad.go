package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/task"
)

// handleFailures says in a task set's configuration what becomes of bad records, and lets sinks find topics that the topology does not name.
func (s *session) handleFailures(ctx context.Context, c *task.Config) {
	c.LookUp = s.topicFinder(ctx)
	h := s.o.OnFailure
	if h == nil && s.o.DeadLetter {
		h = failure.Always(failure.DeadLetter)
	}
	if h == nil {
		return
	}
	c.DeadLetters, c.DeadLetterTopic = !s.o.NoDeadLetters, s.o.DeadLetterTopic
	c.OnBadRecord = func(e *task.RecordError) task.Decision {
		f := e.Failure()
		d := h(f)
		s.stats.tell(BadRecord{App: s.o.App, Record: f, Decision: d})
		return d
	}
}

// How long a topic is looked up, and how long it then counts as missing.
const (
	lookUpPatience = 10 * time.Second
	missingFor     = time.Second
)

// topicFinder returns a function that finds the topics which records choose. It outlives the opening: ctx gives it values only.
func (s *session) topicFinder(ctx context.Context) func(string) (operator.Room, error) {
	ctx = context.WithoutCancel(ctx)
	missing := map[string]time.Duration{} // since when
	return func(topic string) (operator.Room, error) {
		now := s.o.Clock.Mono()
		if at, known := missing[topic]; known && now-at < missingFor {
			return operator.Room{}, nil
		}
		ctx, cancel := context.WithTimeout(ctx, lookUpPatience)
		defer cancel()
		infos, err := s.o.Door.Topics(ctx, topic)
		if err != nil {
			return operator.Room{}, away(err)
		}
		info, exists := infos[topic]
		if !exists {
			missing[topic] = now
			return operator.Room{}, nil
		}
		delete(missing, topic)
		room := operator.Room{Partitions: info.Partitions}
		if n, err := strconv.Atoi(info.Configs["max.message.bytes"]); err == nil {
			room.MaxBytes = n - framing
		}
		return room, nil
	}
}
