package engine

import (
	"context"
	"errors"
	"time"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func (s *session) checkpointDue(now time.Duration) bool {
	if !s.stateful() || s.writing || now-s.lastCkpt < s.o.CheckpointInterval {
		return false
	}
	if s.postponed() {
		s.lastCkpt = now
		return false
	}
	return true
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

// checkpoint starts to write what was committed since the last one. ends are the changelogs' ends at the state as it is now.
// The rows are collected here and encoded and written in the background: the loop doesn't wait for the disk.
func (s *session) checkpoint(ends map[record.TopicPartition]record.Offset) {
	parts := s.checkpointParts(ends)
	s.lastCkpt = s.o.Clock.Mono()
	if s.ckpt == nil {
		return // the stores have forgotten which rows changed, which is all that was wanted
	}
	s.writing = true
	go func() { s.checkpoints <- s.ckpt.Write(parts) }()
}

func (s *session) checkpointParts(ends map[record.TopicPartition]record.Offset) []store.CheckpointPart {
	stores := s.set.Stores()
	parts := make([]store.CheckpointPart, len(stores))
	for i, st := range stores {
		parts[i] = store.CheckpointPart{Name: st.Name(), Partition: st.Partition(), Next: ends[s.tails[i]], Rows: st.Dirty(), Topic: s.changelogs[s.tails[i].Topic]}
	}
	return append(parts, s.globalParts()...)
}

// stateful tells whether there is anything to checkpoint.
func (s *session) stateful() bool { return len(s.tails) > 0 || len(s.set.Globals()) > 0 }

// lastCheckpoint waits for the one under way and writes the rest. No commit is under way.
func (s *session) lastCheckpoint(ctx context.Context) error {
	if s.writing {
		s.writing = false
		if err := <-s.checkpoints; err != nil {
			return err
		}
	}
	if s.ckpt == nil || !s.stateful() || s.postponed() {
		return nil // without it the next start replays more of the changelog
	}
	ends, err := s.tailEnds(ctx)
	if err != nil {
		return away(err)
	}
	return s.ckpt.Write(s.checkpointParts(ends))
}
