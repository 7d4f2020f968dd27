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
	parts  []*input
	byTP   map[record.TopicPartition]*input // never changed
	turn   int                              // where the next Poll begins
	waiter *broker.Waiter
	wake   chan struct{} // capacity 1: Resume and Close end a wait
	closed atomic.Bool
}

// An input is one partition being read.
type input struct {
	tp     record.TopicPartition
	ref    broker.TopicRef
	next   record.Offset
	paused atomic.Bool
}

// OpenReader implements client.Door.
func (d *Door) OpenReader(_ context.Context, positions map[record.TopicPartition]record.Offset) (client.Reader, error) {
	r := &reader{b: d.b, byTP: make(map[record.TopicPartition]*input, len(positions)), wake: make(chan struct{}, 1)}
	topics := d.b.Topics()
	tps := make([]record.TopicPartition, 0, len(positions))
	for tp, next := range positions {
		t := topics.ByName[tp.Topic]
		if t == nil || tp.Partition < 0 || tp.Partition >= t.Partitions {
			return nil, fmt.Errorf("read %s: %w", tp, client.ErrUnknownTopic)
		}
		in := &input{tp: tp, ref: broker.TopicRef{ID: t.ID}, next: next}
		if err := r.checkPosition(in); err != nil {
			return nil, err
		}
		r.parts, tps = append(r.parts, in), append(tps, tp)
		r.byTP[tp] = in
	}
	slices.SortFunc(r.parts, func(a, b *input) int {
		return cmp.Or(cmp.Compare(a.tp.Topic, b.tp.Topic), cmp.Compare(a.tp.Partition, b.tp.Partition))
	})
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

// Poll implements client.Reader.
func (r *reader) Poll(ctx context.Context, maxBytes int) ([]client.Chunk, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if r.closed.Load() {
			return nil, errReaderClosed
		}
		chunks, err := r.round(maxBytes)
		if err != nil || len(chunks) > 0 {
			return chunks, err
		}
		// A record that came after the round has left its mark in C already: no wake-up is missed.
		select {
		case <-r.waiter.C:
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// round asks each partition once, beginning where the last round stopped, until maxBytes are there.
func (r *reader) round(maxBytes int) ([]client.Chunk, error) {
	var chunks []client.Chunk
	n := len(r.parts)
	share := max(maxBytes/max(n, 1), minShare)
	left := maxBytes
	for i := range n {
		in := r.parts[(r.turn+i)%n]
		if in.paused.Load() {
			continue
		}
		f := r.b.Fetch(broker.Fetch{
			Ref: in.ref, Partition: in.tp.Partition, Offset: in.next,
			MaxBytes: min(share, left), Committed: true, LeaderEpoch: -1,
		})
		if f.Err != nil {
			return nil, r.failed(in, f.Err)
		}
		if len(f.Batches) == 0 {
			continue
		}
		c, err := decode(in.tp, in.next, f)
		if err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", in.tp, in.next, err)
		}
		in.next = c.Next
		chunks = append(chunks, c)
		if left -= len(f.Batches); left <= 0 {
			r.turn = (r.turn + i + 1) % n
			return chunks, nil
		}
	}
	if n > 0 {
		r.turn = (r.turn + 1) % n
	}
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
	if in := r.byTP[tp]; in != nil {
		in.paused.Store(true)
	}
}

// Resume implements client.Reader.
func (r *reader) Resume(tp record.TopicPartition) {
	if in := r.byTP[tp]; in != nil {
		in.paused.Store(false)
		r.signal()
	}
}

// Close implements client.Reader.
func (r *reader) Close() {
	if r.closed.Swap(true) {
		return
	}
	r.b.Unwatch(r.waiter)
	r.signal()
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
