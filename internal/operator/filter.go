package operator

// Filter keeps the rows that pass.
type Filter[K, V any] struct {
	Pass func(K, V) bool
}

type filter[K, V any] struct {
	Filter[K, V]
	node string
	out  *Out[K, V]
	sel  []int32
	view Scratch[Batch[K, V]]
}

// Rest implements Rester.
func (f *filter[K, V]) Rest() {
	f.sel = nil
	f.view.Rest()
}

// Instance implements Spec.
func (f Filter[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	return &filter[K, V]{Filter: f, node: s.Node, out: o}, err
}

func (f *filter[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, f.node)
	f.sel = f.sel[:0]
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, f.node)
		}
		row = i
		if f.Pass(b.Keys[i], b.Values[i]) {
			f.sel = append(f.sel, i)
		}
	}
	row = NoRow
	view := f.view.Get()
	*view = *b
	view.Sel = f.sel
	return f.out.Emit(view)
}
