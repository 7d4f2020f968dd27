package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A coordinator is the broker in charge of a group or of a transactional id.
type coordinator struct {
	kind int8
	name string
}

// Kinds of coordinators, as FindCoordinator numbers them.
const (
	ofGroup        = 0
	ofTransactions = 1
)

// coordinators remembers which brokers they are. It belongs to one goroutine at a time.
type coordinators struct {
	cl    *kgo.Client
	known map[coordinator]int32 // broker ids
}

func newCoordinators(cl *kgo.Client) coordinators {
	return coordinators{cl: cl, known: map[coordinator]int32{}}
}

// find returns the broker.
func (cs *coordinators) find(ctx context.Context, c coordinator) (*kgo.Broker, error) {
	if id, ok := cs.known[c]; ok {
		return cs.cl.Broker(int(id)), nil
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = c.kind, c.name, []string{c.name}
	resp, err := req.RequestWith(ctx, cs.cl)
	if err != nil {
		return nil, fmt.Errorf("find coordinator: %w", err)
	}
	id, code := resp.NodeID, resp.ErrorCode
	if len(resp.Coordinators) > 0 {
		id, code = resp.Coordinators[0].NodeID, resp.Coordinators[0].ErrorCode
	}
	if err := kerr.ErrorForCode(code); err != nil {
		return nil, fmt.Errorf("find coordinator: %w", err)
	}
	cs.known[c] = id
	return cs.cl.Broker(int(id)), nil
}

// heed forgets a coordinator that says it is none, or that does not answer.
func (cs *coordinators) heed(c coordinator, err error) {
	if _, answered := errors.AsType[*kerr.Error](err); err != nil && (!answered || coordinatorMoved(err)) {
		delete(cs.known, c)
	}
}

// group and transactions are in charge of the producer's positions and of its transactional id.
func (p *producer) group() coordinator        { return coordinator{ofGroup, p.app} }
func (p *producer) transactions() coordinator { return coordinator{ofTransactions, p.txnID} }

// askLocked sends to a coordinator until it does not refuse any more.
func (p *producer) askLocked(ctx context.Context, c coordinator, what string, send func(context.Context, *kgo.Broker) error) error {
	for b := (backoff{clock: p.o.Clock}); ; {
		broker, err := p.mu.coordinators.find(ctx, c)
		if err == nil {
			err = send(ctx, broker)
		}
		if err == nil {
			return nil
		}
		if _, answered := errors.AsType[*kerr.Error](err); !answered {
			p.unanswered.Store(true)
		}
		p.mu.coordinators.heed(c, err)
		if !refused(err) && !errors.Is(err, errNotYet) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if werr := b.wait(ctx); werr != nil {
			return fmt.Errorf("%s: %w: %w", what, werr, err)
		}
	}
}
