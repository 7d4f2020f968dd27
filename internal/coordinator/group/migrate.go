package group

import (
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/twmb/franz-go/pkg/kerr"
)

// converted makes a consumer group of a classic one with members, if that may and can be. Each member keeps what the last assignment
// gave it, in an epoch that is the generation. The classic group stays what it is.
func (g *Groups) converted(of *group) (*consumer.Group, *consumer.Refusal) {
	policy, limit := g.options.Consumer.Migration, g.options.Consumer.MaxSize
	switch {
	case policy != MigrateBoth && policy != MigrateUpgrade:
		return nil, notFound("Cannot upgrade classic group %s to consumer group because online upgrade is disabled.", of.name)
	case of.protocolType != consumer.ProtocolType:
		return nil, notFound("Cannot upgrade classic group %s to consumer group because the group does not use the consumer embedded protocol.", of.name)
	case limit > 0 && len(of.members) > limit:
		return nil, notFound("Cannot upgrade classic group %s to consumer group because the group size exceeds the consumer group maximum size.", of.name)
	}
	var members []consumer.Convert
	for _, m := range of.order {
		metadata := m.metadata(of.protocol)
		if metadata == nil { // the first rebalance has not chosen a protocol yet
			metadata = m.protocols[0].Metadata
		}
		members = append(members, consumer.Convert{
			Member: consumer.Member{
				ID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.clientHost, RebalanceTimeout: m.rebalance,
				Classic: &consumer.Classic{Session: m.session, Protocols: m.protocols},
			},
			Metadata: metadata, Assignment: m.assignment,
		})
	}
	modern, err := consumer.FromClassic(g.options.Topics, of.generation, members)
	if err != nil {
		return nil, notFound("Cannot upgrade classic group %s to consumer group: %v.", of.name, err)
	}
	return modern, nil
}

// upgrade makes the group a consumer group. Classic members with a request that waits are told to join again; the others hear of it
// with their next heartbeat.
func (s *step) upgrade(modern *consumer.Group) {
	for _, m := range s.order {
		s.answerJoin(m, joinError(kerr.RebalanceInProgress, m.id))
		s.answerSync(m, SyncReply{Err: kerr.RebalanceInProgress})
	}
	s.clearClassic()
	s.modern = modern
	s.restoreModern()
}

// clearClassic leaves nothing of a classic group but the offsets.
func (s *step) clearClassic() {
	s.timers.Clear(&s.join)
	s.timers.Clear(&s.sync)
	for _, m := range s.order {
		s.timers.Clear(&m.timer)
	}
	for _, t := range s.pendingJoin {
		s.timers.Clear(t)
	}
	s.state, s.previous, s.generation = empty, empty, 0
	s.protocolType, s.protocol, s.leader = "", "", ""
	s.members, s.order, s.static, s.supported = map[string]*member{}, nil, map[string]string{}, map[string]int{}
	s.pendingJoin, s.joining = map[string]*deadline.Timer[due]{}, 0
	s.delay, s.remaining, s.newMember, s.durable = 0, 0, false, nil
}

// mayDowngrade reports whether the group becomes a classic one when some members go: all others are classic, there are some, and a
// protocol is known to all of them.
func (s *step) mayDowngrade(leaving ...string) bool {
	policy, left := s.options.Consumer.Migration, s.modern.Len()-len(leaving)
	switch {
	case policy != MigrateBoth && policy != MigrateDowngrade,
		left <= 0, s.options.MaxSize > 0 && left > s.options.MaxSize, !s.modern.ClassicExcept(leaving...):
		return false
	}
	common := map[string]int{}
	for _, m := range s.modern.Members() {
		if !slices.Contains(leaving, m.ID) {
			for _, p := range cloneProtocols(m.Classic.Protocols) {
				common[p.Name]++
			}
		}
	}
	for _, known := range common {
		if known == left {
			return true
		}
	}
	return false
}

// downgrade makes the group a classic one without the members that leave. The others keep what they hold until the rebalance that
// begins now; its generation follows the group epoch.
func (s *step) downgrade(leaving ...string) {
	modern := s.modern
	s.modern = nil
	s.generation, s.protocolType = modern.Epoch(), consumer.ProtocolType
	for _, m := range modern.Members() {
		s.forget(m.ID)
		if slices.Contains(leaving, m.ID) {
			continue
		}
		s.add(&member{
			id: m.ID, instance: m.InstanceID, clientID: m.ClientID, clientHost: m.ClientHost,
			session: m.Classic.Session, rebalance: max(m.RebalanceTimeout, time.Millisecond),
			protocols: cloneProtocols(m.Classic.Protocols), assignment: m.Embedded(s.options.Topics),
		})
	}
	s.protocol = s.selectProtocol()
	s.to(stable)
	s.write(kindInterrupted) // what the leaving members held is with nobody: recovery must go on with the rebalance
	for _, m := range s.order {
		s.restartSession(m)
	}
	s.prepareRebalance()
}

// becomeClassic turns a consumer group without members into a classic one.
func (s *step) becomeClassic() {
	s.modern = nil
	s.clearClassic()
	s.writeGeneration()
}
