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
	out  *Out[K, V]
}

// Instance implements Spec.
func (p Peek[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	return &peek[K, V]{Peek: p, node: s.Node, out: o}, err
}

func (p *peek[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, p.node)
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, p.node)
		}
		row = i
		if err := p.See(b.Keys[i], b.Values[i]); err != nil {
			return Rejected(&b.Rows, i, p.node, err)
		}
	}
	row = NoRow
	return p.out.Emit(b)
}
