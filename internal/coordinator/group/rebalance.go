package group

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// rebalanceOrEndJoin starts a rebalance, or ends the running one if everybody is there.
func (s *step) rebalanceOrEndJoin() {
	if s.state == preparingRebalance {
		s.endJoinIfComplete()
		return
	}
	s.prepareRebalance()
}

// prepareRebalance opens the join phase. An initial one waits InitialDelay for more members, any other until all known members
// have rejoined, at most the longest rebalance timeout of them.
func (s *step) prepareRebalance() {
	if s.state == completingRebalance {
		for _, m := range s.order {
			m.assignment = nil
			if m.syncing {
				s.answerSync(m, SyncReply{Err: kerr.RebalanceInProgress})
				s.restartSession(m) // it may have run out unnoticed while the member was parked
			}
		}
	}
	for _, m := range s.order {
		m.owesSync = false
	}
	s.timers.Clear(&s.sync)
	s.to(preparingRebalance)
	switch {
	case s.previous == empty && s.options.InitialDelay == 0:
		s.completeJoin()
	case s.previous == empty:
		s.delay = s.options.InitialDelay
		s.remaining = max(s.rebalanceTimeout()-s.delay, 0)
		s.timers.Set(&s.join, s.now+s.delay)
	case s.allJoined():
		s.completeJoin()
	default:
		s.timers.Set(&s.join, s.now+s.rebalanceTimeout())
	}
}

// endJoinIfComplete ends the join phase when nobody is missing; an initial one goes on to its time.
func (s *step) endJoinIfComplete() {
	if s.state == preparingRebalance && s.previous != empty && s.allJoined() {
		s.completeJoin()
	}
}

// endJoin is called when the time of the join phase is up. An initial one is prolonged as long as members keep coming.
func (s *step) endJoin() {
	if s.previous == empty && s.newMember && s.remaining > 0 {
		s.newMember = false
		wait := min(s.options.InitialDelay, s.remaining)
		s.remaining = max(s.remaining-s.delay, 0)
		s.delay = wait
		s.timers.Set(&s.join, s.now+wait)
		return
	}
	s.completeJoin()
}

// completeJoin makes the next generation of those who have rejoined. Static members stay in it without: only their session's end,
// or a sync that does not come, takes them out.
func (s *step) completeJoin() {
	s.timers.Clear(&s.join)
	s.newMember = false
	for _, m := range append([]*member(nil), s.order...) {
		if !m.joining && m.instance == "" {
			s.dismiss(m)
		}
	}
	if len(s.members) > 0 && !s.electLeader() {
		// Only static members are left and none has come: they will, or their sessions end.
		s.timers.Set(&s.join, s.now+max(s.rebalanceTimeout(), minPostpone))
		return
	}
	s.nextGeneration()
	if len(s.members) == 0 {
		s.protocol = ""
		s.to(empty)
		s.writeGeneration()
		return
	}
	s.protocol = s.selectProtocol()
	s.to(completingRebalance)
	for _, m := range s.order {
		s.answerJoin(m, s.joined(m, m.id == s.leader))
		s.restartSession(m)
		m.fresh, m.owesSync = false, true
	}
	s.timers.Set(&s.sync, s.now+s.rebalanceTimeout())
}

func (s *step) nextGeneration() {
	if s.generation == math.MaxInt32 {
		s.generation = 0 // the first generation follows the last, as in Kafka
	}
	s.generation++
}

// dismiss takes a member out and tells whatever it has parked that it is out.
func (s *step) dismiss(m *member) {
	s.answerJoin(m, joinError(kerr.UnknownMemberID, ""))
	s.answerSync(m, SyncReply{Err: kerr.UnknownMemberID})
	s.timers.Clear(&m.timer)
	s.remove(m)
}

// writeGeneration makes the group's present state the durable one.
func (s *step) writeGeneration() {
	s.write(kindGeneration)
}

func (s *step) write(kind byte) {
	s.durable = appendGeneration(nil, kind, s.group)
	s.fx.Records = append(s.fx.Records, s.durable)
}
