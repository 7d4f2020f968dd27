package task

import (
	"cmp"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// Flush hands on all updates that the record caches hold, also those that gather behind exchanges meanwhile, and appends what follows
// from them to out. Whoever seals an epoch calls it before: held updates do not survive their process.
//
// A *RecordError names the last record of an update that failed on its way. Records are consumed by then, so one that is given up
// (DeadLetter) loses its update only: the dead-letter topic gets the update's key without a value. After a RecordError the epoch must
// not be sealed.
func (s *Set) Flush(out Output) error { return s.flushUnit(out, true) }

// FlushOnce flushes each cache once, in the order of the topology: what reaches a cache through an exchange stays there until the next
// time. So does a commit of Kafka Streams.
func (s *Set) FlushOnce(out Output) error { return s.flushUnit(out, false) }

// Held returns the number of updates that the record caches hold.
func (s *Set) Held() int {
	n := 0
	for _, c := range s.caches {
		n += c.Held()
	}
	return n
}

func (s *Set) flushUnit(out Output, all bool) error {
	for s.Held() > 0 {
		err := s.tryFlush(all)
		if err == nil {
			return s.keep(out)
		}
		if err := s.failed(err); err != nil {
			return err
		}
		if s.stopped != nil {
			return s.stopped
		}
	}
	return nil
}

// tryFlush flushes the caches without making anything of it final.
func (s *Set) tryFlush(all bool) error {
	for {
		if err := s.flushCaches(); err != nil {
			return err
		}
		if err := s.drain(); err != nil {
			return err
		}
		if !all || s.Held() == 0 {
			return nil
		}
	}
}

func (s *Set) flushCaches() error {
	for _, c := range s.caches {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// sortCaches puts the caches into the order of the topology.
func (s *Set) sortCaches() {
	s.caches = slices.Clone(s.env.Caches.All())
	slices.SortStableFunc(s.caches, func(a, b operator.HeldTable) int { return cmp.Compare(a.Node(), b.Node()) })
}

// giveUp has the updates thrown away that a consumed record left behind.
func (s *Set) giveUp(e *RecordError, o operator.Origin) {
	s.lost[o] = e
	s.env.Caches.Forget(o)
}

// lostUpdate stages the dead letter of a held update that is given up.
func (s *Set) lostUpdate(o operator.Origin, key []byte, ts record.Timestamp) {
	run := operator.Run{
		Input: o.Input, Offsets: []record.Offset{o.Offset}, Timestamps: []record.Timestamp{ts}, Keys: [][]byte{key}, Values: [][]byte{nil},
	}
	s.deadLetter(&run, 0, s.lost[o])
}
