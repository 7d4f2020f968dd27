package process

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/state"
)

// Table runs a processor that computes the rows of a table from those of another. It hands on a stream of them, in which null deletes.
type Table[K, V, W any] struct {
	Make   func() processor.Table[K, V, W]
	Stores []*state.Spec // connected
	Links  map[*state.Spec]Link
	Skips  bool // an update that fails is dropped and counted
}

type tableProcess[K, V, W any] struct {
	*node
	processor processor.Table[K, V, W]
	out       forwarder[K, W]
}

// Instance implements operator.Spec.
func (c Table[K, V, W]) Instance(s *operator.Site) (any, error) {
	p := &tableProcess[K, V, W]{node: newNode(s, c.Stores, c.Skips)}
	p.link(c.Links)
	if err := p.out.wire(s); err != nil {
		return nil, err
	}
	p.begin = func() error {
		p.processor = c.Make()
		return p.processor.Init(p)
	}
	p.end = func() error { return p.processor.Close() }
	return p, nil
}

// ReceiveChanges implements operator.ChangeReceiver. Updates of a versioned table that are not the newest of their key change no row.
func (p *tableProcess[K, V, W]) ReceiveChanges(c *operator.Changes[K, V]) error {
	for _, i := range c.Sel {
		if operator.IsSet(c.Superseded, i) {
			p.site.Drops.Add(operator.DropSuperseded)
			continue
		}
		if err := p.settled(p.one(c, i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *tableProcess[K, V, W]) one(c *operator.Changes[K, V], i int32) (err error) {
	defer p.leave(p.enter(&c.Rows, i))
	defer operator.Catch(&err, &p.row, &c.Rows, p.site.Node)
	r := processor.Record[K, V]{Key: c.Keys[i], ValueNull: operator.IsSet(c.NewAbsent, i), Time: c.Timestamps[i]}
	if !r.ValueNull { // else the column has whatever was there before
		r.Value = c.New[i]
	}
	if c.Headers != nil {
		r.Headers = c.Headers[i]
	}
	w, ok, err := p.processor.Process(p, r)
	if err = p.outcome(err); err != nil {
		return err
	}
	p.out.forward(p.node, p.out.all, processor.Record[K, W]{Key: r.Key, Value: w, ValueNull: !ok, Time: r.Time, Headers: r.Headers})
	return p.outcome(nil)
}
