package operator

// ToStream hands on the updates of a table as a stream of new values, in which deletes are null rows.
type ToStream[K, V any] struct{}

type toStream[K, V any] struct {
	out     *Out[K, V]
	byValue bool // null rows are those whose value is the type's own null
	values  []V
	bytes   [][]byte
	view    Batch[K, V]
}

// Instance implements Spec.
func (ToStream[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	null := NullTest[V]()
	var zero V
	return &toStream[K, V]{out: o, byValue: null != nil && null(zero)}, err
}

func (t *toStream[K, V]) ReceiveChanges(c *Changes[K, V]) error {
	t.view = Batch[K, V]{Rows: c.Rows, Keys: c.Keys, Values: c.New, ValueNulls: c.NewAbsent, KeyBytes: c.KeyBytes, ValueBytes: c.NewBytes}
	if t.byValue && c.NewAbsent != nil {
		t.nullByValue(c)
	}
	return t.out.Emit(&t.view)
}

// nullByValue replaces the null bits by values that are null themselves.
func (t *toStream[K, V]) nullByValue(c *Changes[K, V]) {
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
	t.view.Values, t.view.ValueNulls = t.values, nil
	if c.NewBytes.Bytes != nil {
		t.view.ValueBytes.Bytes = t.bytes
	}
}
