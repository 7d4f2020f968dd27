package process

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/state"
)

// Process runs a processor.
type Process[K, V, L, W any] struct {
	Make   func() processor.Processor[K, V, L, W]
	Stores []*state.Spec // connected
	Links  map[*state.Spec]Link
	Skips  bool // a record that fails is dropped and counted
}

type process[K, V, L, W any] struct {
	*node
	processor processor.Processor[K, V, L, W]
	out       forwarder[L, W]
}

// Instance implements operator.Spec.
func (c Process[K, V, L, W]) Instance(s *operator.Site) (any, error) {
	p := &process[K, V, L, W]{node: newNode(s, c.Stores, c.Skips)}
	p.link(c.Links)
	if err := p.out.wire(s); err != nil {
		return nil, err
	}
	p.begin = func() error {
		p.processor = c.Make()
		return p.processor.Init(p)
	}
	p.end = func() error { return p.processor.Close() }
	if len(c.Links) > 0 {
		return operator.UntilCut(s, p), nil
	}
	return p, nil
}

func (p *process[K, V, L, W]) Receive(b *operator.Batch[K, V]) error {
	for _, i := range b.Sel {
		if err := p.settled(p.one(b, i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *process[K, V, L, W]) one(b *operator.Batch[K, V], i int32) (err error) {
	defer p.leave(p.enter(&b.Rows, i))
	defer operator.Catch(&err, &p.row, &b.Rows, p.site.Node)
	return p.outcome(p.processor.Process(p, recordOf(b, i)))
}

// recordOf returns row i as users see it.
func recordOf[K, V any](b *operator.Batch[K, V], i int32) processor.Record[K, V] {
	r := processor.Record[K, V]{
		Key: b.Keys[i], Value: b.Values[i], KeyNull: operator.IsSet(b.KeyNulls, i), ValueNull: operator.IsSet(b.ValueNulls, i),
		Time: b.Timestamps[i],
	}
	if b.Headers != nil {
		r.Headers = b.Headers[i]
	}
	return r
}

// Forward implements processor.Context.
func (p *process[K, V, L, W]) Forward(r processor.Record[L, W]) { p.out.forward(p.node, p.out.all, r) }

// ForwardTo implements processor.Context.
func (p *process[K, V, L, W]) ForwardTo(step string, r processor.Record[L, W]) {
	for i, name := range p.children {
		if name == step {
			p.out.forward(p.node, p.out.each[i], r)
			return
		}
	}
	p.fail(misuse("it forwards to a step that does not follow it"))
}

// A forwarder hands on one record at a time.
type forwarder[L, W any] struct {
	all  *operator.Out[L, W]
	each []*operator.Out[L, W] // by child
	view operator.Batch[L, W]
}

func (f *forwarder[L, W]) wire(s *operator.Site) (err error) {
	if f.all, err = operator.NewOut[L, W](s); err != nil {
		return err
	}
	for i, child := range s.Children {
		one := *s
		one.Children = []any{child}
		if s.ChildRows != nil {
			one.ChildRows = s.ChildRows[i : i+1]
		}
		out, err := operator.NewOut[L, W](&one)
		if err != nil {
			return err
		}
		f.each = append(f.each, out)
	}
	f.view = operator.Batch[L, W]{Keys: make([]L, 1), Values: make([]W, 1)}
	f.view.Rows = noRows
	f.view.Timestamps = append(f.view.Timestamps[:0:0], 0)
	return nil
}

func (f *forwarder[L, W]) forward(n *node, to *operator.Out[L, W], r processor.Record[L, W]) {
	switch {
	case n.rows == nil:
		panic(errAway)
	case n.failed != nil || n.behind != nil:
		return
	case !n.begun:
		n.fail(misuse("it forwards in Init or Close, where the steps behind it are not there"))
		return
	case r.Time < 0:
		n.fail(operator.ErrNegativeTime)
		return
	}
	b := &f.view
	b.Keys[0], b.Values[0], b.Timestamps[0] = r.Key, r.Value, r.Time
	b.Origins = n.rows.Origins[n.row : n.row+1]
	b.KeyNulls, b.ValueNulls, b.Headers = nil, nil, nil
	if r.KeyNull {
		b.KeyNulls = isNull
	}
	if r.ValueNull {
		b.ValueNulls = isNull
	}
	if len(r.Headers) > 0 {
		b.Headers = append(b.Headers, r.Headers)
	}
	row := n.row
	n.row = operator.NoRow // a panic behind is not this processor's
	n.behind = to.Emit(b)
	n.row, n.sched.at = row, n
}

// isNull is a column of one null.
var isNull = []bool{true}
