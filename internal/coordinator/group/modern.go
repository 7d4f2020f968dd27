package group

import (
	"cmp"
	"fmt"
	"iter"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/twmb/franz-go/pkg/kerr"
)

// noTopics is a node without topics.
type noTopics struct{}

func (noTopics) Version() uint64                         { return 0 }
func (noTopics) Topic(string) (assign.Topic, bool)       { return assign.Topic{}, false }
func (noTopics) TopicName(assign.TopicID) (string, bool) { return "", false }
func (noTopics) Names() iter.Seq[string]                 { return func(func(string) bool) {} }
func (noTopics) Guarded() bool                           { return false }
func (noTopics) Visible(_, _, _ string) bool             { return true }

// patience is by when a member of a consumer group must be heard of; it is taken out when one of the times is over.
type patience struct {
	session   deadline.Timer[due] // any request of it
	rebalance deadline.Timer[due] // it has given up what it had to
	join      deadline.Timer[due] // a classic member was told to join again
	sync      deadline.Timer[due] // a classic member has joined
}

// ConsumerReply answers a ConsumerGroupHeartbeat. Err nil is success; Detail is a sentence for the client.
type ConsumerReply struct {
	consumer.Answer
	Heartbeat time.Duration // when to come again
	Err       *kerr.Error
	Detail    string
}

// ConsumerHeartbeat is a ConsumerGroupHeartbeat request. newID is for members that come without an id; empty for versions in which
// they choose their own. A request that is sent again, because its answer got lost, has the same outcome. Errors: INVALID_REQUEST,
// UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_ID_NOT_FOUND, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID,
// FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID.
func (g *Groups) ConsumerHeartbeat(now time.Duration, r consumer.Heartbeat, newID string) (ConsumerReply, Effects) {
	var fx Effects
	refuse := func(why *consumer.Refusal) (ConsumerReply, Effects) {
		return ConsumerReply{Err: why.Err, Detail: why.Detail}, fx
	}
	if why := r.Check(newID == ""); why != nil {
		return refuse(why)
	}
	if r.RebalanceTimeout > 0 { // negative stays: unchanged
		r.RebalanceTimeout = r.RebalanceTimeout.Truncate(time.Millisecond)
	}
	r.MemberID = cmp.Or(r.MemberID, newID)
	if r.Epoch < consumer.Joining {
		reply, why := g.consumerLeave(now, &r, &fx)
		if why != nil {
			return refuse(why)
		}
		return reply, fx
	}
	modern, why := g.consumerGroup(&r)
	if why != nil {
		return refuse(why)
	}
	if limit := g.options.Consumer.MaxSize; limit > 0 && modern.Len() >= limit && modern.Member(r.MemberID) == nil {
		return refuse(&consumer.Refusal{Err: kerr.GroupMaxSizeReached, Detail: fmt.Sprintf("The consumer group has reached its maximum capacity of %d members.", limit)})
	}
	replaced := ""
	if r.InstanceID != nil {
		if holder := modern.Static(*r.InstanceID); holder != nil && holder.ID != r.MemberID {
			replaced = holder.ID
		}
	}
	answer, change, why := modern.Heartbeat(g.options.Topics, &r)
	if why != nil {
		return refuse(why)
	}
	s := g.step(now, g.obtain(r.Group), &fx)
	if s.modern != modern {
		s.upgrade(modern)
	}
	s.forget(replaced)
	s.record(change)
	s.heard(modern.Member(answer.MemberID), change)
	return ConsumerReply{Answer: answer, Heartbeat: s.consumer.heartbeat}, fx
}

// consumerGroup finds the group that a heartbeat is for. One that does not exist, or has no members and is classic, is made for a
// member that joins, and a classic one is converted if it can be; neither is known to anybody yet.
func (g *Groups) consumerGroup(r *consumer.Heartbeat) (*consumer.Group, *consumer.Refusal) {
	of := g.groups[r.Group]
	joining := r.Epoch == consumer.Joining
	switch {
	case of != nil && of.modern != nil:
		return of.modern, nil
	case joining && (of == nil || of.state == empty):
		return consumer.New(), nil
	case of == nil:
		return nil, notFound("Consumer group %s not found.", r.Group)
	case !joining:
		return nil, notFound("Group %s is not a consumer group.", r.Group)
	}
	return g.converted(of)
}

