package store

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
)

var errShortRow = errors.New("row has no timestamp")

// A dirtyRow is a committed row as it stood when Dirty was called.
type dirtyRow[V any] struct {
	entry []byte // begins with the row's entry: chunks do not change
	v     V      // without a flat form
	live  bool
}

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	marks := t.marks.take()
	if len(t.dirty) == 0 && marks == nil {
		return nil
	}
	rows := make([]dirtyRow[V], 0, len(t.dirty))
	t.mu.Lock()
	for _, id := range t.dirty {
		r := t.mu.rows.at(id)
		if !r.dirty {
			continue // it came and went between two checkpoints, or is named twice since
		}
		d := dirtyRow[V]{entry: t.mu.rows.heap.at(r.entry), live: r.live}
		if t.flat == nil && r.live {
			d.v = t.mu.objects[id]
		}
		rows = append(rows, d)
		r.dirty, r.saved = false, r.live
		t.forgetLocked(id)
	}
	t.mu.Unlock()
	t.dirty = t.dirty[:0]
	return func(w kv.Writer) error {
		if marks != nil {
			if err := w.Put([]byte{}, marks); err != nil {
				return t.wrap("checkpoint", err)
			}
		}
		return t.writeRows(w, rows)
	}
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
	err := r.Scan(nil, nil, func(key, value []byte) error {
		if t.marks.holds(key) {
			return t.restoreMarks(value)
		}
		ts, n := binary.Varint(value)
		if n <= 0 {
			return errShortRow
		}
		id, err := t.restoreRow(key, value[n:], record.Timestamp(ts)) // not dirty: the checkpoint has it
		if err == nil {
			t.mu.rows.at(id).saved = true
		}
		return err
	})
	if err != nil {
		return t.wrap("load checkpoint of", err)
	}
	return nil
}
