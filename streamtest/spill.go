package streamtest

import (
	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// Spilled gives the tables next to no memory and a checkpoint after every epoch: rows leave memory as soon as they can and come back when
// they are read, and a restart reads the checkpoints first. Results must be the same.
func Spilled() Option { return func(o *options) { o.spilled = true } }

// spill makes the checkpoints of a Driver that has none yet.
func (d *Driver) spill() (err error) {
	if !d.o.spilled || d.checkpoints != nil {
		return nil
	}
	const leastBytes = 1
	if d.checkpoints, err = store.OpenCheckpoints(kv.NewMemory(), "streamtest"); err == nil {
		d.checkpoints = d.checkpoints.Within(store.NewBudget(leastBytes).Share())
	}
	return err
}

// load fills a store from its checkpoint, and returns how many records of its changelog are in that.
func (d *Driver) load(st store.Store) (record.Offset, error) {
	if d.checkpoints == nil {
		return 0, nil
	}
	next, _, err := d.checkpoints.Load(st)
	return next, err
}

// checkpoint writes what an epoch has changed, and lets it leave memory: what was used lately does with the second look.
func (d *Driver) checkpoint(set *task.Set) error {
	if d.checkpoints == nil {
		return nil
	}
	var parts []store.CheckpointPart
	for _, st := range set.Stores() {
		tp := set.Changelog(st)
		parts = append(parts, store.CheckpointPart{
			Name: st.Name(), Partition: st.Partition(), Next: record.Offset(len(d.topic(tp.Topic).partition(tp.Partition))),
			Rows: st.Dirty(), Done: st.Done(),
		})
	}
	if err := d.checkpoints.Write(parts); err != nil {
		return err
	}
	set.Commit()
	set.Commit()
	return nil
}
