package operator

import (
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// Aggregate folds the values of each key into a table. Rows with a null key or value are dropped and counted.
//
// As in Kafka Streams the result has the later of the times of the record and of the aggregate so far, a deleted aggregate
// forgets its time, and the first update of a key says that the initial value was there before.
type Aggregate[K, V, A any] struct {
	Store string
	Key   serde.Serde[K]
	Value serde.Serde[A]
	// Initial is what the first value is added to; First, when set, makes the first value the aggregate instead.
	Initial A
	First   func(V) A
	// Add returns the new aggregate; a null one deletes the key.
	Add func(K, A, V) (A, error)
}

type aggregate[K, V, A any] struct {
	Aggregate[K, V, A]
	rows *tableRows[K, A]
	node string
	env  *Env
	out  *changesOut[K, A]

	keyNull      func(K) bool
	valueNull    func(V) bool
	initialIsOld bool // the initial value is not null
	view         Changes[K, A]
	sel          []int32
}

// Instance implements Spec.
func (a Aggregate[K, V, A]) Instance(s *Site) (any, error) {
	o, err := newChangesOut[K, A](s)
	if err != nil {
		return nil, err
	}
	null := nullTest[A]()
	return &aggregate[K, V, A]{
		Aggregate: a, node: s.Node, env: s.Env, out: o,
		rows:    newTableRows(s, store.Options[K, A]{Name: a.Store, Partition: s.Partition, Key: a.Key, Value: a.Value}),
		keyNull: nullTest[K](), valueNull: nullTest[V](),
		initialIsOld: a.First == nil && (null == nil || !null(a.Initial)),
	}, nil
}

func (a *aggregate[K, V, A]) Receive(b *Batch[K, V]) (err error) {
	a.rows.row = noRow
	defer catch(&err, &a.rows.row, &b.Rows, a.node)
	c := a.rows.changes(&a.view, &b.Rows, b.Keys)
	known := b.KeyBytes.from(a.rows.keyID)
	a.sel = a.sel[:0]
	for _, i := range b.Sel {
		if isSet(b.KeyNulls, i) || a.keyNull != nil && a.keyNull(b.Keys[i]) {
			a.env.Drops.Add(DropNullKey)
			continue
		}
		if isSet(b.ValueNulls, i) || a.valueNull != nil && a.valueNull(b.Values[i]) {
			a.env.Drops.Add(DropNullValue)
			continue
		}
		key, err := a.rows.keyOf(b.Keys, known, b.Origins, i)
		if err != nil {
			return err
		}
		if key == nil {
			continue
		}
		if err := a.fold(c, b, key, i); err != nil {
			return err
		}
		a.sel = append(a.sel, i)
	}
	c.Sel = a.sel
	return a.out.emit(c)
}

// fold adds row i to its key's aggregate.
func (a *aggregate[K, V, A]) fold(c *Changes[K, A], b *Batch[K, V], key []byte, i int32) (err error) {
	c.KeyBytes.Bytes[i] = key
	old, oldTime, had := a.rows.table.Get(key)
	ts := b.Timestamps[i]
	var next A
	a.rows.row = i
	switch {
	case had:
		ts = max(ts, oldTime)
		next, err = a.Add(b.Keys[i], old, b.Values[i])
	case a.First != nil:
		next = a.First(b.Values[i])
	default:
		old = a.Initial
		next, err = a.Add(b.Keys[i], old, b.Values[i])
	}
	a.rows.row = noRow
	if err != nil {
		return rejected(&b.Rows, i, a.node, err)
	}
	c.Timestamps[i] = ts
	c.Old[i], c.OldAbsent[i] = old, !had && !a.initialIsOld
	return a.rows.put(c, putRow[K, A]{key: key, next: next, old: old, oldTime: oldTime, had: had}, i)
}
