package operator

// Peek calls a function with every row and hands the rows on. Where it has no children it ends a branch.
//
// The function may see a row again: after a crash, and when another row of its unit fails.
type Peek[K, V any] struct {
	See func(K, V) error
}

type peek[K, V any] struct {
	Peek[K, V]
	node string
	out  *out[K, V]
}

// Instance implements Spec.
func (p Peek[K, V]) Instance(s *Site) (any, error) {
	o, err := newOut[K, V](s)
	return &peek[K, V]{Peek: p, node: s.Node, out: o}, err
}

func (p *peek[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(noRow)
	defer catch(&err, &row, &b.Rows, p.node)
	for _, i := range b.Sel {
		if isSet(b.ValueNulls, i) {
			return nullValue(&b.Rows, i, p.node)
		}
		row = i
		if err := p.See(b.Keys[i], b.Values[i]); err != nil {
			return rejected(&b.Rows, i, p.node, err)
		}
	}
	row = noRow
	return p.out.emit(b)
}
