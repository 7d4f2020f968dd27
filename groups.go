package mainstem

import (
	"context"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	groups "github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/record"
)

// What one look at the groups may cost.
const (
	groupsEvery   = 2 * time.Second // between looks
	groupsAtOnce  = 16              // taken from the sequencer in one go: others come in between
	groupsPatient = 2 * time.Second
	maxGroupReads = 256 // reads of records for their timestamps
)

// groupFigures are one group's positions at the last look.
type groupFigures struct {
	name, state string
	members     int
	parts       []positionFigures
}

// positionFigures are one partition of a group. behind is the age of the first record that it has not read: 0 when there is none, -1
// when it is not known.
type positionFigures struct {
	record.TopicPartition
	committed, end record.Offset
	behind         time.Duration
}

func (p positionFigures) lag() int64 { return max(0, int64(p.end-p.committed)) }

// total is the lag of all partitions and the largest age.
func (g groupFigures) total() (lag int64, behind time.Duration) {
	for _, p := range g.parts {
		lag += p.lag()
		if p.behind < 0 || behind < 0 {
			behind = -1
			continue
		}
		behind = max(behind, p.behind)
	}
	return lag, behind
}

// A groupWatch looks at all groups now and then. The flow's sampling goroutine owns it.
type groupWatch struct {
	node *Node
	due  time.Duration
	// first is the timestamp of the first unread record of a position, which only moves with it.
	first map[groupPosition]record.Timestamp
	last  []groupFigures
}

type groupPosition struct {
	record.TopicPartition
	at record.Offset
}

// look returns the groups by name, as of this or of an earlier look.
func (w *groupWatch) look(ctx context.Context) []groupFigures {
	b, now := w.node.broker, w.node.o.clock.Mono()
	if b == nil || now < w.due {
		return w.last
	}
	w.due = now + groupsEvery
	ctx, cancel := context.WithTimeout(ctx, groupsPatient)
	defer cancel()
	all, err := b.ListGroups().Wait(ctx)
	if err != nil {
		return w.last // the broker stops or is busy: the last figures are better than none
	}
	ends := map[record.TopicPartition]record.Offset{}
	b.EachPartition(func(p broker.PartitionStats) { ends[p.TopicPartition] = p.High })
	out := make([]groupFigures, 0, len(all))
	reads := &groupReads{watch: w, seen: map[groupPosition]record.Timestamp{}}
	for chunk := range slices.Chunk(all, groupsAtOnce) {
		figures, err := w.positions(ctx, chunk, ends)
		if err != nil {
			return w.last
		}
		for i := range figures {
			for j := range figures[i].parts {
				p := &figures[i].parts[j]
				p.behind = reads.behind(*p)
			}
		}
		out = append(out, figures...)
	}
	w.first, w.last = reads.seen, out
	return out
}

func (w *groupWatch) positions(ctx context.Context, gs []groups.Description, ends map[record.TopicPartition]record.Offset) ([]groupFigures, error) {
	b := w.node.broker
	names := make([]string, len(gs))
	offsets := make([]*broker.Future[map[record.TopicPartition]groups.Committed], len(gs))
	for i, g := range gs {
		names[i] = g.Group
		offsets[i] = b.FetchOffsets(g.Group, nil)
	}
	described, err := b.DescribeGroups(names).Wait(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]groupFigures, len(gs))
	for i, g := range gs {
		out[i] = groupFigures{name: g.Group, state: g.State, members: len(described[i].Members)}
		all, err := offsets[i].Wait(ctx)
		if err != nil {
			return nil, err
		}
		for tp, c := range all {
			if end, ok := ends[tp]; ok && c.Offset >= 0 {
				out[i].parts = append(out[i].parts, positionFigures{TopicPartition: tp, committed: c.Offset, end: end})
			}
		}
		slices.SortFunc(out[i].parts, func(a, b positionFigures) int { return comparePartitions(a.TopicPartition, b.TopicPartition) })
	}
	return out, nil
}

// groupReads is one look's reading of first unread records.
type groupReads struct {
	watch *groupWatch
	seen  map[groupPosition]record.Timestamp
	done  int
}

func (r *groupReads) behind(p positionFigures) time.Duration {
	if p.lag() == 0 {
		return 0
	}
	at := groupPosition{p.TopicPartition, p.committed}
	ts, ok := r.watch.first[at]
	if !ok && r.done < maxGroupReads {
		r.done++
		ts, ok = r.watch.timestamp(at)
	}
	if !ok {
		return -1
	}
	r.seen[at] = ts
	return max(0, r.watch.node.o.clock.Now().Sub(time.UnixMilli(int64(ts))))
}

// timestamp is that of the batch that a reader at a position would get first. Within a batch the records' times hardly differ.
func (w *groupWatch) timestamp(at groupPosition) (record.Timestamp, bool) {
	f := w.node.broker.Fetch(broker.Fetch{
		Ref: broker.TopicRef{Name: at.Topic}, Partition: at.Partition, Offset: at.at, MaxBytes: 1, LeaderEpoch: -1,
	})
	if f.Err != nil || len(f.Batches) == 0 {
		return 0, false
	}
	v, _, err := batch.Next(f.Batches)
	if err != nil || v.MaxTimestamp() < 0 {
		return 0, false
	}
	if v.LogAppendTime() || v.BaseTimestamp() < 0 {
		return v.MaxTimestamp(), true
	}
	return v.BaseTimestamp(), true
}
