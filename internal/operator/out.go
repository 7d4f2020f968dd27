package operator

// An out hands batches to the children of a node.
type out[K, V any] struct {
	children []Receiver[K, V]
	rowWise  bool
	view     Batch[K, V] // where a single row is shown
}

// newOut asserts the children's types.
func newOut[K, V any](s *Site) (*out[K, V], error) {
	o := &out[K, V]{rowWise: s.RowWise && len(s.Children) > 1}
	for _, child := range s.Children {
		r, ok := child.(Receiver[K, V])
		if !ok {
			return nil, wrongType(s.Node, child, "its stream")
		}
		o.children = append(o.children, r)
	}
	return o, nil
}

// emit hands b to every child, row by row where they meet again.
func (o *out[K, V]) emit(b *Batch[K, V]) error {
	if len(b.Sel) == 0 {
		return nil
	}
	if !o.rowWise || len(b.Sel) == 1 {
		for _, child := range o.children {
			if err := child.Receive(b); err != nil {
				return err
			}
		}
		return nil
	}
	o.view = *b
	for j := range b.Sel {
		o.view.Sel = b.Sel[j : j+1]
		for _, child := range o.children {
			if err := child.Receive(&o.view); err != nil {
				return err
			}
		}
	}
	return nil
}

// A changesOut is an out for a table.
type changesOut[K, V any] struct {
	children []ChangeReceiver[K, V]
	rowWise  bool
	view     Changes[K, V]
}

func newChangesOut[K, V any](s *Site) (*changesOut[K, V], error) {
	o := &changesOut[K, V]{rowWise: s.RowWise && len(s.Children) > 1}
	for _, child := range s.Children {
		r, ok := child.(ChangeReceiver[K, V])
		if !ok {
			return nil, wrongType(s.Node, child, "its table")
		}
		o.children = append(o.children, r)
	}
	return o, nil
}

func (o *changesOut[K, V]) emit(c *Changes[K, V]) error {
	if len(c.Sel) == 0 {
		return nil
	}
	if !o.rowWise || len(c.Sel) == 1 {
		for _, child := range o.children {
			if err := child.ReceiveChanges(c); err != nil {
				return err
			}
		}
		return nil
	}
	o.view = *c
	for j := range c.Sel {
		o.view.Sel = c.Sel[j : j+1]
		for _, child := range o.children {
			if err := child.ReceiveChanges(&o.view); err != nil {
				return err
			}
		}
	}
	return nil
}
