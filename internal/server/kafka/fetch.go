package kafka

import (
	"cmp"
	"context"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/server/kafka/session"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch (1), versions 4-18: isolation (KIP-98), sessions from 7 (KIP-227, package session), leader epochs (KIP-320), topic ids from
// 13 (KIP-516).
//
// A Fetch runs in its turn in the writer: while a slow client takes in one answer, the next is not even read from the log.

func (n *node) fetch(c call, r *kmsg.FetchRequest) pending {
	return func(ctx context.Context) (answer, error) {
		f := &fetchAnswer{version: r.Version, budget: n.budget, frames: n.frames}
		s, err := n.sessions.Begin(n.o.Clock.Now(), sessionRequest(n.principal+"\n"+n.clientHost+"\n"+c.clientID, r))
		if f.err = err; err != nil {
			return f, nil
		}
		n.readFetch(r, s, f)
		if r.MaxWaitMillis > 0 && !f.enough(r) {
			if err := n.longPoll(ctx, r, s, f); err != nil {
				f.release()
				return nil, err
			}
		}
		if f.session, f.err = s.End(n.o.Clock.Now(), f.outcomes); f.err != nil {
			f.topics, f.bytes = nil, 0
			f.release()
		}
		return f, nil
	}
}

// sessionRequest is what a request says about its session. Only the same client at the same address may go on with a session.
func sessionRequest(owner string, r *kmsg.FetchRequest) session.Request {
	out := session.Request{ID: r.SessionID, Epoch: r.SessionEpoch, ByID: r.Version >= fetchTopicIDs, Owner: owner}
	if r.Version < fetchSessions {
		out.ID, out.Epoch = 0, -1
	}
	n := 0
	for i := range r.Topics {
		n += len(r.Topics[i].Partitions)
	}
	out.Wants = make([]session.Want, 0, n)
	for i := range r.Topics {
		t := &r.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			out.Wants = append(out.Wants, session.Want{
				Key:    session.Key{Topic: t.Topic, ID: t.TopicID, Partition: p.Partition},
				Offset: p.FetchOffset, MaxBytes: p.PartitionMaxBytes, LeaderEpoch: p.CurrentLeaderEpoch,
			})
		}
	}
	for _, t := range r.ForgottenTopics {
		for _, p := range t.Partitions {
			out.Forget = append(out.Forget, session.Key{Topic: t.Topic, ID: t.TopicID, Partition: p})
		}
	}
	return out
}

// longPoll waits until there are MinBytes, something to tell, or the client's time is over. The watch begins before the read that
// decides to wait, so no record slips in between.
func (n *node) longPoll(ctx context.Context, r *kmsg.FetchRequest, s *session.Fetch, f *fetchAnswer) error {
	over := n.o.Clock.After(millis(r.MaxWaitMillis))
	w := n.broker.Watch(n.fetched(s))
	defer n.broker.Unwatch(w)
	unknown := f.unknown
	for {
		if n.readFetch(r, s, f); f.enough(r) || f.unknown > unknown { // a topic has gone meanwhile
			return nil
		}
		select {
		case <-w.C:
		case <-over:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fetched is what a fetch reads, by name.
func (n *node) fetched(s *session.Fetch) []record.TopicPartition {
	out := make([]record.TopicPartition, 0, len(s.Wants))
	topics := n.broker.Topics()
	for i := range s.Wants {
		k := &s.Wants[i].Key
		if known, err := lookup(topics, k.Topic, k.ID, k.Topic == ""); err == nil {
			out = append(out, record.TopicPartition{Topic: known.Name, Partition: k.Partition})
		}
	}
	return out
}

// readFetch fills f with what there is now. The first partition with records gives at least one batch however large, so that a
// consumer always gets on; the others stop at the limits.
func (n *node) readFetch(r *kmsg.FetchRequest, s *session.Fetch, f *fetchAnswer) {
	f.begin(len(s.Wants))
	left := n.budget.TakeFetch(min(int(r.MaxBytes), n.o.MaxFetch))
	f.held = left
	who := n.fetchCaller()
	for i := range s.Wants {
		w := &s.Wants[i]
		q := broker.Fetch{
			Ref: broker.TopicRef{Name: w.Topic, ID: w.ID}, Partition: w.Partition,
			Offset: record.Offset(w.Offset), MaxBytes: min(left, int(w.MaxBytes)),
			Committed: r.IsolationLevel == 1, LeaderEpoch: w.LeaderEpoch, Memory: f.memory,
		}
		var res broker.FetchResult
		if who != nil && !n.mayFetch(who, w.Topic, w.ID) {
			res = broker.FetchResult{Err: kerr.TopicAuthorizationFailed, HighWatermark: -1, LastStable: -1, LogStart: -1}
		} else if f.bytes > 0 && left <= 0 {
			res = n.bounds(q)
		} else {
			res = n.broker.Fetch(q)
		}
		if res.Err == kerr.UnknownTopicOrPartition && r.Version >= fetchTopicIDs && w.ID == [16]byte{} {
			res.Err = kerr.UnknownTopicID
		}
		if f.bytes > 0 && len(res.Batches) > left {
			res.Batches = nil // next time
		}
		left -= len(res.Batches)
		o := session.Outcome{
			High: int64(res.HighWatermark), Stable: int64(res.LastStable), Start: int64(res.LogStart),
			Records: len(res.Batches) > 0, Failed: res.Err != nil,
		}
		f.outcomes[i] = o
		f.count(res)
		if s.News(i, o) {
			f.add(w.Key, res)
		}
	}
	f.urgent = f.urgent || f.unknown == len(s.Wants)
	n.budget.GiveFetch(f.held - f.bytes)
	f.held = f.bytes
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

// enough reports whether an answer need not wait any longer.
func (f *fetchAnswer) enough(r *kmsg.FetchRequest) bool {
	return f.urgent || f.bytes >= int(r.MinBytes)
}
