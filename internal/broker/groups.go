package broker

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// GroupErrors is one error for the whole request or one for each part.
type GroupErrors struct {
	Err  *kerr.Error
	Each []*kerr.Error
}

// all spreads a whole error over n parts.
func (e GroupErrors) all(n int) []*kerr.Error {
	if e.Err != nil {
		return each(n, e.Err)
	}
	return e.Each
}

func lostGroup(why *stop) GroupErrors { return GroupErrors{Err: why.coordinator} }

// parked is a request whose reply comes in the effects of this or a later call.
type parked interface {
	outcome
	resolve(v any) error
}

// A parkedCall is a Join or a Sync.
type parkedCall[T any] struct {
	call[T]
	park func(s *sequencer, t group.Token) group.Effects
}

func (c *parkedCall[T]) exec(s *sequencer) {
	s.token++
	s.parked[s.token] = c
	s.effects(c.park(s, s.token))
}

func (c *parkedCall[T]) resolve(v any) error {
	switch v := v.(type) {
	case T:
		c.value = v
	case *T:
		c.value = *v
	default:
		return fmt.Errorf("a parked group request was answered with %T", v)
	}
	return nil
}

// park queues a request that may have to wait for others.
func park[T any](b *Broker, lost func(*stop) T, f func(s *sequencer, t group.Token) group.Effects) *Future[T] {
	c := &parkedCall[T]{park: f}
	c.done, c.lost = make(chan struct{}), lost
	b.push(c)
	return &c.Future
}

// effects makes a coordinator's records durable and lets its replies go with the round.
func (s *sequencer) effects(e group.Effects) {
	for _, r := range e.Records {
		if planted.Is(planted.GroupCommitLost) {
			break
		}
		s.append(frame.KindGroup, r)
	}
	for _, r := range e.Replies {
		p, ok := s.parked[r.To]
		if !ok {
			continue
		}
		delete(s.parked, r.To)
		if err := p.resolve(r.Value); err != nil && s.err == nil {
			s.err = err
		}
		s.round.outcomes = append(s.round.outcomes, p)
	}
}

// JoinGroup waits for the group to be complete. NewMemberID may be empty: the broker makes one then.
func (b *Broker) JoinGroup(r group.Join) *Future[group.JoinReply] {
	if r.NewMemberID == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return done(group.JoinReply{Err: kerr.UnknownServerError, Generation: -1})
		}
		prefix := r.ClientID
		if r.InstanceID != "" {
			prefix = r.InstanceID
		}
		r.NewMemberID = prefix + "-" + id.String()
	}
	lost := func(why *stop) group.JoinReply {
		return group.JoinReply{Err: why.coordinator, Generation: -1, MemberID: r.MemberID}
	}
	return park(b, lost, func(s *sequencer, t group.Token) group.Effects {
		return s.st.groups.Join(s.clock.Mono(), t, r)
	})
}

// SyncGroup waits for the leader's assignment.
func (b *Broker) SyncGroup(r group.Sync) *Future[group.SyncReply] {
	lost := func(why *stop) group.SyncReply { return group.SyncReply{Err: why.coordinator} }
	return park(b, lost, func(s *sequencer, t group.Token) group.Effects {
		return s.st.groups.Sync(s.clock.Mono(), t, r)
	})
}

// Heartbeat changes nothing durable and tells a member only of what it has learnt from durable replies.
func (b *Broker) Heartbeat(g string, m group.Member) *Future[*kerr.Error] {
	return submitFreeing(b, lostCoordinator, func(s *sequencer) *kerr.Error {
		return s.st.groups.Heartbeat(s.clock.Mono(), g, m)
	})
}

// ConsumerHeartbeat is a ConsumerGroupHeartbeat (KIP-848): durable only when something has changed. newID as in group.Groups.
func (b *Broker) ConsumerHeartbeat(r consumer.Heartbeat, newID string) *Future[group.ConsumerReply] {
	lost := func(why *stop) group.ConsumerReply { return group.ConsumerReply{Err: why.coordinator} }
	beat := func(s *sequencer) group.ConsumerReply {
		reply, e := s.st.groups.ConsumerHeartbeat(s.clock.Mono(), r, newID)
		s.effects(e)
		return reply
	}
	if r.Epoch == consumer.Joining {
		return submit(b, lost, beat)
	}
	return submitFreeing(b, lost, beat)
}

// assignable is what the group coordinator sees of the topics: those of the pending state, for whom the ACLs of it let see them.
type assignable struct {
	st     *state
	access *auth.Rules
}

func (a assignable) Guarded() bool { return a.access != nil }

func (a assignable) Visible(principal, host, name string) bool {
	rules := *a.access
	rules.ACLs = a.st.security.Snapshot().ACLs
	return rules.Allow(auth.Subject{Principal: principal, Host: strings.TrimPrefix(host, "/")}, auth.Describe, auth.Topic, name)
}

func (a assignable) Version() uint64 { return a.st.listed }

func (a assignable) Names() iter.Seq[string] { return maps.Keys(a.st.topics) }

func (a assignable) Topic(name string) (assign.Topic, bool) {
	t := a.st.topics[name]
	if t == nil {
		return assign.Topic{}, false
	}
	return assign.Topic{Name: name, ID: t.ID, Partitions: t.Partitions}, true
}

func (a assignable) TopicName(id assign.TopicID) (string, bool) {
	t := a.st.ids[id]
	if t == nil {
		return "", false
	}
	return t.Name, true
}

