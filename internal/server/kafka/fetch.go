package kafka

import (
	"cmp"
	"context"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch (1), versions 4-18: isolation (KIP-98), leader epochs (KIP-320), topic ids from 13 (KIP-516). Sessions (KIP-227) are never
// opened: every answer has session id 0, which tells the client to send all its partitions each time.
//
// A Fetch runs in its turn in the writer: while a slow client takes in one answer, the next is not even read from the log.

func (n *node) fetch(_ call, r *kmsg.FetchRequest) pending {
	return func(ctx context.Context) (answer, error) {
		f := &fetchAnswer{version: r.Version}
		if f.err = fetchSession(r); f.err != nil {
			return f, nil
		}
		n.readFetch(r, f)
		if r.MaxWaitMillis <= 0 || f.enough(r) {
			return n.hold(f), nil
		}
		return n.longPoll(ctx, r, f)
	}
}

// fetchSession refuses to continue a session; opening (epoch 0) and closing (epoch -1) one is answered in full.
func fetchSession(r *kmsg.FetchRequest) *kerr.Error {
	switch {
	case r.SessionEpoch <= 0:
		return nil
	case r.SessionID == 0:
		return kerr.InvalidFetchSessionEpoch
	default:
		return kerr.FetchSessionIDNotFound
	}
}

// longPoll waits until there are MinBytes, something to tell, or the client's time is over. The watch begins before the read that
// decides to wait, so no record slips in between.
func (n *node) longPoll(ctx context.Context, r *kmsg.FetchRequest, f *fetchAnswer) (answer, error) {
	over := n.o.Clock.After(millis(r.MaxWaitMillis))
	w := n.broker.Watch(n.fetched(r))
	defer n.broker.Unwatch(w)
	for {
		if n.readFetch(r, f); f.enough(r) {
			return n.hold(f), nil
		}
		select {
		case <-w.C:
		case <-over:
			return n.hold(f), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// fetched is the partitions of a request by name.
func (n *node) fetched(r *kmsg.FetchRequest) []record.TopicPartition {
	var out []record.TopicPartition
	topics := n.broker.Topics()
	for _, t := range r.Topics {
		known, err := lookup(topics, t.Topic, t.TopicID, r.Version >= 13)
		if err != nil {
			continue
		}
		for _, p := range t.Partitions {
			out = append(out, record.TopicPartition{Topic: known.Name, Partition: p.Partition})
		}
	}
	return out
}

// readFetch fills f with what there is now. The first partition with records gives at least one batch however large, so that a
// consumer always gets on; the others stop at the limits.
func (n *node) readFetch(r *kmsg.FetchRequest, f *fetchAnswer) {
	f.bytes, f.urgent, f.topics = 0, len(r.Topics) == 0, f.topics[:0]
	left := n.budget.fetchLimit(min(int(r.MaxBytes), n.o.MaxFetch))
	for _, t := range r.Topics {
		ft := fetchTopic{name: t.Topic, id: t.TopicID}
		for _, p := range t.Partitions {
			q := broker.Fetch{
				Ref: broker.TopicRef{Name: t.Topic, ID: t.TopicID}, Partition: p.Partition,
				Offset: record.Offset(p.FetchOffset), MaxBytes: min(left, int(p.PartitionMaxBytes)),
				Committed: r.IsolationLevel == 1, LeaderEpoch: p.CurrentLeaderEpoch,
			}
			var res broker.FetchResult
			if f.bytes > 0 && left <= 0 {
				res = n.bounds(q)
			} else {
				res = n.broker.Fetch(q)
			}
			if f.bytes > 0 && len(res.Batches) > left {
				res.Batches = nil // next time
			}
			left -= len(res.Batches)
			f.bytes += len(res.Batches)
			f.urgent = f.urgent || res.Err != nil
			ft.partitions = append(ft.partitions, fetchPartition{p.Partition, res})
		}
		f.topics = append(f.topics, ft)
	}
}

// bounds answers a partition for whose records there is no room.
func (n *node) bounds(q broker.Fetch) broker.FetchResult {
	high := n.broker.ListOffset(q.Ref, q.Partition, latest, false)
	stable := n.broker.ListOffset(q.Ref, q.Partition, latest, true)
	start := n.broker.ListOffset(q.Ref, q.Partition, earliest, false)
	return broker.FetchResult{
		Err:           cmp.Or(high.Err, stable.Err, start.Err),
		HighWatermark: high.Offset, LastStable: stable.Offset, LogStart: start.Offset,
	}
}

// hold counts the bytes of a finished answer until it is written.
func (n *node) hold(f *fetchAnswer) *fetchAnswer {
	f.release = n.budget.holdFetch(f.bytes)
	return f
}

// enough reports whether an answer need not wait any longer.
func (f *fetchAnswer) enough(r *kmsg.FetchRequest) bool {
	return f.urgent || f.bytes >= int(r.MinBytes)
}
