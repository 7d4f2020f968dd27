package operator

// TableFilter keeps the rows of a table that pass. An update whose new value does not pass becomes a delete; where
// old values are known, only if the old value had passed: otherwise nothing changes and nothing is handed on.
type TableFilter[K, V any] struct {
	Pass func(K, V) bool
}

type tableFilter[K, V any] struct {
	TableFilter[K, V]
	node      string
	out       *changesOut[K, V]
	sel       []int32
	newAbsent []bool
	oldAbsent []bool
	view      Changes[K, V]
}

// Instance implements Spec.
func (f TableFilter[K, V]) Instance(s *Site) (any, error) {
	o, err := newChangesOut[K, V](s)
	return &tableFilter[K, V]{TableFilter: f, node: s.Node, out: o}, err
}

func (f *tableFilter[K, V]) ReceiveChanges(c *Changes[K, V]) (err error) {
	row := int32(noRow)
	defer catch(&err, &row, &c.Rows, f.node)
	f.newAbsent, f.oldAbsent = sized(f.newAbsent, len(c.Keys)), sized(f.oldAbsent, len(c.Keys))
	f.sel = f.sel[:0]
	for _, i := range c.Sel {
		row = i
		f.newAbsent[i] = isSet(c.NewAbsent, i) || !f.Pass(c.Keys[i], c.New[i])
		if c.HasOld {
			f.oldAbsent[i] = isSet(c.OldAbsent, i) || !f.Pass(c.Keys[i], c.Old[i])
			if f.newAbsent[i] && f.oldAbsent[i] {
				continue
			}
		}
		f.sel = append(f.sel, i)
	}
	row = noRow
	f.view = *c
	f.view.Sel, f.view.NewAbsent = f.sel, f.newAbsent
	if c.HasOld {
		f.view.OldAbsent = f.oldAbsent
	}
	return f.out.emit(&f.view)
}

// TableMap computes a table of new values. The function never sees a deleted one.
type TableMap[K, V, W any] struct {
	Func func(K, V) (W, error)
}

type tableMap[K, V, W any] struct {
	TableMap[K, V, W]
	node      string
	out       *changesOut[K, W]
	null      func(W) bool
	newAbsent []bool
	oldAbsent []bool
	view      Changes[K, W]
}

// Instance implements Spec.
func (m TableMap[K, V, W]) Instance(s *Site) (any, error) {
	o, err := newChangesOut[K, W](s)
	return &tableMap[K, V, W]{TableMap: m, node: s.Node, out: o, null: nullTest[W]()}, err
}

func (m *tableMap[K, V, W]) ReceiveChanges(c *Changes[K, V]) (err error) {
	row := int32(noRow)
	defer catch(&err, &row, &c.Rows, m.node)
	n := len(c.Keys)
	m.newAbsent, m.oldAbsent = sized(m.newAbsent, n), sized(m.oldAbsent, n)
	v := Changes[K, W]{Rows: c.Rows, Keys: c.Keys, New: sized(m.view.New, n), NewAbsent: m.newAbsent, HasOld: c.HasOld, KeyBytes: c.KeyBytes}
	if c.HasOld {
		v.Old, v.OldAbsent = sized(m.view.Old, n), m.oldAbsent
	}
	for _, i := range c.Sel {
		row = i
		if err := m.apply(valueAt[V]{c.New, c.NewAbsent}, valueAt[W]{v.New, m.newAbsent}, c.Keys, i); err != nil {
			return rejected(&c.Rows, i, m.node, err)
		}
		if !c.HasOld {
			continue
		}
		if err := m.apply(valueAt[V]{c.Old, c.OldAbsent}, valueAt[W]{v.Old, m.oldAbsent}, c.Keys, i); err != nil {
			return rejected(&c.Rows, i, m.node, err)
		}
	}
	row = noRow
	m.view = v
	return m.out.emit(&m.view)
}

// valueAt is a column of values with its absent bits.
type valueAt[T any] struct {
	values []T
	absent []bool
}

// apply maps row i of one column into the other.
func (m *tableMap[K, V, W]) apply(from valueAt[V], to valueAt[W], keys []K, i int32) error {
	var w W
	absent := isSet(from.absent, i)
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
