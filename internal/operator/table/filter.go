package table

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// Filter keeps the rows of a table that pass. An update whose new value does not pass becomes a delete; with Changes, for which old
// values must be known, only if the old value had passed: otherwise nothing changes and nothing is handed on.
type Filter[K, V any] struct {
	Pass    func(K, V) bool
	Changes bool
}

type filter[K, V any] struct {
	Filter[K, V]
	node      string
	out       *operator.ChangesOut[K, V]
	sel       []int32
	newAbsent []bool
	oldAbsent []bool
	view      operator.Changes[K, V]
	in        operator.Reader[K, V] // nil: the table in front can't be read, and nobody reads this one
}

// Rest implements Rester.
func (f *filter[K, V]) Rest() {
	f.sel, f.newAbsent, f.oldAbsent, f.view = nil, nil, nil, operator.Changes[K, V]{}
}

// Instance implements Spec.
func (f Filter[K, V]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, V](s)
	t := &filter[K, V]{Filter: f, node: s.Node, out: o}
	operator.InFront(s, &t.in)
	s.Provide(t)
	return t, err
}

// Read implements Reader.
func (f *filter[K, V]) Read(key K, encoded []byte) (v V, ts record.Timestamp, ok bool, err error) {
	v, ts, ok, err = f.in.Read(key, encoded)
	if !ok || !f.Pass(key, v) {
		var none V
		return none, ts, false, err
	}
	return v, ts, true, nil
}

// Foresee implements operator.Foreseer.
func (f *filter[K, V]) Foresee(keys [][]byte) { operator.Foresee(f.in, keys) }

// ReadAsOf implements VersionedReader, where the table in front does.
func (f *filter[K, V]) ReadAsOf(key K, encoded []byte, asOf record.Timestamp) (v V, ts record.Timestamp, ok bool, err error) {
	v, ts, ok, err = f.in.(operator.VersionedReader[K, V]).ReadAsOf(key, encoded, asOf)
	if !ok || !f.Pass(key, v) {
		var none V
		return none, ts, false, err
	}
	return v, ts, true, nil
}

func (f *filter[K, V]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	row := int32(operator.NoRow)
	defer operator.Catch(&err, &row, &c.Rows, f.node)
	f.newAbsent, f.oldAbsent = operator.Sized(f.newAbsent, len(c.Keys)), operator.Sized(f.oldAbsent, len(c.Keys))
	f.sel = f.sel[:0]
	for _, i := range c.Sel {
		row = i
		f.newAbsent[i] = operator.IsSet(c.NewAbsent, i) || !f.Pass(c.Keys[i], c.New[i])
		if c.HasOld {
			f.oldAbsent[i] = operator.IsSet(c.OldAbsent, i) || !f.Pass(c.Keys[i], c.Old[i])
			if f.Changes && f.newAbsent[i] && f.oldAbsent[i] && c.Superseded == nil { // Kafka Streams lets all updates of versioned tables pass
				continue
			}
		}
		f.sel = append(f.sel, i)
	}
	row = operator.NoRow
	f.view = *c
	f.view.Sel, f.view.NewAbsent = f.sel, f.newAbsent
	if c.HasOld {
		f.view.OldAbsent = f.oldAbsent
	}
	return f.out.Emit(&f.view)
}

// Map computes a table of new values. The function never sees a deleted one.
type Map[K, V, W any] struct {
	Func func(K, V) (W, error)
}

type mapper[K, V, W any] struct {
	Map[K, V, W]
	node      string
	out       *operator.ChangesOut[K, W]
	null      func(W) bool
	newAbsent []bool
	oldAbsent []bool
	view      operator.Changes[K, W]
	in        operator.Reader[K, V] // as in filter
}

// Rest implements Rester.
func (m *mapper[K, V, W]) Rest() {
	m.newAbsent, m.oldAbsent, m.view = nil, nil, operator.Changes[K, W]{}
}

// Instance implements Spec.
func (m Map[K, V, W]) Instance(s *operator.Site) (any, error) {
	o, err := operator.NewChangesOut[K, W](s)
	t := &mapper[K, V, W]{Map: m, node: s.Node, out: o, null: operator.NullTest[W]()}
	operator.InFront(s, &t.in)
	s.Provide(t)
	return t, err
}

// Read implements Reader.
func (m *mapper[K, V, W]) Read(key K, encoded []byte) (w W, ts record.Timestamp, ok bool, err error) {
	v, ts, ok, err := m.in.Read(key, encoded)
	if !ok || err != nil {
		return w, ts, false, err
	}
	w, err = m.Func(key, v)
	return w, ts, err == nil && (m.null == nil || !m.null(w)), err
}

// Foresee implements operator.Foreseer.
func (m *mapper[K, V, W]) Foresee(keys [][]byte) { operator.Foresee(m.in, keys) }

// ReadAsOf implements VersionedReader, where the table in front does.
func (m *mapper[K, V, W]) ReadAsOf(key K, encoded []byte, asOf record.Timestamp) (w W, ts record.Timestamp, ok bool, err error) {
	v, ts, ok, err := m.in.(operator.VersionedReader[K, V]).ReadAsOf(key, encoded, asOf)
	if !ok || err != nil {
		return w, ts, false, err
	}
	w, err = m.Func(key, v)
	return w, ts, err == nil && (m.null == nil || !m.null(w)), err
}

// IgnoresOld implements operator.OldIgnorer.
func (m *mapper[K, V, W]) IgnoresOld() bool { return !m.out.ReadsOld() }

func (m *mapper[K, V, W]) ReceiveChanges(c *operator.Changes[K, V]) (err error) {
	row := int32(operator.NoRow)
	defer operator.Catch(&err, &row, &c.Rows, m.node)
	n := len(c.Keys)
	m.newAbsent, m.oldAbsent = operator.Sized(m.newAbsent, n), operator.Sized(m.oldAbsent, n)
	old := c.HasOld && m.out.ReadsOld()
	v := operator.Changes[K, W]{Rows: c.Rows, Keys: c.Keys, New: operator.Sized(m.view.New, n), NewAbsent: m.newAbsent, HasOld: old, Superseded: c.Superseded, KeyBytes: c.KeyBytes}
	if old {
		v.Old, v.OldAbsent = operator.Sized(m.view.Old, n), m.oldAbsent
	}
	for _, i := range c.Sel {
		row = i
		if err := m.apply(valueAt[V]{c.New, c.NewAbsent}, valueAt[W]{v.New, m.newAbsent}, c.Keys, i); err != nil {
			return operator.Rejected(&c.Rows, i, m.node, err)
		}
		if !old {
			continue
		}
		if err := m.apply(valueAt[V]{c.Old, c.OldAbsent}, valueAt[W]{v.Old, m.oldAbsent}, c.Keys, i); err != nil {
			return operator.Rejected(&c.Rows, i, m.node, err)
		}
	}
	row = operator.NoRow
	m.view = v
	return m.out.Emit(&m.view)
}

// valueAt is a column of values with its absent bits.
type valueAt[T any] struct {
	values []T
	absent []bool
}

// apply maps row i of one column into the other.
func (m *mapper[K, V, W]) apply(from valueAt[V], to valueAt[W], keys []K, i int32) error {
	var w W
	absent := operator.IsSet(from.absent, i)
	if !absent {
		var err error
		if w, err = m.Func(keys[i], from.values[i]); err != nil {
			return err
		}
		absent = m.null != nil && m.null(w)
	}
	to.values[i], to.absent[i] = w, absent
	return nil
}
