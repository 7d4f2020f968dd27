package broker

import (
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/security"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
)

// state is everything the journal describes: the pending state, ahead of what readers see by the frames not yet durable. It is
// changed by the apply methods only, one per frame kind, live and in recovery alike; the sequencer owns it.
//
// The two coordinators are the exception in form, not in effect: live they change as they decide and hand out records, and Apply
// repeats those records in recovery.
type state struct {
	home      logHome
	clusterID string
	topics    map[string]*topicState
	ids       map[TopicID]*topicState
	described Topics            // the same topics as readers see them; Version is the newest snapshot's
	listed    uint64            // changes with topics
	folded    map[string]string // name with '.' as '_' → name: both may not exist (metrics names in Kafka)
	parts     map[uint32]*partition
	nextPart  uint32
	groups    *group.Groups
	txns      *txn.Txns
	security  security.State
	node      settings.Node     // what was changed of the node's own settings
	fixed     map[string]string // what topics follow by the node's options
	defaults  settings.Rules    // of a topic without settings
	now       record.Timestamp  // wall clock of the round

	// What the round, or recovery, has still to carry out.
	dirty       []*partition // batches to write, offsets to publish
	dirtyBytes  int
	removed     []*partition // logs to delete once the deletion is durable
	topicsMoved bool
	join        []byte // scratch of log writes
}

// A topicState is immutable but for what its partitions hold.
type topicState struct {
	*Topic
	parts []*partition
	rules *atomic.Pointer[settings.Rules]
}

// A snapshot is what readers resolve topics in.
type snapshot struct {
	topics *Topics
	byName map[string]*topicState
	byID   map[TopicID]*topicState

	security *Security
	node     settings.Node
}

func newState(home logHome, o Options) *state {
	st := &state{
		home:      home,
		topics:    map[string]*topicState{},
		ids:       map[TopicID]*topicState{},
		described: Topics{ByName: map[string]*Topic{}, ByID: map[TopicID]*Topic{}},
		folded:    map[string]string{},
		parts:     map[uint32]*partition{},
		nextPart:  1,
		txns:      txn.New(o.Txn),
		fixed:     o.nodeDefaults(),
		defaults:  settings.Defaults(o.nodeDefaults()),
	}
	o.Group.Topics = assignable{st, o.Access}
	st.groups = group.New(o.Group)
	return st
}

// snapshot copies the topic maps for readers. Clones of maps are the cheapest copies: where topics are many, each new one costs this.
func (st *state) snapshot() *snapshot {
	st.described.Version++
	return &snapshot{
		topics: &Topics{ByName: maps.Clone(st.described.ByName), ByID: maps.Clone(st.described.ByID), Version: st.described.Version},
		byName: maps.Clone(st.topics),
		byID:   maps.Clone(st.ids),

		security: st.security.Snapshot(),
		node:     st.node,
	}
}

// partition finds a live partition by name; nil when there is none.
func (st *state) partition(tp record.TopicPartition) *partition {
	t := st.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.parts) {
		return nil
	}
	return t.parts[tp.Partition]
}

// touch puts p on the list of partitions that the round changed.
func (st *state) touch(p *partition) {
	if !p.dirty {
		p.dirty = true
		st.dirty = append(st.dirty, p)
	}
}

// writeLogs moves the pending batches of all dirty partitions to their logs. They stay dirty: publishing is the caller's.
func (st *state) writeLogs() error {
	for _, p := range st.dirty {
		if p.deleted || p.damage.Load() != nil {
			p.pend = nil
			continue
		}
		if err := st.home.write(p, &st.join); err != nil {
			return err
		}
	}
	st.dirtyBytes = 0
	if cap(st.join) > keptScratch {
		st.join = nil
	}
	return nil
}

// keptScratch is how many bytes of a scratch buffer are kept between rounds.
const keptScratch = 1 << 20

// ---- topics

func (st *state) putTopic(t *topicState) {
	st.topics[t.Name], st.ids[t.ID], st.folded[settings.Fold(t.Name)] = t, t, t.Name
	st.described.ByName[t.Name], st.described.ByID[t.ID] = t.Topic, t.Topic
	st.listed++
	st.topicsMoved = true
}

// newPartition adds an empty partition, with leader epoch 0 from offset 0 on.
func (st *state) newPartition(t *Topic, r *atomic.Pointer[settings.Rules], index int32, number uint32) *partition {
	p := &partition{
		TopicPartition: record.TopicPartition{Topic: t.Name, Partition: index},
		topic:          t.ID, number: number, rules: r, epochs: []epochStart{{}},
	}
	p.shown.publication = p.publication()
	st.parts[number] = p
	st.nextPart = max(st.nextPart, number+1)
	return p
}

func describe(f frame.TopicCreated) *Topic {
	return &Topic{Name: f.Name, ID: f.ID, Partitions: int32(f.Count), Internal: f.Internal, Configs: f.Configs}
}

