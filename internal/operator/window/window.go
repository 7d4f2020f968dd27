// Package window folds the records of a key into windows of time: tumbling, hopping, sliding, unlimited, and sessions.
//
// The DSL makes the Specs, package task the instances; they keep their windows in an operator.State and hand on a table whose keys
// are windowed.Keys.
//
// Ownership and order are as in package operator: instances belong to their Set's goroutine. What an instance knows from row to row
// stands in its State and the State's marks, never in Go fields only.
//
// Format: the keys of stores are those of package windowed, their values the aggregates; marks are in docs/format/checkpoint.md.
//
// Joins over windows, suppression and versioned tables are not here.
package window

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// An Aggregation is what tumbling, hopping, unlimited and sliding windows have in common. All times are in ms.
type Aggregation[K, A any] struct {
	Store     string
	Key       serde.Serde[K]
	Value     serde.Serde[A]
	Grace     record.Timestamp
	Retention record.Timestamp // from a window's start; windowed.Forever: for good
	// Final hands on each window once, when it is closed, and nothing before.
	Final bool
	// Initial is what the first value of a window is added to. With NoInitial it stands for itself.
	Initial   A
	NoInitial bool
	// Inputs take the records: one for each stream. Each has a stream time of its own.
	Inputs []Input[K, A]
}

// aggregation is what the inputs of an instance share.
type aggregation[K, A any] struct {
	Aggregation[K, A]
	cut
	rows *operator.State[windowed.Key[K], A]
	out  *operator.GatheredChanges[windowed.Key[K], A]
	env  *operator.Env
	node string

	rowWise      bool     // each update is handed on before the next
	cached       bool     // updates say what the store had, and deletes have their record's time
	initialIsOld bool     // the initial value is not null: a window's first update says that it was there before
	closing      [][]byte // keys of windows to hand on
}

// A cut says how windows lie in time.
type cut struct {
	size    record.Timestamp // from start to end
	step    record.Timestamp // starts are multiples of it
	sliding bool             // the windows of a key are read in order, and null values dropped
}

// open makes an instance with its store.
func (c Aggregation[K, A]) open(s *operator.Site, u cut) (*aggregation[K, A], error) {
	keys, value := windowed.Serde(c.Key, u.size), c.Value
	if c.Final {
		value = nil // what is read back was encoded long ago
	}
	if c.Retention < windowed.Forever {
		s.Retention = operator.Retention{Time: windowed.Start, For: c.Retention}
	}
	out, err := operator.NewGatheredChanges[windowed.Key[K], A](s, keys, value, true)
	if err != nil {
		return nil, err
	}
	null := operator.NullTest[A]()
	a := &aggregation[K, A]{
		Aggregation: c, cut: u, out: out, env: s.Env, node: s.Node, rowWise: s.RowWise,
		cached:       s.Cached,
		initialIsOld: !c.NoInitial && (null == nil || !null(c.Initial)),
	}
	o := store.Options[windowed.Key[K], A]{
		Name: c.Store, Partition: s.Partition, Key: keys, Value: c.Value, Ordered: u.sliding, Marks: markStreamTimes + len(c.Inputs),
	}
	if c.Retention < windowed.Forever {
		o.Time, o.Retention, o.Day, o.KeepBytes = windowed.Start, c.Retention, a.day(), s.KeepBytes()
	}
	a.rows = operator.NewState(s, o)
	s.Provide(a)
	s.Undoers = append(s.Undoers, a) // behind the rows: those are kept first
	return a, nil
}

// day is the grain in which windows are found by their start: coarse, but where each is looked for when it closes.
func (a *aggregation[K, A]) day() record.Timestamp {
	const daysKept, daysOpen = 30, 16
	day := a.Retention / daysKept
	if a.Final {
		day = min(day, max(a.step, a.size/daysOpen))
	}
	return max(day, 1)
}

