package consumer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ProtocolType is the protocol type of consumers: the only classic members that a Group can have.
const ProtocolType = "consumer"

// A Join is a JoinGroup request of a classic member. Fresh: the member came without an id and MemberID is a new one.
type Join struct {
	MemberID, InstanceID, ClientID, ClientHost string
	Session, RebalanceTimeout                  time.Duration
	Protocols                                  []Protocol // kept
	Fresh                                      bool
}

// Supports reports whether a classic member with these protocols may join: one must be known to all classic members.
func (g *Group) Supports(protocolType string, ps []Protocol) bool {
	if protocolType != ProtocolType || len(ps) == 0 {
		return false
	}
	for _, p := range ps {
		known := true
		for _, m := range g.members {
			if m.Classic != nil && !slices.ContainsFunc(m.Classic.Protocols, func(q Protocol) bool { return q.Name == p.Name }) {
				known = false
				break
			}
		}
		if known {
			return true
		}
	}
	return false
}

// Join takes a classic member in or lets it join again: it is told what it holds by the next Sync at once, and joins again when there
// is more. Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL.
func (g *Group) Join(t Topics, r *Join) (*Member, *Change, *kerr.Error) {
	if len(r.Protocols) == 0 {
		return nil, nil, kerr.InconsistentGroupProtocol
	}
	s, err := parseSubscription(r.Protocols[0].Metadata)
	if err != nil {
		return nil, nil, kerr.InconsistentGroupProtocol
	}
	m, refused := g.joiner(r)
	if refused != nil {
		return nil, nil, refused
	}
	next := *m
	next.InstanceID, next.ClientID, next.ClientHost = cmp.Or(r.InstanceID, m.InstanceID), r.ClientID, r.ClientHost
	next.RebalanceTimeout, next.Topics, next.Regex, next.Assignor = r.RebalanceTimeout, distinct(s.topics), "", ""
	if s.rack != "" {
		next.Rack = s.rack
	}
	next.Classic = &Classic{Session: r.Session, Protocols: r.Protocols}
	if m.Classic != nil && sameClassic(m.Classic, next.Classic) {
		next.Classic = m.Classic
	}
	c := g.begin()
	c.settle(m, &next)
	resubscribed := !slices.Equal(m.Topics, next.Topics) || m.Regex != next.Regex
	c.renew(t, g.epoch == 0 || resubscribed)
	c.reconcile(t, g.members[next.ID], topicIDs(t, s.owned), resubscribed)
	return g.members[next.ID], c, nil
}

// joiner is the member as it is before it joins.
func (g *Group) joiner(r *Join) (*Member, *kerr.Error) {
	holder := g.Static(r.InstanceID)
	switch {
	case r.InstanceID == "" && g.members[r.MemberID] == nil, r.Fresh && (r.InstanceID == "" || holder == nil):
		return &Member{ID: r.MemberID}, nil
	case r.InstanceID == "":
		return g.members[r.MemberID], nil
	case r.Fresh:
		return holder.successor(r.MemberID), nil
	case holder == nil:
		return nil, kerr.UnknownMemberID
	case holder.ID != r.MemberID:
		return nil, kerr.FencedInstanceID
	}
	return holder, nil
}

func sameClassic(a, b *Classic) bool {
	return a.Session == b.Session && slices.EqualFunc(a.Protocols, b.Protocols, func(p, q Protocol) bool {
		return p.Name == q.Name && slices.Equal(p.Metadata, q.Metadata)
	})
}

// topicIDs turns names into ids; topics that do not exist are left out.
func topicIDs(t Topics, named map[string][]int32) assign.Partitions {
	out := assign.Partitions{}
	for name, ps := range named {
		if topic, ok := t.Topic(name); ok {
			out[topic.ID] = append(out[topic.ID], ps...)
		}
	}
	out.Tidy()
	return out
}

// topicNames turns ids into names; topics that do not exist are left out.
func topicNames(t Topics, ps assign.Partitions) map[string][]int32 {
	out := make(map[string][]int32, len(ps))
	for id, of := range ps {
		if name, ok := t.TopicName(id); ok {
			out[name] = of
		}
	}
	return out
}

// Classic finds a classic member by all that its requests say about it: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION.
func (g *Group) Classic(id, instance string, generation int32) (*Member, *kerr.Error) {
	m, err := g.Find(id, instance)
	switch {
	case err != nil:
		return nil, err
	case m.Classic == nil:
		return nil, kerr.UnknownMemberID
	case m.Epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// MaySync reports whether a classic member may have its assignment; otherwise the group has moved on and the member joins again
// first. One that has something to give up needs the assignment to learn of it.
func (g *Group) MaySync(m *Member) bool { return g.epoch == m.Epoch || m.State == Unrevoked }

// MustJoin reports whether a classic member has to join again: the group has moved on, it has something to give up, or what it waits
// for is free now.
func (g *Group) MustJoin(m *Member) bool {
	return g.epoch != m.Epoch || m.State == Unrevoked || m.State == Unreleased && !g.blocked(m)
}

// Embedded is what a classic member holds, as it reads it.
func (m *Member) Embedded(t Topics) []byte {
	version := int16(0)
	if s, err := parseSubscription(m.Classic.Protocols[0].Metadata); err == nil {
		version = s.version
	}
	return appendAssignment(version, topicNames(t, m.Assigned.Partitions()))
}

// A Convert is a member of a classic group on its way into a consumer group. Metadata is its subscription in the group's protocol.
type Convert struct {
	Member
	Metadata   []byte
	Assignment []byte
}

// FromClassic makes a group of the members of a classic one, each with what its last assignment gave it. It fails when the
// members' bytes are not those of plain consumers: then the group cannot be converted.
func FromClassic(t Topics, generation int32, members []Convert) (*Group, error) {
	g := New()
	g.epoch, g.target = generation, generation
	for i := range members {
		m := members[i].Member
		s, err := parseSubscription(members[i].Metadata)
		if err != nil {
			return nil, fmt.Errorf("subscription of %s: %w", m.ID, err)
		}
		assigned, custom, err := parseAssignment(members[i].Assignment)
		switch {
		case err != nil:
			return nil, fmt.Errorf("assignment of %s: %w", m.ID, err)
		case custom:
			return nil, fmt.Errorf("assignment of %s is that of an assignor of its own", m.ID)
		}
		m.Topics, m.Rack = distinct(s.topics), s.rack
		m.Target = topicIDs(t, assigned)
		m.Epoch, m.Previous, m.Assigned, m.Revoking = generation, generation, Claims{}, Claims{}
		for _, id := range sortedIDs(m.Target) {
			for _, p := range m.Target[id] {
				if p < 0 || g.owners[slot{id, p}] != "" {
					return nil, fmt.Errorf("assignment of %s: partition %d is another member's", m.ID, p)
				}
				m.Assigned[id] = append(m.Assigned[id], Claim{p, generation})
			}
		}
		g.set(&m)
	}
	g.metadata = g.hash(t)
	return g, nil
}
