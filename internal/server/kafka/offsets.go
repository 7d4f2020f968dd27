package kafka

import (
	"cmp"
	"context"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit (8), versions 2-10, and OffsetFetch (9), versions 1-10: leader epochs (KIP-320), static members (KIP-345), stable
// offsets (KIP-447), several groups in a fetch (KIP-709), member epochs from 9 and topic ids from 10 (KIP-848). OffsetDelete (47), version 0: KIP-496.

func (n *node) offsetCommit(_ call, r *kmsg.OffsetCommitRequest) pending {
	resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
	topics := n.broker.Topics()
	var commits []group.OffsetCommit
	var slots []*int16 // the error code of each commit
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(r.Topics))
	for i, t := range r.Topics {
		rt := &resp.Topics[i]
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		known, missing := lookup(topics, t.Topic, t.TopicID, r.Version >= 10)
		for j, p := range t.Partitions {
			rp := &rt.Partitions[j]
			if rp.Partition = p.Partition; missing != nil || p.Partition < 0 || p.Partition >= known.Partitions {
				rp.ErrorCode = code(cmp.Or(missing, kerr.UnknownTopicOrPartition))
				continue
			}
			commits = append(commits, group.OffsetCommit{
				TopicPartition: record.TopicPartition{Topic: known.Name, Partition: p.Partition},
				Offset:         record.Offset(p.Offset), LeaderEpoch: p.LeaderEpoch, Metadata: orEmpty(p.Metadata),
			})
			slots = append(slots, &rp.ErrorCode)
		}
	}
	if len(commits) == 0 {
		return answered(resp)
	}
	m := group.Member{Generation: r.Generation, ID: r.MemberID, InstanceID: orEmpty(r.InstanceID), Modern: r.Version >= 9}
	f := n.broker.CommitOffsets(r.Group, m, commits)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i, slot := range slots {
			*slot = code(each(res, i))
		}
		return resp, nil
	}
}

