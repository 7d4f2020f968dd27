package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeQuorum (55), versions 0-2: KIP-595, KIP-853. The node is its own quorum of one; its metadata lies in the journal, whose
// newest durable place stands for the metadata log's end. UpdateFeatures (57), versions 0-2: KIP-584; levels are those of the
// program and cannot be changed.

const metadataTopic = "__cluster_metadata"

func (n *node) describeQuorum(_ call, r *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeQuorumResponse)
	for _, t := range r.Topics {
		rt := kmsg.NewDescribeQuorumResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, n.quorum(t.Topic, p.Partition))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	l := kmsg.NewDescribeQuorumResponseNodeListener()
	l.Name, l.Host, l.Port = "PLAINTEXT", n.host, uint16(n.port)
	node := kmsg.NewDescribeQuorumResponseNode()
	node.NodeID, node.Listeners = n.broker.NodeID(), []kmsg.DescribeQuorumResponseNodeListener{l}
	resp.Nodes = []kmsg.DescribeQuorumResponseNode{node}
	return resp
}

func (n *node) quorum(topic string, partition int32) kmsg.DescribeQuorumResponseTopicPartition {
	out := kmsg.NewDescribeQuorumResponseTopicPartition()
	out.Partition = partition
	if topic != metadataTopic || partition != 0 {
		out.ErrorCode = kerr.UnknownTopicOrPartition.Code
		out.ErrorMessage = message(kerr.UnknownTopicOrPartition, "")
		return out
	}
	end := n.broker.DurableLSN()
	me := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	me.ReplicaID, me.LogEndOffset = n.broker.NodeID(), end
	me.LastFetchTimestamp, me.LastCaughtUpTimestamp = n.o.Clock.Now().UnixMilli(), n.o.Clock.Now().UnixMilli()
	out.LeaderID, out.LeaderEpoch, out.HighWatermark = n.broker.NodeID(), 1, end
	out.CurrentVoters = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{me}
	out.Observers = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	return out
}

func (n *node) updateFeatures(_ call, r *kmsg.UpdateFeaturesRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	seen := map[string]bool{}
	for _, u := range r.FeatureUpdates {
		err, detail := n.checkFeature(u)
		if seen[u.Feature] {
			err, detail = kerr.InvalidRequest, "The request names "+u.Feature+" more than once."
		}
		seen[u.Feature] = true
		if err != nil { // all or nothing
			resp.ErrorCode = err.Code
			resp.ErrorMessage = ptr("The update failed for all features since the following feature had an error: " + detail)
			resp.Results = nil
			return resp
		}
		res := kmsg.NewUpdateFeaturesResponseResult() // not written in version 2
		res.Feature = u.Feature
		resp.Results = append(resp.Results, res)
	}
	return resp
}

// checkFeature grants the level that a feature has and no other.
func (n *node) checkFeature(u kmsg.UpdateFeaturesRequestFeatureUpdate) (*kerr.Error, string) {
	for _, f := range features {
		switch {
		case f.name != u.Feature:
		case u.MaxVersionLevel == f.max:
			return nil, ""
		default:
			return kerr.InvalidUpdateVersion, fmt.Sprintf("Invalid update version %d for feature %s. Node %d runs it at level %d only.", u.MaxVersionLevel, u.Feature, n.broker.NodeID(), f.max)
		}
	}
	return kerr.InvalidUpdateVersion, fmt.Sprintf("Invalid update version %d for feature %s. Node %d does not support this feature.", u.MaxVersionLevel, u.Feature, n.broker.NodeID())
}
