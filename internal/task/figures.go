package task

import (
	"time"

	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/record"
)

// Figures are what the tasks of a Set have done since New, and what they hold.
type Figures struct {
	Tasks  []TaskFigures
	Nodes  []NodeFigures
	Stores []StoreFigures
}

// TaskFigures are those of one task. Rows of units that were undone and repeated count each time.
type TaskFigures struct {
	ID         topology.TaskID
	Rows       int64            // taken from sources and repartitions
	Units      int64            // runs of rows that became final together
	Busy       time.Duration    // spent on them, with what followed in other tasks; 0 without a clock
	StreamTime record.Timestamp // record.NoTimestamp before the first row
}

// NodeFigures are those of a step in all tasks.
type NodeFigures struct {
	Name string
	Rows int64 // taken, as in TaskFigures
}

// StoreFigures are those of a store in one task.
type StoreFigures struct {
	Name      string
	Partition int32
	Rows      int64 // committed
	Bytes     int64 // an estimate of the memory
}

// Add adds those of another Set of the application.
func (f *Figures) Add(o Figures) {
	f.Tasks, f.Stores = append(f.Tasks, o.Tasks...), append(f.Stores, o.Stores...)
	if len(f.Nodes) == 0 {
		f.Nodes = o.Nodes
		return
	}
	for i := range o.Nodes { // of one topology
		f.Nodes[i].Rows += o.Nodes[i].Rows
	}
}

// Figures returns them. Only the owner of the Set may ask.
func (s *Set) Figures() Figures {
	var f Figures
	for _, t := range s.tasks {
		f.Tasks = append(f.Tasks, TaskFigures{
			ID: topology.TaskID{Sub: t.sub, Partition: t.partition}, Rows: t.rows, Units: t.units, Busy: t.busy, StreamTime: t.StreamTime,
		})
	}
	for i, rows := range s.nodeRows {
		f.Nodes = append(f.Nodes, NodeFigures{Name: s.c.Topology.Nodes[i].Name, Rows: rows})
	}
	for _, st := range s.stores {
		f.Stores = append(f.Stores, StoreFigures{Name: st.Name(), Partition: st.Partition(), Rows: int64(st.Len()), Bytes: st.Bytes()})
	}
	for _, g := range s.globals {
		for _, st := range g.stores {
			f.Stores = append(f.Stores, StoreFigures{Name: st.Name(), Partition: st.Partition(), Rows: int64(st.Len()), Bytes: st.Bytes()})
		}
	}
	return f
}

// now is the time by the clock for measuring, 0 where there is none.
func (s *Set) now() time.Duration {
	if s.c.Mono == nil {
		return 0
	}
	return s.c.Mono()
}

// measured ends a unit of t that began at a time.
func (s *Set) measured(t *task, began time.Duration) {
	t.units++
	t.busy += s.now() - began
}
