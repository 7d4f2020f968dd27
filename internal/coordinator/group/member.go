package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/deadline"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

type state int8

const (
	empty state = iota
	preparingRebalance
	completingRebalance
	stable
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}

func (s state) String() string { return stateNames[s] }

// A group is one consumer group. A group known only by its offsets has no protocol type and is Empty for ever.
type group struct {
	name string
	// modern is the state of a consumer group; the classic fields are those of an Empty group then, and patience has an entry for
	// each member.
	modern   *consumer.Group
	patience map[string]*patience

	state      state
	previous   state // the state before, Empty marks an initial rebalance
	generation int32

	protocolType string // empty: none yet
	protocol     string // of the current generation
	leader       string // member id, empty when there is no member

	members map[string]*member
	order   []*member         // members in the order in which they came
	static  map[string]string // instance id → member id
	// supported counts, for each protocol, the members that know it; only those known to all can be chosen.
	supported map[string]int
	// pendingJoin holds the ids given out by MEMBER_ID_REQUIRED that have not come back yet.
	pendingJoin map[string]*deadline.Timer[due]
	joining     int // members with a parked join

	// An initial rebalance waits for more members: delay is the current wait, remaining what may still be added when newMember.
	delay, remaining time.Duration
	newMember        bool

	join, sync deadline.Timer[due]

	emptySince time.Duration // when a check found it without members; 0: it had some since

	durable []byte // the record of the last completed generation, nil when there was none

	offsets  map[record.TopicPartition]stored
	pending  map[int64]map[record.TopicPartition]stored // by producer id, until its transaction ends
	unstable map[record.TopicPartition]int              // how many producers have a pending offset there
}

// stored is a committed offset with its commit time.
type stored struct {
	offset      record.Offset
	leaderEpoch int32
	metadata    string
	at          record.Timestamp
}

// A member of a group. Its parked requests are soft; the rest is in the durable record of a generation.
type member struct {
	id, instance, clientID, clientHost string
	session, rebalance                 time.Duration
	protocols                          []Protocol // by preference; each name once
	assignment                         []byte

	fresh    bool // never got an answer to a join
	owesSync bool // has not synced in the current generation
	joinTo   Token
	joining  bool // joinTo is parked
	syncTo   Token
	syncing  bool // syncTo is parked

	timer deadline.Timer[due]
}

func newGroup(name string) *group {
	g := &group{
		name: name, patience: map[string]*patience{}, members: map[string]*member{}, static: map[string]string{}, supported: map[string]int{},
		pendingJoin: map[string]*deadline.Timer[due]{}, offsets: map[record.TopicPartition]stored{},
		pending: map[int64]map[record.TopicPartition]stored{}, unstable: map[record.TopicPartition]int{},
	}
	g.join.Of = due{g: g, what: joinPhase}
	g.sync.Of = due{g: g, what: syncPhase}
	return g
}

// add takes a member in; its protocols must be supported.
func (g *group) add(m *member) {
	m.timer.Of = due{g: g, what: sessionPhase, member: m.id}
	g.members[m.id] = m
	g.order = append(g.order, m)
	if m.instance != "" {
		g.static[m.instance] = m.id
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.count(m.protocols, 1)
}

// remove forgets a member; the caller has answered its parked requests and cleared its timer. The oldest member inherits the lead.
func (g *group) remove(m *member) {
	delete(g.members, m.id)
	g.order = slices.DeleteFunc(g.order, func(o *member) bool { return o == m })
	if m.instance != "" {
		delete(g.static, m.instance)
	}
	g.count(m.protocols, -1)
	if g.leader == m.id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
}

func (g *group) count(ps []Protocol, by int) {
	for _, p := range ps {
		g.supported[p.Name] += by
		if g.supported[p.Name] == 0 {
			delete(g.supported, p.Name)
		}
	}
}

func (g *group) setProtocols(m *member, ps []Protocol) {
	g.count(m.protocols, -1)
	m.protocols = ps
	g.count(m.protocols, 1)
}

// supports reports whether a member with these protocols may join: any in an empty group, else one known to every member.
func (g *group) supports(protocolType string, ps []Protocol) bool {
	if g.state == empty {
		return protocolType != "" && len(ps) > 0
	}
	return g.protocolType == protocolType &&
		slices.ContainsFunc(ps, func(p Protocol) bool { return g.supported[p.Name] == len(g.members) })
}

// selectProtocol lets each member vote for the first of its protocols that all members know. Between protocols of equally many
// votes the leader's preference decides (in Kafka it is chance).
func (g *group) selectProtocol() string {
	votes := map[string]int{}
	for _, m := range g.order {
		for _, p := range m.protocols {
			if g.supported[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, p := range g.members[g.leader].protocols {
		if votes[p.Name] > votes[best] {
			best = p.Name
		}
	}
	return best
}

// electLeader makes sure that the leader has rejoined, else the oldest member that has becomes leader; false when none has.
func (g *group) electLeader() bool {
	if g.leader == "" {
		return false
	}
	if g.members[g.leader].joining {
		return true
	}
	for _, m := range g.order {
		if m.joining {
			g.leader = m.id
			return true
		}
	}
	return false
}

func (g *group) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range g.order {
		longest = max(longest, m.rebalance)
	}
	return longest
}

func (g *group) allJoined() bool { return len(g.members) == g.joining && len(g.pendingJoin) == 0 }

func (g *group) to(s state) { g.previous, g.state = g.state, s }

// check finds the member who calls: UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when its instance id has passed to another member.
func (g *group) check(id, instance string) (*member, *kerr.Error) {
	if instance != "" {
		holder, ok := g.static[instance]
		if ok && holder != id {
			return nil, kerr.FencedInstanceID
		}
		if !ok {
			return nil, kerr.UnknownMemberID
		}
	}
	m := g.members[id]
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// metadata returns the member's subscription for a protocol, nil when it does not know it.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

func (m *member) matches(ps []Protocol) bool {
	return slices.EqualFunc(m.protocols, ps, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// cloneProtocols copies what a request lent us; of protocols with the same name the first counts.
func cloneProtocols(ps []Protocol) []Protocol {
	out := make([]Protocol, 0, len(ps))
	seen := make(map[string]struct{}, len(ps))
	for _, p := range ps {
		if _, dup := seen[p.Name]; dup {
			continue
		}
		seen[p.Name] = struct{}{}
		out = append(out, Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
	}
	return out
}