// lookup finds a topic by id or by name.
func lookup(topics *broker.Topics, name string, id [16]byte, byID bool) (*broker.Topic, *kerr.Error) {
	if byID {
		if t := topics.ByID[id]; t != nil {
			return t, nil
		}
		return nil, kerr.UnknownTopicID
	}
	if t := topics.ByName[name]; t != nil {
		return t, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// offsetFetch brings every version to the form of several groups. An unknown group has no offsets: -1 for each partition asked for,
// no error (librdkafka and others rely on it).
func (n *node) offsetFetch(_ call, r *kmsg.OffsetFetchRequest) pending {
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		if r.Version >= 8 {
			name := func(g kmsg.OffsetFetchRequestGroup) string { return g.Group }
			for _, g := range distinct(r.Groups, name) {
				rg, err := n.fetchGroup(ctx, r, g)
				if err != nil {
					return nil, err
				}
				resp.Groups = append(resp.Groups, rg)
			}
			return resp, nil
		}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = r.Group
		if r.Topics != nil {
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		}
		for _, t := range r.Topics {
			g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
		}
		rg, err := n.fetchGroup(ctx, r, g)
		if err != nil {
			return nil, err
		}
		resp.ErrorCode = rg.ErrorCode
		for _, t := range rg.Topics {
			rt := kmsg.NewOffsetFetchResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition(p))
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil
	}
}

func (n *node) fetchGroup(ctx context.Context, r *kmsg.OffsetFetchRequest, g kmsg.OffsetFetchRequestGroup) (kmsg.OffsetFetchResponseGroup, error) {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = g.Group
	topics := n.broker.Topics()
	var tps []record.TopicPartition
	for _, t := range g.Topics {
		known, err := lookup(topics, t.Topic, t.TopicID, r.Version >= 10)
		name := t.Topic
		if err == nil {
			name = known.Name
		}
		for _, p := range t.Partitions {
			tps = append(tps, record.TopicPartition{Topic: name, Partition: p})
		}
	}
	if g.Topics != nil && len(tps) == 0 {
		return out, nil
	}
	if g.Topics == nil {
		tps = nil // all
	}
	var m *group.Member
	if g.MemberID != nil || g.MemberEpoch >= 0 {
		m = &group.Member{Generation: g.MemberEpoch, ID: orEmpty(g.MemberID)}
	}
	res, err := n.broker.FetchOffsetsAs(g.Group, m, tps).Wait(ctx)
	if err != nil {
		return out, err
	}
	if res.Err != nil {
		out.ErrorCode = res.Err.Code
		return out, nil
	}
	found := res.Offsets
	if g.Topics == nil {
		g.Topics = committedTopics(topics, found, r.Version >= 10)
	}
	for _, t := range g.Topics {
		out.Topics = append(out.Topics, committedTopic(r, topics, t, found))
	}
	return out, nil
}

// committedTopics makes the question to which found is the whole answer, for a version that names topics by id or not.
func committedTopics(topics *broker.Topics, found map[record.TopicPartition]group.Committed, byID bool) []kmsg.OffsetFetchRequestGroupTopic {
	byTopic := map[string][]int32{}
	for tp := range found {
		byTopic[tp.Topic] = append(byTopic[tp.Topic], tp.Partition)
	}
	var out []kmsg.OffsetFetchRequestGroupTopic
	for name, partitions := range byTopic {
		slices.Sort(partitions)
		t := kmsg.OffsetFetchRequestGroupTopic{Topic: name, Partitions: partitions}
		if known := topics.ByName[name]; known != nil {
			t.TopicID = known.ID
		} else if byID {
			continue // deleted: it cannot be named
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b kmsg.OffsetFetchRequestGroupTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	return out
}

func committedTopic(r *kmsg.OffsetFetchRequest, topics *broker.Topics, t kmsg.OffsetFetchRequestGroupTopic, found map[record.TopicPartition]group.Committed) kmsg.OffsetFetchResponseGroupTopic {
	rt := kmsg.NewOffsetFetchResponseGroupTopic()
	rt.Topic, rt.TopicID = t.Topic, t.TopicID
	name, missing := t.Topic, (*kerr.Error)(nil)
	if r.Version >= 10 {
		var known *broker.Topic
		if known, missing = lookup(topics, "", t.TopicID, true); known != nil {
			name = known.Name
		}
	}
	for _, p := range t.Partitions {
		rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		rp.Partition, rp.Offset, rp.ErrorCode, rp.Metadata = p, -1, code(missing), ptr("")
		c, ok := found[record.TopicPartition{Topic: name, Partition: p}]
		switch {
		case missing != nil:
		case ok && c.Pending && r.RequireStable:
			rp.ErrorCode = kerr.UnstableOffsetCommit.Code
		case ok && c.Offset >= 0:
			rp.Offset, rp.LeaderEpoch, rp.Metadata = int64(c.Offset), c.LeaderEpoch, &c.Metadata
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}

func (n *node) offsetDelete(_ call, r *kmsg.OffsetDeleteRequest) pending {
	var tps []record.TopicPartition // those that exist
	topics := n.broker.Topics()
	exists := func(topic string, partition int32) bool {
		t := topics.ByName[topic]
		return t != nil && partition >= 0 && partition < t.Partitions
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if exists(t.Topic, p.Partition) {
				tps = append(tps, record.TopicPartition{Topic: t.Topic, Partition: p.Partition})
			}
		}
	}
	f := n.broker.DeleteOffsets(r.Group, tps)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.OffsetDeleteResponse)
		if resp.ErrorCode = code(res.Err); res.Err != nil {
			return resp, nil
		}
		i := 0
		for _, t := range r.Topics {
			rt := kmsg.NewOffsetDeleteResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetDeleteResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.UnknownTopicOrPartition.Code
				if exists(t.Topic, p.Partition) {
					rp.ErrorCode = code(each(res, i))
					i++
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil
	}
}
