package foreign

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// Resolve joins responses with the rows of the left table as they are now. Its inputs are the responses and the left table, which can
// be read. A response for an earlier value of its row is dropped: one for the present value follows.
type Resolve[K, V, W, R any] struct {
	LeftJoin bool
	Key      serde.Serde[K]
	Value    serde.Serde[V]
	// Join computes the result, null: no row. Without a right row it is called for left joins only, with present false.
	Join func(k K, v V, w W, present bool) (R, error)
}

type resolve[K, V, W, R any] struct {
	Resolve[K, V, W, R]
	node  string
	env   *operator.Env
	keyID serde.Serde[K]
	left  operator.Reader[K, V]
	out   *operator.Out[K, R]
	row   int32 // a user's function or serde works on, for Catch
	view  operator.Batch[K, R]
	sel   []int32
	nulls []bool
}

// Instance implements operator.Spec.
func (r Resolve[K, V, W, R]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewOut[K, R](s)
	if err != nil {
		return nil, err
	}
	t := &resolve[K, V, W, R]{Resolve: r, node: s.Node, env: s.Env, keyID: operator.Identify(r.Key), out: o}
	operator.ReaderOf(s, s.Inputs[1], &t.left)
	return operator.Slots{t, leftSide[K, V]{}}, nil
}

// leftSide takes the updates of the left table, from which nothing follows here: the table is read.
type leftSide[K, V any] struct{}

func (leftSide[K, V]) ReceiveChanges(*operator.Changes[K, V]) error { return nil }

// Receive takes responses.
func (t *resolve[K, V, W, R]) Receive(b *operator.Batch[K, Response[W]]) (err error) {
	t.row = operator.NoRow
	defer operator.Catch(&err, &t.row, &b.Rows, t.node)
	n := len(b.Keys)
	values := operator.Sized(t.view.Values, n)
	t.nulls, t.sel = operator.Sized(t.nulls, n), t.sel[:0]
	known := b.KeyBytes.From(t.keyID)
	for _, i := range b.Sel {
		t.row = i
		v, is, fresh, err := t.current(b, known, i)
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		var result R
		w := &b.Values[i]
		t.nulls[i] = !is || !w.Present && !t.LeftJoin
		if !t.nulls[i] {
			if result, err = t.Join(b.Keys[i], v, w.Value, w.Present); err != nil {
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

// current returns the left row of response i, if there is one; fresh tells whether the response is for it as it is.
func (t *resolve[K, V, W, R]) current(b *operator.Batch[K, Response[W]], known [][]byte, i int32) (v V, is, fresh bool, err error) {
	var key, value []byte
	if known != nil {
		key = known[i]
	} else if key, err = operator.Encode(&t.env.Arena, t.Key, b.Keys[i]); err != nil {
		return v, false, false, operator.Uncodable(b.Origins[i], t.node, "the key cannot be encoded", err)
	}
	if v, _, is, err = t.left.Read(b.Keys[i], key); err != nil {
		return v, false, false, operator.Rejected(&b.Rows, i, t.node, err)
	}
	if is {
		if value, err = operator.Encode(&t.env.Arena, t.Value, v); err != nil {
			return v, false, false, operator.Uncodable(b.Origins[i], t.node, "the value cannot be encoded", err)
		}
	}
	return v, is, hashOf(value) == b.Values[i].Hash, nil
}
