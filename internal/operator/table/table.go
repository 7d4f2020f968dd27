package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// ToTable reads a stream as the updates of a table: the last value of a key counts, whatever its time, and null deletes. operator.Rows with
// a null key are dropped and counted. Every row is an update, also one that changes nothing.
type ToTable[K, V any] struct {
	Store string // empty: nothing is kept, and old values are not known
	Key   serde.Serde[K]
	Value serde.Serde[V] // needed with Store only
}

type toTable[K, V any] struct {
	ToTable[K, V]
	rows *operator.State[K, V] // nil without a store
	node string
	env  *operator.Env
	out  *operator.ChangesOut[K, V]

	keyNull   func(K) bool
	valueNull func(V) bool
	view      operator.Changes[K, V]
	sel       []int32
	absent    []bool
}

// Rest implements Rester.
func (t *toTable[K, V]) Rest() { t.view, t.sel, t.absent = operator.Changes[K, V]{}, nil, nil }

// Instance implements Spec.
func (c *ToTable[K, V]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	t := &toTable[K, V]{ToTable: *c, node: s.Node, env: s.Env, out: o, keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V]()}
	if c.Store != "" {
		t.rows = operator.NewState(s, store.Options[K, V]{Name: c.Store, Partition: s.Partition, Key: c.Key, Value: c.Value})
		s.Provide(t.rows)
	}
	return operator.RowByRow(s, t), nil
}

func (t *toTable[K, V]) Receive(b *operator.Batch[K, V]) error {
	if t.rows != nil {
		return t.store(b)
	}
	t.absent, t.sel = operator.Sized(t.absent, len(b.Keys)), t.sel[:0]
	for _, i := range b.Sel {
		if t.noKey(b, i) {
			continue
		}
		t.absent[i] = t.deletes(b, i)
		t.sel = append(t.sel, i)
	}
	t.view = operator.Changes[K, V]{Rows: b.Rows, Keys: b.Keys, New: b.Values, NewAbsent: t.absent, KeyBytes: b.KeyBytes, NewBytes: b.ValueBytes}
	t.view.Sel = t.sel
	return t.out.Emit(&t.view)
}

// store is Receive for a table that is kept.
func (t *toTable[K, V]) store(b *operator.Batch[K, V]) (err error) {
	t.rows.Row = operator.NoRow
	defer operator.Catch(&err, &t.rows.Row, &b.Rows, t.node)
	c := t.rows.Changes(&t.view, &b.Rows, b.Keys)
	t.sel = t.sel[:0]
	for _, i := range b.Sel {
		if !t.noKey(b, i) {
			t.sel = append(t.sel, i)
		}
	}
	keys, err := t.rows.Ahead(c, b.KeyBytes.From(t.rows.KeyID), t.sel)
	if err != nil {
		return err
	}
	c.Sel = t.sel[:0]
	for _, i := range t.sel {
		c.Timestamps[i] = b.Timestamps[i]
		ok, err := t.rows.Update(c, operator.RowUpdate[K, V]{Known: keys, Value: b.Values[i], Null: t.deletes(b, i)}, i)
		if err != nil {
			return err
		}
		if ok {
			c.Sel = append(c.Sel, i)
		}
	}
	return t.out.Emit(c)
}

// noKey tells whether row i has a null key, and counts it.
func (t *toTable[K, V]) noKey(b *operator.Batch[K, V], i int32) bool {
	if !operator.IsSet(b.KeyNulls, i) && (t.keyNull == nil || !t.keyNull(b.Keys[i])) {
		return false
	}
	t.env.Drops.Add(operator.DropNullKey)
	return true
}

func (t *toTable[K, V]) deletes(b *operator.Batch[K, V], i int32) bool {
	return operator.IsSet(b.ValueNulls, i) || t.valueNull != nil && t.valueNull(b.Values[i])
}

// Materialize keeps a table in a store.
type Materialize[K, V any] struct {
	Changes bool // what was absent and is absent is no update
	Store   string
	Key     serde.Serde[K]
	Value   serde.Serde[V]
}

type materialize[K, V any] struct {
	changes bool
	rows    *operator.State[K, V]
	node    string
	out     *operator.ChangesOut[K, V]
	sel     []int32
	view    operator.Changes[K, V]
}

// Rest implements Rester.
func (t *materialize[K, V]) Rest() { t.view, t.sel = operator.Changes[K, V]{}, nil }

// Instance implements Spec.
func (m Materialize[K, V]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	rows := operator.NewState(s, store.Options[K, V]{Name: m.Store, Partition: s.Partition, Key: m.Key, Value: m.Value})
	s.Provide(rows)
	return operator.ChangesRowByRow(s, &materialize[K, V]{changes: m.Changes, rows: rows, node: s.Node, out: o}), nil
}

func (m *materialize[K, V]) ReceiveChanges(b *operator.Changes[K, V]) (err error) {
	m.rows.Row = operator.NoRow
	defer operator.Catch(&err, &m.rows.Row, &b.Rows, m.node)
	c := m.rows.Changes(&m.view, &b.Rows, b.Keys)
	keys, err := m.rows.Ahead(c, b.KeyBytes.From(m.rows.KeyID), b.Sel)
	if err != nil {
		return err
	}
	m.sel = m.sel[:0]
	for _, i := range b.Sel {
		c.Timestamps[i] = b.Timestamps[i]
		ok, err := m.rows.Update(c, operator.RowUpdate[K, V]{Known: keys, Value: b.New[i], Null: operator.IsSet(b.NewAbsent, i)}, i)
		if err != nil {
			return err
		}
		if ok && !(m.changes && c.OldAbsent[i] && c.NewAbsent[i]) {
			m.sel = append(m.sel, i)
		}
	}
	c.Sel = m.sel
	return m.out.Emit(c)
}
