package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"github.com/mainstemio/mainstem/internal/kv"
)

var errShortRow = errors.New("row has no timestamp")

// A dirtyRow is a committed row as it stood when Dirty was called.
type dirtyRow struct {
	entry []byte // begins with the row's entry: nothing is written over those in flight
	first uint64 // the first bytes of the key, in its order
	live  bool
	at    int // of a live one: where its value stands among those without a flat form
}

// sortRows puts rows in the order of their keys: the database's files then cover narrow ranges, and are merged with few others.
func sortRows(rows []dirtyRow) {
	for i := range rows {
		var first [8]byte
		key, _ := keyAt(rows[i].entry)
		copy(first[:], key)
		rows[i].first = binary.BigEndian.Uint64(first[:])
	}
	slices.SortFunc(rows, func(a, b dirtyRow) int {
		if c := cmp.Compare(a.first, b.first); c != 0 {
			return c
		}
		x, _ := keyAt(a.entry)
		y, _ := keyAt(b.entry)
		return bytes.Compare(x, y)
	})
}

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

// taken are the rows of a checkpoint on their way.
type taken[V any] struct {
	whole   bool
	marks   []byte // nil: there are none, or they are as they were
	rows    []dirtyRow
	objects []V // values without a flat form
}

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	t.tail = 0
	marks := t.marks.take()
	if t.dirty.count == 0 && marks == nil {
		return nil
	}
	t.depart()
	c := taken[V]{whole: t.whole(), marks: marks}
	ids, n := t.dirty.each(&t.mu.rows), t.dirty.count
	if c.whole {
		ids, n, c.marks = t.mu.rows.known(), t.mu.rows.count, t.marks.whole()
	}
	c.rows = make([]dirtyRow, 0, n)
	t.mu.Lock()
	for id := range ids {
		p := t.mu.rows.at(id)
		d := dirtyRow{entry: t.mu.rows.heap.at(p.place()), live: p.live(), at: len(c.objects)}
		if t.flat == nil && d.live {
			c.objects = append(c.objects, t.mu.objects[id])
		}
		c.rows = append(c.rows, d)
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
func (t *Table[K, V]) write(w kv.Writer, c taken[V]) error {
	anew, replaces := w.(replacer)
	if replaces = replaces && c.whole; replaces {
		anew.replace()
	}
	if c.marks != nil {
		if err := w.Put([]byte{}, c.marks); err != nil {
			return err
		}
	}
	sortRows(c.rows)
	var value []byte
	var v, zero V // here, or each would be allocated
	for _, r := range c.rows {
		e := parse(r.entry)
		if !r.live {
			if replaces {
				continue
			}
			if err := w.Delete(e.key); err != nil {
				return err
			}
			continue
		}
		if v = zero; t.flat != nil {
			t.flat.Read(e.value, &v)
		} else {
			v = c.objects[r.at]
		}
		b, err := t.o.Value.Append(binary.AppendVarint(value[:0], int64(e.ts)), v)
		if err == nil && b == nil {
			err = errNullValue
		}
		if err != nil {
			return err
		}
		value = b
		if err := w.Put(e.key, value); err != nil {
			return err
		}
	}
	return nil
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