// receivers are those of the inputs: what a Spec returns.
func (a *aggregation[K, A]) receivers(s *operator.Site, to taker[K, A]) any {
	slots := make(operator.Slots, len(a.Inputs))
	for n, in := range a.Inputs {
		slots[n] = in.receiver(s, a, to, n)
	}
	if len(slots) == 1 {
		return slots[0]
	}
	return slots
}

// Read implements operator.Reader.
func (a *aggregation[K, A]) Read(_ windowed.Key[K], encoded []byte) (v A, ts record.Timestamp, ok bool, err error) {
	if windowed.Start(encoded) < a.rows.Table.Since() {
		return v, record.NoTimestamp, false, nil
	}
	v, ts, ok = a.rows.Table.Get(encoded)
	return v, ts, ok, nil
}

// Keep implements operator.Undoer: it frees windows that are gone. Those that are still to be handed on stay.
func (a *aggregation[K, A]) Keep() {
	if !a.Final {
		a.rows.Table.ExpireGone()
	} else if a.Retention < windowed.Forever {
		emitted := record.Timestamp(a.rows.Table.Marks()[markEmitted])
		a.rows.Table.ExpireBefore(min(a.rows.Table.Since(), emitted-a.size))
	}
}

// Undo implements operator.Undoer: nothing is remembered but in the rows.
func (a *aggregation[K, A]) Undo() {}

// A found is a window of a key as the store has it.
type found[A any] struct {
	key   []byte
	start record.Timestamp
	value A
	ts    record.Timestamp
	had   bool // it is there; otherwise only key and start are set
}

// find looks up a window.
func (a *aggregation[K, A]) find(inner []byte, start record.Timestamp) found[A] {
	f := found[A]{key: a.env.Arena.WithTimes(inner, start), start: start}
	f.value, f.ts, f.had = a.rows.Table.Get(f.key)
	return f
}

// gone tells whether a window has left the store, though its row may still be there.
func (a *aggregation[K, A]) gone(start record.Timestamp) bool { return start < a.rows.Table.Since() }

// add adds a row to base, the aggregate of a window, puts the result into the store in place of old, and hands it on.
func (a *aggregation[K, A]) add(r *row[K, A], old *found[A], base found[A]) error {
	ts := r.ts
	if base.had {
		ts = max(ts, base.ts)
	} else {
		base.value = a.Initial
	}
	a.rows.Row = r.i
	next, err := r.adder.add(base.value, base.had)
	a.rows.Row = operator.NoRow
	if err != nil {
		return operator.Rejected(r.rows, r.i, a.node, err)
	}
	return a.put(r, old, operator.Change[windowed.Key[K], A]{
		New: next, Old: base.value, OldAbsent: !base.had && !a.initialIsOld, Timestamp: ts,
	})
}

// put puts c.New into the store in place of old, and hands c on.
func (a *aggregation[K, A]) put(r *row[K, A], old *found[A], c operator.Change[windowed.Key[K], A]) error {
	p := operator.PutRow[windowed.Key[K], A]{Key: old.key, Next: c.New, Old: old.value, OldTime: old.ts, Had: old.had}
	encoded, err := a.rows.Replace(p, c.Timestamp, r.rows, r.i)
	if err != nil {
		return err
	}
	a.rows.Table.Saw(old.start)
	if a.Final {
		return nil
	}
	c.Key = windowed.Key[K]{Key: r.key, Start: old.start, End: windowed.End(old.start, a.size)}
	c.KeyBytes, c.NewBytes, c.NewAbsent = old.key, encoded, encoded == nil
	if a.cached {
		c.Old, c.OldAbsent = old.value, !old.had
		if c.NewAbsent {
			c.Timestamp = r.ts
		}
	}
	return a.handOn(c, r)
}

// handOn gathers an update that follows from a row.
func (a *aggregation[K, A]) handOn(c operator.Change[windowed.Key[K], A], r *row[K, A]) error {
	if err := a.out.Add(c, r.rows, r.i); err != nil || !a.rowWise {
		return err
	}
	return a.out.Flush()
}
