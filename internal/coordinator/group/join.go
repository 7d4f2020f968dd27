package group

import (
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Join parks the request: the reply comes in this or a later call's Effects. A parked token whose client went away is simply
// dropped by the caller. A member that joins again before its first request was answered gets REBALANCE_IN_PROGRESS for the
// first. Errors in the reply: INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, MEMBER_ID_REQUIRED (with the id
// to use), INCONSISTENT_GROUP_PROTOCOL, FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED.
func (g *Groups) Join(now time.Duration, t Token, r Join) Effects {
	var fx Effects
	refuse := func(err *kerr.Error, id string) Effects {
		fx.Replies = append(fx.Replies, Reply{t, joinError(err, id)})
		return fx
	}
	switch {
	case r.Group == "":
		return refuse(kerr.InvalidGroupID, r.MemberID)
	case r.SessionTimeout < g.options.MinSession || r.SessionTimeout > g.options.MaxSession:
		return refuse(kerr.InvalidSessionTimeout, r.MemberID)
	case r.MemberID != "" && g.groups[r.Group] == nil:
		return refuse(kerr.UnknownMemberID, r.MemberID)
	}
	r.normalize()
	if of := g.groups[r.Group]; of != nil && of.modern != nil && of.modern.Len() == 0 {
		if r.MemberID != "" {
			return refuse(kerr.UnknownMemberID, r.MemberID)
		}
		g.step(now, of, &fx).becomeClassic()
	}
	of := g.obtain(r.Group)
	s := g.step(now, of, &fx)
	switch {
	case s.modern != nil:
		s.joinModern(t, &r)
	case !s.accepts(r.MemberID):
		s.evict(r.MemberID)
		s.reply(t, joinError(kerr.GroupMaxSizeReached, ""))
	case r.MemberID == "":
		s.joinNew(t, &r)
	default:
		s.joinKnown(t, &r)
	}
	g.forgetIfVacant(of)
	return fx
}

// normalize copies borrowed bytes and brings times to whole milliseconds, which is what the record keeps. A rebalance timeout that
// is not there is the session timeout, as in JoinGroup v0.
func (r *Join) normalize() {
	r.Protocols = cloneProtocols(r.Protocols)
	r.SessionTimeout = max(r.SessionTimeout.Truncate(time.Millisecond), time.Millisecond)
	r.RebalanceTimeout = r.RebalanceTimeout.Truncate(time.Millisecond)
	if r.RebalanceTimeout <= 0 {
		r.RebalanceTimeout = r.SessionTimeout
	}
}

// accepts applies the size limit: new members until it is reached; while preparing, those that already wait count, so that the
// last to rejoin are turned away when the limit was lowered.
func (s *step) accepts(id string) bool {
	limit := s.options.MaxSize
	if limit == 0 || s.state == empty {
		return true
	}
	m := s.members[id]
	if s.state == preparingRebalance {
		return m != nil && m.joining || s.joining < limit
	}
	return m != nil || len(s.members) < limit
}

// evict takes a member that found no room out of the group.
func (s *step) evict(id string) {
	if t := s.pendingJoin[id]; t != nil {
		s.timers.Clear(t)
		delete(s.pendingJoin, id)
	}
	if m := s.members[id]; m != nil {
		s.dismiss(m)
	}
	s.endJoinIfComplete()
}

func (s *step) joinNew(t Token, r *Join) {
	switch {
	case !s.supports(r.ProtocolType, r.Protocols):
		s.reply(t, joinError(kerr.InconsistentGroupProtocol, ""))
	case r.NewMemberID == "" || s.members[r.NewMemberID] != nil || s.pendingJoin[r.NewMemberID] != nil:
		// The caller's randomness failed; the client comes again and gets another id.
		s.reply(t, joinError(kerr.UnknownMemberID, ""))
	case r.InstanceID != "" && s.static[r.InstanceID] != "":
		s.replaceStatic(t, r)
	case r.InstanceID == "" && r.RequireMemberID:
		pending := &deadline.Timer[due]{Of: due{g: s.group, what: sessionPhase, member: r.NewMemberID}}
		s.pendingJoin[r.NewMemberID] = pending
		s.timers.Set(pending, s.now+r.SessionTimeout)
		s.reply(t, joinError(kerr.MemberIDRequired, r.NewMemberID))
	default:
		s.addMember(t, r, r.NewMemberID)
	}
}

func (s *step) joinKnown(t Token, r *Join) {
	if !s.supports(r.ProtocolType, r.Protocols) {
		s.reply(t, joinError(kerr.InconsistentGroupProtocol, r.MemberID))
		return
	}
	if pending := s.pendingJoin[r.MemberID]; pending != nil && r.InstanceID == "" {
		s.timers.Clear(pending)
		delete(s.pendingJoin, r.MemberID)
		s.addMember(t, r, r.MemberID)
		return
	}
	m, err := s.check(r.MemberID, r.InstanceID)
	if err != nil {
		s.reply(t, joinError(err, r.MemberID))
		return
	}
	// A member whose answer got lost asks again with the same protocols: it is told how things stand. A leader that rejoins a
	// stable group wants a new assignment, for a reason that its protocols need not show (new partitions).
	leads := m.id == s.leader
	if m.matches(r.Protocols) && (s.state == completingRebalance || s.state == stable && !leads) {
		s.reply(t, s.joined(m, s.state == completingRebalance && leads))
		return
	}
	s.updateMember(t, r, m)
	s.rebalanceOrEndJoin()
}

// joined is the successful reply for a member of the current generation.
func (s *step) joined(m *member, withMembers bool) JoinReply {
	r := JoinReply{
		Generation: s.generation, ProtocolType: s.protocolType, Protocol: s.protocol, Leader: s.leader, MemberID: m.id,
	}
	if withMembers {
		r.Members = make([]JoinMember, len(s.order))
		for i, o := range s.order {
			r.Members[i] = JoinMember{ID: o.id, InstanceID: o.instance, Metadata: o.metadata(s.protocol)}
		}
	}
	return r
}

func (s *step) addMember(t Token, r *Join, id string) {
	if len(s.members) == 0 {
		s.protocolType = r.ProtocolType
	}
	m := &member{
		id: id, instance: r.InstanceID, clientID: r.ClientID, clientHost: r.ClientHost,
		session: r.SessionTimeout, rebalance: r.RebalanceTimeout, protocols: r.Protocols, fresh: true,
	}
	if s.state == preparingRebalance && s.previous == empty {
		s.newMember = true
	}
	s.add(m)
	s.parkJoin(t, m)
	s.timers.Set(&m.timer, s.now+newMemberTimeout)
	s.rebalanceOrEndJoin()
}

func (s *step) updateMember(t Token, r *Join, m *member) {
	s.setProtocols(m, r.Protocols)
	m.session, m.rebalance = r.SessionTimeout, r.RebalanceTimeout
	s.parkJoin(t, m)
}

func (s *step) parkJoin(t Token, m *member) {
	s.answerJoin(m, joinError(kerr.RebalanceInProgress, m.id))
	m.joinTo, m.joining = t, true
	s.joining++
}

// answerJoin answers the member's parked join, if there is one.
func (s *step) answerJoin(m *member, r JoinReply) {
	if m.joining {
		s.reply(m.joinTo, r)
		m.joining = false
		s.joining--
	}
}

// replaceStatic gives a static member's place to its new incarnation. In a stable group whose protocol stays the same nobody else
// notices; while an assignment is being made the leader may already use the old id, so everybody has to join again.
func (s *step) replaceStatic(t Token, r *Join) {
	m := s.members[s.static[r.InstanceID]]
	s.answerJoin(m, joinError(kerr.FencedInstanceID, m.id))
	s.answerSync(m, SyncReply{Err: kerr.FencedInstanceID})
	oldLeader := s.leader
	delete(s.members, m.id)
	if s.leader == m.id {
		s.leader = r.NewMemberID
	}
	m.id, m.clientID, m.clientHost = r.NewMemberID, r.ClientID, r.ClientHost
	m.timer.Of.member, m.fresh = m.id, false
	s.members[m.id], s.static[m.instance] = m, m.id
	s.updateMember(t, r, m)
	s.restartSession(m)

	switch {
	case s.state == stable && s.selectProtocol() == s.protocol:
		s.writeGeneration()
		reply := s.joined(m, r.CanSkip && m.id == s.leader)
		reply.SkipAssignment = r.CanSkip && m.id == s.leader
		if !r.CanSkip {
			// A client that cannot skip must not take itself for the leader, or it would assign anew all by itself.
			reply.Leader = oldLeader
		}
		s.answerJoin(m, reply)
	case s.state == preparingRebalance:
		s.endJoinIfComplete()
	default:
		s.prepareRebalance()
	}
}
