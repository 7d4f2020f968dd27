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
// time. So does a commit of Kafka Streams. In consistent mode it is Flush.
func (s *Set) FlushOnce(out Output) error { return s.flushUnit(out, false) }

// HeldBytes is an estimate of the memory that Held takes in consistent mode, where nothing else bounds it, so that its caller ends the
// epoch; 0 otherwise.
func (s *Set) HeldBytes() int64 {
	if !s.env.Caches.Consistent {
		return 0
	}
	return s.env.Caches.Bytes()
}

// Held returns the number of updates that the record caches hold, and in consistent mode of stream rows that wait for the epoch's end.
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
	if s.env.Caches.Consistent {
		return s.flushCut()
	}
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

// flushCut ends an epoch in consistent mode: node by node in the order of the topology, all tasks of a node before the next node, and
// what follows goes through the exchanges in between. Edges lead to later nodes only, so whatever is in front of a node is final when its
// turn comes, each key goes on once, and nothing is held at the end. Sources are not read meanwhile: the positions are the cut.
func (s *Set) flushCut() error {
	s.cutting = true
	defer func() { s.cutting = false }()
	for s.Held() > 0 {
		for i, c := range s.caches {
			if err := c.Flush(); err != nil {
				return err
			}
			if i+1 < len(s.caches) && s.caches[i+1].Node() == c.Node() {
				continue
			}
			if err := s.drain(); err != nil {
				return err
			}
		}
	}
	return nil
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
	slices.SortStableFunc(s.caches, func(a, b operator.Holder) int { return cmp.Compare(a.Node(), b.Node()) })
}

// giveUp has the updates thrown away that a consumed record left behind.
func (s *Set) giveUp(v verdict, o operator.Origin) {
	s.lost[o] = v
	s.env.Caches.Forget(o)
}

// lostUpdate stages the dead letter of a held update that is given up.
func (s *Set) lostUpdate(o operator.Origin, key []byte, ts record.Timestamp) {
	run := operator.Run{
		Input: o.Input, Offsets: []record.Offset{o.Offset}, Timestamps: []record.Timestamp{ts}, Keys: [][]byte{key}, Values: [][]byte{nil},
	}
	s.setAside(&run, 0, s.lost[o])
}
