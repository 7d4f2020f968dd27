package process

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
)

// FixedKey runs a processor that keeps the key.
type FixedKey[K, V, W any] struct {
	Make   func() processor.FixedKey[K, V, W]
	Stores []*state.Spec // connected
	Links  map[*state.Spec]Link
	Skips  bool // a record that fails is dropped and counted
}

type fixedKey[K, V, W any] struct {
	*node
	processor processor.FixedKey[K, V, W]
	out       forwarder[K, W]
	current   processor.Record[K, V]
}

// Instance implements operator.Spec.
func (c FixedKey[K, V, W]) Instance(s *operator.Site) (any, error) {
	p := &fixedKey[K, V, W]{node: newNode(s, c.Stores, c.Skips)}
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

func (p *fixedKey[K, V, W]) Receive(b *operator.Batch[K, V]) error {
	for _, i := range b.Sel {
		if err := p.settled(p.one(b, i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *fixedKey[K, V, W]) one(b *operator.Batch[K, V], i int32) (err error) {
	defer p.leave(p.enter(&b.Rows, i))
	defer operator.Catch(&err, &p.row, &b.Rows, p.site.Node)
	p.current = recordOf(b, i)
	return p.outcome(p.processor.Process(p, p.current))
}

// Forward implements processor.FixedKeyContext.
func (p *fixedKey[K, V, W]) Forward(v W) { p.ForwardAt(v, p.current.Time) }

// ForwardAt implements processor.FixedKeyContext.
func (p *fixedKey[K, V, W]) ForwardAt(v W, ts record.Timestamp) {
	if p.rows == &p.punctuation {
		p.fail(misuse("a processor that keeps the key can forward only while it processes a record"))
		return
	}
	p.out.forward(p.node, p.out.all, processor.Record[K, W]{
		Key: p.current.Key, KeyNull: p.current.KeyNull, Value: v, Time: ts, Headers: p.current.Headers,
	})
}
