package engine

import (
	"context"
	"fmt"
	"maps"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
)

// A restoring fills the stores of shards that nobody uses yet. It may run beside the loop: it changes nothing of the session.
type restoring struct {
	s        *session
	suspects map[record.TopicPartition]*suspect
	replayed bool
	records  int64
}

func (s *session) newRestoring() *restoring {
	return &restoring{s: s, suspects: map[record.TopicPartition]*suspect{}}
}

// tell says what was replayed.
func (r *restoring) tell() {
	if r.replayed {
		r.s.o.Events(Event{"state-restored", []any{"app", r.s.o.App, "records", r.records}})
	}
}

// A span is what a changelog holds.
type span struct {
	record.TopicPartition
	start, end record.Offset
}

// A replaying is what is read of the changelogs: from positions up to the ends.
type replaying struct {
	stores     map[record.TopicPartition]store.Store
	from, ends map[record.TopicPartition]record.Offset
}

// restore fills the stores from their checkpoints and then from the tails of their changelogs. The ends are settled: what is in front
// of them is committed, or never will be.
func (r *restoring) restore(ctx context.Context, shards ...*shard) error {
	var tails []record.TopicPartition
	for _, sh := range shards {
		tails = append(tails, sh.tails...)
	}
	if len(tails) == 0 {
		return nil
	}
	starts, err := r.s.o.Door.Starts(ctx, tails...)
	if err != nil {
		return starting(err)
	}
	ends, err := r.s.o.Door.SettledEnds(ctx, tails...)
	if err != nil {
		return starting(err)
	}
	p := replaying{stores: map[record.TopicPartition]store.Store{}, from: map[record.TopicPartition]record.Offset{}, ends: ends}
	for _, sh := range shards {
		for i, st := range sh.set.Stores() {
			tail := sh.tails[i]
			next, err := r.loadCheckpoint(st, span{tail, starts[tail], ends[tail]})
			if err != nil {
				return fmt.Errorf("restore %s/%d: %w", st.Name(), st.Partition(), err)
			}
			if next < ends[tail] {
				p.stores[tail], p.from[tail] = st, next
			}
		}
	}
	return r.replay(ctx, p)
}

// loadCheckpoint fills a store and returns where its changelog goes on. A checkpoint of another changelog is an error: whichever of
// the two is right, their sum is not.
func (r *restoring) loadCheckpoint(st store.Store, of span) (record.Offset, error) {
	ckpt := r.s.ckpt
	if ckpt == nil {
		return of.start, nil
	}
	next, ok, err := ckpt.Load(st)
	if err != nil || !ok {
		return of.start, err
	}
	const advice = "the topic was re-created or the data directory belongs to another broker; " +
		"remove the checkpoint directory to rebuild the state from the changelog"
	if next > of.end {
		return 0, fmt.Errorf("the checkpoint is ahead of the changelog (position %d, end %d): %s", next, of.end, advice)
	}
	var unknown [16]byte
	was, err := ckpt.Changelog(st.Name(), st.Partition())
	if now := r.s.changelogs[of.Topic]; err == nil && was != unknown && now != unknown && was != now {
		err = fmt.Errorf("%w: the checkpoint is of %s with id %x, which is %x now: %s", client.ErrRecreated, of.Topic, was, now, advice)
	}
	if err == nil {
		err = r.doubt(st.Name(), next, of, st.Partition())
	}
	return max(next, of.start), err // a compacted changelog still holds the last value of every key
}

// restoreBytes is read at once while a changelog is replayed.
const restoreBytes = 4 << 20

// replay applies the changelogs from their positions up to the ends.
func (r *restoring) replay(ctx context.Context, p replaying) error {
	if len(p.from) == 0 {
		return nil
	}
	reader, err := r.s.o.Door.OpenReader(ctx, p.from)
	if err != nil {
		return starting(err)
	}
	defer reader.Close()
	counts := map[record.TopicPartition]int64{}
	for tp, st := range p.stores {
		r.s.stats.tell(RestoreBegin{App: r.s.o.App, Store: st.Name(), Changelog: tp, From: p.from[tp], End: p.ends[tp]})
	}
	r.replayed = true
	all, at := maps.Clone(p.stores), map[record.TopicPartition]record.Offset{}
	for left := len(p.from); left > 0; {
		chunks, err := reader.Poll(ctx, restoreBytes)
		if err != nil {
			return starting(err)
		}
		for i := range chunks {
			c := &chunks[i]
			st := p.stores[c.TopicPartition]
			if st == nil {
				continue // already at its end
			}
			if err := restoreChunk(st, c); err != nil {
				return err
			}
			at[c.TopicPartition] = c.Next
			r.records += int64(len(c.Offsets))
			counts[c.TopicPartition] += int64(len(c.Offsets))
			r.saw(c, p.ends[c.TopicPartition])
			if c.Next >= p.ends[c.TopicPartition] {
				r.s.stats.tell(RestoreEnd{App: r.s.o.App, Store: st.Name(), Changelog: c.TopicPartition, Records: counts[c.TopicPartition]})
				delete(p.stores, c.TopicPartition)
				left--
			}
		}
		if err := r.relieve(all, at); err != nil {
			return err
		}
	}
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
