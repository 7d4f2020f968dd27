package operator

import (
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// ToTable reads a stream as the updates of a table: the last value of a key counts, whatever its time, and null deletes. Rows with
// a null key are dropped and counted. Every row is an update, also one that changes nothing.
type ToTable[K, V any] struct {
	Store string // empty: nothing is kept, and old values are not known
	Key   serde.Serde[K]
	Value serde.Serde[V] // needed with Store only
}

type toTable[K, V any] struct {
	ToTable[K, V]
	rows *tableRows[K, V] // nil without a store
	node string
	env  *Env
	out  *changesOut[K, V]

	keyNull   func(K) bool
	valueNull func(V) bool
	view      Changes[K, V]
	sel       []int32
	absent    []bool
}

// Instance implements Spec.
func (c ToTable[K, V]) Instance(s *Site) (any, error) {
	o, err := newChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	t := &toTable[K, V]{ToTable: c, node: s.Node, env: s.Env, out: o, keyNull: nullTest[K](), valueNull: nullTest[V]()}
	if c.Store != "" {
		t.rows = newTableRows(s, store.Options[K, V]{Name: c.Store, Partition: s.Partition, Key: c.Key, Value: c.Value})
	}
	return t, nil
}

func (t *toTable[K, V]) Receive(b *Batch[K, V]) error {
	if t.rows != nil {
		return t.store(b)
	}
	t.absent, t.sel = sized(t.absent, len(b.Keys)), t.sel[:0]
	for _, i := range b.Sel {
		if t.noKey(b, i) {
			continue
		}
		t.absent[i] = t.deletes(b, i)
		t.sel = append(t.sel, i)
	}
	t.view = Changes[K, V]{Rows: b.Rows, Keys: b.Keys, New: b.Values, NewAbsent: t.absent, KeyBytes: b.KeyBytes, NewBytes: b.ValueBytes}
	t.view.Sel = t.sel
	return t.out.emit(&t.view)
}

// store is Receive for a table that is kept.
func (t *toTable[K, V]) store(b *Batch[K, V]) (err error) {
	t.rows.row = noRow
	defer catch(&err, &t.rows.row, &b.Rows, t.node)
	c := t.rows.changes(&t.view, &b.Rows, b.Keys)
	known := b.KeyBytes.from(t.rows.keyID)
	t.sel = t.sel[:0]
	for _, i := range b.Sel {
		if t.noKey(b, i) {
			continue
		}
		c.Timestamps[i] = b.Timestamps[i]
		ok, err := t.rows.update(c, rowUpdate[K, V]{known: known, value: b.Values[i], null: t.deletes(b, i)}, i)
		if err != nil {
			return err
		}
		if ok {
			t.sel = append(t.sel, i)
		}
	}
	c.Sel = t.sel
	return t.out.emit(c)
}

// noKey tells whether row i has a null key, and counts it.
func (t *toTable[K, V]) noKey(b *Batch[K, V], i int32) bool {
	if !isSet(b.KeyNulls, i) && (t.keyNull == nil || !t.keyNull(b.Keys[i])) {
		return false
	}
	t.env.Drops.Add(DropNullKey)
	return true
}

func (t *toTable[K, V]) deletes(b *Batch[K, V], i int32) bool {
	return isSet(b.ValueNulls, i) || t.valueNull != nil && t.valueNull(b.Values[i])
}

// Materialize keeps a table in a store.
type Materialize[K, V any] struct {
	Store string
	Key   serde.Serde[K]
	Value serde.Serde[V]
}

type materialize[K, V any] struct {
	rows *tableRows[K, V]
	node string
	out  *changesOut[K, V]
	sel  []int32
	view Changes[K, V]
}

// Instance implements Spec.
func (m Materialize[K, V]) Instance(s *Site) (any, error) {
	o, err := newChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	rows := newTableRows(s, store.Options[K, V]{Name: m.Store, Partition: s.Partition, Key: m.Key, Value: m.Value})
	return &materialize[K, V]{rows: rows, node: s.Node, out: o}, nil
}

func (m *materialize[K, V]) ReceiveChanges(b *Changes[K, V]) (err error) {
	m.rows.row = noRow
	defer catch(&err, &m.rows.row, &b.Rows, m.node)
	c := m.rows.changes(&m.view, &b.Rows, b.Keys)
	known := b.KeyBytes.from(m.rows.keyID)
	m.sel = m.sel[:0]
	for _, i := range b.Sel {
		c.Timestamps[i] = b.Timestamps[i]
		ok, err := m.rows.update(c, rowUpdate[K, V]{known: known, value: b.New[i], null: isSet(b.NewAbsent, i)}, i)
		if err != nil {
			return err
		}
		if ok {
			m.sel = append(m.sel, i)
		}
	}
	c.Sel = m.sel
	return m.out.emit(c)
}
