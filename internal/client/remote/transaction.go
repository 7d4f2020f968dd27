package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client/epoch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// The steps of a commit. Each waits for all of the step before.
//
//	TV1 (transaction.version < 2)            TV2 (KIP-890)
//	AddPartitionsToTxn, AddOffsetsToTxn      –            partitions and group join by being written to
//	Produce to all leaders ∥ TxnOffsetCommit Produce to all leaders ∥ TxnOffsetCommit
//	EndTxn(commit)                           EndTxn(commit)   and the producer's epoch rises
//
// An epoch with positions only has no Produce; EndTxn is sent all the same, so it is durable and fenced like any other.
//
// What a failure means:
//   - An answer "not now" (refused) to any step: asked again until Options.CommitTimeout.
//   - A lost connection during Produce: sent again under the same sequence numbers; the cluster drops what it has already.
//   - A lost connection during another step: the commit fails. The request may still be on its way: were it repeated, the
//     first copy could arrive in the next transaction (KAFKA-17754) and end it early or put older positions into it. The next
//     OpenProducer raises the epoch, which shuts such a straggler out, and Committed then tells whether the commit took place.
//   - Any other answer: the commit fails, and the transaction is aborted so that readers need not wait for its timeout; not
//     when some request had no answer, for OpenProducer's abort is the one that shuts stragglers out of the partitions, too.

// A coordinator is the broker in charge of a transactional id or of a group; both have the application's name.
type coordinator int8

const (
	groupCoordinator       coordinator = 0
	transactionCoordinator coordinator = 1
)

// initLocked takes the application's transactional id over: older producers are fenced, an open transaction is aborted.
func (p *producer) initLocked(ctx context.Context) error {
	return p.askLocked(ctx, transactionCoordinator, "take over the transactional id", func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID = kmsg.StringPtr(p.app)
		req.TransactionTimeoutMillis = int32(p.o.TransactionTimeout.Milliseconds())
		resp, err := req.RequestWith(ctx, b)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			p.mu.identity = identity{resp.ProducerID, resp.ProducerEpoch}
		}
		return err
	})
}

// runLocked runs one transaction to its commit.
func (p *producer) runLocked(ctx context.Context, batches []epoch.Batch, positions map[record.TopicPartition]record.Offset) error {
	p.mu.open = true
	if !p.tv2 {
		if err := p.addPartitionsLocked(ctx, batches); err != nil {
			return err
		}
		if err := p.addGroupLocked(ctx, positions); err != nil {
			return err
		}
	}
	// The two touch different maps of p.mu: produceLocked leaders and sequences, commitOffsetsLocked coordinators.
	// One's error does not cut the other short: a request under way should get its answer.
	var g errgroup.Group
	g.Go(func() error { return p.produceLocked(ctx, batches) })
	g.Go(func() error { return p.commitOffsetsLocked(ctx, positions) })
	if err := g.Wait(); err != nil {
		return err
	}
	return p.endLocked(ctx, true)
}

// addPartitionsLocked adds the partitions to be written to the transaction.
func (p *producer) addPartitionsLocked(ctx context.Context, batches []epoch.Batch) error {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.app, p.mu.id, p.mu.epoch
	seen, at := map[record.TopicPartition]bool{}, map[string]int{}
	for _, b := range batches {
		if seen[b.TopicPartition] {
			continue
		}
		seen[b.TopicPartition] = true
		i, ok := at[b.Topic]
		if !ok {
			t := kmsg.NewAddPartitionsToTxnRequestTopic()
			t.Topic = b.Topic
			i = len(req.Topics)
			at[b.Topic], req.Topics = i, append(req.Topics, t)
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, b.Partition)
	}
	if len(req.Topics) == 0 {
		return nil
	}
	unknown := newUnknowns(p.o.Clock)
	return p.askLocked(ctx, transactionCoordinator, "add partitions to the transaction", func(ctx context.Context, b *kgo.Broker) error {
		resp, err := req.RequestWith(ctx, b)
		if err != nil {
			return err
		}
		var first error
		for _, t := range resp.Topics {
			for _, tp := range t.Partitions {
				err := kerr.ErrorForCode(tp.ErrorCode)
				if err == nil || errors.Is(err, kerr.OperationNotAttempted) && first != nil {
					continue
				}
				if first == nil || errors.Is(first, kerr.OperationNotAttempted) {
					first = fmt.Errorf("%s/%d: %w", t.Topic, tp.Partition, err)
				}
			}
		}
		return unknown.patient(first)
	})
}

