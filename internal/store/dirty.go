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
	key  string
	v    V
	ts   record.Timestamp
	live bool
}

// Dirty implements Store.
func (t *Table[K, V]) Dirty() func(w kv.Writer) error {
	if len(t.dirty) == 0 {
		return nil
	}
	// A key that was deleted and came back has two slots here, the dead one first: the order of writing makes it right.
	rows := make([]dirtyRow[V], len(t.dirty))
	for i, s := range t.dirty {
		rows[i] = dirtyRow[V]{s.key, s.v, s.ts, s.live}
		s.dirty = false
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	return func(w kv.Writer) error { return t.writeRows(w, rows) }
}

// writeRows runs in any goroutine: it uses nothing of the table but its options.
func (t *Table[K, V]) writeRows(w kv.Writer, rows []dirtyRow[V]) error {
	var key, value []byte
	for i := range rows {
		r := &rows[i]
		key = append(key[:0], r.key...)
		if !r.live {
			if err := w.Delete(key); err != nil {
				return t.wrap("checkpoint", err)
			}
			continue
		}
		b, err := t.o.Value.Append(binary.AppendVarint(value[:0], int64(r.ts)), r.v)
		if err == nil && b == nil {
			err = errNullValue
		}
		if err != nil {
			return t.wrap("checkpoint", err)
		}
		value = b
		if err := w.Put(key, value); err != nil {
			return t.wrap("checkpoint", err)
		}
	}
	return nil
}

// Load implements Store.
func (t *Table[K, V]) Load(r kv.Reader) error {
	err := r.Scan(nil, nil, func(key, value []byte) error {
		ts, n := binary.Varint(value)
		if n <= 0 {
			return errShortRow
		}
		_, err := t.restoreRow(key, value[n:], record.Timestamp(ts)) // not dirty: the checkpoint has it
		return err
	})
	if err != nil {
		return t.wrap("load checkpoint of", err)
	}
	return nil
}
