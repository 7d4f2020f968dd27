package join

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// StreamTable joins each row of a stream with the row that a table has under its key: the newest one, or, of a versioned table, that of
// the row's time. Updates of the table give no results. Rows without one are left out unless Alone is set (left join).
//
// Rows with a null value are dropped and counted. So are those with a null key, but in a left join, where they are results alone.
type StreamTable[K, V, W, R any] struct {
	Key       serde.Serde[K] // the table's
	Versioned bool

	Pair  func(K, V, W) R
	Alone func(K, V) R // nil: a row that matches nothing is left out

	Buffer *StreamBuffer[V] // nil: rows are joined when they come
}

// A StreamBuffer lets the rows of a stream wait for late updates of a versioned table: until the highest time of the stream is Grace
// ahead. They are joined in the order of their times. A row that comes later than Grace is joined at once.
type StreamBuffer[V any] struct {
	Store string
	Value serde.Serde[V]
	Grace record.Timestamp // in ms
}

type streamTable[K, V, W, R any] struct {
	StreamTable[K, V, W, R]
	node      string
	env       *operator.Env
	keyID     serde.Serde[K]
	table     operator.Reader[K, W]
	versions  operator.VersionedReader[K, W]
	keyNull   func(K) bool
	valueNull func(V) bool
	row       int32 // for Catch
}

// Instance implements Spec: its Slots are the stream and the table.
func (o StreamTable[K, V, W, R]) Instance(s *operator.Site) (any, error) {
	j := &streamTable[K, V, W, R]{
		StreamTable: o, node: s.Node, env: s.Env, keyID: operator.Identify(o.Key),
		keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
	}
	if o.Versioned {
		operator.VersionedReaderOf(s, s.Inputs[1], &j.versions)
	} else {
		operator.ReaderOf(s, s.Inputs[1], &j.table)
	}
	if o.Buffer != nil {
		held, err := newHeldJoin(s, j)
		if err != nil {
			return nil, err
		}
		return operator.Slots{operator.UntilCut(s, held), unheard[K, W]{}}, nil
	}
	out, err := operator.NewOut[K, R](s)
	return operator.Slots{operator.UntilCut(s, &plainJoin[K, V, W, R]{streamTable: j, out: out}), unheard[K, W]{}}, err
}

// unheard takes the updates of the table, which give no results.
type unheard[K, W any] struct{}

func (unheard[K, W]) ReceiveChanges(*operator.Changes[K, W]) error { return nil }

// A plainJoin joins rows when they come.
type plainJoin[K, V, W, R any] struct {
	*streamTable[K, V, W, R]
	out    *operator.Out[K, R]
	sel    []int32
	keys   [][]byte // of the rows that sel names
	values []R
	view   operator.Batch[K, R]
}

// Rest implements Rester.
func (j *plainJoin[K, V, W, R]) Rest() {
	j.sel, j.keys, j.values, j.view = nil, nil, nil, operator.Batch[K, R]{}
}

func (j *plainJoin[K, V, W, R]) Receive(b *operator.Batch[K, V]) (err error) {
	j.row = operator.NoRow
	defer operator.Catch(&err, &j.row, &b.Rows, j.node)
	if err := j.choose(b); err != nil {
		return err
	}
	operator.Foresee(j.table, j.keys)
	j.values = operator.Sized(j.values, len(b.Keys))
	paired := j.sel[:0]
	for n, i := range j.sel {
		j.row = i
		r, ok, err := j.join(b.Keys[i], j.keys[n], b.Values[i], b.Timestamps[i])
		if err != nil {
			return operator.Rejected(&b.Rows, i, j.node, err)
		}
		j.row = operator.NoRow
		if ok {
			j.values[i] = r
			paired = append(paired, i)
		}
	}
	clear(j.keys) // they live in the unit's memory
	j.view = operator.Batch[K, R]{Rows: b.Rows, Keys: b.Keys, Values: j.values, KeyNulls: b.KeyNulls, KeyBytes: b.KeyBytes}
	j.view.Sel = paired
	return j.out.Emit(&j.view)
}

// choose sets sel to the rows that are not dropped, and keys to their keys.
func (j *plainJoin[K, V, W, R]) choose(b *operator.Batch[K, V]) error {
	known := b.KeyBytes.From(j.keyID)
	j.sel, j.keys = j.sel[:0], j.keys[:0]
	for _, i := range b.Sel {
		key, ok, err := j.keyOf(b, known, i)
		if err != nil {
			return err
		}
		if ok {
			j.sel, j.keys = append(j.sel, i), append(j.keys, key)
		}
	}
	return nil
}

// keyOf returns row i's encoded key, nil for null; ok is false if the row was dropped.
func (j *streamTable[K, V, W, R]) keyOf(b *operator.Batch[K, V], known [][]byte, i int32) (key []byte, ok bool, err error) {
	if operator.IsSet(b.ValueNulls, i) || j.valueNull != nil && j.valueNull(b.Values[i]) {
		j.env.Drops.Add(operator.DropNullValue)
		return nil, false, nil
	}
	switch {
	case operator.IsSet(b.KeyNulls, i) || j.keyNull != nil && j.keyNull(b.Keys[i]):
	case known != nil:
		key = known[i]
	default:
		j.row = i
		if key, err = operator.Encode(&j.env.Arena, j.Key, b.Keys[i]); err != nil {
			return nil, false, operator.Uncodable(b.Origins[i], j.node, "the key cannot be encoded", err)
		}
		j.row = operator.NoRow
	}
	if key == nil && j.Alone == nil {
		j.env.Drops.Add(operator.DropNullKey)
		return nil, false, nil
	}
	return key, true, nil
}

// join returns the result of a row, whose key is null if key is; ok is false when there is none.
func (j *streamTable[K, V, W, R]) join(k K, key []byte, v V, ts record.Timestamp) (r R, ok bool, err error) {
	var w W
	if key != nil {
		if j.Versioned {
			w, _, ok, err = j.versions.ReadAsOf(k, key, ts)
		} else {
			w, _, ok, err = j.table.Read(k, key)
		}
		if err != nil {
			return r, false, err
		}
	}
	switch {
	case ok:
		return j.Pair(k, v, w), true, nil
	case j.Alone != nil:
		return j.Alone(k, v), true, nil
	}
	return r, false, nil
}
