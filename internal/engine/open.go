package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// open prepares a session: topics, fencing, positions, state, reader. The order matters: older instances are fenced before the
// positions are read, so nobody moves them afterwards.
func (e *Engine) open(ctx context.Context) (*session, client.Reader, error) {
	s := &session{
		o: e.o, stats: &e.stats, checkpoints: make(chan error, 1), // capacity 1: the writer never waits for the loop
		sealed: make(chan commit, 1), committed: make(chan outcome, 1),
	}
	if err := s.openTopics(ctx); err != nil {
		return nil, nil, err
	}
	var err error
	if s.producer, err = e.o.Door.OpenProducer(ctx, e.o.App); err != nil {
		return nil, nil, starting(err)
	}
	s.filling = s.producer.NewEpoch()
	reader, err := s.openState(ctx)
	if err != nil {
		s.producer.Close()
		return nil, nil, err
	}
	s.lastCkpt = e.o.Clock.Mono()
	s.lastSeal = s.lastCkpt - e.o.EpochInterval // the first epoch need not wait
	return s, reader, nil
}

// openState restores the stores and returns a reader at the positions that belong to them.
func (s *session) openState(ctx context.Context) (client.Reader, error) {
	positions, err := s.positions(ctx)
	if err != nil {
		return nil, starting(err)
	}
	s.stats.state.Store(int32(StateRestoring))
	if err := s.restore(ctx); err != nil {
		return nil, err
	}
	s.stats.reads(positions)
	globals, err := s.openGlobals(ctx)
	if err != nil {
		return nil, err
	}
	maps.Copy(positions, globals)
	reader, err := s.o.Door.OpenReader(ctx, positions)
	return reader, starting(err)
}

func starting(err error) error {
	if err == nil {
		return nil
	}
	return &doorError{err: err, starting: true}
}

// framing is the most that a batch needs around the contents of its only record, with room for a few headers.
const framing = 160

// openTopics creates what is missing and builds the task set for the partition counts found.
func (s *session) openTopics(ctx context.Context) error {
	var specs []client.TopicSpec
	names := append(s.o.Topology.SourceTopics(), s.o.Topology.SinkTopics()...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) { // a topic may be a sink of one part and a source of another
		spec := client.TopicSpec{Name: name}
		if s.o.Topology.Compacted(name) {
			spec.Configs = map[string]string{"cleanup.policy": "compact"}
		}
		specs = append(specs, spec)
	}
	infos, err := s.o.Door.EnsureTopics(ctx, specs...)
	if err != nil {
		return starting(err)
	}
	parts, limits := map[string]int32{}, map[string]int{}
	for name, info := range infos {
		parts[name] = info.Partitions
		if n, err := strconv.Atoi(info.Configs["max.message.bytes"]); err == nil {
			limits[name] = n - framing
		}
	}
	s.counts = maps.Clone(parts)
	config := task.Config{
		Topology: s.o.Topology, App: s.o.App, Partitions: parts, RecordBytes: limits, DeadLetters: s.o.DeadLetter, CacheBytes: s.o.CacheBytes,
		Calls: calls, MaxIdle: s.o.MaxIdle,
	}
	if s.o.DeadLetter {
		config.OnBadRecord = s.deadLetter
		if err := s.deadLetterPartitions(ctx, parts); err != nil {
			return err
		}
	}
	if s.set, err = task.New(config); err != nil {
		return fmt.Errorf("%w: %w", ErrPartitions, err)
	}
	internal, err := s.o.Door.EnsureTopics(ctx, s.set.Topics()...)
	if err != nil {
		return starting(err)
	}
	s.changelogs = map[string][16]byte{}
	for _, spec := range s.set.Topics() {
		info := internal[spec.Name]
		s.changelogs[spec.Name] = info.ID
		if info.Partitions != spec.Partitions && spec.Configs["cleanup.policy"] == "compact" {
			return fmt.Errorf("%w: topic %s has %d partitions where the topology needs %d: the partitions of a source were changed; "+
				"state can't be split by adding partitions, use a new application name", ErrPartitions, spec.Name, info.Partitions, spec.Partitions)
		}
	}
	for _, st := range s.set.Stores() {
		s.tails = append(s.tails, s.set.Changelog(st))
	}
	return nil
}

// deadLetterPartitions adds the counts of dead-letter topics that exist already: someone may have made them otherwise.
func (s *session) deadLetterPartitions(ctx context.Context, parts map[string]int32) error {
	var names []string
	for _, name := range s.o.Topology.SourceTopics() {
		names = append(names, topology.DeadLetter(name))
	}
	infos, err := s.o.Door.Topics(ctx, names...)
	for name, info := range infos {
		parts[name] = info.Partitions
	}
	return starting(err)
}

// deadLetter lets the pipeline go on past a bad record. It may be asked twice about one record, so it only answers.
func (s *session) deadLetter(*task.RecordError) task.Decision { return task.DeadLetter }

