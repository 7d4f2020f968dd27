package kafka

import (
	"cmp"
	"context"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (3), versions 0-13: auto-creation by flag from 4, authorized operations from 8 (KIP-430), topic ids from 10 (KIP-516).
// DescribeTopicPartitions (75), version 0: KIP-966, the same in pages.

// Operations without ACLs: everything that the resource knows, as bits by Kafka's AclOperation codes (KIP-430).
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	groupOperations   = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

func (n *node) metadata(_ call, r *kmsg.MetadataRequest) pending {
	if r.Topics != nil {
		r.Topics = distinct(r.Topics, metadataKey)
	}
	created := n.autoCreate(r)
	return func(ctx context.Context) (answer, error) {
		results := map[string]broker.TopicResult{}
		for _, f := range created {
			res, err := f.Wait(ctx)
			if err != nil {
				return nil, err
			}
			results[res.Name] = res
		}
		return n.metadataResponse(r, results), nil
	}
}

// metadataKey is what a client asks for: a name, or an id where there is no name.
func metadataKey(t kmsg.MetadataRequestTopic) any {
	if t.Topic != nil {
		return *t.Topic
	}
	return t.TopicID
}

// autoCreate asks for the topics that the client names, that are missing and that may be created on the way.
func (n *node) autoCreate(r *kmsg.MetadataRequest) []*broker.Future[broker.TopicResult] {
	if r.Version >= 4 && !r.AllowAutoTopicCreation {
		return nil
	}
	var out []*broker.Future[broker.TopicResult]
	topics := n.broker.Topics()
	for _, t := range r.Topics {
		if t.Topic != nil && topics.ByName[*t.Topic] == nil {
			out = append(out, n.broker.AutoCreate(*t.Topic))
		}
	}
	return out
}

func (n *node) metadataResponse(r *kmsg.MetadataRequest, created map[string]broker.TopicResult) *kmsg.MetadataResponse {
	resp := r.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = n.broker.NodeID(), n.host, n.port
	resp.Brokers = []kmsg.MetadataResponseBroker{b}
	resp.ClusterID, resp.ControllerID = ptr(n.broker.ClusterID()), n.broker.NodeID()
	if r.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	topics := n.broker.Topics()
	if r.Topics == nil || r.Version == 0 && len(r.Topics) == 0 {
		for _, t := range sortedTopics(topics) {
			resp.Topics = append(resp.Topics, n.metadataTopic(r, t))
		}
		return resp
	}
	for _, rt := range r.Topics {
		resp.Topics = append(resp.Topics, n.metadataOf(r, topics, rt, created))
	}
	return resp
}

// metadataOf answers one topic that the client named.
func (n *node) metadataOf(r *kmsg.MetadataRequest, topics *broker.Topics, rt kmsg.MetadataRequestTopic, created map[string]broker.TopicResult) kmsg.MetadataResponseTopic {
	missing := kmsg.NewMetadataResponseTopic()
	missing.Topic, missing.TopicID = rt.Topic, rt.TopicID
	if rt.Topic == nil {
		if t := topics.ByID[rt.TopicID]; t != nil && rt.TopicID != [16]byte{} {
			return n.metadataTopic(r, t)
		}
		missing.ErrorCode = kerr.UnknownTopicID.Code
		return missing
	}
	if t := topics.ByName[*rt.Topic]; t != nil {
		return n.metadataTopic(r, t)
	}
	missing.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if res, ok := created[*rt.Topic]; ok && res.Err != nil {
		missing.ErrorCode = res.Err.Code
	} else if !validTopicName(*rt.Topic) {
		missing.ErrorCode = kerr.InvalidTopicException.Code
	}
	return missing
}

// validTopicName is Kafka's rule for names; the broker has it too, for topics that are to be made.
func validTopicName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func (n *node) metadataTopic(r *kmsg.MetadataRequest, t *broker.Topic) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.TopicID, rt.IsInternal = &t.Name, t.ID, t.Internal
	if r.IncludeTopicAuthorizedOperations {
		rt.AuthorizedOperations = topicOperations
	}
	id := n.broker.NodeID()
	rt.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	replicas := []int32{id}
	for i := range rt.Partitions {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.Replicas, p.ISR = int32(i), id, replicas, replicas
		p.LeaderEpoch = n.broker.LeaderEpoch(record.TopicPartition{Topic: t.Name, Partition: int32(i)})
		rt.Partitions[i] = p
	}
	return rt
}

func sortedTopics(ts *broker.Topics) []*broker.Topic {
	out := make([]*broker.Topic, 0, len(ts.ByName))
	for _, t := range ts.ByName {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *broker.Topic) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// maxPagePartitions bounds a page of DescribeTopicPartitions, as in Kafka.
const maxPagePartitions = 2000

func (n *node) describeTopicPartitions(_ call, r *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	topics := n.broker.Topics()
	var names []string
	for _, t := range r.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		for name := range topics.ByName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	left, first := int32(maxPagePartitions), int32(0)
	if r.ResponsePartitionLimit > 0 {
		left = min(left, r.ResponsePartitionLimit)
	}
	for _, name := range names {
		if r.Cursor != nil && name < r.Cursor.Topic {
			continue
		}
		first = 0
		if r.Cursor != nil && name == r.Cursor.Topic {
			first = max(r.Cursor.Partition, 0)
		}
		t := topics.ByName[name]
		if left == 0 || t != nil && t.Partitions-first > left {
			next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
			next.Topic, next.Partition = name, first+left
			resp.NextCursor = &next
		}
		if left == 0 {
			break
		}
		rt := n.describedTopic(name, t, first, left)
		resp.Topics = append(resp.Topics, rt)
		if left -= int32(len(rt.Partitions)); resp.NextCursor != nil {
			break
		}
	}
	return resp
}

// describedTopic shows at most limit partitions of a topic from first on; t is nil when there is no such topic.
func (n *node) describedTopic(name string, t *broker.Topic, first, limit int32) kmsg.DescribeTopicPartitionsResponseTopic {
	rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic = &name
	if t == nil {
		rt.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if !validTopicName(name) {
			rt.ErrorCode = kerr.InvalidTopicException.Code
		}
		return rt
	}
	rt.TopicID, rt.IsInternal, rt.AuthorizedOperations = t.ID, t.Internal, topicOperations
	replicas := []int32{n.broker.NodeID()}
	for i := first; i < t.Partitions && i-first < limit; i++ {
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{} // Java's client fails on null, which the schema allows
		p.Partition, p.LeaderID, p.Replicas, p.ISR = i, n.broker.NodeID(), replicas, replicas
		p.LeaderEpoch = n.broker.LeaderEpoch(record.TopicPartition{Topic: name, Partition: i})
		rt.Partitions = append(rt.Partitions, p)
	}
	return rt
}
