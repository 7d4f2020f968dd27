package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// A trimming deletes from repartition topics what their readers have committed: nobody reads it again, and nothing else would delete it.
type trimming struct {
	topics map[string]bool
	read   map[record.TopicPartition]record.Offset // committed since the last time
	gone   map[record.TopicPartition]record.Offset // deleted up to here
	last   time.Duration
	busy   bool
	done   chan error // capacity 1: the one under way
}

func newTrimming(app string, t *topology.Topology, now time.Duration) *trimming {
	tr := &trimming{last: now, topics: map[string]bool{}, read: map[record.TopicPartition]record.Offset{}, gone: map[record.TopicPartition]record.Offset{}, done: make(chan error, 1)}
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.Kind == topology.Repartition {
			tr.topics[topology.RepartitionTopic(app, n.Name)] = true
		}
	}
	return tr
}

// consumed notes positions that are durable.
func (sh *sharing) consumed(positions map[record.TopicPartition]record.Offset) {
	if sh == nil {
		return
	}
	for tp, next := range positions {
		if t := sh.trimming; t.topics[tp.Topic] && next > t.gone[tp] {
			t.read[tp] = next
		}
	}
}

// trim deletes in the background, now and then.
func (s *session) trim(ctx context.Context) {
	if s.shared == nil {
		return
	}
	t, now := s.shared.trimming, s.o.Clock.Mono()
	select {
	case err := <-t.done:
		t.busy = false
		if err != nil && ctx.Err() == nil { // nothing is lost: the next time deletes that, too
			s.o.Events(Event{"repartition-trim-failed", []any{"app", s.o.App, "error", err}})
		}
	default:
	}
	if t.busy || len(t.read) == 0 || now-t.last < s.o.TrimInterval {
		return
	}
	t.busy, t.last = true, now
	read := maps.Clone(t.read)
	maps.Copy(t.gone, read)
	clear(t.read)
	s.joined.Go(func() { t.done <- s.o.Door.Trim(ctx, read) })
}

// nobodyShares makes sure that no workers share the application.
func (s *session) nobodyShares(ctx context.Context) error {
	workers, err := s.o.Door.Workers(ctx, s.o.App)
	if err != nil {
		return starting(err)
	}
	if len(workers) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d share %s now (%s): start this one with Shared too, or stop them first; one that was killed counts until its session ends",
		ErrShared, len(workers), s.o.App, strings.Join(workers, ", "))
}

// nothingLeft makes sure that no rows wait in the repartition topics of workers who have shared the application: one that does everything
// moves rows in memory and would never see them.
func (s *session) nothingLeft(ctx context.Context) error {
	from, err := s.unread(ctx)
	if err != nil || len(from) == 0 {
		return err
	}
	rows, err := s.rowsWait(ctx, from)
	for err == nil && rows {
		if err = s.drain(ctx, from); err == nil {
			return nil
		}
		if errors.Is(err, errStale) {
			err = nil // again, without those checkpoints
		}
	}
	return err
}

// unread returns the positions in the repartition topics that exist.
func (s *session) unread(ctx context.Context) (map[record.TopicPartition]record.Offset, error) {
	var names []string
	for i := range s.o.Topology.Nodes {
		if n := &s.o.Topology.Nodes[i]; n.Kind == topology.Repartition {
			names = append(names, topology.RepartitionTopic(s.o.App, n.Name))
		}
	}
	infos, err := s.o.Door.Topics(ctx, names...)
	if err != nil || len(infos) == 0 {
		return nil, starting(err)
	}
	var tps []record.TopicPartition
	for name, info := range infos {
		for p := range info.Partitions {
			tps = append(tps, record.TopicPartition{Topic: name, Partition: p})
		}
	}
	committed, err := s.o.Door.Committed(ctx, s.o.App)
	if err != nil {
		return nil, starting(err)
	}
	from, err := s.o.Door.Starts(ctx, tps...)
	for tp := range from {
		from[tp] = max(from[tp], committed[tp])
	}
	return from, starting(err)
}

