package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func (s *session) checkpointDue(now time.Duration) bool {
	if s.ckpt != nil && s.writing && s.share.Over() {
		err := <-s.checkpoints // the rows that it wrote may leave: until then no more come
		s.checkpoints <- err   // the loop hears of it as ever
	}
	early := s.ckpt != nil && (s.share.Crowded() || s.tailLong())
	if !s.stateful() || s.writing || now-s.lastCkpt < s.o.CheckpointInterval && !early {
		return false
	}
	if s.postponed() {
		s.lastCkpt = now
		return false
	}
	return true
}

// longTail is how many records a start may replay before a checkpoint is due at once.
const longTail = 1 << 16

// shorten has the next epoch followed by a checkpoint if many records were replayed: a worker that is killed again and again, each time before
// its next checkpoint, would replay more every time.
func (s *session) shorten(replayed int64) {
	if replayed >= longTail {
		s.lastCkpt = s.o.Clock.Mono() - s.o.CheckpointInterval
	}
}

// tailLong tells whether a restart would have long to replay. See Options.CheckpointRecords.
func (s *session) tailLong() bool {
	tail, rows := s.tail()
	return tail >= max(s.o.CheckpointRecords, rows/4)
}

// tail returns how many changelog records a restart would replay, and how many rows there are.
func (s *session) tail() (records, rows int) {
	for _, sh := range s.shards {
		for _, st := range sh.set.Stores() {
			records, rows = records+st.Tail(), rows+st.Len()
		}
	}
	return records, rows
}

// postponed tells whether a full disk is in the way of a checkpoint. The stores then keep what changed for the next one.
func (s *session) postponed() bool {
	if s.ckpt == nil {
		return false
	}
	err := s.ckpt.Room()
	full := errors.Is(err, kv.ErrFull) || vfs.IsFull(err)
	if full {
		s.o.Events(Event{"checkpoint-postponed", []any{"app", s.o.App, "error", err.Error()}})
	}
	return full // other errors are the write's to tell
}

// checkpoint starts to write what was committed since the last one. ends are those of the changelogs, see commit.
// The rows are collected here and encoded and written in the background: the loop doesn't wait for the disk.
func (s *session) checkpoint(ends map[record.TopicPartition]record.Offset) {
	parts := s.checkpointParts(s.shards, ends)
	s.lastCkpt = s.o.Clock.Mono()
	if s.ckpt == nil {
		return // the stores have forgotten which rows changed, which is all that was wanted
	}
	s.write(parts)
}

// write writes a checkpoint in the background. None is under way.
func (s *session) write(parts []store.CheckpointPart) {
	s.writing = true
	go func() { s.checkpoints <- s.ckpt.Write(parts) }()
}

// written waits for the checkpoint under way.
func (s *session) written() error {
	if !s.writing {
		return nil
	}
	s.writing = false
	return <-s.checkpoints
}

// checkpointParts are the shares of the stores whose changelogs' ends are known: the others came after those were read.
func (s *session) checkpointParts(shards []*shard, ends map[record.TopicPartition]record.Offset) []store.CheckpointPart {
	var parts []store.CheckpointPart
	for _, sh := range shards {
		for i, st := range sh.set.Stores() {
			tail := sh.tails[i]
			if next, known := ends[tail]; known {
				parts = append(parts, store.CheckpointPart{
					Name: st.Name(), Partition: st.Partition(), Next: next, Rows: st.Dirty(), Topic: s.changelogs[tail.Topic], Written: s.now(),
					Done: st.Done(),
				})
			}
		}
		parts = append(parts, s.globalParts(sh)...)
	}
	return parts
}

func (s *session) now() record.Timestamp { return record.Timestamp(s.o.Clock.Now().UnixMilli()) }

// stateful tells whether there is anything to checkpoint.
func (s *session) stateful() bool {
	return slices.ContainsFunc(s.shards, func(sh *shard) bool { return len(sh.tails) > 0 || len(sh.set.Globals()) > 0 })
}

// lastCheckpoint waits for the one under way and writes the rest. No commit is under way. A commit of positions alone shows that the
// changelogs end with this worker's records.
func (s *session) lastCheckpoint(ctx context.Context) error {
	if err := s.written(); err != nil {
		return err
	}
	if s.ckpt == nil || !s.stateful() || s.postponed() {
		return nil // without it the next start replays more of the changelog
	}
	s.commit(s.producer.NewEpoch(), true)
	done := <-s.committed
	s.committing = false
	if done.err != nil {
		return away(done.err)
	}
	return s.ckpt.Write(s.checkpointParts(s.shards, done.ends))
}

// relieve writes what was replayed so far when there is no room for more of it, so that it may leave memory. A table whose checkpoint is in
// doubt waits until it is proved good: one that was written now would hide its age.
func (r *restoring) relieve(stores map[record.TopicPartition]store.Store, at map[record.TopicPartition]record.Offset) error {
	s := r.s
	if s.ckpt == nil {
		return nil
	}
	fold := func() { // tells the budget what the tables hold, and has rows leave
		for _, st := range stores {
			st.Commit()
		}
	}
	if fold(); !s.share.Crowded() || s.postponed() {
		return nil
	}
	var parts []store.CheckpointPart
	for tail, next := range at {
		if st := stores[tail]; r.suspects[tail] == nil {
			parts = append(parts, store.CheckpointPart{
				Name: st.Name(), Partition: st.Partition(), Next: next, Rows: st.Dirty(), Topic: s.changelogs[tail.Topic], Written: s.now(),
				Done: st.Done(),
			})
		}
	}
	if err := s.ckpt.Write(parts); err != nil {
		return err
	}
	fold()
	return nil
}
