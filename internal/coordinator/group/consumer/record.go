package consumer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/format"
)

// A record's first byte after the group's name.
const (
	changesGroup = 0 // what it holds goes on top of what was there
	begunGroup   = 1 // the group begins with it: what was there, of either protocol, is over
)

// Append encodes the change; nothing is appended when nothing durable has changed. The first record of a group holds the whole of it.
func (c *Change) Append(dst []byte) []byte {
	g := c.g
	if g.unsaved {
		g.unsaved = false
		return g.Append(dst)
	}
	if !c.epochs && len(c.removed) == 0 && len(c.touched) == 0 {
		return dst
	}
	dst = g.appendHead(append(dst, changesGroup))
	dst = binary.AppendUvarint(dst, uint64(len(c.removed)))
	for _, id := range c.removed {
		dst = format.AppendString(dst, id)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.touched)))
	for _, id := range slices.Sorted(maps.Keys(c.touched)) {
		dst = g.members[id].append(dst, c.touched[id])
	}
	return dst
}

// Append encodes the whole group. Equal groups give equal bytes.
func (g *Group) Append(dst []byte) []byte {
	dst = g.appendHead(append(dst, begunGroup))
	dst = binary.AppendUvarint(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(len(g.members)))
	for _, m := range g.Members() {
		dst = m.append(dst, allParts)
	}
	return dst
}

func (g *Group) appendHead(dst []byte) []byte {
	dst = binary.AppendVarint(dst, int64(g.epoch))
	dst = binary.AppendVarint(dst, int64(g.target))
	return binary.AppendUvarint(dst, g.metadata)
}

func (m *Member) append(dst []byte, parts byte) []byte {
	if parts&partSubscription != 0 && m.Principal != "" {
		parts |= partPrincipal
	}
	dst = append(format.AppendString(dst, m.ID), parts)
	if parts&partSubscription != 0 {
		dst = m.appendSubscription(dst)
	}
	if parts&partPrincipal != 0 {
		dst = format.AppendString(dst, m.Principal)
	}
	if parts&partTarget != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(m.Target)))
		for _, id := range sortedIDs(m.Target) {
			dst = binary.AppendUvarint(append(dst, id[:]...), uint64(len(m.Target[id])))
			last := int32(-1)
			for _, p := range m.Target[id] {
				dst, last = binary.AppendUvarint(dst, uint64(p-last-1)), p
			}
		}
	}
	if parts&partCurrent != 0 {
		dst = binary.AppendVarint(dst, int64(m.Epoch))
		dst = binary.AppendVarint(dst, int64(m.Previous))
		dst = append(dst, byte(m.State))
		dst = appendClaims(appendClaims(dst, m.Assigned), m.Revoking)
	}
	return dst
}

func (m *Member) appendSubscription(dst []byte) []byte {
	for _, s := range [...]string{m.InstanceID, m.Rack, m.ClientID, m.ClientHost, m.Regex, m.Assignor} {
		dst = format.AppendString(dst, s)
	}
	dst = binary.AppendVarint(dst, m.RebalanceTimeout.Milliseconds())
	dst = binary.AppendUvarint(dst, uint64(len(m.Topics)))
	for _, topic := range m.Topics {
		dst = format.AppendString(dst, topic)
	}
	if m.Classic == nil {
		return binary.AppendUvarint(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Classic.Protocols)))
	for _, p := range m.Classic.Protocols {
		dst = format.AppendBytes(format.AppendString(dst, p.Name), p.Metadata)
	}
	return binary.AppendVarint(dst, m.Classic.Session.Milliseconds())
}

func appendClaims(dst []byte, c Claims) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c)))
	for _, id := range sortedIDs(c) {
		dst = binary.AppendUvarint(append(dst, id[:]...), uint64(len(c[id])))
		last := int32(-1)
		for _, claim := range c[id] {
			dst = binary.AppendUvarint(dst, uint64(claim.Partition-last-1))
			dst = binary.AppendVarint(dst, int64(claim.Epoch))
			last = claim.Partition
		}
	}
	return dst
}

