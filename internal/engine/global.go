package engine

import (
	"context"
	"fmt"
	"maps"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// openGlobals fills the global tables from their checkpoints and with what their topics hold behind those, before anything else is
// read. It returns where reading goes on. These positions are the process's own: they stand in its checkpoints and are never
// committed for the application, of which every process reads all of these topics.
func (s *session) openGlobals(ctx context.Context) (map[record.TopicPartition]record.Offset, error) {
	positions, ends := map[record.TopicPartition]record.Offset{}, map[record.TopicPartition]record.Offset{}
	for _, g := range s.set.Globals() {
		if err := s.loadGlobal(ctx, g, positions, ends); err != nil {
			return nil, fmt.Errorf("restore global table %s: %w", g.Store.Name(), err)
		}
	}
	if err := s.catchUp(ctx, positions, ends); err != nil {
		return nil, fmt.Errorf("restore global tables: %w", err)
	}
	s.globals = maps.Clone(positions)
	return positions, nil
}

// loadGlobal loads a checkpoint and enters where it ends, and where the topic does.
func (s *session) loadGlobal(ctx context.Context, g task.Global, positions, ends map[record.TopicPartition]record.Offset) error {
	starts, err := s.o.Door.Starts(ctx, g.Sources...)
	if err != nil {
		return starting(err)
	}
	until, err := s.o.Door.Ends(ctx, g.Sources...)
	if err != nil {
		return starting(err)
	}
	infos, err := s.o.Door.Topics(ctx, g.Sources[0].Topic)
	if err != nil {
		return starting(err)
	}
	for name, info := range infos {
		s.changelogs[name] = info.ID
	}
	maps.Copy(ends, until)
	if s.ckpt != nil {
		if _, _, err := s.ckpt.Load(g.Store); err != nil {
			return err
		}
	}
	for _, tp := range g.Sources {
		next := starts[tp]
		if s.ckpt != nil {
			known, ok, err := s.ckpt.Position(g.Store.Name(), tp.Partition)
			if err == nil && ok {
				next, err = s.checked(known, span{tp, starts[tp], until[tp]}, g.Store.Name())
			}
			if err != nil {
				return err
			}
		}
		positions[tp] = next
	}
	return nil
}

// checked returns the position of a checkpoint after having compared it with the topic it counts in.
func (s *session) checked(next record.Offset, of span, storeName string) (record.Offset, error) {
	const advice = "the topic was re-created or the data directory belongs to another broker; " +
		"remove the checkpoint directory to rebuild the state from the topic"
	if next > of.end {
		return 0, fmt.Errorf("the checkpoint is ahead of %s (position %d, end %d): %s", of.TopicPartition, next, of.end, advice)
	}
	var unknown [16]byte
	was, err := s.ckpt.Changelog(storeName, of.Partition)
	if now := s.changelogs[of.Topic]; err == nil && was != unknown && now != unknown && was != now {
		err = fmt.Errorf("%w: the checkpoint is of %s with id %x, which is %x now: %s", client.ErrRecreated, of.Topic, was, now, advice)
	}
	return max(next, of.start), err
}

// catchUp reads the topics of global tables up to the ends and moves the positions there.
func (s *session) catchUp(ctx context.Context, positions, ends map[record.TopicPartition]record.Offset) error {
	behind := map[record.TopicPartition]record.Offset{}
	for tp, next := range positions {
		if next < ends[tp] {
			behind[tp] = next
		}
	}
	if len(behind) == 0 {
		return nil
	}
	reader, err := s.o.Door.OpenReader(ctx, behind)
	if err != nil {
		return starting(err)
	}
	defer reader.Close()
	for len(behind) > 0 {
		chunks, err := reader.Poll(ctx, restoreBytes)
		if err != nil {
			return starting(err)
		}
		for _, c := range chunks {
			if err := s.set.Add(c); err != nil {
				return err
			}
			positions[c.TopicPartition] = c.Next
			if c.Next >= ends[c.TopicPartition] {
				delete(behind, c.TopicPartition)
			}
		}
		if err := s.set.ProcessGlobals(s.filling); err != nil {
			return err
		}
	}
	if s.filling.Count() > 0 {
		s.touch() // dead letters
	}
	return nil
}

// globalParts are the global tables' shares of a checkpoint. Their rows stand under partition 0, and the positions of all.
func (s *session) globalParts() []store.CheckpointPart {
	var parts []store.CheckpointPart
	for _, g := range s.set.Globals() {
		rows := g.Store.Dirty()
		for _, tp := range g.Sources {
			next, read := g.Positions[tp]
			if !read {
				next = s.globals[tp] // nothing since the start
			}
			part := store.CheckpointPart{Name: g.Store.Name(), Partition: tp.Partition, Next: next, Topic: s.changelogs[tp.Topic]}
			if tp.Partition == g.Store.Partition() {
				part.Rows = rows
			}
			parts = append(parts, part)
		}
	}
	return parts
}
