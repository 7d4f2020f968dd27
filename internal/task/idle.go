package task

import "github.com/mainstemio/mainstem/record"

// ready tells whether a task may take records although some of its source partitions have none. With Config.MaxIdle it waits for each
// of them so long, from when it was first seen without records: one that brings a record of a lower time in the meantime goes first.
func (s *Set) ready(t *task) bool {
	if s.c.MaxIdle == 0 {
		return true
	}
	wait := record.Timestamp(s.c.MaxIdle.Milliseconds())
	ready := true
	for _, in := range t.sources {
		switch {
		case len(in.waiting()) > 0 || in.stopAt != nil:
			in.idle = false
		case !in.idle:
			in.idle, in.idleFrom, ready = true, s.wall, false
		case s.wall-in.idleFrom < wait:
			ready = false
		}
	}
	return ready
}

// idleEnds returns when a task that waits for an empty partition goes on without it.
func (s *Set) idleEnds() (at record.Timestamp, ok bool) {
	if s.c.MaxIdle == 0 {
		return 0, false
	}
	for _, t := range s.tasks {
		if !t.hasInput() {
			continue
		}
		for _, in := range t.sources {
			end := in.idleFrom + record.Timestamp(s.c.MaxIdle.Milliseconds())
			if in.idle && end > s.wall && (!ok || end < at) {
				at, ok = end, true
			}
		}
	}
	return at, ok
}
