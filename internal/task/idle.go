package task

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// ready tells whether a task may take records although some of its source partitions have none here. It waits for what is known to lie in
// their topics, since that may have a lower time (KIP-695). With Config.MaxIdle it then waits for each that long, from when it was first
// seen without records: one that brings a record of a lower time in the meantime goes first.
func (s *Set) ready(t *task) bool {
	if len(t.sources) > 1 {
		for _, in := range t.sources {
			if in.behind() {
				return false
			}
		}
	}
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

// Expect says that a source partition holds records from its position up to end, which is excluded: its task waits for them before it takes
// records of its other partitions. Later ends come with the chunks.
func (s *Set) Expect(tp record.TopicPartition, end record.Offset) error {
	in := s.byTP[tp]
	if in == nil {
		return fmt.Errorf("expect records of %s: no task reads it", tp)
	}
	in.logEnd = max(in.logEnd, end)
	return nil
}

// behind tells that records are known to lie in the topic that are not here yet, and none are.
func (in *input) behind() bool {
	return len(in.waiting()) == 0 && in.stopAt == nil && in.end < in.logEnd
}

// Full lists the source partitions of which more than so many bytes wait, which they do for records of others: see Expect.
func (s *Set) Full(limit int64) []record.TopicPartition {
	var full []record.TopicPartition
	for tp, in := range s.byTP {
		if _, bytes := in.buffered(); bytes > limit {
			full = append(full, tp)
		}
	}
	return full
}

// Rest gives back the memory that only work needs, for a Set that takes no records for a while: what is asked for anew when some come. It must
// be called between two epochs, when nothing is buffered.
func (s *Set) Rest() {
	s.env.Arena, s.env.Stage = operator.Arena{}, operator.Stage{}
	for _, u := range s.env.Undoers {
		if r, ok := u.(operator.Rester); ok {
			r.Rest()
		}
	}
	for _, st := range s.stores {
		if r, ok := st.(operator.Rester); ok {
			r.Rest()
		}
	}
	for _, r := range s.resters {
		r.Rest()
	}
	for _, in := range s.inputs {
		in.rest()
	}
}
