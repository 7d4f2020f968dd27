package operator

// An Out hands batches to the children of a node.
type Out[K, V any] struct {
	children []Receiver[K, V]
	rows     []*int64     // beside children, or nil
	single   *Batch[K, V] // where a single row is shown; nil: rows go on together
}

// NewOut asserts the children's types.
func NewOut[K, V any](s *Site) (*Out[K, V], error) {
	o := &Out[K, V]{rows: s.ChildRows}
	if s.RowWise && len(s.Children) > 1 {
		o.single = new(Batch[K, V])
	}
	for _, child := range s.Children {
		r, ok := child.(Receiver[K, V])
		if !ok {
			return nil, wrongType(s.Node, child, "its stream")
		}
		o.children = append(o.children, r)
	}
	return o, nil
}

// count adds n rows to those that each child took. Rows of a unit that is undone stay counted, and count again.
func count(rows []*int64, n int) {
	for _, r := range rows {
		*r += int64(n)
	}
}

// Emit hands b to every child, row by row where they meet again.
func (o *Out[K, V]) Emit(b *Batch[K, V]) error {
	if len(b.Sel) == 0 {
		return nil
	}
	count(o.rows, len(b.Sel))
	if o.single == nil || len(b.Sel) == 1 {
		for _, child := range o.children {
			if err := child.Receive(b); err != nil {
				return err
			}
		}
		return nil
	}
	*o.single = *b
	for j := range b.Sel {
		o.single.Sel = b.Sel[j : j+1]
		for _, child := range o.children {
			if err := child.Receive(o.single); err != nil {
				return err
			}
		}
	}
	return nil
}

// A ChangesOut is an Out for a table.
type ChangesOut[K, V any] struct {
	children []ChangeReceiver[K, V]
	rows     []*int64 // beside children, or nil
	readsOld bool
	single   *Changes[K, V] // where a single row is shown; nil: rows go on together
}

// An OldIgnorer is a receiver of changes that may never look at their old values.
type OldIgnorer interface{ IgnoresOld() bool }

// NewChangesOut asserts the children's types. Where the site is Cached the cache stands in front of them.
func NewChangesOut[K, V any](s *Site) (*ChangesOut[K, V], error) {
	if s.Cached {
		c, err := newCache[K, V](s)
		return &ChangesOut[K, V]{children: []ChangeReceiver[K, V]{c}, readsOld: true}, err
	}
	o := &ChangesOut[K, V]{rows: s.ChildRows}
	if s.RowWise && len(s.Children) > 1 {
		o.single = new(Changes[K, V])
	}
	for _, child := range s.Children {
		r, ok := child.(ChangeReceiver[K, V])
		if !ok {
			return nil, wrongType(s.Node, child, "its table")
		}
		o.children = append(o.children, r)
		ignorer, ok := child.(OldIgnorer)
		o.readsOld = o.readsOld || !ok || !ignorer.IgnoresOld()
	}
	return o, nil
}

// ReadsOld tells whether a child may look at old values. If not, they need not be computed.
func (o *ChangesOut[K, V]) ReadsOld() bool { return o.readsOld }

func (o *ChangesOut[K, V]) Emit(c *Changes[K, V]) error {
	if len(c.Sel) == 0 {
		return nil
	}
	count(o.rows, len(c.Sel))
	if o.single == nil || len(c.Sel) == 1 {
		for _, child := range o.children {
			if err := child.ReceiveChanges(c); err != nil {
				return err
			}
		}
		return nil
	}
	*o.single = *c
	for j := range c.Sel {
		o.single.Sel = c.Sel[j : j+1]
		for _, child := range o.children {
			if err := child.ReceiveChanges(o.single); err != nil {
				return err
			}
		}
	}
	return nil
}

// RowByRow returns r, or what gives it one row at a time where s is RowWise: a node that changes state, which somebody behind it
// reads, must hand on each row before it takes the next.
func RowByRow[K, V any](s *Site, r Receiver[K, V]) Receiver[K, V] {
	if !s.RowWise {
		return r
	}
	return &rowByRow[K, V]{to: r}
}

type rowByRow[K, V any] struct {
	to   Receiver[K, V]
	view Batch[K, V]
}

func (r *rowByRow[K, V]) Receive(b *Batch[K, V]) error {
	r.view = *b
	for j := range b.Sel {
		r.view.Sel = b.Sel[j : j+1]
		if err := r.to.Receive(&r.view); err != nil {
			return err
		}
	}
	return nil
}

// ChangesRowByRow is RowByRow for a table.
func ChangesRowByRow[K, V any](s *Site, r ChangeReceiver[K, V]) ChangeReceiver[K, V] {
	if !s.RowWise {
		return r
	}
	return &changesRowByRow[K, V]{to: r}
}

type changesRowByRow[K, V any] struct {
	to   ChangeReceiver[K, V]
	view Changes[K, V]
}

func (r *changesRowByRow[K, V]) ReceiveChanges(c *Changes[K, V]) error {
	r.view = *c
	for j := range c.Sel {
		r.view.Sel = c.Sel[j : j+1]
		if err := r.to.ReceiveChanges(&r.view); err != nil {
			return err
		}
	}
	return nil
}
