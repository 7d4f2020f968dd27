package streamtest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/mainstemio/mainstem/internal/assign"
	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/internal/topology"
)

// Workers has n workers share the application, as in production: what moves from task to task goes through topics, <application>-<name>-
// repartition, and the tasks can be moved with Rebalance. By default one worker does everything in memory.
func Workers(n int) Option { return func(o *options) { o.workers = n } }

// Shuffled has the tasks of Workers take turns and a few records at a time by chance, the same with the same seed. By default the tasks
// work one after the other until nothing is left.
func Shuffled(seed uint64) Option {
	return func(o *options) { o.shuffled = rand.New(rand.NewPCG(seed, 0)) }
}

// workers are those who share the application.
type workers struct {
	globals *task.Set // nil: there are no global tables
	tasks   []assign.Task
	owned   assign.Assignment
	sets    map[topology.TaskID]*task.Set
}

// Rebalance ends the epoch and has n workers share the application from now on. Tasks that move to another worker are thrown away and
// restored from their changelogs there. Without Workers it fails the test.
func (d *Driver) Rebalance(n int) { d.fail(d.TryRebalance(n)) }

// TryRebalance is Rebalance with the error returned.
func (d *Driver) TryRebalance(n int) error {
	if d.workers == nil {
		return errors.New("rebalance: the driver has no Workers")
	}
	if err := d.tryFlush(); err != nil {
		return err
	}
	if err := d.commit((*task.Set).Flush); err != nil {
		return err
	}
	d.o.workers = n
	d.err = d.assign()
	return d.err
}

// startWorkers makes the tasks of all workers.
func (d *Driver) startWorkers(config task.Config) error {
	plan, err := d.topology.Plan(config.Partitions)
	if err != nil {
		return err
	}
	w := &workers{owned: assign.Assignment{}, sets: map[topology.TaskID]*task.Set{}}
	d.workers, d.sets = w, nil
	for _, id := range plan.IDs() {
		w.tasks = append(w.tasks, assign.Task{ID: id})
	}
	for i := range d.topology.Subs {
		if d.topology.Subs[i].Global && w.globals == nil {
			config.Tasks = []topology.TaskID{}
			if w.globals, err = d.open(config); err != nil {
				return err
			}
		}
	}
	return d.assign()
}

// assign gives the tasks to the workers there are now. Members leave by their numbers, so that some tasks move and others stay.
func (d *Driver) assign() error {
	w := d.workers
	members := make([]assign.Member, d.o.workers)
	for i := range members {
		name := fmt.Sprint("worker-", i)
		members[i] = assign.Member{ID: name, Owned: w.owned[name]}
	}
	before := map[topology.TaskID]string{}
	for member, ids := range w.owned {
		for _, id := range ids {
			before[id] = member
		}
	}
	w.owned = assign.Balance(w.tasks, members)
	config := d.config()
	config.Globals = w.globals
	for member, ids := range w.owned {
		for _, id := range ids {
			if w.sets[id] != nil && before[id] == member {
				continue
			}
			if err := d.move(id, config); err != nil {
				return err
			}
		}
	}
	d.sets = d.sets[:0]
	if w.globals != nil {
		d.sets = append(d.sets, w.globals)
	}
	for _, t := range w.tasks {
		if st := w.sets[t.ID]; st != nil { // nobody has it where there are no workers
			d.sets = append(d.sets, st)
		}
	}
	return nil
}

// move gives a task to a worker that did not have it.
func (d *Driver) move(id topology.TaskID, config task.Config) error {
	w := d.workers
	if old := w.sets[id]; old != nil {
		if err := d.giveUp(old); err != nil {
			return err
		}
	}
	config.Tasks = []topology.TaskID{id}
	made, err := d.open(config)
	w.sets[id] = made
	return err
}

// sharedRound is a round of the workers: each task ends its own epochs.
func (d *Driver) sharedRound() (int, error) {
	total := 0
	for i := range d.sets {
		set, most := d.sets[i], processAtOnce
		if d.o.shuffled != nil {
			set, most = d.sets[d.o.shuffled.IntN(len(d.sets))], 1+d.o.shuffled.IntN(3)
		}
		for {
			n, err := d.epoch(set, most)
			total += n
			if err != nil {
				return total, err
			}
			if n == 0 || d.o.shuffled != nil {
				break
			}
		}
	}
	if total == 0 && d.o.shuffled != nil {
		return d.anyEpoch()
	}
	return total, nil
}

// anyEpoch has the first task work that has something to do.
func (d *Driver) anyEpoch() (int, error) {
	for _, set := range d.sets {
		if n, err := d.epoch(set, 1); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}
