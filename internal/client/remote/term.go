package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A term is the right to run an application alone. It is the identity of a transactional id of its own, <app>/owner, which never has a
// transaction: so nothing changes its epoch but claiming the next term.
//
// The application's own transactional id does not tell who is in charge. Initializing it fences whoever did so before: a process that was
// stopped, replaced and continued, and whose connection broke meanwhile, would start again and fence its successor. Nor does its epoch
// help, for it also rises when a transaction is ended, times out or is aborted, and a lost answer leaves open whether it did. (KIP-360's
// InitProducerId with the old epoch aborts a successor's open transaction before it looks at that epoch, and forgets the last epoch when
// the coordinator restarts.)
//
//	first OpenProducer of a process    InitProducerId(<app>/owner)      claims the next term
//	every OpenProducer                 EndTxn(<app>/owner, the term)    is it still ours?  then InitProducerId(<app>), and once more
//	a commit that was fenced           EndTxn(<app>/owner, the term)    ours: by the cluster itself; else somebody took over
//
// EndTxn up to v4 changes nothing when there is no transaction, but compares the identity: INVALID_TXN_STATE means that it is the present
// one. Of two processes that meet in the middle the one with the younger term stays, whoever initialized <app> last.
type terms struct {
	mu struct {
		sync.Mutex
		free map[string]identity // by application: of producers that were closed, for the next one of this process
	}
}

var noTerm = identity{-1, -1}

// take returns the term that a closed producer of this process left.
func (t *terms) take(app string) identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	left, ok := t.mu.free[app]
	if !ok {
		return noTerm
	}
	delete(t.mu.free, app)
	return left
}

func (t *terms) leave(app string, term identity) {
	if term == noTerm {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.free == nil {
		t.mu.free = map[string]identity{}
	}
	t.mu.free[app] = term
}

// claimLocked makes sure that the producer has a right to commit: a worker's seat, or a term, if need be the next one. A cluster whose ACLs
// keep the id from us has no terms.
func (p *producer) claimLocked(ctx context.Context) error {
	if p.seat != nil || p.mu.term != noTerm {
		return p.confirmLocked(ctx)
	}
	term, err := p.d.claim(ctx, client.OwnerID(p.app), noTerm)
	if err != nil && !errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
		return err
	}
	p.mu.term = term
	return nil
}

// replaceLoner ends an instance that runs the application alone, for it would commit beside the group: its right and its open transaction.
func (d *Door) replaceLoner(ctx context.Context, app string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.CommitTimeout, errCommitTimeout)
	defer cancel()
	for _, id := range []string{client.OwnerID(app), app} {
		_, err := d.claim(ctx, id, noTerm)
		if err != nil && !errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
			return err
		}
	}
	return nil
}

// confirmLocked asks whether the right is still there: ErrFenced, ErrExpelled, or what kept it from being known.
func (p *producer) confirmLocked(ctx context.Context) error {
	if p.seat != nil {
		return p.seat.confirm(ctx)
	}
	if p.mu.term == noTerm {
		return nil
	}
	term, err := p.d.confirm(ctx, p.app, p.mu.term)
	p.mu.term = term
	return err
}

// claim becomes the producer of a transactional id after current; with noTerm, after whoever is.
func (d *Door) claim(ctx context.Context, id string, current identity) (identity, error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = kmsg.StringPtr(id)
	req.TransactionTimeoutMillis = int32(d.o.TransactionTimeout.Milliseconds())
	req.ProducerID, req.ProducerEpoch = current.id, current.epoch
	for b := (backoff{clock: d.o.Clock}); ; {
		resp, err := req.RequestWith(ctx, d.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			return identity{resp.ProducerID, resp.ProducerEpoch}, nil
		}
		if !refused(err) {
			return noTerm, fmt.Errorf("claim the application: %w", explain(err))
		}
		if werr := b.wait(ctx); werr != nil {
			return noTerm, fmt.Errorf("claim the application: %w: %w", werr, err)
		}
	}
}

// confirm returns the term when it is the present one, noTerm when another is (ErrFenced).
func (d *Door) confirm(ctx context.Context, app string, term identity) (identity, error) {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = client.OwnerID(app), term.id, term.epoch
	resp, err := req.RequestWith(ctx, d.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	switch {
	case err == nil, errors.Is(err, kerr.InvalidTxnState):
		return term, nil
	case errors.Is(err, kerr.InvalidProducerIDMapping): // the cluster forgot an id not used for a week, or somebody claimed it after that
		if next, err := d.claim(ctx, client.OwnerID(app), term); err == nil || errors.Is(err, client.ErrFenced) {
			return next, err
		}
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		return noTerm, fmt.Errorf("%w: its term has ended: %w", client.ErrFenced, err)
	}
	return term, fmt.Errorf("ask who runs the application: %w", err)
}
