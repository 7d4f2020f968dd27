package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Versioned reads a stream as the updates of a table that keeps its history: the value with the highest time counts, and of equal times
// the last one. Every update is handed on, marked where it is not the newest of its key; those older than the history are dropped and
// counted, as are rows with a null key.
type Versioned[K, V any] struct {
	Store   string
	Key     serde.Serde[K]
	Value   serde.Serde[V]
	History record.Timestamp // ms
}

// Instance implements operator.Spec.
func (c *Versioned[K, V]) Instance(s *operator.Site) (any, error) {
	t, err := newVersioned(c, s)
	if err != nil {
		return nil, err
	}
	return operator.RowByRow(s, t), nil
}

// KeepVersioned keeps a table in a store with its history, as Versioned does.
type KeepVersioned[K, V any] struct{ Versioned[K, V] }

// Instance implements operator.Spec.
func (c *KeepVersioned[K, V]) Instance(s *operator.Site) (any, error) {
	t, err := newVersioned(&c.Versioned, s)
	if err != nil {
		return nil, err
	}
	return operator.ChangesRowByRow(s, &keepVersioned[K, V]{versioned: t}), nil
}

type versioned[K, V any] struct {
	*Versioned[K, V]
	rows *Versions[K, V]
	node string
	env  *operator.Env
	out  *operator.ChangesOut[K, V]

	keyID     serde.Serde[K]
	valueID   serde.Serde[V]
	keyNull   func(K) bool
	valueNull func(V) bool

	row   int32 // a serde works on, for Catch
	known encodedColumns
	view  operator.Changes[K, V]
	sel   []int32
}

// Rest implements Rester.
func (t *versioned[K, V]) Rest() { t.view, t.sel = operator.Changes[K, V]{}, nil }

// encodedColumns are keys and values as this table encodes them, nil where they are not known.
type encodedColumns struct{ keys, values [][]byte }

func newVersioned[K, V any](c *Versioned[K, V], s *operator.Site) (*versioned[K, V], error) {
	o, err := operator.NewChangesOut[K, V](s)
	if err != nil {
		return nil, err
	}
	rows := NewVersions(s, VersionsOptions[K, V]{Name: c.Store, Key: c.Key, Value: c.Value, History: c.History})
	s.Provide(rows)
	return &versioned[K, V]{
		Versioned: c, rows: rows, node: s.Node, env: s.Env, out: o, row: operator.NoRow,
		keyID: operator.Identify(c.Key), valueID: operator.Identify(c.Value), keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
	}, nil
}

func (t *versioned[K, V]) Receive(b *operator.Batch[K, V]) error {
	t.known = encodedColumns{b.KeyBytes.From(t.keyID), b.ValueBytes.From(t.valueID)}
	return t.receive(&b.Rows, columns[K, V]{keys: b.Keys, keyNulls: b.KeyNulls, values: b.Values, absent: b.ValueNulls})
}

type keepVersioned[K, V any] struct{ versioned *versioned[K, V] }

func (t *keepVersioned[K, V]) ReceiveChanges(c *operator.Changes[K, V]) error {
	t.versioned.known = encodedColumns{c.KeyBytes.From(t.versioned.keyID), c.NewBytes.From(t.versioned.valueID)}
	return t.versioned.receive(&c.Rows, columns[K, V]{keys: c.Keys, values: c.New, absent: c.NewAbsent})
}

// columns are what a store of versions needs of a batch.
type columns[K, V any] struct {
	keys     []K
	keyNulls []bool
	values   []V
	absent   []bool
}

func (t *versioned[K, V]) receive(r *operator.Rows, in columns[K, V]) (err error) {
	t.row = operator.NoRow
	defer operator.Catch(&err, &t.row, r, t.node)
	t.begin(r, in)
	t.sel = t.sel[:0]
	for _, i := range r.Sel {
		if operator.IsSet(in.keyNulls, i) || t.keyNull != nil && t.keyNull(in.keys[i]) {
			t.env.Drops.Add(operator.DropNullKey)
			continue
		}
		t.row = i
		placed, err := t.put(r, in, i)
		t.row = operator.NoRow
		if err != nil {
			return err
		}
		if placed == Refused {
			continue
		}
		t.view.Superseded[i] = placed == Superseded
		t.sel = append(t.sel, i)
	}
	t.view.Sel = t.sel
	return t.out.Emit(&t.view)
}

// begin prepares the view.
func (t *versioned[K, V]) begin(r *operator.Rows, in columns[K, V]) {
	v, n := &t.view, len(in.keys)
	*v = operator.Changes[K, V]{
		Rows: *r, Keys: in.keys, New: in.values, NewAbsent: operator.Sized(v.NewAbsent, n),
		HasOld: true, Old: operator.Sized(v.Old, n), OldAbsent: operator.Sized(v.OldAbsent, n), Superseded: operator.Sized(v.Superseded, n),
		KeyBytes: operator.Encoded[K]{Bytes: operator.Sized(v.KeyBytes.Bytes, n), By: t.keyID},
		NewBytes: operator.Encoded[V]{Bytes: operator.Sized(v.NewBytes.Bytes, n), By: t.valueID},
	}
}

// put stores row i and enters it into the view.
func (t *versioned[K, V]) put(r *operator.Rows, in columns[K, V], i int32) (Placed, error) {
	key, err := encodeOr(t.known.keys, &t.env.Arena, t.Key, in.keys[i], i)
	if err != nil {
		return Refused, operator.Uncodable(r.Origins[i], t.node, "the key cannot be encoded", err)
	}
	if key == nil {
		t.env.Drops.Add(operator.DropNullKey)
		return Refused, nil
	}
	var value []byte
	if !operator.IsSet(in.absent, i) && (t.valueNull == nil || !t.valueNull(in.values[i])) {
		if value, err = encodeOr(t.known.values, &t.env.Arena, t.Value, in.values[i], i); err != nil {
			return Refused, operator.Uncodable(r.Origins[i], t.node, "the value cannot be encoded", err)
		}
	}
	v := &t.view
	v.KeyBytes.Bytes[i], v.NewBytes.Bytes[i], v.NewAbsent[i] = key, value, value == nil
	old, _, had := t.rows.Newest(key)
	v.Old[i], v.OldAbsent[i] = old, !had
	placed, err := t.rows.Put(VersionPut[V]{Key: key, Value: in.values[i], Delete: value == nil, Time: r.Timestamps[i]}, r, i)
	if placed == Refused && err == nil {
		t.env.Drops.Add(operator.DropExpired)
	}
	return placed, err
}

// encodeOr returns row i of a column that is known, or encodes v.
func encodeOr[T any](known [][]byte, a *operator.Arena, s serde.Serde[T], v T, i int32) ([]byte, error) {
	if known != nil {
		return known[i], nil
	}
	return operator.Encode(a, s, v)
}
