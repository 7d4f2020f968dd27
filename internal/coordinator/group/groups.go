package group

import (
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// newMemberTimeout is how long a member that never got an answer may stay in a join phase: it does not know its id, so it
	// cannot send heartbeats, and a client that gave up and came again would leave one defunct member each time.
	newMemberTimeout = 5 * time.Minute
	// minPostpone keeps a join phase that nobody rejoined from being looked at without a pause when members ask for a tiny
	// rebalance timeout.
	minPostpone = 100 * time.Millisecond
)

// WithDefaults fills in what is zero.
func (o Options) WithDefaults() Options {
	if o.MinSession == 0 {
		o.MinSession = 6 * time.Second
	}
	if o.MaxSession == 0 {
		o.MaxSession = 30 * time.Minute
	}
	if o.MaxMetadata == 0 {
		o.MaxMetadata = 4096
	}
	if o.Retention == 0 {
		o.Retention = 7 * 24 * time.Hour
	}
	if o.Topics == nil {
		o.Topics = noTopics{}
	}
	o.Consumer = o.Consumer.WithDefaults()
	return o
}

// Groups is the state machine over all groups. now is a monotonic time chosen by the caller.
type Groups struct {
	options Options
	groups  map[string]*group
	// tunings are what was set of single groups, by name.
	tunings map[string]tuning
	// txns lists, for each producer with pending offsets, the groups that hold them.
	txns   map[int64]map[string]struct{}
	timers deadline.Queue[due]
}

// A due is what a timer is about: the session of a member (or of an id given out but not yet used), a group's join phase, its sync
// phase, or one of the times by which a member of a consumer group must act.
type due struct {
	g      *group
	what   phase
	member string
}

type phase int8

const (
	sessionPhase phase = iota
	joinPhase
	syncPhase
	patiencePhase
)

// New returns an empty machine.
func New(o Options) *Groups {
	return &Groups{options: o.WithDefaults(), groups: map[string]*group{}, tunings: map[string]tuning{}, txns: map[int64]map[string]struct{}{}}
}

// Next is when Tick must be called at the latest; ok is false when nothing is due.
func (g *Groups) Next() (at time.Duration, ok bool) { return g.timers.Next() }

// Tick expires members and ends joins whose time has come.
func (g *Groups) Tick(now time.Duration) Effects {
	var fx Effects
	for t := g.timers.Due(now); t != nil; t = g.timers.Due(now) {
		s := g.step(now, t.Of.g, &fx)
		switch t.Of.what {
		case sessionPhase:
			s.expireSession(t.Of.member)
		case joinPhase:
			s.endJoin()
		case syncPhase:
			s.expireSync()
		case patiencePhase:
			s.fence(t.Of.member)
		}
		g.forgetIfVacant(t.Of.g)
	}
	return fx
}

// A step is one call's work on one group.
type step struct {
	*group
	options *Options
	timers  *deadline.Queue[due]
	now     time.Duration
	fx      *Effects
	// consumer are the times of the members of the group, if it is a consumer group.
	consumer times
}

func (g *Groups) step(now time.Duration, of *group, fx *Effects) *step {
	of.emptySince = 0 // somebody may have come and gone between two checks
	return &step{group: of, options: &g.options, timers: &g.timers, now: now, fx: fx, consumer: g.times(of.name)}
}

func (s *step) reply(to Token, value any) {
	s.fx.Replies = append(s.fx.Replies, Reply{To: to, Value: value})
}

// restartSession gives a member its whole session timeout from now.
func (s *step) restartSession(m *member) { s.timers.Set(&m.timer, s.now+m.session) }

// obtain returns the group of that name, made now if it does not exist.
func (g *Groups) obtain(name string) *group {
	of := g.groups[name]
	if of == nil {
		of = newGroup(name)
		g.groups[name] = of
	}
	return of
}

// forgetIfVacant drops a group that holds nothing: a new one whose first member never came, or one known only by offsets that
// are gone. It has no record that would bring it back.
func (g *Groups) forgetIfVacant(of *group) {
	if of.modern == nil && of.state == empty && len(of.members) == 0 && len(of.pendingJoin) == 0 &&
		of.durable == nil && len(of.offsets) == 0 && len(of.pending) == 0 && g.groups[of.name] == of {
		g.drop(of)
	}
}

// drop removes a group with all its timers and pending offsets.
func (g *Groups) drop(of *group) {
	g.timers.Clear(&of.join)
	g.timers.Clear(&of.sync)
	for _, m := range of.order {
		g.timers.Clear(&m.timer)
	}
	for _, t := range of.pendingJoin {
		g.timers.Clear(t)
	}
	for id := range of.patience {
		g.step(0, of, nil).forget(id)
	}
	for pid := range of.pending {
		g.unlink(pid, of.name)
	}
	delete(g.groups, of.name)
}

// names returns all group names in order.
func (g *Groups) names() []string {
	names := make([]string, 0, len(g.groups))
	for name := range g.groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// comparePartitions orders by topic, then partition.
func comparePartitions(a, b record.TopicPartition) int {
	if a.Topic != b.Topic {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	}
	return int(a.Partition) - int(b.Partition)
}

// A join or sync that fails carries no generation and no protocol.
func joinError(err *kerr.Error, memberID string) JoinReply {
	return JoinReply{Err: err, Generation: -1, MemberID: memberID}
}
