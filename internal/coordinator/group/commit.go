package group

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Commit stores offsets for the group after checking the member; at is the wall-clock commit time. Errors are per partition
// (OFFSET_METADATA_TOO_LARGE) or whole: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS (in
// CompletingRebalance: the member holds the newest generation but not yet its assignment). A commit without generation and
// member is for groups without members; it makes the group if need be. A commit prolongs the member's session.
func (g *Groups) Commit(now time.Duration, at record.Timestamp, group string, m Member, os []OffsetCommit) ([]*kerr.Error, *kerr.Error, Effects) {
	of := g.groups[group]
	caller, err := g.checkCommit(of, m, os, false)
	if err != nil {
		return nil, err, Effects{}
	}
	if caller != nil {
		g.timers.Set(&caller.timer, now+caller.session)
	}
	errs, kept := g.fitting(at, os)
	if len(kept) == 0 {
		return errs, nil, Effects{}
	}
	g.obtain(group).store(kept)
	return errs, nil, Effects{Records: [][]byte{appendOffsets(nil, group, kept)}}
}

// CommitTxn stores offsets that become visible when EndTxn(pid, true) is applied (TxnOffsetCommit); the caller has checked the
// producer. The member is checked as in Commit, but a transaction without one may commit in any state, since older clients
// send none.
func (g *Groups) CommitTxn(now time.Duration, at record.Timestamp, group string, pid int64, m Member, os []OffsetCommit) ([]*kerr.Error, *kerr.Error, Effects) {
	if _, err := g.checkCommit(g.groups[group], m, os, true); err != nil {
		return nil, err, Effects{}
	}
	errs, kept := g.fitting(at, os)
	if len(kept) == 0 {
		return errs, nil, Effects{}
	}
	g.storePending(group, pid, kept)
	return errs, nil, Effects{Records: [][]byte{appendPending(nil, group, pid, kept)}}
}

// checkCommit decides whether m may commit; the member is nil when there is none to prolong.
func (g *Groups) checkCommit(of *group, m Member, os []OffsetCommit, txn bool) (*member, *kerr.Error) {
	simple := m.ID == "" && m.InstanceID == ""
	switch {
	case of == nil && m.Generation < 0:
		return nil, nil
	case of == nil && m.Modern:
		return nil, kerr.GroupIDNotFound
	case of == nil:
		return nil, kerr.IllegalGeneration
	case m.Generation < 0 && of.vacant():
		return nil, nil
	case m.Generation < 0 && simple && txn:
		return nil, nil
	case of.modern != nil:
		return nil, g.checkModern(of.modern, m, os, txn)
	case m.Generation < 0 && simple:
		return nil, kerr.UnknownMemberID
	}
	caller, err := of.check(m.ID, m.InstanceID)
	switch {
	case err != nil:
		return nil, err
	case m.Generation != of.generation:
		return nil, kerr.IllegalGeneration
	case !txn && of.state == completingRebalance:
		return nil, kerr.RebalanceInProgress
	}
	return caller, nil
}

// checkModern decides for a member of a consumer group. As in Kafka one partition that it may not commit spoils the whole.
func (g *Groups) checkModern(modern *consumer.Group, m Member, os []OffsetCommit, txn bool) *kerr.Error {
	each, err := modern.CheckCommit(g.options.Topics, m.ID, m.Generation, txn, m.Modern)
	if err != nil || each == nil {
		return err
	}
	for _, o := range os {
		if err := each(o.TopicPartition); err != nil {
			return err
		}
	}
	return nil
}

// vacant reports whether the group has no members; ids given out do not count.
func (g *group) vacant() bool {
	if g.modern != nil {
		return g.modern.Len() == 0
	}
	return g.state == empty
}

// CheckFetch decides whether a member of a consumer group may read its offsets: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH,
// ILLEGAL_GENERATION of a classic member. In any other group everybody may.
func (g *Groups) CheckFetch(group string, m Member) *kerr.Error {
	of := g.groups[group]
	if of == nil || of.modern == nil {
		return nil
	}
	return of.modern.CheckFetch(m.ID, m.Generation)
}

// A placed offset is one to be stored.
type placed struct {
	record.TopicPartition
	stored
}

