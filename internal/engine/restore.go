package engine

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
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
	newest   newest
}

func (s *session) newRestoring() *restoring {
	return &restoring{s: s, suspects: map[record.TopicPartition]*suspect{}, newest: newest{seed: maphash.MakeSeed()}}
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
	stores     map[record.TopicPartition]store.Store // those that are not complete
	from, ends map[record.TopicPartition]record.Offset
	at         map[record.TopicPartition]record.Offset // where each has come to
	counts     map[record.TopicPartition]int64         // records of each so far
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

// replay applies the changelogs from their positions up to the ends. What comes next is read and decoded meanwhile.
func (r *restoring) replay(ctx context.Context, p replaying) error {
	if len(p.from) == 0 {
		return nil
	}
	reader, err := r.s.o.Door.OpenReader(ctx, p.from)
	if err != nil {
		return starting(err)
	}
	for tp, st := range p.stores {
		r.s.stats.tell(RestoreBegin{App: r.s.o.App, Store: st.Name(), Changelog: tp, From: p.from[tp], End: p.ends[tp]})
	}
	r.replayed = true
	reading := newReading(reader)
	reading.begin(ctx, restoreBytes)
	defer reading.end()
	reading.grants <- struct{}{}
	all, unread := maps.Clone(p.stores), maps.Clone(p.from)
	p.at, p.counts = map[record.TopicPartition]record.Offset{}, map[record.TopicPartition]int64{}
	for len(p.stores) > 0 {
		chunks, err := reading.next(ctx)
		if err != nil {
			return starting(err)
		}
		for i := range chunks {
			if tp := chunks[i].TopicPartition; chunks[i].Next >= p.ends[tp] {
				delete(unread, tp)
			}
		}
		if len(unread) > 0 {
			reading.grants <- struct{}{}
		}
		if err := r.apply(p, chunks); err != nil {
			return err
		}
		if err := r.relieve(all, p.at); err != nil {
			return err
		}
	}
	return nil
}

// apply applies what was read, and takes the stores out of p that are complete.
func (r *restoring) apply(p replaying, chunks []client.Chunk) error {
	for i := range chunks {
		c := &chunks[i]
		tp := c.TopicPartition
		st := p.stores[tp]
		if st == nil {
			continue // already at its end
		}
		if err := r.restoreChunk(st, c); err != nil {
			return err
		}
		p.at[tp] = c.Next
		r.records += int64(len(c.Offsets))
		p.counts[tp] += int64(len(c.Offsets))
		r.saw(c, p.ends[tp])
		if c.Next >= p.ends[tp] {
			r.s.stats.tell(RestoreEnd{App: r.s.o.App, Store: st.Name(), Changelog: tp, Records: p.counts[tp]})
			delete(p.stores, tp)
		}
	}
	return nil
}

// newest remembers where in a chunk keys stood last, most of them: of two keys in the same place the later. A key is only looked at where the
// hashes are equal: others would have to be brought from anywhere in the memory.
type newest struct {
	seed   maphash.Seed
	hashes []uint64 // of the chunk's keys
	at     [1 << 12]int32
}

func (n *newest) place(hash uint64) *int32 { return &n.at[hash%uint64(len(n.at))] }

// note takes the keys of a chunk.
func (n *newest) note(keys [][]byte) {
	n.hashes = n.hashes[:0]
	for i, k := range keys {
		hash := maphash.Bytes(n.seed, k)
		n.hashes = append(n.hashes, hash)
		*n.place(hash) = int32(i)
	}
}

// overwritten tells whether a later record of the chunk has the key of record i, as far as it is remembered.
func (n *newest) overwritten(keys [][]byte, i int) bool {
	last := int(*n.place(n.hashes[i]))
	return last > i && n.hashes[last] == n.hashes[i] && bytes.Equal(keys[last], keys[i])
}

// restoreAhead is how many keys a store is told of before they are restored.
const restoreAhead = 256

// restoreChunk applies a chunk. A record whose key comes again is left out where that is known: it would be overwritten at once.
func (r *restoring) restoreChunk(st store.Store, c *client.Chunk) error {
	r.newest.note(c.Keys)
	for i, k := range c.Keys {
		if i%restoreAhead == 0 {
			st.Touch(c.Keys[i:min(i+restoreAhead, len(c.Keys))])
		}
		if r.newest.overwritten(c.Keys, i) {
			continue
		}
		if err := st.Restore(k, c.Values[i], c.Timestamps[i]); err != nil {
			return fmt.Errorf("changelog %s at %d: %w", c.TopicPartition, c.Offsets[i], err)
		}
	}
	return nil
}
