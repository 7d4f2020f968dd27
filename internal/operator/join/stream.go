package join

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Streams joins the rows of two streams that have the same key and times close to each other: a right row matches a left one if its
// time is from left's time - Before to left's time + After. Each pair is a result with the later of the two times.
//
// Rows are kept for Before + After + Grace behind the highest time of their side. With LeftAlone (left join), and RightAlone (outer
// join), a row without a match is a result too, with its own time, as soon as its window and the grace are over; a row that comes after
// its window at once. Rows with a null key can match nothing: they are results alone at once where there are such, and are else dropped
// and counted, as all rows with a null value are.
type Streams[K, V, W, R any] struct {
	Key   serde.Serde[K]
	Left  serde.Serde[V]
	Right serde.Serde[W]

	Before, After, Grace record.Timestamp // in ms, at least 0

	LeftStore, RightStore string
	WaitingStore          string // with LeftAlone, unless Eager: of the rows that have no match so far

	Pair       func(K, V, W) R
	Eager      bool         // a row without a match is a result at once; a match that comes later is one more
	LeftAlone  func(K, V) R // nil: a left row without a match is no result
	RightAlone func(K, W) R // the same for right rows; needs LeftAlone
}

// Instance implements Spec: its Slots are the left and the right stream.
func (o Streams[K, V, W, R]) Instance(s *operator.Site) (any, error) {
	out, err := operator.NewGathered[K, R](s)
	if err != nil {
		return nil, err
	}
	size := o.Before + o.After
	left := newWindow(s, windowSpec[K, V]{store: o.LeftStore, key: o.Key, value: o.Left, size: size, retention: size + o.Grace})
	right := newWindow(s, windowSpec[K, W]{store: o.RightStore, key: o.Key, value: o.Right, size: size, retention: size + o.Grace})
	l := &side[K, V, W, R]{
		own: left, other: right, before: o.Before, after: o.After, number: leftSide,
		out: out, pair: o.Pair, alone: o.LeftAlone,
		keyNull: operator.NullTest[K](), valueNull: operator.NullTest[V](),
	}
	r := &side[K, W, V, R]{
		own: right, other: left, before: o.After, after: o.Before, number: rightSide,
		out: out, pair: func(k K, w W, v V) R { return o.Pair(k, v, w) }, alone: o.RightAlone,
		keyNull: operator.NullTest[K](), valueNull: operator.NullTest[W](),
	}
	if o.LeftAlone != nil && !o.Eager {
		waits := newWaiting(s, o.WaitingStore, o.After+o.Grace, o.Before+o.Grace)
		l.waits, r.waits = waits, waits
		l.waited = func(d *dueRow, b *operator.Rows, i int32) error { return o.emitWaited(d, out, b, i, &left.rows.Row) }
		r.waited = func(d *dueRow, b *operator.Rows, i int32) error { return o.emitWaited(d, out, b, i, &right.rows.Row) }
	}
	return operator.Slots{l, r}, nil
}

// A side is the receiver of one stream: its rows are of type V, those of the other side of type W.
type side[K, V, W, R any] struct {
	own    *window[K, V]
	other  *window[K, W]
	waits  *waiting         // nil: there are no results without a match, or they are eager
	before record.Timestamp // a row of the other side matches from the own time - before to the own time + after
	after  record.Timestamp
	number byte

	out    *operator.Gathered[K, R]
	pair   func(K, V, W) R
	alone  func(K, V) R                                     // nil: a row of this side without a match is no result
	waited func(d *dueRow, b *operator.Rows, i int32) error // gives the results of rows of either side

	keyNull   func(K) bool
	valueNull func(V) bool
}

func (s *side[K, V, W, R]) Receive(b *operator.Batch[K, V]) (err error) {
	row := &s.own.rows.Row
	*row = operator.NoRow
	defer operator.Catch(&err, row, &b.Rows, s.own.node)
	known := b.KeyBytes.From(s.own.keyID)
	for _, i := range b.Sel {
		if err := s.receive(b, known, i); err != nil {
			return err
		}
	}
	return s.out.Flush()
}

