package table

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// ErrUnchanged of an Add leaves the aggregate as it was: no row changes, and nobody is told.
var ErrUnchanged = errors.New("the aggregate is the same")

// Aggregate folds the values of each key into a table. operator.Rows with a null key or value are dropped and counted.
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
	// Add returns the new aggregate; a null one deletes the key. See ErrUnchanged.
	Add func(K, A, V) (A, error)
}

type aggregate[K, V, A any] struct {
	Aggregate[K, V, A]
	rows *operator.State[K, A]
	node string
	env  *operator.Env
	out  *operator.ChangesOut[K, A]

	keyNull      func(K) bool
	valueNull    func(V) bool
	initialIsOld bool // the initial value is not null
	cached       bool // a delete has its record's time
	view         operator.Scratch[operator.Changes[K, A]]
	sel          []int32
}

// Rest implements Rester.
func (t *aggregate[K, V, A]) Rest() {
	t.sel = nil
	t.view.Rest()
}

// Instance implements Spec.
func (a Aggregate[K, V, A]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, A](s)
	if err != nil {
		return nil, err
	}
	rows := operator.NewState(s, store.Options[K, A]{Name: a.Store, Partition: s.Partition, Key: a.Key, Value: a.Value})
	s.Provide(rows)
	return a.into(s, rows, o), nil
}

// into makes the receiver that folds into rows.
func (a Aggregate[K, V, A]) into(s *operator.Site, rows *operator.State[K, A], o *operator.ChangesOut[K, A]) operator.Receiver[K, V] {
	null := operator.NullTest[A]()
	return operator.RowByRow(s, &aggregate[K, V, A]{
		Aggregate: a, node: s.Node, env: s.Env, out: o,
		rows:    rows,
		keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
		cached:       s.Cached,
		initialIsOld: !s.Cached && a.First == nil && (null == nil || !null(a.Initial)),
	})
}

func (a *aggregate[K, V, A]) Receive(b *operator.Batch[K, V]) (err error) {
	a.rows.Row = operator.NoRow
	defer operator.Catch(&err, &a.rows.Row, &b.Rows, a.node)
	c := a.rows.Changes(a.view.Get(), &b.Rows, b.Keys)
	a.choose(b)
	keys, err := a.rows.Ahead(c, b.KeyBytes.From(a.rows.KeyID), a.sel)
	if err != nil {
		return err
	}
	c.Sel = a.sel[:0]
	for _, i := range a.sel {
		if keys[i] == nil {
			a.env.Drops.Add(operator.DropNullKey)
			continue
		}
		switch err := a.fold(c, b, keys[i], i); {
		case err == ErrUnchanged:
			continue
		case err != nil:
			return err
		}
		c.Sel = append(c.Sel, i)
	}
	return a.out.Emit(c)
}

// choose sets sel to the rows that have a key and a value.
func (a *aggregate[K, V, A]) choose(b *operator.Batch[K, V]) {
	a.sel = a.sel[:0]
	for _, i := range b.Sel {
		switch {
		case operator.IsSet(b.KeyNulls, i) || a.keyNull != nil && a.keyNull(b.Keys[i]):
			a.env.Drops.Add(operator.DropNullKey)
		case operator.IsSet(b.ValueNulls, i) || a.valueNull != nil && a.valueNull(b.Values[i]):
			a.env.Drops.Add(operator.DropNullValue)
		default:
			a.sel = append(a.sel, i)
		}
	}
}

// fold adds row i to its key's aggregate.
func (a *aggregate[K, V, A]) fold(c *operator.Changes[K, A], b *operator.Batch[K, V], key []byte, i int32) (err error) {
	c.KeyBytes.Bytes[i] = key
	old, oldTime, had := a.rows.Table.Get(key)
	ts := b.Timestamps[i]
	var next A
	a.rows.Row = i
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
	a.rows.Row = operator.NoRow
	switch {
	case err == ErrUnchanged:
		return err
	case err != nil:
		return operator.Rejected(&b.Rows, i, a.node, err)
	}
	c.Timestamps[i] = ts
	c.Old[i], c.OldAbsent[i] = old, !had && !a.initialIsOld
	err = a.rows.Put(c, operator.PutRow[K, A]{Key: key, Next: next, Old: old, OldTime: oldTime, Had: had}, i)
	if a.cached && c.NewAbsent[i] {
		c.Timestamps[i] = b.Timestamps[i]
	}
	return err
}
