package consumer

import (
	"maps"
	"math"
	"slices"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Group is the state of one group.
type Group struct {
	epoch, target int32  // the group epoch; that of the members' targets
	metadata      uint64 // what the subscribed topics were like when the group epoch rose last

	members map[string]*Member
	static  map[string]string // instance id → member id
	owners  map[slot]string   // who holds a partition, or has still to give it up

	// Soft: recovery begins without.
	unsaved  bool                  // no record of the group exists
	patterns map[interest]*pattern // the regular expressions of members
	seen     uint64                // Topics.Version + 1 at the last look at the topics
}

// A slot is one partition.
type slot struct {
	id        assign.TopicID
	partition int32
}

// New returns an empty group, which no record knows yet.
func New() *Group {
	g := blank()
	g.unsaved = true
	return g
}

func blank() *Group {
	return &Group{members: map[string]*Member{}, static: map[string]string{}, owners: map[slot]string{}, patterns: map[interest]*pattern{}}
}

// Epoch is the group epoch.
func (g *Group) Epoch() int32 { return g.epoch }

// Len is the number of members, static ones that are away included.
func (g *Group) Len() int { return len(g.members) }

// Member finds a member; nil when there is none.
func (g *Group) Member(id string) *Member { return g.members[id] }

// Static finds the member with an instance id; nil when there is none.
func (g *Group) Static(instance string) *Member { return g.members[g.static[instance]] }

// Members are all members by id.
func (g *Group) Members() []*Member {
	out := make([]*Member, 0, len(g.members))
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		out = append(out, g.members[id])
	}
	return out
}

// ClassicExcept reports whether all members but those named use the classic protocol.
func (g *Group) ClassicExcept(ids ...string) bool {
	for id, m := range g.members {
		if m.Classic == nil && !slices.Contains(ids, id) {
			return false
		}
	}
	return true
}

// Find is the member who calls: UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when the instance id has passed to another member.
func (g *Group) Find(id, instance string) (*Member, *kerr.Error) {
	m := g.members[id]
	if instance != "" {
		holder := g.Static(instance)
		if holder != nil && holder.ID != id {
			return nil, kerr.FencedInstanceID
		}
		m = holder
	}
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// set puts m in the place of the member with its id.
func (g *Group) set(m *Member) {
	g.drop(m.ID)
	g.members[m.ID] = m
	if m.InstanceID != "" {
		g.static[m.InstanceID] = m.ID
	}
	for _, claims := range [2]Claims{m.Assigned, m.Revoking} {
		for id, of := range claims {
			for _, c := range of {
				g.owners[slot{id, c.Partition}] = m.ID
			}
		}
	}
}

// drop forgets a member, if there is one, with what it holds.
func (g *Group) drop(id string) {
	m := g.members[id]
	if m == nil {
		return
	}
	delete(g.members, id)
	if g.static[m.InstanceID] == id {
		delete(g.static, m.InstanceID)
	}
	for _, claims := range [2]Claims{m.Assigned, m.Revoking} {
		for topic, of := range claims {
			for _, c := range of {
				if s := (slot{topic, c.Partition}); g.owners[s] == id {
					delete(g.owners, s)
				}
			}
		}
	}
}

// The parts of a member that a record may hold.
const (
	partSubscription = 1 << iota
	partTarget
	partCurrent
	partPrincipal // of the subscription, if it is known
	allParts      = partSubscription | partTarget | partCurrent
)

// A Change is what a call did to a group.
type Change struct {
	g       *Group
	epochs  bool
	removed []string
	touched map[string]byte // member id → parts
}

func (g *Group) begin() *Change { return &Change{g: g, touched: map[string]byte{}} }

// put makes m the state of its member. parts are those that differ.
func (c *Change) put(m *Member, parts byte) {
	c.g.set(m)
	c.touched[m.ID] |= parts
}

// Moved reports whether the change took the member closer to its target, or told it what to give up.
func (c *Change) Moved(id string) bool { return c.touched[id]&partCurrent != 0 }

func (c *Change) remove(id string) {
	c.g.drop(id)
	delete(c.touched, id)
	c.removed = append(c.removed, id)
}

// bump raises the group epoch. The first one is 2, as in Kafka, where members wait in epoch 1 for the first assignment.
func (c *Change) bump(metadata uint64) {
	if c.g.epoch == math.MaxInt32 {
		c.g.epoch = 0 // the first epoch follows the last, as with generations
	}
	c.g.epoch = max(c.g.epoch+1, 2)
	c.g.metadata = metadata
	c.epochs = true
}

// Remove takes members out, whatever they hold, and raises the group epoch: the next heartbeat makes a target without them.
func (g *Group) Remove(t Topics, ids ...string) *Change {
	c := g.begin()
	for _, id := range ids {
		c.remove(id)
	}
	c.bump(g.hash(t))
	return c
}
