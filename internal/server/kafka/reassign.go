package kafka

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments (45), versions 0-1, and ListPartitionReassignments (46), version 0: KIP-455. AlterReplicaLogDirs (34),
// versions 1-2: KIP-113. The only node and its only directory hold everything: what is there already is granted, the rest refused.

func (n *node) alterPartitionReassignments(_ call, r *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	resp.AllowReplicationFactorChange = r.AllowReplicationFactorChange
	topics := n.broker.Topics()
	for _, t := range r.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			err, detail := n.reassign(topics.ByName[t.Topic], p)
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, code(err), message(err, detail)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// reassign judges the wish for one partition; null replicas cancel a reassignment.
func (n *node) reassign(t *broker.Topic, p kmsg.AlterPartitionAssignmentsRequestTopicPartition) (*kerr.Error, string) {
	switch {
	case t == nil || p.Partition < 0 || p.Partition >= t.Partitions:
		return kerr.UnknownTopicOrPartition, ""
	case p.Replicas == nil:
		return kerr.NoReassignmentInProgress, ""
	case len(p.Replicas) == 0:
		return kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."
	case !slices.Equal(p.Replicas, []int32{n.broker.NodeID()}):
		return kerr.InvalidReplicaAssignment, "The manual partition assignment names more than this node, which is the only one."
	}
	return nil, ""
}

func (n *node) listPartitionReassignments(_ call, r *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	return r.ResponseKind()
}

func (n *node) alterReplicaLogDirs(_ call, r *kmsg.AlterReplicaLogDirsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	topics := n.broker.Topics()
	for _, d := range r.Dirs {
		for _, t := range d.Topics {
			rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				rp.Partition = p
				if known := topics.ByName[t.Topic]; d.Dir != logDir {
					rp.ErrorCode = kerr.LogDirNotFound.Code
				} else if known == nil || p < 0 || p >= known.Partitions {
					rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	}
	return resp
}
