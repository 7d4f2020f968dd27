package task

import (
	"errors"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/operator/process"
	"github.com/mainstemio/mainstem/record"
)

// A timer is the table of a scheduler.
type timer struct {
	name string
	sub  int
}

// schedule gives the task that was made its scheduler, if it has processors.
func (w *wiring) schedule() {
	t, s := w.made, w.set
	if t.scheduler = process.SchedulerOf(t.Task); t.scheduler == nil {
		return
	}
	name, made := t.scheduler.Keep(&operator.Site{Env: s.env, Task: t.Task, Node: "the scheduler", Partition: t.partition})
	if made && !slices.ContainsFunc(s.timers, func(known timer) bool { return known.name == name }) {
		s.timers = append(s.timers, timer{name, t.sub})
	}
}

// inherit gives the task that is to be made the scheduler of another one of its partition, where there is one time.
func (w *wiring) inherit() {
	if !w.set.c.OneTime {
		return
	}
	for _, t := range w.set.tasks {
		if t.scheduler != nil && t.partition == w.made.partition {
			t.scheduler.Share(w.made.Task)
			return
		}
	}
}

// spread gives all tasks of a partition its one scheduler.
func (s *Set) spread() {
	if !s.c.OneTime {
		return
	}
	for _, from := range s.tasks {
		for _, t := range s.tasks {
			if from.scheduler != nil && t.scheduler == nil && t.partition == from.partition {
				t.scheduler = from.scheduler
			}
		}
	}
}

// start starts the processors: the stores are restored by now.
func (s *Set) start() error {
	if s.started {
		return nil
	}
	s.started = true
	s.settle()
	for _, t := range s.tasks {
		if t.scheduler == nil {
			continue
		}
		if err := t.scheduler.Begin(s.wall); err != nil {
			return err
		}
		t.StreamTime = max(t.StreamTime, t.scheduler.Stream())
		t.keptTime = t.StreamTime
	}
	for _, u := range s.env.Undoers {
		u.Keep()
	}
	s.env.Arena.Reset()
	return nil
}

// Tick tells the tasks what time it is, in ms since 1970, and makes the calls that are due by it; what they emit is in out before it
// returns. The first Tick, behind the restoring of the stores, also starts the processors. After an error the Set must be thrown away,
// unless a bad record has stopped it: then nothing is done.
func (s *Set) Tick(out Output, now record.Timestamp) error {
	if s.stopped != nil {
		return nil
	}
	s.wall = now
	if err := s.start(); err != nil {
		return err
	}
	for _, t := range s.tasks {
		if t.scheduler == nil {
			continue
		}
		if at, ok := t.scheduler.NextWall(); !ok || at > now {
			t.scheduler.SetWall(now)
			continue
		}
		if err := s.punctuate(t, now); err != nil {
			return err
		}
		if err := s.keep(out); err != nil {
			return err
		}
	}
	return nil
}

// punctuate makes the due calls of a task and processes what they emit. A bad record that comes on the way is judged, and the calls are
// made again.
func (s *Set) punctuate(t *task, now record.Timestamp) error {
	for {
		err := s.tryPunctuate(t, now)
		if err == nil {
			return nil
		}
		if err := s.failed(err); err != nil {
			return err
		}
	}
}

func (s *Set) tryPunctuate(t *task, now record.Timestamp) error {
	s.touch(t)
	if err := t.scheduler.Wall(now); err != nil {
		return err
	}
	if err := s.flushed(); err != nil {
		return err
	}
	return s.drain()
}

// NextTick returns when the next call by wall-clock time is due; ok is false when none is planned.
func (s *Set) NextTick() (at record.Timestamp, ok bool) {
	at, ok = s.idleEnds()
	for _, t := range s.tasks {
		if t.scheduler == nil {
			continue
		}
		if next, planned := t.scheduler.NextWall(); planned && (!ok || next < at) {
			at, ok = next, true
		}
	}
	return at, ok
}

// TakeCommitAsked tells whether a processor has asked for a commit since the last call.
func (s *Set) TakeCommitAsked() bool {
	asked := s.env.CommitAsked
	s.env.CommitAsked = false
	return asked
}

// Close ends the processors of a Set that is not used any more.
func (s *Set) Close() error {
	var all []error
	for _, t := range s.tasks {
		if t.scheduler != nil {
			all = append(all, t.scheduler.Close())
		}
	}
	return errors.Join(all...)
}
