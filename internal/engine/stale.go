package engine

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// A compacted topic tells for a while only that a key was deleted: its tombstone goes delete.retention.ms after it was cleaned first. A
// checkpoint from before the deletion still has the key's row, and what the topic holds behind the checkpoint would not remove it: the
// row would be back. So a checkpoint that may be that old counts only if no offset is missing behind it; otherwise the table is built
// from the start of its topic. Markers of transactions leave gaps, too: they cost such a rebuild and nothing else.
//
// Topics that retention cuts as well are left out: the rows of their tables expire by their own time, and a rebuild could miss some.

// errStale: tables were restored from checkpoints that nobody can bring up to date; these are forgotten now.
var errStale = errors.New("checkpoint is older than the tombstones of its topic")

// tombstoneTime is how long a topic keeps tombstones unless it says something else: Kafka's default.
const tombstoneTime = 24 * time.Hour

// noteTombstones notes how long a topic keeps its tombstones if it is compacted only. asked are the settings it was to be made with.
func (s *session) noteTombstones(info client.TopicInfo, asked map[string]string) {
	if cmp.Or(info.Configs["cleanup.policy"], asked["cleanup.policy"]) != "compact" {
		return
	}
	s.tombstones[info.Name] = tombstoneTime
	ms, err := strconv.ParseInt(cmp.Or(info.Configs["delete.retention.ms"], asked["delete.retention.ms"]), 10, 64)
	if err == nil && ms < tombstoneTime.Milliseconds() {
		s.tombstones[info.Name] = time.Duration(ms) * time.Millisecond
	}
}

// A suspect is a topic whose table's checkpoint may be older than its tombstones: only a tail without a gap proves it good.
type suspect struct {
	store   string
	forget  []int32 // partitions of the store that go if it is not
	missing int64   // offsets behind the checkpoint that were not read
}

// doubt looks at a table's checkpoint, which ends at next. Half of the tombstones' time is for reading and for clocks that differ.
func (r *restoring) doubt(store string, next record.Offset, of span, forget ...int32) error {
	d, compacted := r.s.tombstones[of.Topic]
	if !compacted || next >= of.end {
		return nil
	}
	written, err := r.s.ckpt.Written(store, of.Partition)
	if err != nil {
		return err
	}
	if now := r.s.now(); now < written || int64(now-written) >= d.Milliseconds()/2 {
		r.suspects[of.TopicPartition] = &suspect{store, forget, int64(of.end - next)}
	}
	return nil
}

// saw takes what was read of a topic below its end off what is missing.
func (r *restoring) saw(c *client.Chunk, end record.Offset) {
	p := r.suspects[c.TopicPartition]
	for i := 0; p != nil && i < len(c.Offsets) && c.Offsets[i] < end; i++ {
		p.missing--
	}
}

// forgetStale forgets the checkpoints that are not proved good: errStale, if there are any.
func (r *restoring) forgetStale() error {
	stale := false
	for tp, p := range r.suspects {
		if p.missing == 0 {
			continue
		}
		stale = true
		r.s.o.Events(Event{"checkpoint-too-old", []any{"app", r.s.o.App, "store", p.store, "topic", tp.Topic, "partition", tp.Partition, "missing", p.missing}})
		for _, partition := range p.forget {
			if err := r.s.ckpt.Forget(p.store, partition); err != nil {
				return err
			}
		}
	}
	if stale {
		return errStale
	}
	return nil
}