// behind returns those of the positions that are not at the end, and the ends.
func (s *session) behind(ctx context.Context, at map[record.TopicPartition]record.Offset) (from, ends map[record.TopicPartition]record.Offset, err error) {
	if ends, err = s.o.Door.SettledEnds(ctx, slices.Collect(maps.Keys(at))...); err != nil {
		return nil, nil, starting(err)
	}
	from = maps.Clone(at)
	maps.DeleteFunc(from, func(tp record.TopicPartition, next record.Offset) bool { return next >= ends[tp] })
	return from, ends, nil
}

// rowsWait tells whether there are rows up to the ends: there may be markers of transactions only.
func (s *session) rowsWait(ctx context.Context, at map[record.TopicPartition]record.Offset) (rows bool, err error) {
	err = s.readToEnd(ctx, at, func(chunks []client.Chunk) (bool, error) {
		rows = slices.ContainsFunc(chunks, func(c client.Chunk) bool { return len(c.Offsets) > 0 })
		return !rows, nil
	})
	return rows, err
}

// readToEnd gives see what lies between positions and the ends, until it wants no more.
func (s *session) readToEnd(ctx context.Context, at map[record.TopicPartition]record.Offset, see func([]client.Chunk) (more bool, err error)) error {
	from, ends, err := s.behind(ctx, at)
	if err != nil || len(from) == 0 {
		return err
	}
	reader, err := s.o.Door.OpenReader(ctx, maps.Clone(from))
	if err != nil {
		return starting(err)
	}
	defer reader.Close()
	for len(from) > 0 {
		chunks, err := reader.Poll(ctx, s.o.PollBytes)
		if err != nil {
			return starting(err)
		}
		for _, c := range chunks {
			if c.Next >= ends[c.TopicPartition] {
				delete(from, c.TopicPartition)
			}
		}
		if more, err := see(chunks); err != nil || !more {
			return err
		}
	}
	return nil
}

// drain has the tasks process what waits in repartition topics, and what comes of it there, until nothing is left. Sources are not read.
func (s *session) drain(ctx context.Context, from map[record.TopicPartition]record.Offset) error {
	sh, err := s.drainer(ctx)
	if err != nil {
		return err
	}
	sh.from = from
	s.enter(sh)
	defer s.withdraw()
	if err := s.tick(); err != nil {
		return err
	}
	rows := int64(0)
	for {
		before := maps.Clone(s.next)
		err := s.readToEnd(ctx, before, func(chunks []client.Chunk) (bool, error) {
			for _, c := range chunks {
				rows += int64(len(c.Offsets))
				if err := s.add(c); err != nil {
					return false, err
				}
			}
			return true, s.drained(ctx)
		})
		if err != nil {
			return err
		}
		if maps.Equal(before, s.next) {
			s.o.Events(Event{"repartitions-drained", []any{"app", s.o.App, "records", rows}})
			return sh.set.Close()
		}
	}
}

// drainer makes the shard of all tasks with repartitions over topics, restored.
func (s *session) drainer(ctx context.Context) (*shard, error) {
	plan, err := s.o.Topology.Plan(s.config.Partitions)
	if err != nil {
		return nil, err
	}
	s.filling = s.producer.NewEpoch()
	c, r := s.config, s.newRestoring()
	c.Tasks, c.MaxIdle, c.CacheBytes = []topology.TaskID{}, 0, 0
	if c.Globals, err = task.New(c); err != nil {
		return nil, err
	}
	if err := r.globals(ctx, newShard(c.Globals), s.filling); err != nil {
		return nil, err
	}
	c.Tasks = plan.IDs()
	set, err := task.New(c)
	if err != nil {
		return nil, err
	}
	sh := newShard(set)
	if err := r.restore(ctx, sh); err != nil {
		return nil, err
	}
	return sh, r.forgetStale()
}

// drained processes what was added and commits it.
func (s *session) drained(ctx context.Context) error {
	for {
		n, err := s.process(processAtOnce)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if err := s.sealShards(); err != nil {
		return err
	}
	if err := s.producer.Commit(ctx, s.filling, s.positions()); err != nil {
		return starting(err)
	}
	for _, sh := range s.shards {
		sh.set.Commit()
	}
	s.filling = s.producer.NewEpoch()
	return nil
}

// withdraw forgets all shards.
func (s *session) withdraw() {
	s.shards = nil
	clear(s.byTP)
	clear(s.next)
	s.moved, s.alarm = false, alarm{}
}
