package kafka

import (
	"context"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The classic group protocol: JoinGroup (11), versions 0-9; SyncGroup (14), versions 0-5; Heartbeat (12), versions 0-4;
// LeaveGroup (13), versions 0-5. KIP-62 (rebalance timeout), KIP-345 (static members, batched leave), KIP-394 (member id first),
// KIP-559 (protocol in the replies), KIP-814 (a static leader may skip the assignment).

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func (n *node) joinGroup(c call, r *kmsg.JoinGroupRequest) pending {
	j := group.Join{
		Group: r.Group, MemberID: r.MemberID, InstanceID: orEmpty(r.InstanceID),
		ClientID: c.clientID, ClientHost: n.clientHost, ProtocolType: r.ProtocolType,
		SessionTimeout: millis(r.SessionTimeoutMillis), RebalanceTimeout: millis(r.RebalanceTimeoutMillis),
		RequireMemberID: r.Version >= 4 && r.InstanceID == nil,
		CanSkip:         r.Version >= 9,
	}
	if r.Version == 0 {
		j.RebalanceTimeout = j.SessionTimeout
	}
	name := c.clientID
	if r.InstanceID != nil {
		name = *r.InstanceID
	}
	j.NewMemberID = name + "-" + n.o.NewID()
	for _, p := range r.Protocols {
		j.Protocols = append(j.Protocols, group.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	f := n.broker.JoinGroup(j)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		return joinResponse(r, res), nil
	}
}

func joinResponse(r *kmsg.JoinGroupRequest, res group.JoinReply) *kmsg.JoinGroupResponse {
	resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.Generation, resp.MemberID = code(res.Err), res.Generation, res.MemberID
	resp.LeaderID, resp.SkipAssignment = res.Leader, res.SkipAssignment
	resp.ProtocolType, resp.Protocol = orNull(res.ProtocolType), orNull(res.Protocol)
	if res.Err != nil {
		resp.Generation = -1
	}
	if r.Version < 7 && resp.Protocol == nil { // not nullable before
		resp.Protocol = ptr("")
	}
	for _, m := range res.Members {
		rm := kmsg.NewJoinGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ProtocolMetadata = m.ID, orNull(m.InstanceID), m.Metadata
		resp.Members = append(resp.Members, rm)
	}
	return resp
}

func (n *node) syncGroup(_ call, r *kmsg.SyncGroupRequest) pending {
	s := group.Sync{
		Group: r.Group, Generation: r.Generation, MemberID: r.MemberID, InstanceID: orEmpty(r.InstanceID),
		ProtocolType: orEmpty(r.ProtocolType), Protocol: orEmpty(r.Protocol),
	}
	resp := r.ResponseKind().(*kmsg.SyncGroupResponse)
	if r.Version >= 5 && (r.ProtocolType == nil || r.Protocol == nil) { // mandatory since KIP-559
		resp.ErrorCode = kerr.InconsistentGroupProtocol.Code
		return answered(resp)
	}
	if len(r.GroupAssignment) > 0 {
		s.Assignments = make(map[string][]byte, len(r.GroupAssignment))
	}
	for _, a := range r.GroupAssignment {
		s.Assignments[a.MemberID] = a.MemberAssignment
	}
	f := n.broker.SyncGroup(s)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp.ErrorCode, resp.MemberAssignment = code(res.Err), res.Assignment
		resp.ProtocolType, resp.Protocol = orNull(res.ProtocolType), orNull(res.Protocol)
		return resp, nil
	}
}

// answered is the pending of a response that is there already.
func answered(a answer) pending {
	return func(context.Context) (answer, error) { return a, nil }
}

func (n *node) heartbeat(_ call, r *kmsg.HeartbeatRequest) pending {
	f := n.broker.Heartbeat(r.Group, group.Member{Generation: r.Generation, ID: r.MemberID, InstanceID: orEmpty(r.InstanceID)})
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = code(res)
		return resp, nil
	}
}

func (n *node) leaveGroup(_ call, r *kmsg.LeaveGroupRequest) pending {
	var members []group.Member
	if r.Version < 3 {
		members = []group.Member{{Generation: -1, ID: r.MemberID}}
	}
	for _, m := range r.Members {
		members = append(members, group.Member{Generation: -1, ID: m.MemberID, InstanceID: orEmpty(m.InstanceID)})
	}
	f := n.broker.LeaveGroup(r.Group, members)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		return leaveResponse(r, res), nil
	}
}

func leaveResponse(r *kmsg.LeaveGroupRequest, res broker.GroupErrors) *kmsg.LeaveGroupResponse {
	resp := r.ResponseKind().(*kmsg.LeaveGroupResponse)
	resp.ErrorCode = code(res.Err)
	if r.Version < 3 {
		if res.Err == nil {
			resp.ErrorCode = code(each(res, 0))
		}
		return resp
	}
	if res.Err != nil {
		return resp
	}
	for i, m := range r.Members {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ErrorCode = m.MemberID, m.InstanceID, code(each(res, i))
		resp.Members = append(resp.Members, rm)
	}
	return resp
}

// each is the error of the i-th part: the whole's, its own, or none when the broker had nothing to say about parts.
func each(res broker.GroupErrors, i int) *kerr.Error {
	if res.Err != nil || i >= len(res.Each) {
		return res.Err
	}
	return res.Each[i]
}
