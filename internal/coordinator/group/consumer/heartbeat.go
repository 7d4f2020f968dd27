package consumer

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Heartbeat takes a member in (epoch Joining) or hears from it, makes a new target assignment when one is due and brings the member
// closer to its own. Refusals change nothing: UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID,
// INVALID_REGULAR_EXPRESSION. The request was checked by Check and does not leave.
func (g *Group) Heartbeat(t Topics, r *Heartbeat) (Answer, *Change, *Refusal) {
	m, refused := g.caller(r)
	if refused != nil {
		return Answer{}, nil, refused
	}
	next := m.heard(r)
	if next.Regex != m.Regex && next.Regex != "" {
		if _, err := compile(next.Regex); err != nil {
			return Answer{}, nil, &Refusal{kerr.InvalidRegularExpression, fmt.Sprintf("SubscribedTopicRegex `%s` is not a valid regular expression: %s.", next.Regex, wrong(err))}
		}
	}
	c := g.begin()
	c.settle(m, next)
	resubscribed := !slices.Equal(m.Topics, next.Topics) || m.interest(t) != next.interest(t)
	c.renew(t, g.epoch == 0 || resubscribed)
	c.reconcile(t, g.members[next.ID], r.Owned, resubscribed)
	now := g.members[next.ID]
	a := Answer{MemberID: now.ID, Epoch: now.Epoch}
	if r.Epoch == Joining || r.full() || !now.Assigned.equal(m.Assigned) {
		a.Assignment = now.Assigned.Partitions()
	}
	return a, c, nil
}

