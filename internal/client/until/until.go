// Package until is a door through which partitions end: what comes behind given offsets is not read.
//
// Purpose: two applications that read the same topics stop at the same place, so that one can take over from the other.
//
// Callers and callees: who runs a topology puts it around a client.Door; it calls that one for everything, and cuts what its readers give.
//
// Owner and locks: the door is as safe as the one that it is around; a reader belongs to one goroutine, as any.
//
// Format: none.
//
// Not here: telling that the end was reached (client.Door.Committed does).
package until

import (
	"context"
	"sort"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
)

// Door is d, whose readers see partitions among ends up to these offsets. Without ends it is d itself.
func Door(d client.Door, ends map[record.TopicPartition]record.Offset) client.Door {
	if len(ends) == 0 {
		return d
	}
	return &door{d, ends}
}

type door struct {
	client.Door
	ends map[record.TopicPartition]record.Offset
}

// OpenReader implements client.Door.
func (d *door) OpenReader(ctx context.Context, positions map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r, err := d.Door.OpenReader(ctx, positions)
	if err != nil {
		return nil, err
	}
	out := &reader{Reader: r, ends: d.ends, done: map[record.TopicPartition]bool{}}
	for tp, at := range positions {
		if end, bounded := d.ends[tp]; bounded && at >= end {
			out.finish(tp)
		}
	}
	return out, nil
}

type reader struct {
	client.Reader
	ends map[record.TopicPartition]record.Offset
	done map[record.TopicPartition]bool // read up to their ends, and paused since
}

func (r *reader) finish(tp record.TopicPartition) {
	r.done[tp] = true
	r.Reader.Pause(tp)
}

// Resume implements client.Reader. A partition that has ended stays paused.
func (r *reader) Resume(tp record.TopicPartition) {
	if !r.done[tp] {
		r.Reader.Resume(tp)
	}
}

// Poll implements client.Reader.
func (r *reader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	for {
		chunks, err := r.Reader.Poll(ctx, maxBytes)
		if err != nil {
			return nil, err
		}
		kept := chunks[:0]
		for _, c := range chunks {
			end, bounded := r.ends[c.TopicPartition]
			switch {
			case r.done[c.TopicPartition]: // it was on its way when its partition ended
				continue
			case bounded && c.Next >= end:
				r.finish(c.TopicPartition)
				c = cut(c, end)
			}
			kept = append(kept, c)
		}
		if len(kept) > 0 {
			return kept, nil
		}
	}
}

// cut is a chunk without what lies at end and behind it.
func cut(c client.Chunk, end record.Offset) client.Chunk {
	n := sort.Search(len(c.Offsets), func(i int) bool { return c.Offsets[i] >= end })
	c.Offsets, c.Timestamps, c.Keys, c.Values = c.Offsets[:n], c.Timestamps[:n], c.Keys[:n], c.Values[:n]
	if c.Headers != nil {
		c.Headers = c.Headers[:n]
	}
	c.Next, c.End = min(c.Next, end), min(c.End, end)
	return c
}
