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

// globals fills the global tables of a shard from their checkpoints and with what their topics hold behind those, before anything else
// is read, and enters where their reading goes on. These positions are the process's own: they stand in its checkpoints and are never
// committed for the application, of which every process reads all of these topics. Dead letters go to out.
func (r *restoring) globals(ctx context.Context, sh *shard, out task.Output) error {
	c := catching{set: sh.set, positions: map[record.TopicPartition]record.Offset{}, ends: map[record.TopicPartition]record.Offset{}, out: out}
	for _, g := range sh.set.Globals() {
		if err := r.loadGlobal(ctx, g, c); err != nil {
			return fmt.Errorf("restore global table %s: %w", g.Store.Name(), err)
		}
	}
	if err := r.catchUp(ctx, c); err != nil {
		return fmt.Errorf("restore global tables: %w", err)
	}
	sh.globals = c.positions
	return nil
}

// A catching is what global tables are brought up to date with: from positions, which move, to the ends.
type catching struct {
	set             *task.Set
	positions, ends map[record.TopicPartition]record.Offset
	out             task.Output
}

// loadGlobal loads a checkpoint and enters where it ends, and where the topic does.
func (r *restoring) loadGlobal(ctx context.Context, g task.Global, c catching) error {
	s := r.s
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
		s.noteTombstones(info, nil)
	}
	maps.Copy(c.ends, until)
	if s.ckpt != nil {
		if _, _, err := s.ckpt.Load(g.Store); err != nil {
			return err
		}
	}
	for _, tp := range g.Sources {
		if c.positions[tp], err = r.globalPosition(g, span{tp, starts[tp], until[tp]}); err != nil {
			return err
		}
	}
	return nil
}

// globalPosition returns where the checkpoint of a global table has come to in one of its partitions, by default the start.
func (r *restoring) globalPosition(g task.Global, of span) (record.Offset, error) {
	if r.s.ckpt == nil {
		return of.start, nil
	}
	known, ok, err := r.s.ckpt.Position(g.Store.Name(), of.Partition)
	if err != nil || !ok {
		return of.start, err
	}
	next, err := r.s.checked(known, of, g.Store.Name())
	if err != nil {
		return 0, err
	}
	return next, r.doubt(g.Store.Name(), known, of, partitionsOf(g.Sources)...)
}

// partitionsOf are the numbers alone.
func partitionsOf(tps []record.TopicPartition) []int32 {
	out := make([]int32, len(tps))
	for i := range tps {
		out[i] = tps[i].Partition
	}
	return out
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
func (r *restoring) catchUp(ctx context.Context, c catching) error {
	behind := map[record.TopicPartition]record.Offset{}
	for tp, next := range c.positions {
		if next < c.ends[tp] {
			behind[tp] = next
		}
	}
	if len(behind) == 0 {
		return nil
	}
	reader, err := r.s.o.Door.OpenReader(ctx, behind)
	if err != nil {
		return starting(err)
	}
	defer reader.Close()
	for len(behind) > 0 {
		chunks, err := reader.Poll(ctx, restoreBytes)
		if err != nil {
			return starting(err)
		}
		for _, chunk := range chunks {
			tp := chunk.TopicPartition
			if err := c.set.Add(chunk); err != nil {
				return err
			}
			c.positions[tp] = chunk.Next
			r.saw(&chunk, c.ends[tp])
			if chunk.Next >= c.ends[tp] {
				delete(behind, tp)
			}
		}
		if err := c.set.ProcessGlobals(c.out); err != nil {
			return err
		}
	}
	return nil
}

// globalParts are the global tables' shares of a checkpoint. Their rows stand under partition 0, and the positions of all.
func (s *session) globalParts(sh *shard) []store.CheckpointPart {
	var parts []store.CheckpointPart
	for _, g := range sh.set.Globals() {
		rows := g.Store.Dirty()
		for _, tp := range g.Sources {
			next, read := g.Positions[tp]
			if !read {
				next = sh.globals[tp] // nothing since the start
			}
			part := store.CheckpointPart{Name: g.Store.Name(), Partition: tp.Partition, Next: next, Topic: s.changelogs[tp.Topic], Written: s.now()}
			if tp.Partition == g.Store.Partition() {
				part.Rows, part.Done = rows, g.Store.Done()
			}
			parts = append(parts, part)
		}
	}
	return parts
}
