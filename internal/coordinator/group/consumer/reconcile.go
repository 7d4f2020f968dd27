package consumer

import (
	"github.com/mainstemio/mainstem/internal/coordinator/assign"
)

// reconcile takes the member as far towards its target as it can go now. owned is what it says it holds, nil when it does not say.
// resubscribed means that it has just changed what it wants: topics it does not want any more go even when its epoch stays.
func (c *Change) reconcile(t Topics, m *Member, owned assign.Partitions, resubscribed bool) {
	g := c.g
	if !resubscribed && m.settled(g.target) {
		return
	}
	var next *Member
	switch {
	case m.State == Stable && m.Epoch == g.target,
		m.State == Unrevoked && owns(owned, m.Revoking):
		if !resubscribed {
			return // it has still to give up what it was told to
		}
		next = g.shrink(t, m, owned)
	default:
		next = g.advance(t, m, owned)
	}
	if next.Epoch != m.Epoch || next.Previous != m.Previous || next.State != m.State ||
		!next.Assigned.equal(m.Assigned) || !next.Revoking.equal(m.Revoking) {
		c.put(next, partCurrent)
	}
}

// owns reports whether a member may still hold any of the claims: it does unless it says otherwise.
func owns(owned assign.Partitions, claims Claims) bool {
	return owned == nil || claims.meets(owned)
}

// wanted tells which topics a member may hold partitions of: those that exist and that it subscribes to.
func (g *Group) wanted(t Topics, m *Member) func(assign.TopicID) bool {
	return func(id assign.TopicID) bool {
		name, ok := t.TopicName(id)
		return ok && g.subscribes(t, m, name)
	}
}

// shrink lets go of topics that the member does not want any more.
func (g *Group) shrink(t Topics, m *Member, owned assign.Partitions) *Member {
	wanted := g.wanted(t, m)
	next := *m
	next.Assigned, next.Revoking = Claims{}, Claims{}
	for id, of := range m.Revoking {
		next.Revoking.add(id, of...)
	}
	gone := false
	for id, of := range m.Assigned {
		if wanted(id) {
			next.Assigned[id] = of
			continue
		}
		next.Revoking.add(id, of...)
		gone = true
	}
	switch {
	case !gone:
		return m
	case owns(owned, next.Revoking):
		next.State = Unrevoked
	default:
		next.Revoking = m.Revoking
	}
	return &next
}

// advance computes the member's next state from what it holds, its target and what is free.
func (g *Group) advance(t Topics, m *Member, owned assign.Partitions) *Member {
	wanted := g.wanted(t, m)
	keep, revoke := Claims{}, Claims{}
	for id, of := range m.Assigned {
		want := wanted(id)
		for _, claim := range of {
			if want && m.Target.Has(id, claim.Partition) {
				keep[id] = append(keep[id], claim)
			} else {
				revoke[id] = append(revoke[id], claim)
			}
		}
	}
	next := *m
	if len(revoke) > 0 && owns(owned, revoke) {
		next.State, next.Assigned, next.Revoking = Unrevoked, keep, revoke
		return &next
	}
	next.State, next.Revoking = Stable, Claims{}
	if m.Epoch != g.target { // the member may not learn of its new epoch and come again with the one before
		next.Epoch, next.Previous = g.target, m.Epoch
	}
	for _, id := range sortedIDs(m.Target) {
		if !wanted(id) {
			continue
		}
		var gain []Claim
		for _, p := range m.Target[id] {
			if _, has := keep.find(id, p); has {
				continue
			}
			// What the member itself was asked to give up and has given up is free for it.
			if owner := g.owners[slot{id, p}]; owner != "" && owner != m.ID {
				next.State = Unreleased
				continue
			}
			gain = append(gain, Claim{p, g.target})
		}
		keep.add(id, gain...)
	}
	next.Assigned = keep
	return &next
}

// blocked reports whether a partition that the member is to get is still with another.
func (g *Group) blocked(m *Member) bool {
	for id, of := range m.Target {
		for _, p := range of {
			if owner := g.owners[slot{id, p}]; owner != "" && owner != m.ID {
				return true
			}
		}
	}
	return false
}