// fitting sorts out offsets whose metadata is too long.
func (g *Groups) fitting(at record.Timestamp, os []OffsetCommit) ([]*kerr.Error, []placed) {
	errs := make([]*kerr.Error, len(os))
	kept := make([]placed, 0, len(os))
	for i, o := range os {
		if tooLong(o.Metadata, g.options.MaxMetadata) {
			errs[i] = kerr.OffsetMetadataTooLarge
			continue
		}
		kept = append(kept, placed{o.TopicPartition, stored{o.Offset, o.LeaderEpoch, o.Metadata, at}})
	}
	return errs, kept
}

// tooLong counts as Kafka does, in UTF-16 units.
func tooLong(s string, limit int) bool {
	if len(s) <= limit {
		return false
	}
	units := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xffff {
			units++
		}
	}
	return units > limit
}

func (g *group) store(os []placed) {
	for _, o := range os {
		g.offsets[o.TopicPartition] = o.stored
	}
}

func (g *Groups) storePending(name string, pid int64, os []placed) {
	of := g.obtain(name)
	if of.pending[pid] == nil {
		of.pending[pid] = map[record.TopicPartition]stored{}
	}
	for _, o := range os {
		if _, again := of.pending[pid][o.TopicPartition]; !again {
			of.unstable[o.TopicPartition]++
		}
		of.pending[pid][o.TopicPartition] = o.stored
	}
	if g.txns[pid] == nil {
		g.txns[pid] = map[string]struct{}{}
	}
	g.txns[pid][name] = struct{}{}
}

// EndTxn makes pid's pending offsets visible or forgets them: of two transactions the one that ends later has the last word. It
// needs no record of its own: the caller's journal holds the transaction's end, and calls EndTxn again on replay.
func (g *Groups) EndTxn(pid int64, commit bool) {
	for name := range g.txns[pid] { // groups are independent of each other: their order does not matter
		of := g.groups[name]
		for tp, o := range of.pending[pid] {
			if commit {
				of.offsets[tp] = o
			}
			of.settled(tp)
		}
		delete(of.pending, pid)
		g.forgetIfVacant(of)
	}
	delete(g.txns, pid)
}

// settled counts one pending offset of tp less.
func (g *group) settled(tp record.TopicPartition) {
	g.unstable[tp]--
	if g.unstable[tp] == 0 {
		delete(g.unstable, tp)
	}
}

// unlink forgets that pid has pending offsets in a group.
func (g *Groups) unlink(pid int64, name string) {
	delete(g.txns[pid], name)
	if len(g.txns[pid]) == 0 {
		delete(g.txns, pid)
	}
}

// Offset returns a group's committed offset of one partition. Unknown groups have none (offset -1), as in Kafka.
func (g *Groups) Offset(group string, tp record.TopicPartition) Committed {
	none := Committed{Offset: -1, LeaderEpoch: -1}
	of := g.groups[group]
	if of == nil {
		return none
	}
	none.Pending = of.unstable[tp] > 0
	if o, ok := of.offsets[tp]; ok {
		return o.committed(none.Pending)
	}
	return none
}

// Offsets returns all committed offsets of a group; partitions that have only a pending one are not among them.
func (g *Groups) Offsets(group string) map[record.TopicPartition]Committed {
	of := g.groups[group]
	if of == nil {
		return map[record.TopicPartition]Committed{}
	}
	all := make(map[record.TopicPartition]Committed, len(of.offsets))
	for tp, o := range of.offsets {
		all[tp] = o.committed(of.unstable[tp] > 0)
	}
	return all
}

func (o stored) committed(pending bool) Committed {
	return Committed{Offset: o.offset, LeaderEpoch: o.leaderEpoch, Metadata: o.metadata, Pending: pending}
}

// ForgetTopic removes all offsets of a deleted topic, pending ones too. It needs no record: the caller repeats it on replay.
func (g *Groups) ForgetTopic(topic string) {
	for _, of := range g.groups {
		for tp := range of.offsets {
			if tp.Topic == topic {
				delete(of.offsets, tp)
			}
		}
		for pid, os := range of.pending {
			for tp := range os {
				if tp.Topic == topic {
					delete(os, tp)
					of.settled(tp)
				}
			}
			if len(os) == 0 {
				delete(of.pending, pid)
				g.unlink(pid, of.name)
			}
		}
		g.forgetIfVacant(of)
	}
}

// sortedOffsets lists a map of offsets by partition.
func sortedOffsets(m map[record.TopicPartition]stored) []placed {
	os := make([]placed, 0, len(m))
	for tp, o := range m {
		os = append(os, placed{tp, o})
	}
	slices.SortFunc(os, func(a, b placed) int { return comparePartitions(a.TopicPartition, b.TopicPartition) })
	return os
}