// A Delta is a decoded record.
type Delta struct {
	begun         bool
	epoch, target int32
	metadata      uint64
	removed       []string
	members       []partial
}

// A partial is a member with the parts that its record holds.
type partial struct {
	Member
	parts byte
}

// Begun reports whether the group begins with the record.
func (d *Delta) Begun() bool { return d.begun }

// Read decodes what Append wrote; the reader tells of errors.
func Read(r *format.Reader) *Delta {
	d := &Delta{}
	switch r.Byte() {
	case changesGroup:
	case begunGroup:
		d.begun = true
	default:
		r.Fail("neither a change nor a beginning")
	}
	d.epoch = int32(r.Int(0, math.MaxInt32))
	d.target = int32(r.Int(0, math.MaxInt32))
	d.metadata = r.Uvarint()
	d.removed = make([]string, r.Count(1))
	for i := range d.removed {
		d.removed[i] = r.String()
	}
	last := ""
	for range r.Count(2) {
		p := readPartial(r)
		if r.Failed() {
			return d
		}
		if p.ID <= last {
			r.Fail("member ids do not ascend")
		}
		last = p.ID
		d.members = append(d.members, p)
	}
	return d
}

func readPartial(r *format.Reader) partial {
	var p partial
	p.ID, p.parts = r.String(), r.Byte()
	named := p.parts&partPrincipal != 0
	if p.parts &^= partPrincipal; p.parts&^byte(allParts) != 0 || named && p.parts&partSubscription == 0 {
		r.Fail("unknown part of a member")
	}
	if p.parts&partSubscription != 0 {
		p.readSubscription(r)
	}
	if named {
		if p.Principal = r.String(); p.Principal == "" {
			r.Fail("empty principal of a member")
		}
	}
	if p.parts&partTarget != 0 {
		p.Target = readPartitions(r)
	}
	if p.parts&partCurrent != 0 {
		p.Epoch = int32(r.Int(StaticLeaving, math.MaxInt32))
		p.Previous = int32(r.Int(StaticLeaving, math.MaxInt32))
		p.State = State(r.Byte())
		if p.State > Unreleased {
			r.Fail("unknown state of a member")
		}
		p.Assigned, p.Revoking = readClaims(r), readClaims(r)
	}
	return p
}

func (m *Member) readSubscription(r *format.Reader) {
	for _, s := range [...]*string{&m.InstanceID, &m.Rack, &m.ClientID, &m.ClientHost, &m.Regex, &m.Assignor} {
		*s = r.String()
	}
	m.RebalanceTimeout = time.Duration(r.Int(0, math.MaxInt32)) * time.Millisecond
	for i := range r.Count(1) {
		m.Topics = append(m.Topics, r.String())
		if i > 0 && m.Topics[i] <= m.Topics[i-1] {
			r.Fail("topics do not ascend")
			return
		}
	}
	n := r.Count(2)
	if n == 0 {
		return
	}
	m.Classic = &Classic{Protocols: make([]Protocol, n)}
	for i := range m.Classic.Protocols {
		m.Classic.Protocols[i] = Protocol{Name: r.String(), Metadata: r.Bytes()}
	}
	m.Classic.Session = time.Duration(r.Int(1, math.MaxInt32)) * time.Millisecond
}

// readTopics reads a list of topics in ascending order and lets each read its partitions.
func readTopics(r *format.Reader, size int, each func(id assign.TopicID, n int)) {
	var last assign.TopicID
	for i := range r.Count(len(last) + 1 + size) {
		var id assign.TopicID
		for j := range id {
			id[j] = r.Byte()
		}
		n := r.Count(size)
		if n == 0 || i > 0 && string(id[:]) <= string(last[:]) {
			r.Fail("topics without partitions or not ascending")
			return
		}
		last = id
		each(id, n)
	}
}

// readPartition reads a number above last.
func readPartition(r *format.Reader, last int64) int64 {
	gap := r.Uvarint()
	if gap > math.MaxInt32 || last+1+int64(gap) > math.MaxInt32 {
		r.Fail("partition number too high")
		return 0
	}
	return last + 1 + int64(gap)
}