func (p *producer) addGroupLocked(ctx context.Context, positions map[record.TopicPartition]record.Offset) error {
	if len(positions) == 0 {
		return nil
	}
	return p.askLocked(ctx, transactionCoordinator, "add positions to the transaction", func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.app, p.mu.id, p.mu.epoch, p.app
		resp, err := req.RequestWith(ctx, b)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		return err
	})
}

// commitOffsetsLocked writes the positions, as a member of no generation: the fencing is the producer epoch's.
func (p *producer) commitOffsetsLocked(ctx context.Context, positions map[record.TopicPartition]record.Offset) error {
	if len(positions) == 0 {
		return nil
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.app, p.app, p.mu.id, p.mu.epoch
	at := map[string]int{}
	for tp, o := range positions {
		i, ok := at[tp.Topic]
		if !ok {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			i = len(req.Topics)
			at[tp.Topic], req.Topics = i, append(req.Topics, t)
		}
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = tp.Partition, int64(o)
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	return p.askLocked(ctx, groupCoordinator, "write positions", func(ctx context.Context, b *kgo.Broker) error {
		resp, err := req.RequestWith(ctx, b)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, tp := range t.Partitions {
				if err := kerr.ErrorForCode(tp.ErrorCode); err != nil {
					return fmt.Errorf("%s/%d: %w", t.Topic, tp.Partition, err)
				}
			}
		}
		return nil
	})
}

// endLocked ends the transaction. Under TV2 the answer brings the identity of the next one, and sequences start anew.
func (p *producer) endLocked(ctx context.Context, commit bool) error {
	what := "abort the transaction"
	if commit {
		what = "commit the transaction"
	}
	return p.askLocked(ctx, transactionCoordinator, what, func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.app, p.mu.id, p.mu.epoch, commit
		resp, err := req.RequestWith(ctx, b)
		if err != nil {
			return fmt.Errorf("outcome unknown: %w", err)
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		p.mu.open = false
		if p.tv2 && resp.ProducerID >= 0 {
			p.mu.identity = identity{resp.ProducerID, resp.ProducerEpoch}
			clear(p.mu.sequences)
		}
		return nil
	})
}

// abortLocked tries to end what a failed commit left open. Its own failure changes nothing: the transaction ends by its timeout
// or by the next OpenProducer.
func (p *producer) abortLocked() {
	if !p.mu.open || p.unanswered.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	_ = p.endLocked(ctx, false)
}

// askLocked sends to a coordinator until it does not refuse any more.
func (p *producer) askLocked(ctx context.Context, c coordinator, what string, send func(context.Context, *kgo.Broker) error) error {
	for b := (backoff{clock: p.o.Clock}); ; {
		id, err := p.coordinatorLocked(ctx, c)
		if err == nil {
			err = send(ctx, p.cl.Broker(int(id)))
		}
		if err == nil {
			return nil
		}
		if _, answered := errors.AsType[*kerr.Error](err); !answered {
			p.unanswered.Store(true)
		}
		if !refused(err) && !errors.Is(err, errNotYet) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if coordinatorMoved(err) {
			delete(p.mu.coordinators, c)
		}
		if werr := b.wait(ctx); werr != nil {
			return fmt.Errorf("%s: %w: %w", what, werr, err)
		}
	}
}

// coordinatorLocked returns the broker that coordinates the application's transactions or group.
func (p *producer) coordinatorLocked(ctx context.Context, c coordinator) (int32, error) {
	if id, ok := p.mu.coordinators[c]; ok {
		return id, nil
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = int8(c), p.app, []string{p.app}
	resp, err := req.RequestWith(ctx, p.cl)
	if err != nil {
		return 0, fmt.Errorf("find coordinator: %w", err)
	}
	id, code := resp.NodeID, resp.ErrorCode
	if len(resp.Coordinators) > 0 {
		id, code = resp.Coordinators[0].NodeID, resp.Coordinators[0].ErrorCode
	}
	if err := kerr.ErrorForCode(code); err != nil {
		return 0, fmt.Errorf("find coordinator: %w", err)
	}
	p.mu.coordinators[c] = id
	return id, nil
}