// positions are the committed ones; a partition never committed is read from its start.
func (s *session) positions(ctx context.Context) (map[record.TopicPartition]record.Offset, error) {
	committed, err := s.o.Door.Committed(ctx, s.o.App)
	if err != nil {
		return nil, err
	}
	starts, err := s.o.Door.Starts(ctx, s.set.Sources()...)
	if err != nil {
		return nil, err
	}
	out := make(map[record.TopicPartition]record.Offset, len(starts))
	for _, tp := range s.set.Sources() {
		out[tp] = starts[tp]
		if o, ok := committed[tp]; ok {
			out[tp] = o // below the start: the reader says ErrGap, records were deleted before they were processed
		}
	}
	return out, nil
}

// restore fills the stores from their checkpoints and then from the tails of their changelogs.
func (s *session) restore(ctx context.Context) error {
	if !s.stateful() {
		return nil
	}
	if s.o.Checkpoints != nil {
		var err error
		if s.ckpt, err = store.OpenCheckpoints(s.o.Checkpoints, s.o.App); err != nil {
			return err
		}
	}
	if len(s.tails) == 0 {
		return nil
	}
	starts, err := s.o.Door.Starts(ctx, s.tails...)
	if err != nil {
		return starting(err)
	}
	ends, err := s.o.Door.Ends(ctx, s.tails...)
	if err != nil {
		return starting(err)
	}
	byTail := map[record.TopicPartition]store.Store{}
	from := map[record.TopicPartition]record.Offset{}
	for i, st := range s.set.Stores() {
		tail := s.tails[i]
		next, err := s.loadCheckpoint(st, span{tail, starts[tail], ends[tail]})
		if err != nil {
			return fmt.Errorf("restore %s/%d: %w", st.Name(), st.Partition(), err)
		}
		if next < ends[tail] {
			byTail[tail], from[tail] = st, next
		}
	}
	return s.replay(ctx, byTail, from, ends)
}

// A span is what a changelog holds.
type span struct {
	record.TopicPartition
	start, end record.Offset
}

// loadCheckpoint fills a store and returns where its changelog goes on. A checkpoint of another changelog is an error: whichever of
// the two is right, their sum is not.
func (s *session) loadCheckpoint(st store.Store, of span) (record.Offset, error) {
	if s.ckpt == nil {
		return of.start, nil
	}
	next, ok, err := s.ckpt.Load(st)
	if err != nil || !ok {
		return of.start, err
	}
	const advice = "the topic was re-created or the data directory belongs to another broker; " +
		"remove the checkpoint directory to rebuild the state from the changelog"
	if next > of.end {
		return 0, fmt.Errorf("the checkpoint is ahead of the changelog (position %d, end %d): %s", next, of.end, advice)
	}
	var unknown [16]byte
	was, err := s.ckpt.Changelog(st.Name(), st.Partition())
	if now := s.changelogs[of.Topic]; err == nil && was != unknown && now != unknown && was != now {
		err = fmt.Errorf("%w: the checkpoint is of %s with id %x, which is %x now: %s", client.ErrRecreated, of.Topic, was, now, advice)
	}
	return max(next, of.start), err // a compacted changelog still holds the last value of every key
}

// restoreBytes is read at once while a changelog is replayed.
const restoreBytes = 4 << 20

// replay applies the changelogs from their positions up to the ends.
func (s *session) replay(ctx context.Context, stores map[record.TopicPartition]store.Store, from, ends map[record.TopicPartition]record.Offset) error {
	if len(from) == 0 {
		return nil
	}
	reader, err := s.o.Door.OpenReader(ctx, from)
	if err != nil {
		return starting(err)
	}
	defer reader.Close()
	records := int64(0)
	for left := len(from); left > 0; {
		chunks, err := reader.Poll(ctx, restoreBytes)
		if err != nil {
			return starting(err)
		}
		for i := range chunks {
			c := &chunks[i]
			st := stores[c.TopicPartition]
			if st == nil {
				continue // already at its end
			}
			if err := restoreChunk(st, c); err != nil {
				return err
			}
			records += int64(len(c.Offsets))
			if c.Next >= ends[c.TopicPartition] {
				delete(stores, c.TopicPartition)
				left--
			}
		}
	}
	s.o.Events(Event{"state-restored", []any{"app", s.o.App, "records", records}})
	return nil
}

// restoreChunk applies the last record of each key: the earlier ones would be overwritten at once.
func restoreChunk(st store.Store, c *client.Chunk) error {
	last := make(map[string]int, len(c.Keys))
	for i, k := range c.Keys {
		last[string(k)] = i
	}
	for i, k := range c.Keys {
		if last[string(k)] != i {
			continue
		}
		if err := st.Restore(k, c.Values[i], c.Timestamps[i]); err != nil {
			return fmt.Errorf("changelog %s at %d: %w", c.TopicPartition, c.Offsets[i], err)
		}
	}
	return nil
}