func notFound(format string, args ...any) *consumer.Refusal {
	return &consumer.Refusal{Err: kerr.GroupIDNotFound, Detail: fmt.Sprintf(format, args...)}
}

// heard gives the member its times anew after it was heard of.
func (s *step) heard(m *consumer.Member, change *consumer.Change) {
	p := s.patienceWith(m.ID)
	s.timers.Set(&p.session, s.now+s.consumer.session)
	s.timers.Clear(&p.join)
	s.timers.Clear(&p.sync)
	switch {
	case m.State != consumer.Unrevoked:
		s.timers.Clear(&p.rebalance)
	case change.Moved(m.ID):
		s.timers.Set(&p.rebalance, s.now+m.RebalanceTimeout)
	}
}

func (s *step) patienceWith(member string) *patience {
	p := s.patience[member]
	if p == nil {
		of := due{g: s.group, what: patiencePhase, member: member}
		p = &patience{}
		p.session.Of, p.rebalance.Of, p.join.Of, p.sync.Of = of, of, of, of
		s.patience[member] = p
	}
	return p
}

// forget stops the member's timers, if there are any.
func (s *step) forget(member string) {
	if p := s.patience[member]; p != nil {
		for _, t := range [...]*deadline.Timer[due]{&p.session, &p.rebalance, &p.join, &p.sync} {
			s.timers.Clear(t)
		}
		delete(s.patience, member)
	}
}

// record makes a change of the consumer group durable; one that changes nothing leaves no record.
func (s *step) record(c *consumer.Change) {
	head := appendHeader(nil, kindConsumer, s.name)
	if rec := c.Append(head); len(rec) > len(head) {
		s.fx.Records = append(s.fx.Records, rec)
	}
}

// consumerLeave takes the member out, or marks a static one as away: its session goes on.
func (g *Groups) consumerLeave(now time.Duration, r *consumer.Heartbeat, fx *Effects) (ConsumerReply, *consumer.Refusal) {
	of := g.groups[r.Group]
	switch {
	case of == nil:
		return ConsumerReply{}, notFound("Group %s not found.", r.Group)
	case of.modern == nil:
		return ConsumerReply{}, notFound("Group %s is not a consumer group.", r.Group)
	}
	m, away, why := of.modern.Leave(r)
	if why != nil {
		return ConsumerReply{}, why
	}
	s := g.step(now, of, fx)
	if away == nil {
		s.fence(m.ID)
	} else {
		s.record(away)
		s.timers.Clear(&s.patienceWith(m.ID).rebalance)
	}
	return ConsumerReply{Answer: consumer.Answer{MemberID: r.MemberID, Epoch: r.Epoch}}, nil
}

// fence takes members out of a consumer group. When only classic members are left it becomes a classic group.
func (s *step) fence(ids ...string) {
	for _, id := range ids {
		s.forget(id)
	}
	if s.mayDowngrade(ids...) {
		s.downgrade(ids...)
		return
	}
	s.record(s.modern.Remove(s.options.Topics, ids...))
}

// restoreModern gives the members of a consumer group their whole time after a restart.
func (s *step) restoreModern() {
	for _, m := range s.modern.Members() {
		p := s.patienceWith(m.ID)
		if m.Classic != nil {
			s.timers.Set(&p.session, s.now+m.Classic.Session)
			continue
		}
		s.timers.Set(&p.session, s.now+s.consumer.session)
		if m.State == consumer.Unrevoked && m.Epoch != consumer.StaticLeaving {
			s.timers.Set(&p.rebalance, s.now+m.RebalanceTimeout)
		}
	}
}

// DescribeConsumer returns a consumer group; ok is false when there is none of that name.
func (g *Groups) DescribeConsumer(name string) (d consumer.Description, ok bool) {
	of := g.groups[name]
	if of == nil || of.modern == nil {
		return consumer.Description{Group: name}, false
	}
	return of.modern.Describe(g.options.Topics, name), true
}
