package kafka

import (
	"context"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Transactions, KIP-98, in both protocols: TV1 names partitions and groups first; TV2 (KIP-890) adds them on the way and bumps the
// epoch with every end. InitProducerID (22), versions 0-5: KIP-360 from 3. AddPartitionsToTxn (24), versions 0-5: several
// transactions in one request from 4 (brokers ask each other so, clients stay below). AddOffsetsToTxn (25), versions 0-4. EndTxn (26), versions 0-5: TV2 in 5. TxnOffsetCommit (28), versions 0-6: members from 3 (KIP-447), TV2 from 5,
// topic ids in 6.

func (n *node) initProducerID(_ call, r *kmsg.InitProducerIDRequest) pending {
	resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	current := txn.None
	if r.Version >= 3 {
		current = txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}
	}
	if r.TransactionalID != nil && *r.TransactionalID == "" || (current.ID < 0) != (current.Epoch < 0) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answered(resp)
	}
	f := n.broker.InitProducer(txn.Init{ID: orEmpty(r.TransactionalID), Timeout: millis(r.TransactionTimeoutMillis), Current: current})
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		if resp.ErrorCode = fenced(res.Err, r.Version, 4); res.Err == nil {
			resp.ProducerID, resp.ProducerEpoch = res.Producer.ID, res.Producer.Epoch
		}
		return resp, nil
	}
}

// fenced is an error's code; clients from before a version know PRODUCER_FENCED only as INVALID_PRODUCER_EPOCH (KIP-588).
func fenced(err *kerr.Error, version, since int16) int16 {
	if err == kerr.ProducerFenced && version < since {
		return kerr.InvalidProducerEpoch.Code
	}
	return code(err)
}

func (n *node) addPartitionsToTxn(_ call, r *kmsg.AddPartitionsToTxnRequest) pending {
	if r.Version >= 4 {
		return n.addPartitionsInBatches(r)
	}
	var tps []record.TopicPartition
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			tps = append(tps, record.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	f := n.broker.AddPartitions(r.TransactionalID, txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}, tps)
	return func(ctx context.Context) (answer, error) {
		errs, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		i := 0
		for _, t := range r.Topics {
			rt := kmsg.NewAddPartitionsToTxnResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p, fenced(at(errs, i), r.Version, 2)
				rt.Partitions = append(rt.Partitions, rp)
				i++
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil
	}
}

// addPartitionsInBatches serves versions 4 and 5. VerifyOnly asks whether the partitions belong to the open transaction.
func (n *node) addPartitionsInBatches(r *kmsg.AddPartitionsToTxnRequest) pending {
	fs := make([]*broker.Future[[]*kerr.Error], len(r.Transactions))
	tps := make([][]record.TopicPartition, len(r.Transactions))
	for i, t := range r.Transactions {
		for _, rt := range t.Topics {
			for _, p := range rt.Partitions {
				tps[i] = append(tps[i], record.TopicPartition{Topic: rt.Topic, Partition: p})
			}
		}
		if !t.VerifyOnly {
			fs[i] = n.broker.AddPartitions(t.TransactionalID, txn.Producer{ID: t.ProducerID, Epoch: t.ProducerEpoch}, tps[i])
		}
	}
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for i, t := range r.Transactions {
			var errs []*kerr.Error
			if fs[i] == nil {
				errs = n.broker.VerifyPartitions(t.TransactionalID, txn.Producer{ID: t.ProducerID, Epoch: t.ProducerEpoch}, tps[i])
			} else {
				var err error
				if errs, err = fs[i].Wait(ctx); err != nil {
					return nil, err
				}
			}
			resp.Transactions = append(resp.Transactions, addedTransaction(r.Version, t, errs))
		}
		return resp, nil
	}
}

func addedTransaction(version int16, t kmsg.AddPartitionsToTxnRequestTransaction, errs []*kerr.Error) kmsg.AddPartitionsToTxnResponseTransaction {
	out := kmsg.NewAddPartitionsToTxnResponseTransaction()
	out.TransactionalID = t.TransactionalID
	i := 0
	for _, topic := range t.Topics {
		rt := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		rt.Topic = topic.Topic
		for _, p := range topic.Partitions {
			rp := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			rp.Partition, rp.ErrorCode = p, code(at(errs, i))
			if version < 5 && rp.ErrorCode == kerr.TransactionAbortable.Code { // version 4 does not know it
				rp.ErrorCode = kerr.InvalidTxnState.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
			i++
		}
		out.Topics = append(out.Topics, rt)
	}
	return out
}

// at is the i-th error; one error may stand for all.
func at(errs []*kerr.Error, i int) *kerr.Error {
	switch {
	case len(errs) == 0:
		return nil
	case i < len(errs):
		return errs[i]
	}
	return errs[0]
}

func (n *node) addOffsetsToTxn(_ call, r *kmsg.AddOffsetsToTxnRequest) pending {
	f := n.broker.AddGroup(r.TransactionalID, txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}, r.Group)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		resp.ErrorCode = fenced(res, r.Version, 2)
		return resp, nil
	}
}

func (n *node) endTxn(_ call, r *kmsg.EndTxnRequest) pending {
	f := n.broker.EndTxn(r.TransactionalID, txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}, r.Commit, r.Version >= 5)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ProducerID, resp.ProducerEpoch = -1, -1
		if resp.ErrorCode = fenced(res.Err, r.Version, 2); res.Err == nil {
			resp.ProducerID, resp.ProducerEpoch = res.Producer.ID, res.Producer.Epoch
		}
		return resp, nil
	}
}

func (n *node) txnOffsetCommit(_ call, r *kmsg.TxnOffsetCommitRequest) pending {
	resp := r.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	topics := n.broker.Topics()
	var commits []group.OffsetCommit
	var slots []*int16
	resp.Topics = make([]kmsg.TxnOffsetCommitResponseTopic, len(r.Topics))
	for i, t := range r.Topics {
		rt := &resp.Topics[i]
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(t.Partitions))
		known, missing := lookup(topics, t.Topic, t.TopicID, r.Version >= 6)
		for j, p := range t.Partitions {
			rp := &rt.Partitions[j]
			rp.Partition = p.Partition
			if missing == nil && (p.Partition < 0 || p.Partition >= known.Partitions) {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				continue
			}
			if rp.ErrorCode = code(missing); missing != nil {
				continue
			}
			commits = append(commits, group.OffsetCommit{
				TopicPartition: record.TopicPartition{Topic: known.Name, Partition: p.Partition},
				Offset:         record.Offset(p.Offset), LeaderEpoch: p.LeaderEpoch, Metadata: orEmpty(p.Metadata),
			})
			slots = append(slots, &rp.ErrorCode)
		}
	}
	if len(commits) == 0 {
		return answered(resp)
	}
	m := group.Member{Generation: -1}
	if r.Version >= 3 {
		m = group.Member{Generation: r.Generation, ID: r.MemberID, InstanceID: orEmpty(r.InstanceID)}
	}
	p := txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}
	f := n.broker.CommitTxnOffsets(r.TransactionalID, p, r.Group, m, commits, r.Version >= 5)
	return func(ctx context.Context) (answer, error) {
		errs, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i, slot := range slots {
			*slot = fenced(at(errs, i), r.Version, 5)
		}
		return resp, nil
	}
}
