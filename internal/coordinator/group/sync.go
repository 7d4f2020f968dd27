package group

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Sync parks the request until the leader's own sync brings the assignment; in a stable group the reply comes at once. Errors in
// the reply: INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL,
// REBALANCE_IN_PROGRESS. Only the leader's assignments count; members it forgets get an empty one.
func (g *Groups) Sync(now time.Duration, t Token, r Sync) Effects {
	var fx Effects
	of := g.groups[r.Group]
	if of != nil && of.modern != nil {
		s := g.step(now, of, &fx)
		s.reply(t, s.syncModern(&r))
		return fx
	}
	if err := checkSync(of, &r); err != nil {
		fx.Replies = append(fx.Replies, Reply{t, SyncReply{Err: err}})
		return fx
	}
	s := g.step(now, of, &fx)
	m := of.members[r.MemberID]
	m.owesSync = false
	if !of.owesSync() {
		s.timers.Clear(&of.sync)
	}
	if of.state == stable {
		s.reply(t, s.synced(m))
		return fx
	}
	s.answerSync(m, SyncReply{Err: kerr.RebalanceInProgress}) // an earlier sync of the same member
	m.syncTo, m.syncing = t, true
	if m.id == of.leader {
		s.assign(r.Assignments)
	}
	return fx
}

func checkSync(of *group, r *Sync) *kerr.Error {
	switch {
	case r.Group == "":
		return kerr.InvalidGroupID
	case of == nil:
		return kerr.UnknownMemberID
	}
	if _, err := of.check(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	switch {
	case r.Generation != of.generation:
		return kerr.IllegalGeneration
	case r.ProtocolType != "" && r.ProtocolType != of.protocolType, r.Protocol != "" && of.protocol != "" && r.Protocol != of.protocol:
		return kerr.InconsistentGroupProtocol
	case of.state == preparingRebalance:
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *group) owesSync() bool {
	for _, m := range g.order {
		if m.owesSync {
			return true
		}
	}
	return false
}

// assign ends the sync phase with the leader's assignments.
func (s *step) assign(assignments map[string][]byte) {
	for _, m := range s.order {
		m.assignment = bytes.Clone(assignments[m.id])
	}
	s.to(stable)
	s.writeGeneration()
	for _, m := range s.order {
		if m.syncing {
			s.answerSync(m, s.synced(m))
			s.restartSession(m) // it may have run out unnoticed while the member was parked
		}
	}
}

func (s *step) synced(m *member) SyncReply {
	return SyncReply{ProtocolType: s.protocolType, Protocol: s.protocol, Assignment: m.assignment}
}

// answerSync answers the member's parked sync, if there is one.
func (s *step) answerSync(m *member, r SyncReply) {
	if m.syncing {
		s.reply(m.syncTo, r)
		m.syncing = false
	}
}

// expireSync takes out the members that have not synced in time (the leader among them when there is no assignment yet) and lets
// the others join again.
func (s *step) expireSync() {
	if !s.owesSync() {
		return
	}
	for _, m := range append([]*member(nil), s.order...) {
		if m.owesSync {
			s.dismiss(m)
		}
	}
	s.prepareRebalance()
}
