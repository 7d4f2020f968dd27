package streamtest

import (
	"errors"
	"maps"

	"github.com/mainstemio/mainstem/internal/task"
	"github.com/mainstemio/mainstem/record"
)

// CrashAfter has the application crash when its tasks have taken n more records, in the middle of the epoch: what the epoch wrote and
// changed is gone, and its records are taken again from what was committed before. With Workers the epochs of other tasks stay.
func (d *Driver) CrashAfter(n int) { d.crashIn = max(n, 1) }

// Crash has the tasks take records of their source topics, all in one epoch, and crash before it commits: what they wrote and changed is gone,
// and so are the records, which come when they are piped.
func (d *Driver) Crash(ahead ...record.Record) { d.fail(d.TryCrash(ahead...)) }

// TryCrash is Crash with the error returned.
func (d *Driver) TryCrash(ahead ...record.Record) error {
	if err := d.tryFlush(); err != nil {
		return err
	}
	for _, r := range ahead {
		d.named(r.Topic)
	}
	before, err := d.mark()
	if err != nil {
		return err
	}
	for _, r := range ahead {
		d.write(r)
	}
	for _, set := range d.sets {
		if err := d.fill(set); err != nil {
			return err
		}
		var bad *task.RecordError
		if _, err := set.Process(output{d}, processAtOnce); err != nil && !errors.As(err, &bad) {
			return err
		}
	}
	return d.crash(before)
}

// errCrashed ends an epoch that CrashAfter cuts.
var errCrashed = errors.New("crashed")

// A mark is what is durable at a moment.
type mark struct {
	topics map[string]map[int32]int // records by partition
	next   map[record.TopicPartition]int
}

// mark is now, between two epochs. What caches hold back becomes durable before.
func (d *Driver) mark() (mark, error) {
	if err := d.commit((*task.Set).Flush); err != nil {
		return mark{}, err
	}
	m := mark{topics: map[string]map[int32]int{}, next: maps.Clone(d.added)}
	for name, t := range d.topics {
		m.topics[name] = map[int32]int{}
		for p, records := range t.partitions {
			m.topics[name][p] = len(records)
		}
	}
	for _, set := range d.sets {
		for tp, next := range set.Positions() {
			m.next[tp] = int(next)
		}
	}
	return m, nil
}

// crash goes back to a mark and starts again from there.
func (d *Driver) crash(m mark) error {
	for name, t := range d.topics {
		t.cut(m.topics[name])
	}
	for _, set := range d.sets {
		if err := set.Close(); err != nil {
			return err
		}
	}
	d.sets, d.added, d.pending = nil, m.next, 0
	return d.start()
}