// receive takes row i.
func (s *side[K, V, W, R]) receive(b *operator.Batch[K, V], known [][]byte, i int32) error {
	var now record.Timestamp
	if s.waits != nil {
		now = s.waits.advance(b.Timestamps[i])
	}
	key, err := s.keyOf(b, known, i)
	if err != nil {
		return err
	}
	valueNull := operator.IsSet(b.ValueNulls, i) || s.valueNull != nil && s.valueNull(b.Values[i])
	switch {
	case key == nil && !valueNull && s.alone != nil:
		return s.emitAlone(b, i)
	case key == nil:
		s.own.env.Drops.Add(operator.DropNullKey)
		return nil
	case valueNull:
		s.own.env.Drops.Add(operator.DropNullValue)
		return nil
	}
	if s.waits != nil && b.Timestamps[i] == now {
		if err := s.emitClosed(b, i); err != nil {
			return err
		}
	}
	matched, err := s.emitPairs(b, key, i)
	if err != nil {
		return err
	}
	if !matched && s.alone != nil && (s.waits == nil || b.Timestamps[i]+s.after < now) {
		if err := s.emitAlone(b, i); err != nil {
			return err
		}
		matched = true
	}
	value, err := s.own.put(key, b, i)
	if err != nil || matched || s.alone == nil {
		return err
	}
	return s.wait(b, key, value, i)
}

// keyOf returns row i's encoded key, nil for null.
func (s *side[K, V, W, R]) keyOf(b *operator.Batch[K, V], known [][]byte, i int32) ([]byte, error) {
	if operator.IsSet(b.KeyNulls, i) || s.keyNull != nil && s.keyNull(b.Keys[i]) {
		return nil, nil
	}
	return s.own.keyBytes(b, known, i)
}

// emitPairs gives the pairs of row i with the rows that match it.
func (s *side[K, V, W, R]) emitPairs(b *operator.Batch[K, V], key []byte, i int32) (matched bool, err error) {
	ts := b.Timestamps[i]
	found := s.other.find(key, ts-s.before, ts+s.after)
	for j := range found {
		m := &found[j]
		if s.waits != nil {
			s.waits.matched(1-s.number, m.time, key)
		}
		s.own.rows.Row = i
		r := s.pair(b.Keys[i], b.Values[i], m.value)
		s.own.rows.Row = operator.NoRow
		if err := s.out.Add(b.Keys[i], r, max(ts, m.time), &b.Rows, i); err != nil {
			return true, err
		}
	}
	return len(found) > 0, nil
}

// emitAlone gives the result of row i without a match.
func (s *side[K, V, W, R]) emitAlone(b *operator.Batch[K, V], i int32) error {
	s.own.rows.Row = i
	r := s.alone(b.Keys[i], b.Values[i])
	s.own.rows.Row = operator.NoRow
	if operator.IsSet(b.KeyNulls, i) {
		return s.out.AddUnkeyed(r, b.Timestamps[i], &b.Rows, i)
	}
	return s.out.Add(b.Keys[i], r, b.Timestamps[i], &b.Rows, i)
}

// emitClosed gives the results of the rows whose window row i closes.
func (s *side[K, V, W, R]) emitClosed(b *operator.Batch[K, V], i int32) error {
	due := s.waits.take(s.number)
	for j := range due {
		if err := s.waited(&due[j], &b.Rows, i); err != nil {
			return fmt.Errorf("join %s: rows that waited for a match: %w", s.own.node, err)
		}
	}
	return nil
}

// wait keeps row i until its window closes. value is nil if the window of rows did not need it.
func (s *side[K, V, W, R]) wait(b *operator.Batch[K, V], key, value []byte, i int32) (err error) {
	if value == nil {
		s.own.rows.Row = i
		if value, err = operator.Encode(&s.own.env.Arena, s.own.value, b.Values[i]); err != nil {
			return operator.Uncodable(b.Origins[i], s.own.node, "the value cannot be encoded", err)
		}
		s.own.rows.Row = operator.NoRow
	}
	if value == nil {
		return operator.NullValue(&b.Rows, i, s.own.node)
	}
	return s.waits.add(s.number, key, value, &b.Rows, i)
}

// emitWaited gives the results of the rows that d stands for, whose window row i of b closed. row is what Catch looks at.
func (o *Streams[K, V, W, R]) emitWaited(d *dueRow, out *operator.Gathered[K, R], b *operator.Rows, i int32, row *int32) error {
	*row = i
	k, err := o.Key.Decode(d.key)
	*row = operator.NoRow
	if err != nil {
		return err
	}
	return d.each(func(value []byte) error {
		*row = i
		r, err := o.resultAlone(d.side, k, value)
		*row = operator.NoRow
		if err != nil {
			return err
		}
		return out.Add(k, r, d.time, b, i)
	})
}

// resultAlone is the result of a row of a side that had no match.
func (o *Streams[K, V, W, R]) resultAlone(side byte, k K, value []byte) (r R, err error) {
	if side == leftSide {
		v, err := o.Left.Decode(value)
		if err != nil {
			return r, err
		}
		return o.LeftAlone(k, v), nil
	}
	w, err := o.Right.Decode(value)
	if err != nil {
		return r, err
	}
	return o.RightAlone(k, w), nil
}
