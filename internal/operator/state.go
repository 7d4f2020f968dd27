package operator

import (
	"slices"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// State is a store in one task, whose changes can be undone. Read its Table freely, change it through the State.
type State[K, V any] struct {
	Table *store.Table[K, V]
	KeyID serde.Serde[K] // the key serde's identity
	Row   int32          // the row whose value a serde or user's function works on, for Catch

	key   serde.Serde[K]
	value serde.Serde[V]
	id    serde.Serde[V]
	env   *Env
	node  string
	log   []undoRow[V]
	ahead [][]byte // empty but while Ahead runs
	marks []int64  // the table's as they were when the unit began
}

// Rest implements Rester.
func (t *State[K, V]) Rest() { t.log, t.ahead = nil, nil }

// An undoRow is what a key had before a change.
type undoRow[V any] struct {
	key  []byte
	old  V
	time record.Timestamp
	had  bool
}

// A PutRow is a change of one key.
type PutRow[K, V any] struct {
	Key     []byte
	Next    V
	Null    bool // Next is a delete, whatever its type says
	Old     V    // for undoing
	OldTime record.Timestamp
	Had     bool
}

// NewState makes the store of an instance and enters it into the Set's.
func NewState[K, V any](s *Site, o store.Options[K, V]) *State[K, V] {
	o.Published = s.Published
	t := &State[K, V]{
		Table: store.NewTable(o), value: o.Value, key: o.Key, KeyID: Identify(o.Key), id: Identify(o.Value),
		env: s.Env, node: s.Node, Row: NoRow,
	}
	t.marks = slices.Clone(t.Table.Marks())
	s.Stores = append(s.Stores, t.Table)
	s.Undoers = append(s.Undoers, t)
	return t
}

// Put encodes and stores the new value of row i and enters it into c, which already has its key, old value and timestamp.
func (t *State[K, V]) Put(c *Changes[K, V], p PutRow[K, V], i int32) error {
	encoded, err := t.put(p, c.Timestamps[i], c.Origins[i], i)
	if err != nil {
		return err
	}
	c.New[i], c.NewAbsent[i], c.NewBytes.Bytes[i] = p.Next, encoded == nil, encoded
	return nil
}

// put returns the encoded value, nil for one that is or encodes to null: it deletes the key.
func (t *State[K, V]) put(p PutRow[K, V], ts record.Timestamp, o Origin, i int32) ([]byte, error) {
	var encoded []byte
	if !p.Null {
		var err error
		t.Row = i
		if encoded, err = Encode(&t.env.Arena, t.value, p.Next); err != nil {
			return nil, Uncodable(o, t.node, "the value cannot be encoded", err)
		}
		t.Row = NoRow
	}
	if size := len(p.Key) + len(encoded); size > t.env.MaxRecordBytes {
		return nil, TooLarge(o, t.node, size, t.env.MaxRecordBytes)
	}
	t.log = append(t.log, undoRow[V]{key: p.Key, old: p.Old, time: p.OldTime, had: p.Had})
	if encoded == nil {
		t.Table.Delete(p.Key)
	} else {
		t.Table.PutEncoded(p.Key, p.Next, ts, encoded)
	}
	return encoded, nil
}

// Set stores v under key on behalf of row i of r, and returns v's bytes; a v that encodes to null deletes the key. key must stay
// unchanged until the unit ends, as bytes from the Arena and keys of the table do.
func (t *State[K, V]) Set(key []byte, v V, ts record.Timestamp, r *Rows, i int32) (encoded []byte, err error) {
	old, oldTime, had := t.Table.Get(key)
	return t.put(PutRow[K, V]{Key: key, Next: v, Old: old, OldTime: oldTime, Had: had}, ts, r.Origins[i], i)
}

// Replace is Set for a caller that knows what the key has.
func (t *State[K, V]) Replace(p PutRow[K, V], ts record.Timestamp, r *Rows, i int32) (encoded []byte, err error) {
	return t.put(p, ts, r.Origins[i], i)
}

// Remove deletes key, which must stay unchanged as in Set.
func (t *State[K, V]) Remove(key []byte) {
	if old, oldTime, had := t.Table.Get(key); had {
		t.log = append(t.log, undoRow[V]{key: key, old: old, time: oldTime, had: true})
		t.Table.Delete(key)
	}
}

// Read implements Reader.
func (t *State[K, V]) Read(_ K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error) {
	v, ts, ok = t.Table.Get(encoded)
	return v, ts, ok, nil
}

// Foresee implements Foreseer.
func (t *State[K, V]) Foresee(keys [][]byte) { t.Table.Ahead(keys) }

// Changes prepares v for the updates that rows cause here: same keys and origins, everything else to be filled in. Its columns
// are reused from the call before.
func (t *State[K, V]) Changes(v *Changes[K, V], rows *Rows, keys []K) *Changes[K, V] {
	n := len(keys)
	*v = Changes[K, V]{
		Rows: Rows{Timestamps: Sized(v.Timestamps, n), Headers: rows.Headers, Origins: rows.Origins},
		Keys: keys, New: Sized(v.New, n), NewAbsent: Sized(v.NewAbsent, n),
		HasOld: true, Old: Sized(v.Old, n), OldAbsent: Sized(v.OldAbsent, n),
		KeyBytes: Encoded[K]{Bytes: Sized(v.KeyBytes.Bytes, n), By: t.KeyID},
		NewBytes: Encoded[V]{Bytes: Sized(v.NewBytes.Bytes, n), By: t.id},
	}
	return v
}

// Keep implements Undoer.
func (t *State[K, V]) Keep() {
	clear(t.log)
	t.log = t.log[:0]
	copy(t.marks, t.Table.Marks())
}

// Undo implements Undoer. The changes undone leave a trace in the epoch's changelog, where the old value is written again.
func (t *State[K, V]) Undo() {
	for i := len(t.log) - 1; i >= 0; i-- {
		u := &t.log[i]
		if u.had {
			t.Table.Put(u.key, u.old, u.time)
		} else {
			t.Table.Delete(u.key)
		}
	}
	copy(t.Table.Marks(), t.marks)
	t.Keep()
}

// A RowUpdate sets a key to a value that does not depend on the old one.
type RowUpdate[K, V any] struct {
	Known [][]byte // the encoded keys, if there are any
	Value V
	Null  bool
}

// Update applies u to row i of c, which has the row's key and timestamp. A key that encodes to null is dropped: ok is false.
func (t *State[K, V]) Update(c *Changes[K, V], u RowUpdate[K, V], i int32) (ok bool, err error) {
	key, err := t.KeyOf(c.Keys, u.Known, c.Origins, i)
	if key == nil {
		return false, err
	}
	c.KeyBytes.Bytes[i] = key
	old, oldTime, had := t.Table.Get(key)
	c.Old[i], c.OldAbsent[i] = old, !had
	return true, t.Put(c, PutRow[K, V]{Key: key, Next: u.Value, Null: u.Null, Old: old, OldTime: oldTime, Had: had}, i)
}

// KeyOf returns the encoded key of row i, nil for null, which it counts as dropped.
func (t *State[K, V]) KeyOf(keys []K, known [][]byte, origins []Origin, i int32) ([]byte, error) {
	var key []byte
	if known != nil {
		key = known[i]
	} else {
		t.Row = i
		var err error
		if key, err = Encode(&t.env.Arena, t.key, keys[i]); err != nil {
			return nil, Uncodable(origins[i], t.node, "the key cannot be encoded", err)
		}
		t.Row = NoRow
	}
	if key == nil {
		t.env.Drops.Add(DropNullKey)
	}
	return key, nil
}

// Ahead returns the encoded keys of the rows of c that sel names: known, if there are any, or else it encodes them into c. It tells the table
// which keys come next.
func (t *State[K, V]) Ahead(c *Changes[K, V], known [][]byte, sel []int32) ([][]byte, error) {
	if known == nil {
		known = c.KeyBytes.Bytes
		for _, i := range sel {
			t.Row = i
			key, err := Encode(&t.env.Arena, t.key, c.Keys[i])
			if err != nil {
				return nil, Uncodable(c.Origins[i], t.node, "the key cannot be encoded", err)
			}
			known[i] = key
		}
		t.Row = NoRow
	}
	for _, i := range sel {
		t.ahead = append(t.ahead, known[i])
	}
	t.Table.Ahead(t.ahead)
	clear(t.ahead)
	t.ahead = t.ahead[:0]
	return known, nil
}
