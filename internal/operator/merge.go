package operator

// Merge hands on the rows of all its inputs, in the order in which they come.
type Merge[K, V any] struct{}

type merge[K, V any] struct{ out *Out[K, V] }

// Instance implements Spec.
func (Merge[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	return &merge[K, V]{out: o}, err
}

func (m *merge[K, V]) Receive(b *Batch[K, V]) error { return m.out.Emit(b) }

// Split sends each row to the first branch whose predicate it passes. Its children are the branches, which are Merges of one
// input, in order; a row that passes none is left out. A nil predicate passes every row.
type Split[K, V any] struct {
	Branches []func(K, V) bool
}

type split[K, V any] struct {
	Split[K, V]
	node     string
	children []Receiver[K, V]
	rows     []*int64
	rowWise  bool
	sels     [][]int32 // the rows of each branch
	view     Batch[K, V]
}

// Instance implements Spec.
func (p Split[K, V]) Instance(s *Site) (any, error) {
	o, err := NewOut[K, V](s)
	if err != nil {
		return nil, err
	}
	return &split[K, V]{Split: p, node: s.Node, children: o.children, rows: o.rows, rowWise: o.single != nil, sels: make([][]int32, len(p.Branches))}, nil
}

func (p *split[K, V]) Receive(b *Batch[K, V]) (err error) {
	row := int32(NoRow)
	defer Catch(&err, &row, &b.Rows, p.node)
	for n := range p.sels {
		p.sels[n] = p.sels[n][:0]
	}
	p.view = *b
	last := -1 // the branch of the rows that are not handed on yet, where branches meet again
	for _, i := range b.Sel {
		if IsSet(b.ValueNulls, i) {
			return NullValue(&b.Rows, i, p.node)
		}
		row = i
		n := p.branch(b.Keys[i], b.Values[i])
		row = NoRow
		if n < 0 {
			continue
		}
		if p.rowWise && n != last && last >= 0 {
			if err := p.flush(last); err != nil {
				return err
			}
		}
		p.sels[n], last = append(p.sels[n], i), n
	}
	for n := range p.sels {
		if err := p.flush(n); err != nil {
			return err
		}
	}
	return nil
}

// branch returns the first branch that k and v pass, or -1.
func (p *split[K, V]) branch(k K, v V) int {
	for n, pass := range p.Branches {
		if pass == nil || pass(k, v) {
			return n
		}
	}
	return -1
}

func (p *split[K, V]) flush(n int) error {
	if len(p.sels[n]) == 0 {
		return nil
	}
	p.view.Sel = p.sels[n]
	if p.rows != nil {
		*p.rows[n] += int64(len(p.sels[n]))
	}
	err := p.children[n].Receive(&p.view)
	p.sels[n] = p.sels[n][:0]
	return err
}
