package join

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/serde"
)

// StreamGlobal joins each row of a stream with the row that a global table has under a key computed from it, as it is at that moment.
// Rows that find none are left out unless Alone is set (left join).
//
// Rows with a null value are dropped and counted, without asking for their key. So are those for which the key is null, but in a left
// join, where they are results alone.
type StreamGlobal[K, V, G, W, R any] struct {
	Table int // the node of the global table
	Key   serde.Serde[G]
	By    func(K, V) G

	Pair  func(K, V, W) R
	Alone func(K, V) R // nil: a row that matches nothing is left out
}

type streamGlobal[K, V, G, W, R any] struct {
	StreamGlobal[K, V, G, W, R]
	node      string
	env       *operator.Env
	out       *operator.Out[K, R]
	table     operator.Reader[G, W]
	byNull    func(G) bool
	valueNull func(V) bool
	row       int32 // a user's function or serde works on, for Catch

	sel    []int32
	values []R
	view   operator.Batch[K, R]
}

// Rest implements Rester.
func (j *streamGlobal[K, V, G, W, R]) Rest() {
	j.sel, j.values, j.view = nil, nil, operator.Batch[K, R]{}
}

// Instance implements operator.Spec.
func (o StreamGlobal[K, V, G, W, R]) Instance(s *operator.Site) (any, error) {
	out, err := operator.NewOut[K, R](s)
	if err != nil {
		return nil, err
	}
	table, err := operator.GlobalReaderOf[G, W](s, o.Table)
	return operator.UntilCut(s, &streamGlobal[K, V, G, W, R]{
		StreamGlobal: o, node: s.Node, env: s.Env, out: out, table: table,
		byNull: operator.NullTest[G](), valueNull: operator.NullTest[V](),
	}), err
}

func (j *streamGlobal[K, V, G, W, R]) Receive(b *operator.Batch[K, V]) (err error) {
	j.row = operator.NoRow
	defer operator.Catch(&err, &j.row, &b.Rows, j.node)
	j.sel, j.values = j.sel[:0], operator.Sized(j.values, len(b.Keys))
	for _, i := range b.Sel {
		if operator.IsSet(b.ValueNulls, i) || j.valueNull != nil && j.valueNull(b.Values[i]) {
			j.env.Drops.Add(operator.DropNullValue)
			continue
		}
		j.row = i
		r, ok, err := j.join(b, i)
		j.row = operator.NoRow
		if err != nil {
			return err
		}
		if ok {
			j.values[i] = r
			j.sel = append(j.sel, i)
		}
	}
	j.view = operator.Batch[K, R]{Rows: b.Rows, Keys: b.Keys, Values: j.values, KeyNulls: b.KeyNulls, KeyBytes: b.KeyBytes}
	j.view.Sel = j.sel
	return j.out.Emit(&j.view)
}

// join returns the result of row i; ok is false when there is none.
func (j *streamGlobal[K, V, G, W, R]) join(b *operator.Batch[K, V], i int32) (r R, ok bool, err error) {
	k, v := b.Keys[i], b.Values[i]
	by := j.By(k, v)
	var key []byte
	if j.byNull == nil || !j.byNull(by) {
		if key, err = operator.Encode(&j.env.Arena, j.Key, by); err != nil {
			return r, false, operator.Uncodable(b.Origins[i], j.node, "the key of the global table cannot be encoded", err)
		}
	}
	if key == nil && j.Alone == nil {
		j.env.Drops.Add(operator.DropNullKey)
		return r, false, nil
	}
	if key != nil {
		w, _, found, err := j.table.Read(by, key)
		if err != nil {
			return r, false, operator.Rejected(&b.Rows, i, j.node, err)
		}
		if found {
			return j.Pair(k, v, w), true, nil
		}
	}
	if j.Alone == nil {
		return r, false, nil
	}
	return j.Alone(k, v), true, nil
}
