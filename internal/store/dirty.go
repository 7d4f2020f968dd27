package store

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/internal/kv"
)

var errShortRow = errors.New("row has no timestamp")

// A dirtyRow is a committed row as it stood when Dirty was called.
type dirtyRow[V any] struct {
	entry []byte // begins with the row's entry: nothing is written over those in flight
	v     V      // without a flat form
	live  bool
}

// keptDirty is for how many rows the list of dirty ones is kept from one checkpoint to the next.
const keptDirty = 1 << 16

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	marks := t.marks.take()
	if len(t.dirty) == 0 && marks == nil {
		return nil
	}
	t.depart()
	rows := make([]dirtyRow[V], 0, len(t.dirty))
	t.mu.Lock()
	for _, id := range t.dirty {
		p := t.mu.rows.at(id)
		if p.own&dirty == 0 {
			continue // it came and went between two checkpoints, or is named twice since
		}
		d := dirtyRow[V]{entry: t.mu.rows.heap.at(p.place()), live: p.live()}
		if t.flat == nil && d.live {
			d.v = t.mu.objects[id]
		}
		rows = append(rows, d)
		t.takeLocked(id, p)
	}
	t.mu.Unlock()
	t.dirty, t.cold.taken = t.dirty[:0], len(rows)
	if cap(t.dirty) > keptDirty {
		t.dirty = nil // as many may never change again between two checkpoints
	}
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
	p.own = p.own&^(dirty|saved|flight) | t.cold.active
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
		if !t.keysStay() && (full || t.cold.db != nil && n > loadedAtOnce) {
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

// loadedAtOnce is how many rows of a table are read before it is used, so that a start takes a second and not a minute.
const loadedAtOnce = 1 << 20

// errFull ends the loading of a table: the rest comes when it is read.
var errFull = errors.New("the budget is full")

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
