package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// TableAggregate folds the rows of a regrouped table into a table: what comes is added, what leaves is subtracted, and what takes
// another's place is added after that was subtracted.
//
// As in Kafka Streams nothing is subtracted from an aggregate that does not exist, the initial value comes in only when something is
// added, and the result has the later of the times of the update and of the aggregate so far; a deleted aggregate forgets its time. Every
// message is an update of the result, also one that changes nothing.
type TableAggregate[K, V, A any] struct {
	Store string
	Key   serde.Serde[K]
	Value serde.Serde[A]
	// Initial is what the first value is added to; First, when set, makes the first value the aggregate instead.
	Initial A
	First   func(V) A
	// Add and Subtract return the new aggregate; a null one deletes the key.
	Add, Subtract func(K, A, V) (A, error)
}

type tableAggregate[K, V, A any] struct {
	TableAggregate[K, V, A]
	rows *operator.State[K, A]
	node string
	env  *operator.Env
	out  *operator.ChangesOut[K, A]
	null func(A) bool
	view operator.Changes[K, A]
	sel  []int32

	cached bool // a delete has its record's time
}

// Rest implements Rester.
func (t *tableAggregate[K, V, A]) Rest() { t.view, t.sel = operator.Changes[K, A]{}, nil }

// Instance implements Spec.
func (a TableAggregate[K, V, A]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, A](s)
	if err != nil {
		return nil, err
	}
	rows := operator.NewState(s, store.Options[K, A]{Name: a.Store, Partition: s.Partition, Key: a.Key, Value: a.Value})
	s.Provide(rows)
	return operator.RowByRow(s, &tableAggregate[K, V, A]{
		TableAggregate: a, node: s.Node, env: s.Env, out: o, rows: rows, null: operator.NullTest[A](), cached: s.Cached,
	}), nil
}

func (a *tableAggregate[K, V, A]) Receive(b *operator.Batch[K, Regrouped[V]]) (err error) {
	a.rows.Row = operator.NoRow
	defer operator.Catch(&err, &a.rows.Row, &b.Rows, a.node)
	c := a.rows.Changes(&a.view, &b.Rows, b.Keys)
	keys, err := a.rows.Ahead(c, b.KeyBytes.From(a.rows.KeyID), b.Sel)
	if err != nil {
		return err
	}
	a.sel = a.sel[:0]
	for _, i := range b.Sel {
		if keys[i] == nil {
			a.env.Drops.Add(operator.DropNullKey)
			continue
		}
		c.KeyBytes.Bytes[i] = keys[i]
		if err := a.fold(c, b, i); err != nil {
			return err
		}
		a.sel = append(a.sel, i)
	}
	c.Sel = a.sel
	return a.out.Emit(c)
}

// fold applies message i to its key's aggregate.
func (a *tableAggregate[K, V, A]) fold(c *operator.Changes[K, A], b *operator.Batch[K, Regrouped[V]], i int32) error {
	key := c.KeyBytes.Bytes[i]
	old, oldTime, had := a.rows.Table.Get(key)
	c.Timestamps[i] = b.Timestamps[i]
	if had {
		c.Timestamps[i] = max(b.Timestamps[i], oldTime)
	}
	a.rows.Row = i
	next, is, err := a.next(b.Keys[i], aggregateRow[A]{old, oldTime, had}, &b.Values[i])
	a.rows.Row = operator.NoRow
	if err != nil {
		return operator.Rejected(&b.Rows, i, a.node, err)
	}
	c.Old[i], c.OldAbsent[i] = old, !had
	err = a.rows.Put(c, operator.PutRow[K, A]{Key: key, Next: next, Null: !is, Old: old, OldTime: oldTime, Had: had}, i)
	if a.cached && c.NewAbsent[i] {
		c.Timestamps[i] = b.Timestamps[i]
	}
	return err
}

// An aggregateRow is the aggregate of a key, if there is one.
type aggregateRow[A any] struct {
	value A
	time  record.Timestamp
	is    bool
}

// next computes the new aggregate; is tells whether there is one.
func (a *tableAggregate[K, V, A]) next(k K, old aggregateRow[A], m *Regrouped[V]) (next A, is bool, err error) {
	next, is = old.value, old.is
	if m.HasOld && is {
		if next, err = a.Subtract(k, next, m.Old); err != nil {
			return next, false, err
		}
		is = a.null == nil || !a.null(next)
	}
	if !m.HasNew {
		return next, is, nil
	}
	switch {
	case is:
		next, err = a.Add(k, next, m.New)
	case a.First != nil:
		next = a.First(m.New)
	default:
		next, err = a.Add(k, a.Initial, m.New)
	}
	return next, true, err
}