func (st *state) applyTopicCreated(f frame.TopicCreated) {
	t := &topicState{Topic: describe(f), rules: new(atomic.Pointer[settings.Rules])}
	r := st.defaults.With(f.Configs)
	t.rules.Store(&r)
	for i := range f.Count {
		t.parts = append(t.parts, st.newPartition(t.Topic, t.rules, int32(i), f.First+i))
	}
	st.putTopic(t)
}

func (st *state) applyTopicDeleted(id TopicID) error {
	t := st.ids[id]
	if t == nil {
		return fmt.Errorf("topic %x is deleted but does not exist", id)
	}
	delete(st.topics, t.Name)
	delete(st.ids, id)
	delete(st.described.ByName, t.Name)
	delete(st.described.ByID, id)
	st.listed++
	delete(st.folded, settings.Fold(t.Name))
	for _, p := range t.parts {
		p.deleted = true
		delete(st.parts, p.number)
		st.removed = append(st.removed, p)
	}
	st.groups.ForgetTopic(t.Name)
	st.topicsMoved = true
	return nil
}

func (st *state) applyPartitionsAdded(f frame.PartitionsAdded) error {
	old := st.ids[f.ID]
	if old == nil {
		return fmt.Errorf("topic %x gets partitions but does not exist", f.ID)
	}
	desc := *old.Topic
	desc.Partitions += int32(f.Count)
	t := &topicState{Topic: &desc, parts: old.parts[:len(old.parts):len(old.parts)], rules: old.rules}
	for i := range f.Count {
		t.parts = append(t.parts, st.newPartition(t.Topic, t.rules, old.Partitions+int32(i), f.First+i))
	}
	st.putTopic(t)
	return nil
}

func (st *state) applyConfigChanged(f frame.ConfigChanged) error {
	old := st.ids[f.ID]
	if old == nil {
		return fmt.Errorf("topic %x gets settings but does not exist", f.ID)
	}
	desc := *old.Topic
	desc.Configs = f.Configs
	r := st.defaults.With(f.Configs)
	old.rules.Store(&r)
	st.putTopic(&topicState{Topic: &desc, parts: old.parts, rules: old.rules})
	return nil
}

// applyNodeSettings makes every topic follow what is new, as far as it has no setting of its own.
func (st *state) applyNodeSettings(n settings.Node) {
	st.node = n
	st.defaults = settings.Defaults(n.TopicDefaults(st.fixed))
	for _, t := range st.topics {
		r := st.defaults.With(t.Configs)
		t.rules.Store(&r)
	}
	st.topicsMoved = true
}

// ---- partitions

// applyBatch appends v, whose offsets are set, to p. v is kept until writeLogs.
func (st *state) applyBatch(p *partition, v batch.View) {
	st.touch(p)
	p.pend = append(p.pend, v)
	st.dirtyBytes += len(v)
	p.next = v.LastOffset() + 1
	if v.ProducerID() >= 0 {
		p.noteProducer(v, st.now)
	}
}

// applyTxnEnd appends the markers and ends pid's transaction in the partitions and in the groups' offsets. Partitions that are
// damaged or gone keep out of it.
func (st *state) applyTxnEnd(f frame.TxnEnded) error {
	for _, m := range f.Markers {
		p := st.parts[m.Number]
		if p == nil || p.damage.Load() != nil {
			continue
		}
		if p.next != m.Base {
			return fmt.Errorf("marker of producer %d in %v stands at %d, the log ends at %d", f.Producer, p.TopicPartition, m.Base, p.next)
		}
		v := batch.EndMarker(f.Producer, f.Epoch, f.Commit, 0, f.At)
		v.SetBaseOffset(m.Base)
		v.SetLeaderEpoch(p.epoch())
		st.touch(p)
		p.pend = append(p.pend, v)
		st.dirtyBytes += len(v)
		p.next = v.LastOffset() + 1
		p.noteEnd(f.Producer, f.Epoch, f.Commit, m.Base, st.now)
	}
	st.groups.EndTxn(f.Producer, f.Commit)
	return nil
}

func (st *state) applyRecordsDeleted(number uint32, start record.Offset) {
	if p := st.parts[number]; p != nil {
		p.advanceStart(start)
		st.touch(p)
	}
}

// applyAbortsForgotten takes aborted transactions, named by their markers, off the list that readers get: compaction removed their
// records.
func (st *state) applyAbortsForgotten(f frame.AbortsForgotten) {
	if p := st.parts[f.Number]; p != nil {
		p.forgetAborts(f.Markers)
		st.touch(p)
	}
}

// applyUncleanStart raises every leader epoch: consumers can tell that the log may have ended earlier than they thought.
func (st *state) applyUncleanStart() {
	if planted.Is(planted.LeaderEpochUnchanged) {
		return
	}
	for _, p := range st.parts {
		p.raiseEpoch()
		st.touch(p)
	}
}
