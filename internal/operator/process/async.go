package process

import (
	"context"
	"runtime/debug"

	"github.com/mainstemio/mainstem/internal/operator"
)

// MapAsync computes a new value for each row by a call to the outside. The rows of a batch are called for at the same time, those of one key
// one after the other; all are done before the rows go on, in their order.
type MapAsync[K, V, W any] struct {
	Func     func(context.Context, K, V) (W, error)
	Key      func(dst []byte, k K) ([]byte, error) // tells equal keys
	InFlight int                                   // most calls at the same time in this node and task
}

type mapAsync[K, V, W any] struct {
	MapAsync[K, V, W]
	site *operator.Site
	out  *operator.Out[K, W]

	lanes  [][]int32      // rows to call for, one after the other
	laneOf map[string]int // by key
	room   []byte
	values []W
	errs   []error
	view   operator.Batch[K, W]
}

// Instance implements operator.Spec.
func (m MapAsync[K, V, W]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewOut[K, W](s)
	return &mapAsync[K, V, W]{MapAsync: m, site: s, out: o, laneOf: map[string]int{}}, err
}

func (m *mapAsync[K, V, W]) Receive(b *operator.Batch[K, V]) error {
	if err := m.divide(b); err != nil {
		return err
	}
	n := len(b.Keys)
	m.values, m.errs = operator.Sized(m.values, n), operator.Sized(m.errs, n)
	clear(m.errs)
	m.site.Calls(len(m.lanes), m.InFlight, func(ctx context.Context, lane int) {
		for _, i := range m.lanes[lane] {
			if m.values[i], m.errs[i] = m.call(ctx, b.Keys[i], b.Values[i]); m.errs[i] != nil {
				return // the unit is undone: what follows is called for again
			}
		}
	})
	for _, i := range b.Sel {
		if err := m.errs[i]; err != nil {
			return m.bad(b, i, err)
		}
	}
	m.view = operator.Batch[K, W]{Rows: b.Rows, Keys: b.Keys, KeyNulls: b.KeyNulls, Values: m.values, KeyBytes: b.KeyBytes}
	err := m.out.Emit(&m.view)
	clear(m.values)
	return err
}

// divide makes a lane for each key.
func (m *mapAsync[K, V, W]) divide(b *operator.Batch[K, V]) (err error) {
	clear(m.laneOf)
	m.lanes = m.lanes[:0]
	row := int32(operator.NoRow)
	defer operator.Catch(&err, &row, &b.Rows, m.site.Node)
	for _, i := range b.Sel {
		if operator.IsSet(b.ValueNulls, i) {
			return operator.NullValue(&b.Rows, i, m.site.Node)
		}
		row = i
		m.room = m.room[:0]
		if !operator.IsSet(b.KeyNulls, i) {
			key, err := m.Key(append(m.room, 1), b.Keys[i]) // null is a key of its own
			if err != nil {
				return operator.Uncodable(b.Origins[i], m.site.Node, "the key cannot be encoded", err)
			}
			if key != nil {
				m.room = key
			}
		}
		row = operator.NoRow
		m.enter(i)
	}
	return nil
}

// enter puts row i into the lane of the key in room.
func (m *mapAsync[K, V, W]) enter(i int32) {
	lane, known := m.laneOf[string(m.room)]
	if !known {
		lane = len(m.lanes)
		m.laneOf[string(m.room)] = lane
		if cap(m.lanes) > lane {
			m.lanes = m.lanes[:lane+1]
			m.lanes[lane] = m.lanes[lane][:0]
		} else {
			m.lanes = append(m.lanes, nil)
		}
	}
	m.lanes[lane] = append(m.lanes[lane], i)
}

// call calls for one row, on whatever goroutine.
func (m *mapAsync[K, V, W]) call(ctx context.Context, k K, v V) (w W, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &operator.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return m.Func(ctx, k, v)
}

func (m *mapAsync[K, V, W]) bad(b *operator.Batch[K, V], i int32, err error) error {
	if p, ok := err.(*operator.PanicError); ok {
		return &operator.RowError{Origin: b.Origins[i], Node: m.site.Node, Reason: p.Error(), Cause: p}
	}
	return operator.Rejected(&b.Rows, i, m.site.Node, err)
}
