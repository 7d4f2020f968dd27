package foreign

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/serde"
)

// Resolve joins responses with the rows of the left table as they are now. Its inputs are the responses and the left table, which can
// be read. A response for an earlier value of its row is dropped: one for the present value follows. Which ones are not dropped although
// they are late the package's page tells.
type Resolve[K, V, F, W, R any] struct {
	LeftJoin   bool
	Key        serde.Serde[K]
	Value      serde.Serde[V]
	Foreign    serde.Serde[F]
	ForeignKey func(K, V) (F, error)
	// Pending is the store of the keys whose Retract is on its way, where topics take the place of exchanges; empty: left joins have none.
	Pending string
	// Join computes the result, null: no row. Without a right row it is called for left joins only, with present false.
	Join func(k K, v V, w W, present bool) (R, error)
}

// pendingRow is what the store has for a key that is there.
var pendingRow = []byte{1}

type resolve[K, V, F, W, R any] struct {
	Resolve[K, V, F, W, R]
	node    string
	env     *operator.Env
	keyID   serde.Serde[K]
	null    func(F) bool
	left    operator.Reader[K, V]
	pending *operator.State[[]byte, []byte] // nil: nothing is overtaken
	out     *operator.Out[K, R]
	row     int32 // a user's function or serde works on, for Catch
	view    operator.Batch[K, R]
	sel     []int32
	nulls   []bool
}

// Instance implements operator.Spec.
func (r Resolve[K, V, F, W, R]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewOut[K, R](s)
	if err != nil {
		return nil, err
	}
	t := &resolve[K, V, F, W, R]{
		Resolve: r, node: s.Node, env: s.Env, keyID: operator.Identify(r.Key), null: operator.NullTest[F](), out: o,
	}
	if r.Pending != "" {
		pending := operator.NewState(s, store.Options[[]byte, []byte]{
			Name: r.Pending, Partition: s.Partition, Key: serde.Bytes, Value: serde.Bytes,
		})
		if s.OverTopics {
			t.pending = pending
			s.Share(r.Pending, pending)
		}
	}
	operator.ReaderOf(s, s.Inputs[1], &t.left)
	return operator.Slots{t, leftSide[K, V]{}}, nil
}

// leftSide takes the updates of the left table, from which nothing follows here: the table is read.
type leftSide[K, V any] struct{}

func (leftSide[K, V]) ReceiveChanges(*operator.Changes[K, V]) error { return nil }

// Receive takes responses.
func (t *resolve[K, V, F, W, R]) Receive(b *operator.Batch[K, Response[W]]) (err error) {
	t.row = operator.NoRow
	defer operator.Catch(&err, &t.row, &b.Rows, t.node)
	n := len(b.Keys)
	values := operator.Sized(t.view.Values, n)
	t.nulls, t.sel = operator.Sized(t.nulls, n), t.sel[:0]
	known := b.KeyBytes.From(t.keyID)
	for _, i := range b.Sel {
		t.row = i
		l, err := t.current(b, known, i)
		if err != nil {
			return err
		}
		fresh := l.hash == b.Values[i].Hash
		if takes, err := t.takes(&l, fresh, b, i); err != nil {
			return err
		} else if !takes {
			t.env.Drops.Add(operator.DropStale)
			continue
		}
		var result R
		w := &b.Values[i]
		t.nulls[i] = !fresh || !l.is || !w.Present && !t.LeftJoin
		if !t.nulls[i] {
			if result, err = t.Join(b.Keys[i], l.value, w.Value, w.Present); err != nil {
				return operator.Rejected(&b.Rows, i, t.node, err)
			}
		}
		values[i] = result
		t.sel = append(t.sel, i)
	}
	t.row = operator.NoRow
	t.view = operator.Batch[K, R]{Rows: b.Rows, Keys: b.Keys, Values: values, ValueNulls: t.nulls, KeyBytes: b.KeyBytes}
	t.view.Sel = t.sel
	return t.out.Emit(&t.view)
}

// A leftRow is a row of the left table as it is now.
type leftRow[V any] struct {
	key   []byte
	value V
	is    bool
	hash  Hash
}

// current returns the left row of response i.
func (t *resolve[K, V, F, W, R]) current(b *operator.Batch[K, Response[W]], known [][]byte, i int32) (l leftRow[V], err error) {
	if known != nil {
		l.key = known[i]
	} else if l.key, err = operator.Encode(&t.env.Arena, t.Key, b.Keys[i]); err != nil {
		return l, operator.Uncodable(b.Origins[i], t.node, "the key cannot be encoded", err)
	}
	if l.value, _, l.is, err = t.left.Read(b.Keys[i], l.key); err != nil {
		return l, operator.Rejected(&b.Rows, i, t.node, err)
	}
	var value []byte
	if l.is {
		if value, err = operator.Encode(&t.env.Arena, t.Value, l.value); err != nil {
			return l, operator.Uncodable(b.Origins[i], t.node, "the value cannot be encoded", err)
		}
	}
	l.hash = hashOf(value)
	return l, nil
}

// takes tells whether something follows from response i: a result if it is fresh, else a delete.
func (t *resolve[K, V, F, W, R]) takes(l *leftRow[V], fresh bool, b *operator.Batch[K, Response[W]], i int32) (bool, error) {
	if t.pending == nil {
		return fresh, nil
	}
	w := &b.Values[i]
	_, _, pending := t.pending.Table.Get(l.key)
	takes := fresh || w.Retraction && pending
	if !takes && !w.Present && w.Foreign.Some && l.is {
		foreign, err := t.foreignHash(l, b, i)
		if err != nil {
			return false, err
		}
		takes = foreign == w.Foreign
	}
	if takes && pending {
		t.pending.Remove(l.key)
	}
	return takes, nil
}

// foreignHash returns the hash of the foreign key that a row has.
func (t *resolve[K, V, F, W, R]) foreignHash(l *leftRow[V], b *operator.Batch[K, Response[W]], i int32) (Hash, error) {
	foreignKey, err := t.ForeignKey(b.Keys[i], l.value)
	if err != nil {
		return Hash{}, operator.Rejected(&b.Rows, i, t.node, err)
	}
	if t.null != nil && t.null(foreignKey) {
		return Hash{}, nil
	}
	encoded, err := operator.Encode(&t.env.Arena, t.Foreign, foreignKey)
	if err != nil {
		return Hash{}, operator.Uncodable(b.Origins[i], t.node, "the foreign key cannot be encoded", err)
	}
	return hashOf(encoded), nil
}
