package consumer

import (
	"cmp"
	"slices"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// State is Kafka's word for where the group is: Empty, Assigning, Reconciling, Stable.
func (g *Group) State() string {
	switch {
	case len(g.members) == 0:
		return "Empty"
	case g.epoch != g.target:
		return "Assigning"
	}
	for _, m := range g.members {
		if !m.settled(g.target) {
			return "Reconciling"
		}
	}
	return "Stable"
}

// A Description is a group for ConsumerGroupDescribe.
type Description struct {
	Group         string
	State         string
	Epoch, Target int32
	Assignor      string
	Members       []Described
}

// Described is one member of a Description. Assigned is what it holds, what it has still to give up included. Topics that do not
// exist any more are left out.
type Described struct {
	*Member
	Assigned, Target []TopicPartitions
}

// TopicPartitions are partitions of one topic.
type TopicPartitions struct {
	Topic      string
	ID         assign.TopicID
	Partitions []int32
}

// Describe shows the group.
func (g *Group) Describe(t Topics, name string) Description {
	d := Description{Group: name, State: g.State(), Epoch: g.epoch, Target: g.target, Assignor: g.Assignor()}
	for _, m := range g.Members() {
		held := m.Assigned.Partitions()
		for id, of := range m.Revoking.Partitions() {
			held[id] = append(held[id], of...)
		}
		held.Tidy()
		d.Members = append(d.Members, Described{Member: m, Assigned: named(t, held), Target: named(t, m.Target)})
	}
	return d
}

// CheckCommit decides whether a member may commit (TxnOffsetCommit: txn). It gives the error of each partition when not all are alike.
// modern is for versions of OffsetCommit that know member epochs. Errors: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH or, for classic
// members, ILLEGAL_GENERATION; UNSUPPORTED_VERSION.
func (g *Group) CheckCommit(t Topics, id string, epoch int32, txn, modern bool) (func(record.TopicPartition) *kerr.Error, *kerr.Error) {
	m := g.members[id]
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	stale := kerr.StaleMemberEpoch
	if m.Classic != nil {
		stale = kerr.IllegalGeneration
	}
	switch {
	case !txn && m.Classic == nil && !modern:
		return nil, kerr.UnsupportedVersion
	case epoch == m.Epoch:
		return nil, nil
	case epoch > m.Epoch:
		return nil, stale
	}
	// The member may not know of its newest epoch yet: it commits what it has held since before the epoch that it knows.
	return func(tp record.TopicPartition) *kerr.Error {
		topic, ok := t.Topic(tp.Topic)
		if !ok {
			return stale
		}
		since, held := m.Assigned.find(topic.ID, tp.Partition)
		if !held {
			since, held = m.Revoking.find(topic.ID, tp.Partition)
		}
		if !held || epoch < since {
			return stale
		}
		return nil
	}, nil
}

// CheckFetch decides whether a member may read committed offsets: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
func (g *Group) CheckFetch(id string, epoch int32) *kerr.Error {
	m := g.members[id]
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case epoch == m.Epoch:
		return nil
	case m.Classic != nil:
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

// named lists partitions with their topics' names, by name.
func named(t Topics, ps assign.Partitions) []TopicPartitions {
	var out []TopicPartitions
	for _, id := range sortedIDs(ps) {
		if name, ok := t.TopicName(id); ok {
			out = append(out, TopicPartitions{name, id, ps[id]})
		}
	}
	slices.SortFunc(out, func(a, b TopicPartitions) int { return cmp.Compare(a.Topic, b.Topic) })
	return out
}
