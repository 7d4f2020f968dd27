package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"github.com/mainstemio/mainstem/internal/kv"
)

var errShortRow = errors.New("row has no timestamp")

// dirtyRows are the rows whose committed value changed since Dirty: those marked so (row.own). The list of them is there for the sake of large
// tables of which little changes. It is given up when it would grow beyond a sixteenth of the rows: to look at all of them is as fast then,
// for it goes through the memory in order.
type dirtyRows struct {
	count int
	list  []uint32 // in order of change; it may name others, and rows twice
	all   bool     // list is given up
}

// keptDirty is for how many rows there is a list in any case, also from one checkpoint to the next.
const keptDirty = 1 << 16

// mark makes a row a dirty one.
func (d *dirtyRows) mark(r *rows, id uint32) {
	p := r.at(id)
	if p.own&dirty != 0 {
		return
	}
	p.own |= dirty
	d.count++
	if !d.all && len(d.list) >= max(keptDirty, r.count/16) {
		d.all, d.list = true, nil
	}
	if !d.all {
		d.list = append(d.list, id)
	}
}

// clear makes a row one that is not dirty.
func (d *dirtyRows) clear(p *row) {
	if p.own&dirty != 0 {
		p.own &^= dirty
		d.count--
	}
}

// each gives the dirty rows. Those that it gave may be cleared and removed meanwhile.
func (d *dirtyRows) each(r *rows) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if !d.all {
			for _, id := range d.list {
				if r.at(id).own&dirty != 0 && !yield(id) {
					return
				}
			}
			return
		}
		for id := uint32(1); id < r.used; id++ {
			if r.at(id).own&dirty != 0 && !yield(id) {
				return
			}
		}
	}
}

// forget begins anew when no row is dirty.
func (d *dirtyRows) forget() {
	d.list, d.all = d.list[:0], false
	if cap(d.list) > keptDirty {
		d.list = nil // as many may never change again between two checkpoints
	}
}

// whole tells whether a checkpoint takes all rows, those included that have not changed: where half of a table has, it costs less to write
// it anew than to have the database merge the rows with what it has. All of it must be in memory.
func (t *Table[K, V]) whole() bool {
	return 2*t.dirty.count >= t.mu.rows.count && t.mu.rows.heap.live > t.cold.portions.whole && !t.Cold()
}

// known gives the rows that are committed, and the dirty ones.
func (r *rows) known() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for id := uint32(1); id < r.used; id++ {
			if p := r.at(id); (p.live() || p.own&dirty != 0) && !yield(id) {
				return
			}
		}
	}
}

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	t.tail = 0
	marks := t.marks.take()
	if t.dirty.count == 0 && marks == nil {
		return nil
	}
	t.depart()
	c := newTaken[V](&t.mu.rows.heap)
	c.whole, c.marks = t.whole(), marks
	ids, n := t.dirty.each(&t.mu.rows), t.dirty.count
	if c.whole {
		ids, n, c.marks = t.mu.rows.known(), t.mu.rows.count, t.marks.whole()
	}
	c.rows = make([]takenRow, 0, n)
	t.mu.Lock()
	for id := range ids {
		p := t.mu.rows.at(id)
		c.add(&t.mu.rows.heap, p)
		if t.flat == nil && p.live() {
			c.objects = append(c.objects, t.mu.objects[id])
		}
		t.takeLocked(id, p)
	}
	t.mu.Unlock()
	t.cold.taken = len(c.rows)
	t.dirty.forget()
	return func(w kv.Writer) error {
		if err := t.write(w, c); err != nil {
			return t.wrap("checkpoint", err)
		}
		return nil
	}
}

// takeLocked notes that the checkpoint takes a row.
func (t *Table[K, V]) takeLocked(id uint32, p *row) {
	t.dirty.clear(p)
	p.own = p.own&^(saved|flight) | t.cold.active
	if p.live() {
		p.own |= saved
		return
	}
	if t.cold.db != nil {
		t.cold.buried = append(t.cold.buried, id)
	}
	t.forgetLocked(id, t.mu.rows.keyOf(p))
}

// A replacer is a Writer that, asked before the first row, puts what is written in the place of everything that the table had.
type replacer interface{ replace() }

// write runs in any goroutine: it uses nothing of the table but its options and its codec.
func (t *Table[K, V]) write(w kv.Writer, c *taken[V]) error {
	anew, replaces := w.(replacer)
	if replaces = replaces && c.whole; replaces {
		anew.replace()
	}
	if c.marks != nil {
		if err := w.Put([]byte{}, c.marks); err != nil {
			return err
		}
	}
	c.sort()
	to := rowWriter[V]{kv: w, taken: c, buries: !replaces}
	for some := range inTurns(c.rows, touched) {
		c.touch(some)
		for i := range some {
			if err := t.writeRow(&to, &some[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// A rowWriter is where the rows of a checkpoint go, with what is used for one after the other.
type rowWriter[V any] struct {
	kv     kv.Writer
	taken  *taken[V]
	buries bool // deleted rows are written as such
	row    []byte
	value  V // here, or each would be allocated
}

func (t *Table[K, V]) writeRow(to *rowWriter[V], r *takenRow) error {
	e := parse(to.taken.at(r.place))
	if !r.live {
		if !to.buries {
			return nil
		}
		return to.kv.Delete(e.key)
	}
	if t.flat != nil {
		var zero V
		to.value = zero
		t.flat.Read(e.value, &to.value)
	} else {
		to.value = to.taken.objects[r.object]
	}
	row, err := t.o.Value.Append(binary.AppendVarint(to.row[:0], int64(e.ts)), to.value)
	if err == nil && row == nil {
		err = errNullValue
	}
	if err != nil {
		return err
	}
	to.row = row
	return to.kv.Put(e.key, row)
}

// Load implements Store.
func (t *Table[K, V]) Load(r kv.Reader) error {
	full, n := false, 0
	err := r.Scan(nil, nil, func(key, value []byte) error {
		if t.marks.holds(key) {
			return t.restoreMarks(value)
		}
		const between = 512 // rows, of one look at the budget and the next
		if n++; t.cold.db != nil && !full && n%between == 1 {
			t.cold.account.set(t.held(), 0)
			full = !t.cold.account.room()
		}
		if !t.keysStay() && (full || t.cold.db != nil && n > t.cold.portions.load) {
			t.cold.next = bytes.Clone(key)
			return errFull
		}
		return t.loadRow(key, value, full)
	})
	if errors.Is(err, errFull) {
		t.mu.Lock()
		t.mu.some = true
		t.mu.Unlock()
		err = nil
	}
	if err != nil {
		return t.wrap("load checkpoint of", err)
	}
	return nil
}

// errFull ends the loading of a table: the rest comes when it is read, or by and by (warm).
var errFull = errors.New("enough rows for now")

// loadRow enters a row of the checkpoint, or its key and time only.
func (t *Table[K, V]) loadRow(key, value []byte, keyOnly bool) error {
	v, ts, err := t.decodeRow(value)
	if err != nil {
		return err
	}
	id, err := t.restoreRow(key, &v, ts) // not dirty: the checkpoint has it
	if err != nil {
		return err
	}
	p := t.mu.rows.at(id)
	p.own |= saved
	if keyOnly {
		t.mu.Lock()
		t.emptyLocked(id, entry{ts: ts, key: key})
		t.mu.Unlock()
	}
	return nil
}