// caller is the member as it is before the heartbeat: a new one is a member without subscription, one that takes the place of a
// static member has that one's state under its own id.
func (g *Group) caller(r *Heartbeat) (*Member, *Refusal) {
	if r.InstanceID == nil {
		m := g.members[r.MemberID]
		switch {
		case m != nil:
			return m, checkEpoch(m, r)
		case r.Epoch != Joining:
			return nil, &Refusal{kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", r.MemberID, r.Group)}
		}
		return &Member{ID: r.MemberID}, nil
	}
	holder := g.Static(*r.InstanceID)
	switch {
	case r.Epoch != Joining && holder == nil:
		return nil, &Refusal{kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", *r.InstanceID)}
	case r.Epoch != Joining && holder.ID != r.MemberID:
		return nil, &Refusal{kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", r.MemberID, *r.InstanceID, holder.ID)}
	case r.Epoch != Joining:
		return holder, checkEpoch(holder, r)
	case holder == nil && g.members[r.MemberID] != nil:
		return g.members[r.MemberID], nil
	case holder == nil:
		return &Member{ID: r.MemberID}, nil
	case holder.Classic == nil && holder.Epoch != StaticLeaving:
		return nil, &Refusal{kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", r.MemberID, *r.InstanceID, holder.ID)}
	}
	return holder.successor(r.MemberID), nil
}

// successor is the member with a new id, in its first epoch.
func (m *Member) successor(id string) *Member {
	next := *m
	next.ID, next.Epoch, next.Previous = id, 0, 0
	return &next
}

// checkEpoch lets the member's own epoch pass, Joining, and the one before while the member holds nothing that it must not hold: the
// answer that told it the new one may be lost.
func checkEpoch(m *Member, r *Heartbeat) *Refusal {
	switch {
	case r.Epoch == Joining, r.Epoch == m.Epoch:
		return nil
	case r.Epoch > m.Epoch:
		return &Refusal{kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", r.Epoch, m.Epoch)}
	case r.Epoch == m.Previous && r.Owned != nil && m.Assigned.covers(r.Owned):
		return nil
	}
	return &Refusal{kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", r.Epoch, m.Epoch)}
}

// heard is the member with what a heartbeat says about it.
func (m *Member) heard(r *Heartbeat) *Member {
	next := *m
	next.ClientID, next.ClientHost, next.Classic = r.ClientID, r.ClientHost, nil
	if r.Principal != "" {
		next.Principal = r.Principal
	}
	if r.InstanceID != nil {
		next.InstanceID = *r.InstanceID
	}
	if r.Rack != nil {
		next.Rack = *r.Rack
	}
	if r.RebalanceTimeout >= 0 {
		next.RebalanceTimeout = r.RebalanceTimeout
	}
	if r.Topics != nil {
		next.Topics = distinct(r.Topics)
	}
	if r.Regex != nil {
		next.Regex = *r.Regex
	}
	if r.Assignor != nil {
		next.Assignor = *r.Assignor
	}
	return &next
}

func distinct(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// settle puts next in the place of m, of the static member whose instance id it has, or of nobody.
func (c *Change) settle(m, next *Member) {
	holder := c.g.Static(next.InstanceID)
	switch {
	case next.InstanceID != "" && holder != nil && holder.ID != next.ID:
		c.remove(holder.ID)
		c.put(next, allParts)
	case c.g.members[next.ID] != m: // new, or a static member that is back under its old id
		c.put(next, allParts)
	case !next.describedLike(m):
		c.put(next, partSubscription)
	}
}

// describedLike reports whether what the subscription part of a record holds is the same.
func (m *Member) describedLike(o *Member) bool {
	return m.InstanceID == o.InstanceID && m.Rack == o.Rack && m.ClientID == o.ClientID && m.ClientHost == o.ClientHost &&
		m.Principal == o.Principal && m.RebalanceTimeout == o.RebalanceTimeout && m.Regex == o.Regex && m.Assignor == o.Assignor &&
		slices.Equal(m.Topics, o.Topics) && m.Classic == o.Classic
}

// Leave takes a member out, or marks a static one as away for a while (StaticLeaving): then it keeps what it holds, and gives up
// what it was asked to. Refusals: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
func (g *Group) Leave(r *Heartbeat) (m *Member, away *Change, refused *Refusal) {
	if r.InstanceID == nil {
		if m = g.members[r.MemberID]; m == nil {
			return nil, nil, &Refusal{kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", r.MemberID, r.Group)}
		}
		return m, nil, nil
	}
	m = g.Static(*r.InstanceID)
	switch {
	case m == nil:
		return nil, nil, &Refusal{kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", *r.InstanceID)}
	case m.ID != r.MemberID:
		return nil, nil, &Refusal{kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", r.MemberID, *r.InstanceID, m.ID)}
	case r.Epoch != StaticLeaving:
		return m, nil, nil
	}
	next := *m
	next.Epoch, next.Revoking = StaticLeaving, Claims{}
	away = g.begin()
	away.put(&next, partCurrent)
	return &next, away, nil
}

// Check refuses requests that no state of a group could make sense of (INVALID_REQUEST, UNSUPPORTED_ASSIGNOR). named is for versions
// in which members choose their own ids.
func (r *Heartbeat) Check(named bool) *Refusal {
	invalid := func(detail string) *Refusal { return &Refusal{kerr.InvalidRequest, detail} }
	empty := func(s *string) bool { return s != nil && *s == "" }
	switch {
	case r.MemberID == "" && (named || r.Epoch != Joining):
		return invalid("MemberId can't be empty.")
	case r.Group == "":
		return invalid("GroupId can't be empty.")
	case empty(r.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(r.Rack):
		return invalid("RackId can't be empty.")
	case r.Epoch < StaticLeaving:
		return invalid("MemberEpoch is invalid.")
	case r.Epoch == StaticLeaving && r.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case r.Epoch == Joining && r.RebalanceTimeout < 0:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case r.Epoch == Joining && (r.Owned == nil || len(r.Owned) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case r.Epoch == Joining && r.Topics == nil && r.Regex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	}
	if r.Assignor != nil {
		if _, ok := assign.Named(*r.Assignor); !ok {
			return &Refusal{kerr.UnsupportedAssignor, fmt.Sprintf("ServerAssignor %s is not supported. Supported assignors: %s, %s.", *r.Assignor, assign.UniformName, assign.RangeName)}
		}
	}
	return nil
}
