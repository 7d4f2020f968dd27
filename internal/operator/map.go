package operator

// MapValues computes a new value for each row; the key stays.
type MapValues[K, V, W any] struct {
	Func func(K, V) (W, error)
}

type mapValues[K, V, W any] struct {
	MapValues[K, V, W]
	node string
	out  *Out[K, W]
	view Scratch[Batch[K, W]]
}

// Rest implements Rester.
func (m *mapValues[K, V, W]) Rest() { m.view.Rest() }

// Instance implements Spec.
func (m MapValues[K, V, W]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, W](s)
	return &mapValues[K, V, W]{MapValues: m, node: s.Node, out: o}, err
}

func (m *mapValues[K, V, W]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, m.node)
	view := m.view.Get()
	values := Sized(view.Values, len(b.Values))
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, m.node)
		}
		row = i
		if values[i], err = m.Func(b.Keys[i], b.Values[i]); err != nil {
			return Rejected(&b.Rows, i, m.node, err)
		}
	}
	row = NoRow
	*view = Batch[K, W]{Rows: b.Rows, Keys: b.Keys, Values: values, KeyNulls: b.KeyNulls, KeyBytes: b.KeyBytes}
	return m.out.Emit(view)
}

// Nullable turns the null rows of a stream into nil pointers, which functions can take.
type Nullable[K, V any] struct{}

type nullable[K, V any] struct {
	out  *Out[K, *V]
	view Scratch[Batch[K, *V]]
}

// Rest implements Rester.
func (n *nullable[K, V]) Rest() { n.view.Rest() }

// Instance implements Spec.
func (Nullable[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, *V](s)
	return &nullable[K, V]{out: o}, err
}

func (n *nullable[K, V]) Receive(b *Batch[K, V]) error {
	view := n.view.Get()
	values := Sized(view.Values, len(b.Values))
	copies := make([]V, len(b.Sel)) // one allocation a batch: the pointers may outlive it
	for j, i := range b.Sel {
		values[i] = nil
		if !IsSet(b.ValueNulls, i) {
			copies[j] = b.Values[i]
			values[i] = &copies[j]
		}
	}
	*view = Batch[K, *V]{Rows: b.Rows, Keys: b.Keys, Values: values, KeyNulls: b.KeyNulls, KeyBytes: b.KeyBytes}
	return n.out.Emit(view)
}

// Map computes a new key and value for each row. The new key is null only if its type can say so.
type Map[K, V, L, W any] struct {
	Func func(K, V) (L, W, error)
}

type mapper[K, V, L, W any] struct {
	Map[K, V, L, W]
	node string
	out  *Out[L, W]
	view Scratch[Batch[L, W]]
}

// Rest implements Rester.
func (m *mapper[K, V, L, W]) Rest() { m.view.Rest() }

// Instance implements Spec.
func (m Map[K, V, L, W]) Instance(s *Site) (any, error) {
	o, err := NewOut[L, W](s)
	return &mapper[K, V, L, W]{Map: m, node: s.Node, out: o}, err
}

func (m *mapper[K, V, L, W]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, m.node)
	view := m.view.Get()
	keys, values := Sized(view.Keys, len(b.Keys)), Sized(view.Values, len(b.Values))
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, m.node)
		}
		row = i
		if keys[i], values[i], err = m.Func(b.Keys[i], b.Values[i]); err != nil {
			return Rejected(&b.Rows, i, m.node, err)
		}
	}
	row = NoRow
	*view = Batch[L, W]{Rows: b.Rows, Keys: keys, Values: values}
	return m.out.Emit(view)
}

// SelectKey computes a new key for each row; the value stays as it is, with its encoded bytes.
type SelectKey[K, V, L any] struct {
	Func func(K, V) (L, error)
}

type selectKey[K, V, L any] struct {
	SelectKey[K, V, L]
	node string
	out  *Out[L, V]
	view Scratch[Batch[L, V]]
}

// Rest implements Rester.
func (m *selectKey[K, V, L]) Rest() { m.view.Rest() }

// Instance implements Spec.
func (m SelectKey[K, V, L]) Instance(s *Site) (any, error) {
	o, err := NewOut[L, V](s)
	return &selectKey[K, V, L]{SelectKey: m, node: s.Node, out: o}, err
}

func (m *selectKey[K, V, L]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, m.node)
	view := m.view.Get()
	keys := Sized(view.Keys, len(b.Keys))
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, m.node)
		}
		row = i
		if keys[i], err = m.Func(b.Keys[i], b.Values[i]); err != nil {
			return Rejected(&b.Rows, i, m.node, err)
		}
	}
	row = NoRow
	*view = Batch[L, V]{Rows: b.Rows, Keys: keys, Values: b.Values, ValueBytes: b.ValueBytes}
	return m.out.Emit(view)
}