// LeaveGroup removes members.
func (b *Broker) LeaveGroup(g string, ms []group.Member) *Future[GroupErrors] {
	return submitFreeing(b, lostGroup, func(s *sequencer) GroupErrors {
		all, err, e := s.st.groups.Leave(s.clock.Mono(), g, ms)
		s.effects(e)
		return GroupErrors{err, all}
	})
}

// CommitOffsets stores offsets; partitions that do not exist are refused one by one.
func (b *Broker) CommitOffsets(g string, m group.Member, os []group.OffsetCommit) *Future[GroupErrors] {
	return submit(b, lostGroup, func(s *sequencer) GroupErrors {
		return s.commitOffsets(os, func(known []group.OffsetCommit) ([]*kerr.Error, *kerr.Error, group.Effects) {
			return s.st.groups.Commit(s.clock.Mono(), s.st.now, g, m, known)
		})
	})
}

// commitOffsets lets commit have the offsets of partitions that exist; an offset of any other would outlive its topic.
func (s *sequencer) commitOffsets(os []group.OffsetCommit, commit func([]group.OffsetCommit) ([]*kerr.Error, *kerr.Error, group.Effects)) GroupErrors {
	out := make([]*kerr.Error, len(os))
	known := make([]group.OffsetCommit, 0, len(os))
	at := make([]int, 0, len(os))
	for i, o := range os {
		if s.st.partition(o.TopicPartition) == nil {
			out[i] = kerr.UnknownTopicOrPartition
			continue
		}
		known, at = append(known, o), append(at, i)
	}
	errs, whole, e := commit(known)
	s.effects(e)
	for i, err := range errs {
		out[at[i]] = err
	}
	return GroupErrors{whole, out}
}

// DeleteOffsets removes single offsets.
func (b *Broker) DeleteOffsets(g string, tps []record.TopicPartition) *Future[GroupErrors] {
	return submitFreeing(b, lostGroup, func(s *sequencer) GroupErrors {
		all, err, e := s.st.groups.DeleteOffsets(g, tps)
		s.effects(e)
		return GroupErrors{err, all}
	})
}

// DeleteGroup removes an empty group.
func (b *Broker) DeleteGroup(g string) *Future[*kerr.Error] {
	return submitFreeing(b, lostCoordinator, func(s *sequencer) *kerr.Error {
		err, e := s.st.groups.Delete(g)
		s.effects(e)
		return err
	})
}

// FetchOffsets returns committed offsets; nil tps means all. Only what is durable is returned. The map is nil, and Wait tells why,
// when the broker stopped first: that must never be taken for "no offsets".
func (b *Broker) FetchOffsets(g string, tps []record.TopicPartition) *Future[map[record.TopicPartition]group.Committed] {
	return submit(b, nil, func(s *sequencer) map[record.TopicPartition]group.Committed { return s.fetchOffsets(g, tps) })
}

// Fetched is what FetchOffsetsAs returns. Offsets is nil when Err is set.
type Fetched struct {
	Offsets map[record.TopicPartition]group.Committed
	Err     *kerr.Error
}

// FetchOffsetsAs is FetchOffsets for a member that says who it is, which is checked in a consumer group; nil does not say.
func (b *Broker) FetchOffsetsAs(g string, m *group.Member, tps []record.TopicPartition) *Future[Fetched] {
	return submit(b, nil, func(s *sequencer) Fetched {
		if m != nil {
			if err := s.st.groups.CheckFetch(g, *m); err != nil {
				return Fetched{Err: err}
			}
		}
		return Fetched{Offsets: s.fetchOffsets(g, tps)}
	})
}

func (s *sequencer) fetchOffsets(g string, tps []record.TopicPartition) map[record.TopicPartition]group.Committed {
	if tps == nil {
		return s.st.groups.Offsets(g)
	}
	out := make(map[record.TopicPartition]group.Committed, len(tps))
	for _, tp := range tps {
		out[tp] = s.st.groups.Offset(g, tp)
	}
	return out
}

// ListGroups lists all groups without members; nil when the broker stopped first.
func (b *Broker) ListGroups() *Future[[]group.Description] {
	return submit(b, nil, func(s *sequencer) []group.Description {
		return append([]group.Description{}, s.st.groups.List()...)
	})
}

// A ConsumerGroup is a consumer group as described; Found is false when there is none of that name, Classic tells of a classic one.
type ConsumerGroup struct {
	consumer.Description
	Found, Classic bool
}

// DescribeConsumerGroups describes each consumer group; nil when the broker stopped first.
func (b *Broker) DescribeConsumerGroups(gs []string) *Future[[]ConsumerGroup] {
	return submit(b, nil, func(s *sequencer) []ConsumerGroup {
		out := make([]ConsumerGroup, len(gs))
		for i, g := range gs {
			out[i].Description, out[i].Found = s.st.groups.DescribeConsumer(g)
			out[i].Classic = s.st.groups.Describe(g).Type == group.ClassicType
		}
		return out
	})
}

// DescribeGroups describes each group; nil when the broker stopped first.
func (b *Broker) DescribeGroups(gs []string) *Future[[]group.Description] {
	return submit(b, nil, func(s *sequencer) []group.Description {
		out := make([]group.Description, len(gs))
		for i, g := range gs {
			out[i] = s.st.groups.Describe(g)
		}
		return out
	})
}
