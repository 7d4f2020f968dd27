package process

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
)

// A table holds the bytes of a store in one task, for all processors that share it.
type table struct {
	rows  *operator.State[[]byte, []byte]
	spec  *state.Spec
	env   *operator.Env
	sched *Scheduler
}

// tableOf returns the task's table of a store, which the first that asks makes.
func tableOf(s *operator.Site, sched *Scheduler, spec *state.Spec) *table {
	name := "store " + spec.Name
	if t, ok := s.Shared(name).(*table); ok {
		return t
	}
	o := store.Options[[]byte, []byte]{
		Name: spec.Name, Partition: s.Partition, Key: serde.Bytes, Value: serde.Bytes, Ordered: true, Marks: spec.Marks,
	}
	if spec.Retention > 0 {
		o.Time, o.Retention = spec.TimeOf, record.Timestamp(spec.Retention.Milliseconds())
		o.Day = o.Retention / daysKept
	}
	t := &table{rows: operator.NewState(s, o), spec: spec, env: s.Env, sched: sched}
	if spec.Retention > 0 {
		s.Undoers = append(s.Undoers, expiry{t})
	}
	s.Share(name, t)
	return t
}

// daysKept is into how many days a store's retention is cut: memory is freed by whole ones.
const daysKept = 30

// Get implements state.Bytes.
func (t *table) Get(key []byte) (value []byte, ts record.Timestamp, ok bool) {
	return t.rows.Table.Get(key)
}

// Put implements state.Bytes.
func (t *table) Put(key, value []byte, ts record.Timestamp) {
	if value == nil {
		t.Delete(key)
		return
	}
	r, i := t.current()
	if _, err := t.rows.Set(t.kept(key), slices.Clone(value), ts, r, i); err != nil {
		t.Fail(err)
	}
}

// Delete implements state.Bytes.
func (t *table) Delete(key []byte) { t.rows.Remove(t.kept(key)) }

// kept returns a copy of key that lasts as long as the unit.
func (t *table) kept(key []byte) []byte {
	b, _ := operator.Encode(&t.env.Arena, serde.Bytes, nonNil(key))
	return b
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Scan implements state.Bytes.
func (t *table) Scan(from, to []byte, o state.Order, fn func(key, value []byte, ts record.Timestamp) bool) {
	if o == state.Descending {
		t.rows.Table.RangeBack(from, to, fn)
		return
	}
	t.rows.Table.Range(from, to, fn)
}

// Len implements state.Bytes.
func (t *table) Len() int { return t.rows.Table.Len() }

// Mark implements state.Bytes.
func (t *table) Mark(i int) record.Timestamp { return record.Timestamp(t.rows.Table.Marks()[i]) }

// SetMark implements state.Bytes.
func (t *table) SetMark(i int, ts record.Timestamp) { t.rows.Table.Marks()[i] = int64(ts) }

// Now implements state.Bytes.
func (t *table) Now() record.Timestamp {
	r, i := t.current()
	return r.Timestamps[i]
}

// Drop implements state.Bytes.
func (t *table) Drop() { t.env.Drops.Add(operator.DropExpired) }

// Fail implements state.Bytes.
func (t *table) Fail(err error) {
	if t.sched.at == nil {
		panic(errAway)
	}
	t.sched.at.fail(err)
}

// current is the row that is being processed.
func (t *table) current() (*operator.Rows, int32) {
	n := t.sched.at
	if n == nil {
		panic(errAway)
	}
	return n.rows, n.row
}

// An expiry frees what a store's retention is over for, whenever a unit is kept.
type expiry struct{ t *table }

// Keep implements operator.Undoer.
func (e expiry) Keep() { e.t.rows.Table.ExpireGone() }

// Undo implements operator.Undoer.
func (e expiry) Undo() {}
