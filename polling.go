package mainstem

import (
	"context"

	"github.com/mainstemio/mainstem/internal/connector/poll"
	"github.com/mainstemio/mainstem/internal/sql/connectors"
)

// A polling is a source connector that runs in a node.
type polling struct {
	*poll.Poller
	cancel context.CancelFunc
	end
}

// poll starts a source connector; it goes on behind the rows that its topics have.
func (n *Node) poll(name string, p *poll.Poller) (connectors.Delivery, error) {
	ctx, cancel := context.WithCancel(n.work.ctx)
	d := &polling{Poller: p, cancel: cancel, end: newEnd()}
	err := n.start(func() error { return nil }, func(context.Context) {
		defer cancel()
		err := p.Run(ctx, n.door, n.o.clock)
		if err != nil {
			n.o.log.Error("source-failed", "source", name, "error", err)
		}
		d.set(err)
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return d, nil
}

// Stop implements connectors.Delivery: what was read is durable.
func (d *polling) Stop() error {
	d.cancel()
	<-d.done
	return d.err
}

// Progress implements connectors.Delivery. How many rows wait only a poll would tell.
func (d *polling) Progress() (delivered, lag int64) { return d.Rows(), 0 }
