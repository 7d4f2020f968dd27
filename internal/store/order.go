package store

import (
	"bytes"
	"math"
	"slices"

	"github.com/tidwall/btree"

	"github.com/mainstemio/mainstem/record"
)

// An order keeps the rows of a table in the order of their keys' bytes. It holds the rows' numbers only, so it costs the garbage
// collector little; keys are compared where they stand.
type order struct {
	tree  *btree.BTreeG[uint32]
	rows  *rows
	owner []byte // what probeOwner stands for: only the table's owner searches with it
	view  []byte // what probeView stands for: used under the table's exclusive lock
}

// Numbers of rows that do not exist: they compare as the bytes that are searched for.
const (
	probeOwner = math.MaxUint32
	probeView  = math.MaxUint32 - 1
)

func newOrder(r *rows) *order {
	o := &order{rows: r}
	o.tree = btree.NewBTreeGOptions(func(a, b uint32) bool { return bytes.Compare(o.key(a), o.key(b)) < 0 }, btree.Options{NoLocks: true})
	return o
}

func (o *order) key(id uint32) []byte {
	switch id {
	case probeOwner:
		return o.owner
	case probeView:
		return o.view
	}
	return o.rows.key(id)
}

// Range calls fn with the newest rows whose key is at or behind from and, unless to is nil, before to, in the order of the keys'
// bytes, until it returns false. fn must not change the table; key is valid during the call. The table must be Ordered.
func (t *Table[K, V]) Range(from, to []byte, fn func(key []byte, v V, ts record.Timestamp) bool) {
	t.order.owner = from
	t.order.tree.Ascend(probeOwner, func(id uint32) bool {
		key := t.mu.rows.key(id)
		if to != nil && bytes.Compare(key, to) >= 0 {
			return false
		}
		v, ts, ok := t.newest(id)
		return !ok || fn(key, v, ts)
	})
}

// RangeBack is Range from the last key to the first.
func (t *Table[K, V]) RangeBack(from, to []byte, fn func(key []byte, v V, ts record.Timestamp) bool) {
	visit := func(id uint32) bool {
		key := t.mu.rows.key(id)
		if to != nil && bytes.Compare(key, to) >= 0 {
			return true // the bound itself
		}
		if bytes.Compare(key, from) < 0 {
			return false
		}
		v, ts, ok := t.newest(id)
		return !ok || fn(key, v, ts)
	}
	if to == nil {
		t.order.tree.Reverse(visit)
		return
	}
	t.order.owner = to
	t.order.tree.Descend(probeOwner, visit)
}

// A calendar finds rows by the time in their keys, in days of equal length. It may name rows that are gone or stand for another
// key by now; whoever uses it looks at the key.
type calendar struct {
	timeOf func(key []byte) record.Timestamp
	day    record.Timestamp // its length in ms
	days   btree.Map[int64, []uint32]
}

func (c *calendar) number(ts record.Timestamp) int64 {
	n := int64(ts / c.day)
	if ts%c.day < 0 {
		n--
	}
	return n
}

// Never is the time of a key that ExpireBefore and Timed leave out.
const Never = record.Timestamp(math.MaxInt64)

// enter puts a new row into the calendar.
func (t *Table[K, V]) enter(id uint32, key []byte) {
	c := t.calendar
	ts := c.timeOf(key)
	if ts == Never {
		return
	}
	n := c.number(ts)
	ids, _ := c.days.Get(n)
	if len(ids) == cap(ids) && len(ids) >= leastTidied {
		ids = t.tidied(n, ids)
	}
	c.days.Set(n, append(ids, id))
}

// leastTidied is how many rows a day has at least before it is worth looking at them.
const leastTidied = 64

// tidied returns what still counts of a full day, with room for as much again: keys may come and go many times in a day.
func (t *Table[K, V]) tidied(n int64, ids []uint32) []uint32 {
	room := cap(ids)
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id uint32) bool { return !t.stands(id, n) })
	if len(ids) > room/2 {
		ids = slices.Grow(ids, room)
	}
	return ids
}

// stands tells whether a row, deleted or not, stands for a key of day n.
func (t *Table[K, V]) stands(id uint32, n int64) bool {
	// A row that was given back has no key, and one that was given to another key may have another day.
	return t.mu.rows.at(id).chunk != 0 && t.calendar.number(t.calendar.timeOf(t.mu.rows.key(id))) == n
}

// Timed calls fn with the keys of the newest rows whose time is from to to, both included, until it returns false. Days come in order,
// keys of one day do not, and a key may come twice. fn may change known keys, but add none. The table must have a Time.
func (t *Table[K, V]) Timed(from, to record.Timestamp, fn func(key []byte) bool) {
	t.calendar.days.Ascend(t.calendar.number(from), func(n int64, ids []uint32) bool {
		if n > t.calendar.number(to) {
			return false
		}
		for _, id := range ids {
			key, ok := t.at(id, n)
			if !ok {
				continue
			}
			if ts := t.calendar.timeOf(key); ts >= from && ts <= to && !fn(key) {
				return false
			}
		}
		return true
	})
}

// at returns the key of a live row that stands in the calendar on day n.
func (t *Table[K, V]) at(id uint32, n int64) ([]byte, bool) {
	if !t.stands(id, n) {
		return nil, false
	}
	p := t.mu.rows.at(id)
	if c := t.changed(p); c != nil {
		return t.mu.rows.keyOf(p), !c.deleted
	}
	return t.mu.rows.keyOf(p), p.live()
}

// ExpireBefore removes rows whose time is before ts, as Expire does. It works by whole days, so some stay for longer: whoever reads
// judges by the time. It cannot be undone: call it when a unit is kept.
func (t *Table[K, V]) ExpireBefore(ts record.Timestamp) {
	last := t.calendar.number(ts) - 1
	for {
		n, ids, ok := t.calendar.days.Min()
		if !ok || n > last {
			return
		}
		for _, id := range ids {
			if key, ok := t.at(id, n); ok {
				t.Expire(key)
			}
		}
		t.calendar.days.Delete(n)
	}
}
