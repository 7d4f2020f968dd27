package group

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
)

// Apply repeats one durable record. A record that cannot be read changes nothing.
func (g *Groups) Apply(rec []byte) error {
	e, err := decode(rec)
	if err != nil {
		return fmt.Errorf("group record: %w", err)
	}
	switch e.kind {
	case kindGeneration, kindInterrupted:
		g.applyGeneration(e.generation, bytes.Clone(rec))
	case kindOffsets:
		if len(e.offsets) > 0 {
			g.obtain(e.group).store(e.offsets)
		}
	case kindPending:
		if len(e.offsets) > 0 {
			g.storePending(e.group, e.pid, e.offsets)
		}
	case kindDeletedOffsets:
		if of := g.groups[e.group]; of != nil {
			for _, tp := range e.partitions {
				delete(of.offsets, tp)
			}
			g.forgetIfVacant(of)
		}
	case kindDeletedGroup:
		if of := g.groups[e.group]; of != nil {
			g.drop(of)
		}
	case kindConsumer:
		if err := g.applyConsumer(e.group, e.consumer); err != nil {
			return fmt.Errorf("group record: %w", err)
		}
	case kindSettings:
		if err := g.configure(e.group, e.settings); err != nil {
			return fmt.Errorf("group record: %w", err)
		}
	}
	return nil
}

// applyConsumer changes a consumer group, or puts one in the place of what was there; offsets stay.
func (g *Groups) applyConsumer(name string, d *consumer.Delta) error {
	old := g.groups[name]
	var modern *consumer.Group
	if old != nil {
		modern = old.modern
	}
	modern, err := consumer.Apply(modern, d)
	if err != nil {
		return fmt.Errorf("consumer group %q: %w", name, err)
	}
	if d.Begun() {
		next := newGroup(name)
		if old != nil {
			next.offsets, next.pending, next.unstable = old.offsets, old.pending, old.unstable
		}
		g.groups[name] = next
	}
	g.groups[name].modern = modern
	return nil
}

// applyGeneration puts a generation in the place of the one before; offsets stay.
func (g *Groups) applyGeneration(next *group, rec []byte) {
	next.durable = rec
	if old := g.groups[next.name]; old != nil {
		next.offsets, next.pending, next.unstable = old.offsets, old.pending, old.unstable
	}
	g.groups[next.name] = next
}

// Restored ends a recovery: members that were there get a full session from now. A group that is larger than the limit now starts
// a rebalance, which turns the last away; one that was made of a consumer group goes on with the one that began then.
func (g *Groups) Restored(now time.Duration) {
	var none Effects
	for _, name := range g.names() {
		s := g.step(now, g.groups[name], &none)
		if s.modern != nil {
			s.restoreModern()
			continue
		}
		for _, m := range s.order {
			s.restartSession(m)
		}
		interrupted := s.durable != nil && s.durable[1] == kindInterrupted && s.state == stable
		if limit := s.options.MaxSize; interrupted || limit > 0 && len(s.order) > limit {
			s.prepareRebalance() // nobody has joined yet: this only opens the join phase
		}
	}
}

// AppendSnapshot appends records that rebuild the whole durable state through Apply, pending transactional offsets included, each
// prefixed by its uvarint length. Equal states give equal bytes.
func (g *Groups) AppendSnapshot(dst []byte) []byte {
	for _, name := range g.names() {
		of := g.groups[name]
		if of.durable != nil {
			dst = format.AppendBytes(dst, of.durable)
		}
		if of.modern != nil {
			dst = format.AppendBytes(dst, of.modern.Append(appendHeader(nil, kindConsumer, name)))
		}
		if len(of.offsets) > 0 {
			dst = format.AppendBytes(dst, appendOffsets(nil, name, sortedOffsets(of.offsets)))
		}
		pids := make([]int64, 0, len(of.pending))
		for pid := range of.pending {
			pids = append(pids, pid)
		}
		slices.Sort(pids)
		for _, pid := range pids {
			dst = format.AppendBytes(dst, appendPending(nil, name, pid, sortedOffsets(of.pending[pid])))
		}
	}
	for _, name := range g.Configured() {
		dst = format.AppendBytes(dst, appendSettings(nil, name, g.tunings[name].values))
	}
	return dst
}

// LoadSnapshot applies the records of AppendSnapshot to an empty machine.
func (g *Groups) LoadSnapshot(b []byte) error {
	if err := format.Frames(b, g.Apply); err != nil {
		return fmt.Errorf("group snapshot: %w", err)
	}
	return nil
}
