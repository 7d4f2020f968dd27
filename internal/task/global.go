package task

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// Global tables. Every process reads all partitions of their topics, whichever others it reads; the records go into the table before
// anything else is taken. The topic is what restores the table: its store has no changelog, and where to read on stands in its
// checkpoints, never among the positions that are committed for the application.

// wireGlobals makes the tasks of the global tables, before all others, which read them.
func (s *Set) wireGlobals() error {
	if len(s.c.Tasks) > 0 {
		return s.shareGlobals()
	}
	for i := range s.c.Topology.Subs {
		sub := &s.c.Topology.Subs[i]
		if !sub.Global {
			continue
		}
		before := len(s.env.Stores)
		w := wiring{set: s, sub: sub, receivers: map[topology.NodeID]any{}}
		t, err := w.task(0)
		if err != nil {
			return err
		}
		s.globals = append(s.globals, &global{task: t, stores: slices.Clone(s.env.Stores[before:])})
	}
	s.env.Stores = nil // the others have changelogs
	return nil
}

// shareGlobals lets the tasks read the global tables of another Set.
func (s *Set) shareGlobals() error {
	if s.c.Globals != nil {
		s.env.ShareGlobals(s.c.Globals.env)
		return nil
	}
	for i := range s.c.Topology.Subs {
		if sub := &s.c.Topology.Subs[i]; sub.Global {
			return fmt.Errorf("global table %s: a Set with some of the tasks needs the Set that has the global tables", s.c.Topology.Node(sub.Nodes[0]).Name)
		}
	}
	return nil
}

// A global is the task of a global table with its store, of which there is one.
type global struct {
	*task
	stores    []store.Store
	sealed    map[record.TopicPartition]record.Offset // where to read on, as of the sealed epoch
	committed map[record.TopicPartition]record.Offset // the same of the committed one
}

// partitionsOf returns the partitions of a source topic that the task reads: its own, or all for a global table.
func (w *wiring) partitionsOf(topic string) []record.TopicPartition {
	if !w.sub.Global {
		return []record.TopicPartition{{Topic: topic, Partition: w.made.partition}}
	}
	tps := make([]record.TopicPartition, w.set.c.Partitions[topic])
	for p := range tps {
		tps[p] = record.TopicPartition{Topic: topic, Partition: int32(p)}
	}
	return tps
}

// globalTurn returns the next task of a global table that has input.
func (s *Set) globalTurn() *task {
	for _, g := range s.globals {
		if g.hasInput() {
			return g.task
		}
	}
	return nil
}

// A Global is the store of a global table. It is loaded from its checkpoint, if there is one, before the first Process, and its Sources
// are read from there.
type Global struct {
	Store   store.Store
	Sources []record.TopicPartition
	// Positions are the offsets of the next record to read, as of the last Commit, of the partitions that have a position.
	Positions map[record.TopicPartition]record.Offset
}

// Globals returns the stores of the global tables, which are none of Stores.
func (s *Set) Globals() []Global {
	var globals []Global
	for _, g := range s.globals {
		for _, st := range g.stores {
			of := Global{Store: st, Positions: g.committed}
			for _, in := range g.sources {
				of.Sources = append(of.Sources, in.tp)
			}
			globals = append(globals, of)
		}
	}
	return globals
}

// ProcessGlobals takes what waits for the global tables, and folds it into their stores, while nothing is sealed: before the first Process
// and the first Tick. The error is Process's.
func (s *Set) ProcessGlobals(out Output) error {
	for t := s.globalTurn(); t != nil; t = s.globalTurn() {
		if s.stopped != nil {
			return s.stopped
		}
		if _, err := s.unit(t, s.rows, out); err != nil {
			return err
		}
	}
	if s.stopped != nil {
		return s.stopped
	}
	if err := s.sealGlobals(); err != nil {
		return err
	}
	s.commitGlobals()
	return nil
}

// sealGlobals ends the epoch of the global tables. Nothing needs to be written.
func (s *Set) sealGlobals() error {
	for _, g := range s.globals {
		for _, st := range g.stores {
			if err := st.Seal(func([]byte, []byte, record.Timestamp) error { return nil }); err != nil {
				return err
			}
		}
		g.sealed = map[record.TopicPartition]record.Offset{}
		for _, in := range g.sources {
			if in.started {
				g.sealed[in.tp] = in.position
			}
		}
	}
	return nil
}

func (s *Set) commitGlobals() {
	for _, g := range s.globals {
		for _, st := range g.stores {
			st.Commit()
		}
		g.committed = g.sealed
	}
}
