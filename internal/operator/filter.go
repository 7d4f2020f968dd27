package operator

// Filter keeps the rows that pass.
type Filter[K, V any] struct {
	Pass func(K, V) bool
}

type filter[K, V any] struct {
	Filter[K, V]
	node string
	out  *out[K, V]
	sel  []int32
	view Batch[K, V]
}

// Instance implements Spec.
func (f Filter[K, V]) Instance(s *Site) (any, error) {
	o, err := newOut[K, V](s)
	return &filter[K, V]{Filter: f, node: s.Node, out: o}, err
}

func (f *filter[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(noRow)
	defer catch(&err, &row, &b.Rows, f.node)
	f.sel = f.sel[:0]
	for _, i := range b.Sel {
		if isSet(b.ValueNulls, i) {
			return nullValue(&b.Rows, i, f.node)
		}
		row = i
		if f.Pass(b.Keys[i], b.Values[i]) {
			f.sel = append(f.sel, i)
		}
	}
	row = noRow
	f.view = *b
	f.view.Sel = f.sel
	return f.out.emit(&f.view)
}
