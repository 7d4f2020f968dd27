package join

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// SelfJoin is Streams for a stream that is joined with itself, with one store: every row is a left and a right one. The results and
// their order are the same, but a row that cannot be joined is counted once. Left and outer joins are inner ones here, since every row
// that has a key matches itself.
type SelfJoin[K, V, R any] struct {
	Store string
	Key   serde.Serde[K]
	Value serde.Serde[V]

	Before, After, Grace record.Timestamp // in ms, at least 0

	Pair func(k K, left, right V) R
}

type selfJoin[K, V, R any] struct {
	SelfJoin[K, V, R]
	window    *window[K, V]
	out       *operator.Gathered[K, R]
	keyNull   func(K) bool
	valueNull func(V) bool
}

// Instance implements Spec.
func (o SelfJoin[K, V, R]) Instance(s *operator.Site) (any, error) {
	out, err := operator.NewGathered[K, R](s)
	if err != nil {
		return nil, err
	}
	size := o.Before + o.After
	return &selfJoin[K, V, R]{
		SelfJoin: o, out: out, keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
		window: newWindow(s, windowSpec[K, V]{store: o.Store, key: o.Key, value: o.Value, size: size, retention: size + o.Grace}),
	}, nil
}

func (j *selfJoin[K, V, R]) Receive(b *operator.Batch[K, V]) (err error) {
	row := &j.window.rows.Row
	*row = operator.NoRow
	defer operator.Catch(&err, row, &b.Rows, j.window.node)
	known := b.KeyBytes.From(j.window.keyID)
	for _, i := range b.Sel {
		if err := j.receive(b, known, i); err != nil {
			return err
		}
	}
	return j.out.Flush()
}

// receive takes row i: first as a left row, then as a right one.
func (j *selfJoin[K, V, R]) receive(b *operator.Batch[K, V], known [][]byte, i int32) error {
	var key []byte
	if !operator.IsSet(b.KeyNulls, i) && (j.keyNull == nil || !j.keyNull(b.Keys[i])) {
		var err error
		if key, err = j.window.keyBytes(b, known, i); err != nil {
			return err
		}
	}
	if key == nil {
		j.window.env.Drops.Add(operator.DropNullKey)
		return nil
	}
	if operator.IsSet(b.ValueNulls, i) || j.valueNull != nil && j.valueNull(b.Values[i]) {
		j.window.env.Drops.Add(operator.DropNullValue)
		return nil
	}
	if err := j.emit(b, key, i); err != nil {
		return err
	}
	_, err := j.window.put(key, b, i)
	return err
}

// emit gives the pairs of row i as a left row, as a right row, and with itself: behind the right rows' pairs that are not later.
func (j *selfJoin[K, V, R]) emit(b *operator.Batch[K, V], key []byte, i int32) error {
	ts, v := b.Timestamps[i], b.Values[i]
	for _, m := range j.window.find(key, ts-j.Before, ts+j.After) {
		if err := j.pair(b, i, v, m.value, m.time); err != nil {
			return err
		}
	}
	// A row that is too late to be kept does not match itself either.
	alone := ts > max(j.window.expired(), ts-j.window.retention)+1
	for _, m := range j.window.find(key, ts-j.After, ts+j.Before) {
		if alone && m.time > ts {
			alone = false
			if err := j.pair(b, i, v, v, ts); err != nil {
				return err
			}
		}
		if err := j.pair(b, i, m.value, v, m.time); err != nil {
			return err
		}
	}
	if !alone {
		return nil
	}
	return j.pair(b, i, v, v, ts)
}

// pair gives one pair of row i.
func (j *selfJoin[K, V, R]) pair(b *operator.Batch[K, V], i int32, left, right V, ts record.Timestamp) error {
	j.window.rows.Row = i
	r := j.Pair(b.Keys[i], left, right)
	j.window.rows.Row = operator.NoRow
	return j.out.Add(b.Keys[i], r, max(b.Timestamps[i], ts), &b.Rows, i)
}
