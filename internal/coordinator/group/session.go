package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Heartbeat tells a member whether to go on (nil), to rejoin (REBALANCE_IN_PROGRESS) or that it is out: INVALID_GROUP_ID,
// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION. It prolongs the session unless the member is out.
func (g *Groups) Heartbeat(now time.Duration, group string, m Member) *kerr.Error {
	if group == "" {
		return kerr.InvalidGroupID
	}
	of := g.groups[group]
	if of == nil {
		return kerr.UnknownMemberID
	}
	if of.modern != nil {
		return g.step(now, of, nil).heartbeatModern(m)
	}
	caller, err := of.check(m.ID, m.InstanceID)
	if err != nil {
		return err
	}
	if m.Generation != of.generation {
		return kerr.IllegalGeneration
	}
	g.timers.Set(&caller.timer, now+caller.session)
	if of.state == preparingRebalance {
		return kerr.RebalanceInProgress
	}
	// A member may send heartbeats between its join and its sync; they count as any other.
	return nil
}

// Leave removes members (by id, or by instance id when the id is empty); one error per member, nil for success. The whole fails
// with INVALID_GROUP_ID only; of an unknown group every member is unknown.
func (g *Groups) Leave(now time.Duration, group string, ms []Member) ([]*kerr.Error, *kerr.Error, Effects) {
	var fx Effects
	if group == "" {
		return nil, kerr.InvalidGroupID, fx
	}
	errs := make([]*kerr.Error, len(ms))
	of := g.groups[group]
	if of == nil {
		for i := range errs {
			errs[i] = kerr.UnknownMemberID
		}
		return errs, nil, fx
	}
	s := g.step(now, of, &fx)
	if s.modern != nil {
		return s.leaveModern(ms), nil, fx
	}
	left := false
	for i, m := range ms {
		if t := of.pendingJoin[m.ID]; t != nil {
			g.timers.Clear(t)
			delete(of.pendingJoin, m.ID)
			continue
		}
		id := m.ID
		if id == "" && m.InstanceID != "" {
			id = of.static[m.InstanceID]
		}
		caller, err := of.check(id, m.InstanceID)
		if err != nil {
			errs[i] = err
			continue
		}
		s.dismiss(caller)
		left = true
	}
	if left {
		s.rebalanceOrEndJoin()
	} else {
		s.endJoinIfComplete()
	}
	g.forgetIfVacant(of)
	return errs, nil, fx
}

// expireSession is called when a member's session, or an id given out and never used, has run out.
func (s *step) expireSession(id string) {
	if _, ok := s.pendingJoin[id]; ok {
		delete(s.pendingJoin, id)
		if s.state == preparingRebalance && s.allJoined() {
			s.completeJoin()
		}
		return
	}
	m := s.members[id]
	// A member that waits for an answer of ours cannot send heartbeats; the answer restarts its session. One that never got any
	// answer is different: it may be long gone.
	if !m.fresh && (m.joining || m.syncing) {
		return
	}
	s.dismiss(m)
	switch {
	case s.state != preparingRebalance:
		s.prepareRebalance()
	case s.allJoined():
		s.completeJoin()
	}
}
