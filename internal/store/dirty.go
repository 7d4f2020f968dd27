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
type dirtyRow[V any] struct {
	entry []byte // begins with the row's entry: nothing is written over those in flight
	v     V      // without a flat form
	live  bool
	first uint64 // the first bytes of the key, in its order
}

// sortRows puts rows in the order of their keys: the database's files then cover narrow ranges, and are merged with few others.
func sortRows[V any](rows []dirtyRow[V]) {
	for i := range rows {
		var first [8]byte
		key, _ := keyAt(rows[i].entry)
		copy(first[:], key)
		rows[i].first = binary.BigEndian.Uint64(first[:])
	}
	slices.SortFunc(rows, func(a, b dirtyRow[V]) int {
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

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	t.tail = 0
	marks := t.marks.take()
	if t.dirty.count == 0 && marks == nil {
		return nil
	}
	t.depart()
	rows := make([]dirtyRow[V], 0, t.dirty.count)
	t.mu.Lock()
	for id := range t.dirty.each(&t.mu.rows) {
		p := t.mu.rows.at(id)
		d := dirtyRow[V]{entry: t.mu.rows.heap.at(p.place()), live: p.live()}
		if t.flat == nil && d.live {
			d.v = t.mu.objects[id]
		}
		rows = append(rows, d)
		t.takeLocked(id, p)
	}
	t.mu.Unlock()
	t.cold.taken = len(rows)
	t.dirty.forget()
	return func(w kv.Writer) error {
		if marks != nil {
			if err := w.Put([]byte{}, marks); err != nil {
				return t.wrap("checkpoint", err)
			}
		}
		return t.writeRows(w, rows)
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

// writeRows runs in any goroutine: it uses nothing of the table but its options and its codec.
func (t *Table[K, V]) writeRows(w kv.Writer, rows []dirtyRow[V]) error {
	sortRows(rows)
	var value []byte
	for i := range rows {
		r := &rows[i]
		e := parse(r.entry)
		if !r.live {
			if err := w.Delete(e.key); err != nil {
				return t.wrap("checkpoint", err)
			}
			continue
		}
		if t.flat != nil {
			t.flat.Read(e.value, &r.v)
		}
		b, err := t.o.Value.Append(binary.AppendVarint(value[:0], int64(e.ts)), r.v)
		if err == nil && b == nil {
			err = errNullValue
		}
		if err != nil {
			return t.wrap("checkpoint", err)
		}
		var zero V
		value, r.v = b, zero
		if err := w.Put(e.key, value); err != nil {
			return t.wrap("checkpoint", err)
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
