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

// initLocked takes the transactional id over: older producers are fenced, an open transaction is aborted.
func (p *producer) initLocked(ctx context.Context) error {
	return p.askLocked(ctx, p.transactions(), "take over the transactional id", func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID = kmsg.StringPtr(p.txnID)
		req.TransactionTimeoutMillis = int32(p.timeout.Milliseconds())
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
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.txnID, p.mu.id, p.mu.epoch
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
	return p.askLocked(ctx, p.transactions(), "add partitions to the transaction", func(ctx context.Context, b *kgo.Broker) error {
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
	return p.askLocked(ctx, p.transactions(), "add positions to the transaction", func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.txnID, p.mu.id, p.mu.epoch, p.app
		resp, err := req.RequestWith(ctx, b)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		return err
	})
}

// commitOffsetsLocked writes the positions. A producer that works alone is a member of no generation, its fencing is the producer epoch's; a
// worker's request is checked against the group, and sent again with the generation of the round that it met.
func (p *producer) commitOffsetsLocked(ctx context.Context, positions map[record.TopicPartition]record.Offset) error {
	if len(positions) == 0 {
		return nil
	}
	req := p.offsetsLocked(positions)
	if p.seat == nil {
		return p.writeOffsetsLocked(ctx, req)
	}
	for met := int32(-1); ; {
		at, err := p.seat.place(ctx, met)
		if err != nil {
			return fmt.Errorf("write positions: %w", err)
		}
		req.MemberID, req.Generation, req.InstanceID = at.id, at.generation, kmsg.StringPtr(p.seat.m.o.Worker)
		if err = p.writeOffsetsLocked(ctx, req); !errors.Is(err, kerr.IllegalGeneration) {
			return err
		}
		met = at.generation // the answer says that nothing was written
	}
}

func (p *producer) offsetsLocked(positions map[record.TopicPartition]record.Offset) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.txnID, p.app, p.mu.id, p.mu.epoch
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
	return req
}

func (p *producer) writeOffsetsLocked(ctx context.Context, req *kmsg.TxnOffsetCommitRequest) error {
	return p.askLocked(ctx, p.group(), "write positions", func(ctx context.Context, b *kgo.Broker) error {
		resp, err := req.RequestWith(ctx, b)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, tp := range t.Partitions {
				err := kerr.ErrorForCode(tp.ErrorCode)
				if errors.Is(err, kerr.RebalanceInProgress) { // the group waits for what its leader assigns
					err = fmt.Errorf("%w: %w", errNotYet, err)
				}
				if err != nil {
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
	return p.askLocked(ctx, p.transactions(), what, func(ctx context.Context, b *kgo.Broker) error {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.txnID, p.mu.id, p.mu.epoch, commit
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