func readPartitions(r *format.Reader) assign.Partitions {
	out := assign.Partitions{}
	readTopics(r, 1, func(id assign.TopicID, n int) {
		ps, last := make([]int32, n), int64(-1)
		for i := range ps {
			last = readPartition(r, last)
			ps[i] = int32(last)
		}
		out[id] = ps
	})
	return out
}

func readClaims(r *format.Reader) Claims {
	out := Claims{}
	readTopics(r, 2, func(id assign.TopicID, n int) {
		claims, last := make([]Claim, n), int64(-1)
		for i := range claims {
			last = readPartition(r, last)
			claims[i] = Claim{int32(last), r.Int32()}
		}
		out[id] = claims
	})
	return out
}

// Apply repeats a record. One that makes no sense for the group as it stands is refused and changes nothing. A record that begins a
// group goes to an empty one.
func Apply(g *Group, d *Delta) (*Group, error) {
	if g == nil || d.begun {
		if !d.begun {
			return nil, fmt.Errorf("%w: a change of a group that has not begun", format.ErrMalformed)
		}
		g = blank()
	}
	next, err := g.check(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", format.ErrMalformed, err)
	}
	for _, id := range d.removed {
		g.drop(id)
	}
	for _, m := range next {
		g.drop(m.ID) // all first: what one gives up another may get
	}
	for _, m := range next {
		g.set(m)
	}
	g.epoch, g.target, g.metadata = d.epoch, d.target, d.metadata
	return g, nil
}

// check merges the parts with the members there are and verifies that no partition and no instance id gets two owners.
func (g *Group) check(d *Delta) ([]*Member, error) {
	gone := map[string]bool{}
	for _, id := range d.removed {
		gone[id] = true
	}
	out := make([]*Member, len(d.members))
	for i := range d.members {
		m, err := g.merge(&d.members[i], gone)
		if err != nil {
			return nil, err
		}
		out[i] = m
	}
	for _, m := range out {
		gone[m.ID] = true
	}
	owners, static := map[slot]bool{}, map[string]bool{}
	for _, m := range out {
		if holder := g.static[m.InstanceID]; m.InstanceID != "" && (static[m.InstanceID] || holder != "" && !gone[holder]) {
			return nil, fmt.Errorf("instance id %q of two members", m.InstanceID)
		}
		static[m.InstanceID] = true
		for _, claims := range [2]Claims{m.Assigned, m.Revoking} {
			for id, of := range claims {
				for _, c := range of {
					s := slot{id, c.Partition}
					if holder := g.owners[s]; owners[s] || holder != "" && !gone[holder] {
						return nil, fmt.Errorf("partition %d of %x is with two members", c.Partition, id)
					}
					owners[s] = true
				}
			}
		}
	}
	return out, nil
}

// merge completes a partial with what is known of the member; a new one must be whole.
func (g *Group) merge(p *partial, gone map[string]bool) (*Member, error) {
	next := p.Member
	old := g.members[p.ID]
	if old == nil || gone[p.ID] {
		if p.ID == "" || p.parts != allParts {
			return nil, fmt.Errorf("member %q is not whole", p.ID)
		}
		return &next, nil
	}
	if p.parts&partSubscription == 0 {
		next.InstanceID, next.Rack, next.ClientID, next.ClientHost = old.InstanceID, old.Rack, old.ClientID, old.ClientHost
		next.Principal = old.Principal
		next.Regex, next.Assignor, next.RebalanceTimeout, next.Topics, next.Classic = old.Regex, old.Assignor, old.RebalanceTimeout, old.Topics, old.Classic
	}
	if p.parts&partTarget == 0 {
		next.Target = old.Target
	}
	if p.parts&partCurrent == 0 {
		next.Epoch, next.Previous, next.State, next.Assigned, next.Revoking = old.Epoch, old.Previous, old.State, old.Assigned, old.Revoking
	}
	return &next, nil
}
