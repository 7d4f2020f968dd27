package operator

// ToStream hands on the updates of a table as a stream of new values, in which deletes are null rows.
type ToStream[K, V any] struct{}

type toStream[K, V any] struct {
	out     *Out[K, V]
	byValue bool // null rows are those whose value is the type's own null
	values  []V
	bytes   [][]byte
	view    Scratch[Batch[K, V]]
}

// Rest implements Rester.
func (t *toStream[K, V]) Rest() {
	t.values, t.bytes = nil, nil
	t.view.Rest()
}

// Instance implements Spec.
func (ToStream[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	null := NullTest[V]()
	var zero V
	return &toStream[K, V]{out: o, byValue: null != nil && null(zero)}, err
}

// IgnoresOld implements OldIgnorer.
func (t *toStream[K, V]) IgnoresOld() bool { return true }

func (t *toStream[K, V]) ReceiveChanges(c *Changes[K, V]) error {
	view := t.view.Get()
	*view = Batch[K, V]{Rows: c.Rows, Keys: c.Keys, Values: c.New, ValueNulls: c.NewAbsent, KeyBytes: c.KeyBytes, ValueBytes: c.NewBytes}
	if t.byValue && c.NewAbsent != nil {
		t.nullByValue(view, c)
	}
	return t.out.Emit(view)
}

// nullByValue replaces the null bits by values that are null themselves.
func (t *toStream[K, V]) nullByValue(view *Batch[K, V], c *Changes[K, V]) {
	t.values, t.bytes = Sized(t.values, len(c.Keys)), Sized(t.bytes, len(c.Keys))
	for _, i := range c.Sel {
		var null V
		t.values[i], t.bytes[i] = null, nil
		if c.NewAbsent[i] {
			continue
		}
		t.values[i] = c.New[i]
		if c.NewBytes.Bytes != nil {
			t.bytes[i] = c.NewBytes.Bytes[i]
		}
	}
	view.Values, view.ValueNulls = t.values, nil
	if c.NewBytes.Bytes != nil {
		view.ValueBytes.Bytes = t.bytes
	}
}
