package engine

import (
	"maps"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A shard is a task set with what the session knows of it. One worker that does everything has one shard; where workers share the
// application there is one for each task that this worker runs, and before those one with the global tables. All shards fill one epoch.
type shard struct {
	set   *task.Set
	id    topology.TaskID                         // where workers share the application
	tails []record.TopicPartition                 // the stores' changelog partitions, in the order of set.Stores
	from  map[record.TopicPartition]record.Offset // where its sources are read from

	globals map[record.TopicPartition]record.Offset // where the topics of its global tables are
}

func newShard(set *task.Set) *shard {
	sh := &shard{set: set, from: map[record.TopicPartition]record.Offset{}}
	for _, st := range set.Stores() {
		sh.tails = append(sh.tails, set.Changelog(st))
	}
	return sh
}

// enter gives a shard, whose stores are restored, to the loop.
func (s *session) enter(sh *shard) {
	s.shards = append(s.shards, sh)
	for tp, next := range sh.from {
		s.byTP[tp], s.next[tp] = sh, next
	}
	for tp, next := range sh.globals {
		s.byTP[tp], s.next[tp] = sh, next
	}
	if len(sh.set.Positions()) > 0 {
		s.touch() // it begins at the end of sources: that is to be committed soon
	}
}

// add gives a chunk to the shard that reads its partition. What was read for one that is gone is forgotten: it was never counted as read.
func (s *session) add(c client.Chunk) error {
	sh := s.byTP[c.TopicPartition]
	if sh == nil {
		return nil
	}
	if err := sh.set.Add(c); err != nil {
		return err
	}
	s.next[c.TopicPartition] = c.Next
	return nil
}

// process has the next shard that has input take about n records. Those of global tables go first.
func (s *session) process(n int) (int, error) {
	if len(s.shards) > 0 && len(s.shards[0].set.Globals()) > 0 {
		if taken, err := s.shards[0].set.Process(s.filling, n); taken > 0 || err != nil {
			return taken, err
		}
	}
	for range s.shards {
		s.turn = (s.turn + 1) % len(s.shards)
		if taken, err := s.shards[s.turn].set.Process(s.filling, n); taken > 0 || err != nil {
			return taken, err
		}
	}
	return 0, nil
}

// nextTick is the earliest of the shards'.
func (s *session) nextTick() (at record.Timestamp, ok bool) {
	for _, sh := range s.shards {
		if next, planned := sh.set.NextTick(); planned && (!ok || next < at) {
			at, ok = next, true
		}
	}
	return at, ok
}

func (s *session) commitAsked() bool {
	asked := false
	for _, sh := range s.shards {
		asked = sh.set.TakeCommitAsked() || asked
	}
	return asked
}

// held tells whether record caches hold updates back, and how many bytes the epoch's end will have to handle.
func (s *session) held() (some bool, bytes int64) {
	for _, sh := range s.shards {
		some = some || sh.set.Held() > 0
		bytes += sh.set.HeldBytes()
	}
	return some, bytes
}

// sealShards ends the shards' epochs.
func (s *session) sealShards() error {
	for _, sh := range s.shards {
		if err := sh.set.Flush(s.filling); err != nil {
			return err
		}
	}
	for _, sh := range s.shards {
		if err := sh.set.Seal(s.filling); err != nil {
			return err
		}
	}
	return nil
}

// positions are those of the forming epoch. Where workers share the application an epoch names every partition that its tasks read:
// by a position the group sees whether they are still this worker's.
func (s *session) positions() map[record.TopicPartition]record.Offset {
	all := map[record.TopicPartition]record.Offset{}
	for _, sh := range s.shards {
		if s.shared != nil {
			maps.Copy(all, sh.from)
		}
		maps.Copy(all, sh.set.Positions())
	}
	return all
}

// dropped counts what the shards have left out, with those that are gone.
func (s *session) dropped() map[string]int64 {
	all := maps.Clone(s.left)
	if all == nil {
		all = map[string]int64{}
	}
	for _, sh := range s.shards {
		addCounts(all, sh.set.Dropped())
	}
	return all
}

func addCounts(to, more map[string]int64) {
	for reason, n := range more {
		to[reason] += n
	}
}

func (s *session) stores() int {
	n := 0
	for _, sh := range s.shards {
		n += len(sh.set.Stores())
	}
	return n
}

// tails are the changelog partitions of all shards.
func (s *session) tails() []record.TopicPartition {
	var all []record.TopicPartition
	for _, sh := range s.shards {
		all = append(all, sh.tails...)
	}
	return all
}

// sets are those of all shards.
func (s *session) sets() []*task.Set {
	all := make([]*task.Set, len(s.shards))
	for i, sh := range s.shards {
		all[i] = sh.set
	}
	return all
}

// show lets the tables of the shards be read.
func (s *session) show() { s.shown.show(s.sets()...) }
