package operator

import (
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// tableRows is a store in one task, whose changes can be undone.
type tableRows[K, V any] struct {
	table *store.Table[K, V]
	serde serde.Serde[V]
	key   serde.Serde[K]
	keyID serde.Serde[K]
	id    serde.Serde[V]
	env   *Env
	node  string
	row   int32 // the row whose value a serde or user's function works on, for catch
	log   []undoRow[V]
}

// An undoRow is what a key had before a change.
type undoRow[V any] struct {
	key  []byte
	old  V
	time record.Timestamp
	had  bool
}

// A putRow is a change of one key.
type putRow[K, V any] struct {
	key     []byte
	next    V
	null    bool // next is a delete, whatever its type says
	old     V    // for undoing
	oldTime record.Timestamp
	had     bool
}

func newTableRows[K, V any](s *Site, o store.Options[K, V]) *tableRows[K, V] {
	t := &tableRows[K, V]{
		table: store.NewTable(o), serde: o.Value, key: o.Key, keyID: identify(o.Key), id: identify(o.Value),
		env: s.Env, node: s.Node, row: noRow,
	}
	s.Stores = append(s.Stores, t.table)
	s.Undoers = append(s.Undoers, t)
	return t
}

// put encodes and stores the new value of row i and enters it into c, which already has its key, old value and timestamp.
func (t *tableRows[K, V]) put(c *Changes[K, V], p putRow[K, V], i int32) error {
	var encoded []byte
	if !p.null {
		var err error
		t.row = i
		if encoded, err = encode(&t.env.Arena, t.serde, p.next); err != nil {
			return uncodable(c.Origins[i], t.node, "the value cannot be encoded", err)
		}
		t.row = noRow
	}
	if size := len(p.key) + len(encoded); size > t.env.MaxRecordBytes {
		return tooLarge(c.Origins[i], t.node, size, t.env.MaxRecordBytes)
	}
	t.log = append(t.log, undoRow[V]{key: p.key, old: p.old, time: p.oldTime, had: p.had})
	if encoded == nil {
		t.table.Delete(p.key)
	} else {
		t.table.PutEncoded(p.key, p.next, c.Timestamps[i], encoded)
	}
	c.New[i], c.NewAbsent[i], c.NewBytes.Bytes[i] = p.next, encoded == nil, encoded
	return nil
}

// changes prepares v for the updates that rows cause here: same keys and origins, everything else to be filled in. Its columns
// are reused from the call before.
func (t *tableRows[K, V]) changes(v *Changes[K, V], rows *Rows, keys []K) *Changes[K, V] {
	n := len(keys)
	*v = Changes[K, V]{
		Rows: Rows{Timestamps: sized(v.Timestamps, n), Headers: rows.Headers, Origins: rows.Origins},
		Keys: keys, New: sized(v.New, n), NewAbsent: sized(v.NewAbsent, n),
		HasOld: true, Old: sized(v.Old, n), OldAbsent: sized(v.OldAbsent, n),
		KeyBytes: Encoded[K]{Bytes: sized(v.KeyBytes.Bytes, n), By: t.keyID},
		NewBytes: Encoded[V]{Bytes: sized(v.NewBytes.Bytes, n), By: t.id},
	}
	return v
}

// Keep implements Undoer.
func (t *tableRows[K, V]) Keep() {
	clear(t.log)
	t.log = t.log[:0]
}

// Undo implements Undoer. The changes undone leave a trace in the epoch's changelog, where the old value is written again.
func (t *tableRows[K, V]) Undo() {
	for i := len(t.log) - 1; i >= 0; i-- {
		u := &t.log[i]
		if u.had {
			t.table.Put(u.key, u.old, u.time)
		} else {
			t.table.Delete(u.key)
		}
	}
	t.Keep()
}

// A rowUpdate sets a key to a value that does not depend on the old one.
type rowUpdate[K, V any] struct {
	known [][]byte // the encoded keys, if there are any
	value V
	null  bool
}

// update applies u to row i of c, which has the row's key and timestamp. A key that encodes to null is dropped: ok is false.
func (t *tableRows[K, V]) update(c *Changes[K, V], u rowUpdate[K, V], i int32) (ok bool, err error) {
	key, err := t.keyOf(c.Keys, u.known, c.Origins, i)
	if key == nil {
		return false, err
	}
	c.KeyBytes.Bytes[i] = key
	old, oldTime, had := t.table.Get(key)
	c.Old[i], c.OldAbsent[i] = old, !had
	return true, t.put(c, putRow[K, V]{key: key, next: u.value, null: u.null, old: old, oldTime: oldTime, had: had}, i)
}

// keyOf returns the encoded key of row i, nil for null, which it counts as dropped.
func (t *tableRows[K, V]) keyOf(keys []K, known [][]byte, origins []Origin, i int32) ([]byte, error) {
	var key []byte
	if known != nil {
		key = known[i]
	} else {
		t.row = i
		var err error
		if key, err = encode(&t.env.Arena, t.key, keys[i]); err != nil {
			return nil, uncodable(origins[i], t.node, "the key cannot be encoded", err)
		}
		t.row = noRow
	}
	if key == nil {
		t.env.Drops.Add(DropNullKey)
	}
	return key, nil
}
