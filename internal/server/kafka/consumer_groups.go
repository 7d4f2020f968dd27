package kafka

import (
	"context"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupHeartbeat (68), versions 0-1: KIP-848; from 1 members choose their own ids (KIP-1082) and may subscribe by expression.
// ConsumerGroupDescribe (69), versions 0-1: from 1 with the type of each member (KIP-1099).

func (n *node) consumerGroupHeartbeat(c call, r *kmsg.ConsumerGroupHeartbeatRequest) pending {
	h := consumer.Heartbeat{
		Group: r.Group, MemberID: r.MemberID, Epoch: r.MemberEpoch, InstanceID: r.InstanceID, Rack: r.RackID,
		ClientID: c.clientID, ClientHost: n.clientHost, RebalanceTimeout: millis(r.RebalanceTimeoutMillis),
		Topics: r.SubscribedTopicNames, Regex: r.SubscribedTopicRegex, Assignor: r.ServerAssignor, Owned: ownedPartitions(r.Topics),
	}
	if n.o.Security.Authorize {
		h.Principal = n.principal
	}
	newID := ""
	if r.Version == 0 {
		newID = n.o.NewID()
	}
	f := n.broker.ConsumerHeartbeat(h, newID)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		if res.Err != nil {
			resp.ErrorCode, resp.ErrorMessage = code(res.Err), message(res.Err, res.Detail)
			return resp, nil
		}
		resp.MemberID, resp.MemberEpoch = &res.MemberID, res.Epoch
		resp.HeartbeatIntervalMillis = int32(res.Heartbeat.Milliseconds())
		resp.Assignment = heldPartitions(res)
		return resp, nil
	}
}

// ownedPartitions is nil when the member does not say what it owns.
func ownedPartitions(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) assign.Partitions {
	if topics == nil {
		return nil
	}
	out := make(assign.Partitions, len(topics))
	for _, t := range topics {
		out[t.TopicID] = append(out[t.TopicID], t.Partitions...)
	}
	out.Tidy()
	return out
}

func heldPartitions(res group.ConsumerReply) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	if res.Assignment == nil {
		return nil
	}
	out := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	for id, partitions := range res.Assignment {
		t := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
		t.TopicID, t.Partitions = id, partitions
		out.Topics = append(out.Topics, t)
	}
	return &out
}

func (n *node) consumerGroupDescribe(_ call, r *kmsg.ConsumerGroupDescribeRequest) pending {
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		if len(r.Groups) == 0 {
			return resp, nil
		}
		ds, err := n.broker.DescribeConsumerGroups(distinct(r.Groups, itself)).Wait(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range ds {
			g := describedConsumerGroup(d)
			if r.IncludeAuthorizedOperations && d.Found {
				g.AuthorizedOperations = groupOperations
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
}

func describedConsumerGroup(d broker.ConsumerGroup) kmsg.ConsumerGroupDescribeResponseGroup {
	g := kmsg.NewConsumerGroupDescribeResponseGroup()
	g.Group = d.Group
	if !d.Found {
		g.ErrorCode, g.ErrorMessage = kerr.GroupIDNotFound.Code, ptr("Group "+d.Group+" not found.")
		if d.Classic {
			g.ErrorMessage = ptr("Group " + d.Group + " is not a consumer group.")
		}
		return g
	}
	g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName = d.State, d.Epoch, d.Target, d.Assignor
	for _, m := range d.Members {
		rm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		rm.MemberID, rm.InstanceID, rm.RackID, rm.MemberEpoch = m.ID, orNull(m.InstanceID), orNull(m.Rack), m.Epoch
		rm.ClientID, rm.ClientHost = m.ClientID, m.ClientHost
		rm.SubscribedTopics, rm.SubscribedTopicRegex = m.Topics, &m.Regex
		rm.Assignment.TopicPartitions = assignedTopics(m.Assigned)
		rm.TargetAssignment.TopicPartitions = assignedTopics(m.Target)
		rm.MemberType = consumerMember
		if m.Classic != nil {
			rm.MemberType = classicMember
		}
		g.Members = append(g.Members, rm)
	}
	return g
}

// The types of members in a consumer group.
const (
	classicMember  = 0
	consumerMember = 1
)

func assignedTopics(ps []consumer.TopicPartitions) []kmsg.AssignmentTopicPartition {
	var out []kmsg.AssignmentTopicPartition
	for _, p := range ps {
		t := kmsg.NewAssignmentTopicPartition()
		t.Topic, t.TopicID, t.Partitions = p.Topic, p.ID, p.Partitions
		out = append(out, t)
	}
	return out
}
