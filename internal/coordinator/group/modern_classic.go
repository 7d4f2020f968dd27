package group

import (
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Members of the classic protocol in a consumer group: nothing waits. JoinGroup lets the member go towards its target as far as it
// can, SyncGroup tells what it holds, Heartbeat tells it to join again when there is more to do.

// joinModern answers a JoinGroup in a consumer group with members.
func (s *step) joinModern(t Token, r *Join) {
	limit, known := s.options.Consumer.MaxSize, s.modern.Member(r.MemberID) != nil
	switch {
	case limit > 0 && s.modern.Len() >= limit && !known:
		s.reply(t, joinError(kerr.GroupMaxSizeReached, ""))
	case !s.modern.Supports(r.ProtocolType, r.Protocols):
		s.reply(t, joinError(kerr.InconsistentGroupProtocol, r.MemberID))
	case r.MemberID == "" && (r.NewMemberID == "" || s.modern.Member(r.NewMemberID) != nil):
		s.reply(t, joinError(kerr.UnknownMemberID, "")) // the caller's randomness failed; the client comes again
	case r.MemberID == "" && r.InstanceID == "" && r.RequireMemberID:
		s.reply(t, joinError(kerr.MemberIDRequired, r.NewMemberID))
	case s.leaveClassic(r):
		s.joinNew(t, r)
	default:
		s.takeClassic(t, r)
	}
}

// leaveClassic lets the last member of the consumer protocol go when a classic one takes its instance id: the group is a classic one
// then, and the newcomer joins that.
func (s *step) leaveClassic(r *Join) bool {
	holder := s.modern.Static(r.InstanceID)
	if r.MemberID != "" || r.InstanceID == "" || holder == nil || holder.Classic != nil {
		return false
	}
	policy := s.options.Consumer.Migration
	switch {
	case s.mayDowngrade(holder.ID):
		s.fence(holder.ID)
		return true
	case s.modern.Len() == 1 && (policy == MigrateBoth || policy == MigrateDowngrade):
		s.forget(holder.ID)
		s.becomeClassic()
		return true
	}
	return false
}

func (s *step) takeClassic(t Token, r *Join) {
	j := consumer.Join{
		MemberID: r.MemberID, InstanceID: r.InstanceID, ClientID: r.ClientID, ClientHost: r.ClientHost,
		Session: r.SessionTimeout, RebalanceTimeout: r.RebalanceTimeout, Protocols: r.Protocols,
	}
	if j.Fresh = r.MemberID == ""; j.Fresh {
		j.MemberID = r.NewMemberID
	}
	replaced := ""
	if holder := s.modern.Static(r.InstanceID); j.Fresh && holder != nil {
		replaced = holder.ID
	}
	m, change, err := s.modern.Join(s.options.Topics, &j)
	if err != nil {
		s.reply(t, joinError(err, r.MemberID))
		return
	}
	s.forget(replaced)
	s.record(change)
	p := s.patienceWith(m.ID)
	s.timers.Set(&p.session, s.now+m.Classic.Session)
	s.timers.Set(&p.sync, s.now+m.RebalanceTimeout)
	s.timers.Clear(&p.join)
	s.timers.Clear(&p.rebalance)
	s.reply(t, JoinReply{
		Generation: m.Epoch, ProtocolType: consumer.ProtocolType, Protocol: m.Classic.Protocols[0].Name, MemberID: m.ID,
	})
}

// syncModern answers a SyncGroup in a consumer group.
func (s *step) syncModern(r *Sync) SyncReply {
	m, err := s.modern.Classic(r.MemberID, r.InstanceID, r.Generation)
	if err != nil {
		return SyncReply{Err: err}
	}
	protocol := m.Classic.Protocols[0].Name
	switch {
	case r.ProtocolType != "" && r.ProtocolType != consumer.ProtocolType, r.Protocol != "" && r.Protocol != protocol:
		return SyncReply{Err: kerr.InconsistentGroupProtocol}
	case !s.modern.MaySync(m):
		s.mustJoin(m)
		return SyncReply{Err: kerr.RebalanceInProgress}
	}
	p := s.patienceWith(m.ID)
	s.timers.Clear(&p.sync)
	s.timers.Set(&p.session, s.now+m.Classic.Session)
	return SyncReply{ProtocolType: consumer.ProtocolType, Protocol: protocol, Assignment: m.Embedded(s.options.Topics)}
}

// heartbeatModern answers a Heartbeat in a consumer group.
func (s *step) heartbeatModern(caller Member) *kerr.Error {
	m, err := s.modern.Classic(caller.ID, caller.InstanceID, caller.Generation)
	if err != nil {
		return err
	}
	s.timers.Set(&s.patienceWith(m.ID).session, s.now+m.Classic.Session)
	if s.modern.MustJoin(m) {
		s.mustJoin(m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// mustJoin gives a classic member its rebalance timeout to join again, from the first time it is told.
func (s *step) mustJoin(m *consumer.Member) {
	if p := s.patienceWith(m.ID); !p.join.Pending() {
		s.timers.Set(&p.join, s.now+m.RebalanceTimeout)
	}
}

// leaveModern answers a LeaveGroup in a consumer group; an administrator may name members of either protocol.
func (s *step) leaveModern(ms []Member) []*kerr.Error {
	errs := make([]*kerr.Error, len(ms))
	var out []string
	seen := map[string]bool{}
	for i, m := range ms {
		id := m.ID
		if holder := s.modern.Static(m.InstanceID); id == "" && m.InstanceID != "" && holder != nil {
			id = holder.ID
		}
		found, err := s.modern.Find(id, m.InstanceID)
		if errs[i] = err; err == nil && !seen[found.ID] {
			seen[found.ID] = true
			out = append(out, found.ID)
		}
	}
	if len(out) > 0 {
		s.fence(out...)
	}
	return errs
}
