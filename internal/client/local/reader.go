package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// minShare is what a partition may give to a Poll at least, however many there are.
const minShare = 16 << 10

var errReaderClosed = errors.New("reader is closed")

// A reader fetches from the broker's logs in turn. Partitions are found by topic id: a topic made anew under the same name is
// another one.
type reader struct {
	b      *broker.Broker
	parts  []*input       // sorted
	asks   []broker.Fetch // one for each of parts
	turn   int            // where the next Poll begins
	waiter *broker.Waiter
	closed atomic.Bool
}

// An input is one partition being read.
type input struct {
	tp     record.TopicPartition
	ref    broker.TopicRef
	next   record.Offset
	swell  int // times the bytes that records were stored in is what the last ones took
	paused atomic.Bool
}

func (in *input) compare(tp record.TopicPartition) int {
	return cmp.Or(cmp.Compare(in.tp.Topic, tp.Topic), cmp.Compare(in.tp.Partition, tp.Partition))
}

// OpenReader implements client.Door.
func (d *Door) OpenReader(_ context.Context, positions map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r := &reader{b: d.b}
	topics := d.b.Topics()
	tps := make([]record.TopicPartition, 0, len(positions))
	for tp, next := range positions {
		t := topics.ByName[tp.Topic]
		if t == nil || tp.Partition < 0 || tp.Partition >= t.Partitions {
			return nil, fmt.Errorf("read %s: %w", tp, client.ErrUnknownTopic)
		}
		in := &input{tp: tp, ref: broker.TopicRef{ID: t.ID}, next: next, swell: 1}
		if err := r.checkPosition(in); err != nil {
			return nil, err
		}
		r.parts, tps = append(r.parts, in), append(tps, tp)
	}
	slices.SortFunc(r.parts, func(a, b *input) int { return a.compare(b.tp) })
	for _, in := range r.parts {
		r.asks = append(r.asks, broker.Fetch{Ref: in.ref, Partition: in.tp.Partition, Committed: true, LeaderEpoch: -1})
	}
	r.waiter = d.b.Watch(tps)
	return r, nil
}

// checkPosition compares in's position with its log.
func (r *reader) checkPosition(in *input) error {
	for _, at := range []int64{timeStart, timeEnd} {
		o := r.b.ListOffset(in.ref, in.tp.Partition, at, false)
		switch {
		case o.Err != nil:
			return r.failed(in, o.Err)
		case at == timeStart && in.next < o.Offset, at == timeEnd && in.next > o.Offset:
			return r.failed(in, kerr.OffsetOutOfRange)
		}
	}
	return nil
}

var _ client.Watcher = (*reader)(nil)

// Look implements client.Watcher.
func (r *reader) Look(maxBytes int) ([]client.Chunk, error) {
	if r.closed.Load() {
		return nil, errReaderClosed
	}
	return r.round(maxBytes)
}

// News implements client.Watcher.
func (r *reader) News() <-chan struct{} { return r.waiter.C }

// Poll implements client.Reader.
func (r *reader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		chunks, err := r.Look(maxBytes)
		if err != nil || len(chunks) > 0 {
			return chunks, err
		}
		// A record that came after the round has left its mark in C already: no wake-up is missed.
		select {
		case <-r.waiter.C:
		case <-ctx.Done():
		}
	}
}

// round asks each partition once, beginning where the last round stopped, until maxBytes are there. It ends in all partitions at one moment,
// so that a transaction is read whole or not at all; partitions that come too late for their bytes say what lies in them.
func (r *reader) round(maxBytes int) ([]client.Chunk, error) {
	var chunks []client.Chunk
	n := len(r.parts)
	share := max(maxBytes/max(n, 1), minShare)
	left := maxBytes
	turn := r.turn + 1
	r.b.StableEnds(r.asks)
	for i := range n {
		at := (r.turn + i) % n
		in, ask := r.parts[at], &r.asks[at]
		if in.paused.Load() || ask.Below >= 0 && ask.Below <= in.next {
			continue
		}
		if left <= 0 {
			if ask.Below > in.next {
				chunks = append(chunks, client.Chunk{TopicPartition: in.tp, Next: in.next, End: ask.Below})
			}
			continue
		}
		ask.Offset, ask.MaxBytes = in.next, min(share, left)/in.swell
		f := r.b.Fetch(*ask)
		if f.Err != nil {
			return nil, r.failed(in, f.Err)
		}
		if len(f.Batches) == 0 {
			continue
		}
		c, bytes, err := decode(in.tp, in.next, f)
		if err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", in.tp, in.next, err)
		}
		bytes = max(bytes, len(f.Batches))
		in.next, in.swell = c.Next, (bytes+len(f.Batches)-1)/len(f.Batches)
		chunks = append(chunks, c)
		if left -= bytes; left <= 0 {
			turn = at + 1
		}
	}
	r.turn = turn % max(n, 1)
	return chunks, nil
}

// failed names the reason why in cannot be read: a topic that is gone may have come back under another id.
func (r *reader) failed(in *input, err *kerr.Error) error {
	e := explain(err, "")
	switch {
	case errors.Is(e, client.ErrUnknownTopic):
		if t := r.b.Topics().ByName[in.tp.Topic]; t != nil && t.ID != in.ref.ID {
			e = client.ErrRecreated
		}
	case errors.Is(e, client.ErrGap):
		first := r.b.ListOffset(in.ref, in.tp.Partition, timeStart, false)
		end := r.b.ListOffset(in.ref, in.tp.Partition, timeEnd, false)
		e = fmt.Errorf("%w: the log holds [%d, %d)", e, first.Offset, end.Offset)
	}
	return fmt.Errorf("read %s at %d: %w", in.tp, in.next, e)
}

// Pause implements client.Reader.
func (r *reader) Pause(tp record.TopicPartition) {
	if in := r.find(tp); in != nil {
		in.paused.Store(true)
	}
}

// Resume implements client.Reader.
func (r *reader) Resume(tp record.TopicPartition) {
	if in := r.find(tp); in != nil {
		in.paused.Store(false)
		r.signal()
	}
}

// find returns what is read of a partition, nil: nothing is.
func (r *reader) find(tp record.TopicPartition) *input {
	if i, found := slices.BinarySearchFunc(r.parts, tp, (*input).compare); found {
		return r.parts[i]
	}
	return nil
}

// Close implements client.Reader.
func (r *reader) Close() {
	if r.closed.Swap(true) {
		return
	}
	r.b.Unwatch(r.waiter)
	r.signal()
}

// signal ends a wait, as news do.
func (r *reader) signal() {
	select {
	case r.waiter.C <- struct{}{}:
	default:
	}
}
