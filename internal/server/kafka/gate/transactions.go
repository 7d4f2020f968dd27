package gate

import (
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is about producers and transactions.

// initProducerID wants WRITE on the transactional id; without one, IDEMPOTENT_WRITE on the cluster or WRITE on some topic (KIP-679).
func initProducerID(c *Caller, r *kmsg.InitProducerIDRequest) Verdict {
	if r.TransactionalID != nil {
		return c.inTxn(r, *r.TransactionalID)
	}
	if c.cluster(auth.IdempotentWrite) || c.Rules.AllowSome(c.Subject, auth.Write, auth.Topic) {
		return Verdict{}
	}
	return whole(r, kerr.ClusterAuthorizationFailed)
}

// addPartitionsToTxn does all or nothing. The form of version 4 is between brokers.
func addPartitionsToTxn(c *Caller, r *kmsg.AddPartitionsToTxnRequest) Verdict {
	if r.Version >= 4 {
		if c.cluster(auth.ClusterAction) {
			return Verdict{}
		}
		return whole(r, kerr.ClusterAuthorizationFailed)
	}
	if !c.May(auth.Write, auth.TransactionalID, r.TransactionalID) {
		return whole(r, kerr.TransactionalIDAuthorizationFailed)
	}
	denied := false
	for _, t := range r.Topics {
		denied = denied || !c.topic(auth.Write, t.Topic)
	}
	if !denied {
		return Verdict{}
	}
	return answer(r, func(resp *kmsg.AddPartitionsToTxnResponse) {
		for _, t := range r.Topics {
			err := kerr.OperationNotAttempted
			if !c.topic(auth.Write, t.Topic) {
				err = kerr.TopicAuthorizationFailed
			}
			resp.Topics = append(resp.Topics, addedTopic(t, err))
		}
	})
}

func addOffsetsToTxn(c *Caller, r *kmsg.AddOffsetsToTxnRequest) Verdict {
	if v := c.inTxn(r, r.TransactionalID); v.Answer != nil {
		return v
	}
	return c.inGroup(r, r.Group)
}

// txnOffsetCommit wants WRITE on the transactional id, READ on the group and on each topic.
func txnOffsetCommit(c *Caller, r *kmsg.TxnOffsetCommitRequest) Verdict {
	err, denied := kerr.TopicAuthorizationFailed, []kmsg.TxnOffsetCommitRequestTopic(nil)
	switch {
	case !c.May(auth.Write, auth.TransactionalID, r.TransactionalID):
		err, denied, r.Topics = kerr.TransactionalIDAuthorizationFailed, r.Topics, nil
	case !c.group(auth.Read, r.Group):
		err, denied, r.Topics = kerr.GroupAuthorizationFailed, r.Topics, nil
	default:
		denied = take(&r.Topics, func(t *kmsg.TxnOffsetCommitRequestTopic) bool { return c.topicBy(auth.Read, t.Topic, t.TopicID) })
		if len(denied) == 0 {
			return Verdict{}
		}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.TxnOffsetCommitResponse) {
		for _, t := range denied {
			rt := kmsg.NewTxnOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: err.Code})
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

// writeTxnMarkers is for brokers, and for administrators who end hanging transactions.
func writeTxnMarkers(c *Caller, r *kmsg.WriteTxnMarkersRequest) Verdict {
	if c.cluster(auth.Alter) || c.cluster(auth.ClusterAction) {
		return Verdict{}
	}
	return whole(r, kerr.ClusterAuthorizationFailed)
}

// describeTransactions shows only the topics that the caller may describe.
func describeTransactions(c *Caller, r *kmsg.DescribeTransactionsRequest) Verdict {
	denied := take(&r.TransactionalIDs, func(id *string) bool { return c.May(auth.Describe, auth.TransactionalID, *id) })
	return finish(r, len(r.TransactionalIDs)+btoi(len(denied) == 0), func(resp *kmsg.DescribeTransactionsResponse) {
		for i := range resp.TransactionStates {
			take(&resp.TransactionStates[i].Topics, func(t *kmsg.DescribeTransactionsResponseTransactionStateTopic) bool {
				return c.topic(auth.Describe, t.Topic)
			})
		}
		for _, id := range denied {
			s := kmsg.NewDescribeTransactionsResponseTransactionState()
			s.TransactionalID, s.ErrorCode = id, kerr.TransactionalIDAuthorizationFailed.Code
			resp.TransactionStates = append(resp.TransactionStates, s)
		}
	})
}

func listTransactions(c *Caller, _ *kmsg.ListTransactionsRequest) Verdict {
	return Verdict{Finish: func(answer kmsg.Response) {
		resp := answer.(*kmsg.ListTransactionsResponse)
		take(&resp.TransactionStates, func(s *kmsg.ListTransactionsResponseTransactionState) bool {
			return c.May(auth.Describe, auth.TransactionalID, s.TransactionalID)
		})
	}}
}
