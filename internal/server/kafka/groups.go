package kafka

import (
	"context"
	"strings"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator (10), versions 0-6: batched from 4 (KIP-699). DescribeGroups (15), versions 0-6: GROUP_ID_NOT_FOUND from 6
// (KIP-1043). ListGroups (16), versions 0-5: filters by state (KIP-518) and type (KIP-848). DeleteGroups (42), versions 0-3: KIP-229.

// The kinds of coordinator a client may look for.
const (
	groupCoordinator = 0
	txnCoordinator   = 1
)

// offsetsTopic is where Kafka keeps what a group coordinator knows. Here it stays empty, but clients and tools look for it: it
// appears with the first group that looks for its coordinator, as in Kafka.
const offsetsTopic = "__consumer_offsets"

func (n *node) findCoordinator(_ call, r *kmsg.FindCoordinatorRequest) pending {
	resp := r.ResponseKind().(*kmsg.FindCoordinatorResponse)
	var err *kerr.Error
	if r.CoordinatorType != groupCoordinator && r.CoordinatorType != txnCoordinator { // share groups are not served
		err = kerr.InvalidRequest
	}
	id, host, port := n.broker.NodeID(), n.host, n.port
	if err != nil {
		id, host, port = -1, "", -1
	}
	if r.Version < 4 {
		resp.ErrorCode, resp.ErrorMessage = code(err), message(err, "")
		resp.NodeID, resp.Host, resp.Port = id, host, port
	}
	for _, key := range r.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.ErrorCode, c.ErrorMessage = key, code(err), message(err, "")
		c.NodeID, c.Host, c.Port = id, host, port
		resp.Coordinators = append(resp.Coordinators, c)
	}
	if r.CoordinatorType != groupCoordinator || n.broker.Topics().ByName[offsetsTopic] != nil {
		return answered(resp)
	}
	spec := broker.TopicSpec{Name: offsetsTopic, Partitions: 1, Replication: 1, Configs: map[string]string{"cleanup.policy": "compact"}}
	f := n.broker.CreateTopics([]broker.TopicSpec{spec}, false)
	return func(ctx context.Context) (answer, error) {
		if _, err := f.Wait(ctx); err != nil { // another connection may have been first: the group does not need the topic
			return nil, err
		}
		return resp, nil
	}
}

func (n *node) describeGroups(_ call, r *kmsg.DescribeGroupsRequest) pending {
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
		if len(r.Groups) == 0 {
			return resp, nil
		}
		ds, err := n.broker.DescribeGroups(distinct(r.Groups, itself)).Wait(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range ds {
			g := describedGroup(d)
			if r.IncludeAuthorizedOperations {
				g.AuthorizedOperations = groupOperations
			}
			if r.Version >= 6 && d.State == "Dead" {
				g.ErrorCode, g.ErrorMessage = kerr.GroupIDNotFound.Code, ptr("Group "+d.Group+" not found.")
				if d.Type != "" { // a consumer group is described by ConsumerGroupDescribe
					g.ErrorMessage = ptr("Group " + d.Group + " is not a classic group.")
				}
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
}

func describedGroup(d group.Description) kmsg.DescribeGroupsResponseGroup {
	g := kmsg.NewDescribeGroupsResponseGroup()
	g.Group, g.State, g.ProtocolType = d.Group, d.State, d.ProtocolType
	if d.State == "Stable" { // chosen anew in every rebalance
		g.Protocol = d.Protocol
	}
	for _, m := range d.Members {
		rm := kmsg.NewDescribeGroupsResponseGroupMember()
		rm.MemberID, rm.InstanceID, rm.ClientID, rm.ClientHost = m.ID, orNull(m.InstanceID), m.ClientID, m.ClientHost
		rm.ProtocolMetadata, rm.MemberAssignment = m.Metadata, m.Assignment
		g.Members = append(g.Members, rm)
	}
	return g
}

func (n *node) listGroups(_ call, r *kmsg.ListGroupsRequest) pending {
	return func(ctx context.Context) (answer, error) {
		ds, err := n.broker.ListGroups().Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.ListGroupsResponse)
		for _, d := range ds {
			if !among(r.StatesFilter, d.State) || !among(r.TypesFilter, d.Type) {
				continue
			}
			g := kmsg.NewListGroupsResponseGroup()
			g.Group, g.ProtocolType, g.GroupState, g.GroupType = d.Group, d.ProtocolType, d.State, d.Type
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
}

// among reports whether a filter lets a word pass; an empty filter lets all pass.
func among(filter []string, word string) bool {
	for _, f := range filter {
		if strings.EqualFold(f, word) {
			return true
		}
	}
	return len(filter) == 0
}

func (n *node) deleteGroups(_ call, r *kmsg.DeleteGroupsRequest) pending {
	var fs []*broker.Future[*kerr.Error]
	for _, g := range r.Groups {
		fs = append(fs, n.broker.DeleteGroup(g))
	}
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.DeleteGroupsResponse)
		for i, f := range fs {
			res, err := f.Wait(ctx)
			if err != nil {
				return nil, err
			}
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode, g.ErrorMessage = r.Groups[i], code(res), message(res, "")
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
}
