package kafka

import (
	"context"
	"regexp"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KIP-664: WriteTxnMarkers (27), versions 1-2, to abort a transaction (only an administrator's abort comes this way: brokers would
// write commits so, and there are no others); DescribeProducers (61), version 0; DescribeTransactions (65), version 0; ListTransactions (66), versions 0-2 (durations
// from 1, KIP-994; patterns in 2, KIP-1152).

func (n *node) writeTxnMarkers(_ call, r *kmsg.WriteTxnMarkersRequest) pending {
	var fs []*broker.Future[*kerr.Error]
	for _, m := range r.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				var f *broker.Future[*kerr.Error]
				if !m.Committed {
					f = n.broker.AbortOpen(record.TopicPartition{Topic: t.Topic, Partition: p}, txn.Producer{ID: m.ProducerID, Epoch: m.ProducerEpoch})
				}
				fs = append(fs, f)
			}
		}
	}
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
		for _, m := range r.Markers {
			rm := kmsg.NewWriteTxnMarkersResponseMarker()
			rm.ProducerID = m.ProducerID
			for _, t := range m.Topics {
				rt := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
				rt.Topic = t.Topic
				for _, p := range t.Partitions {
					res, err := kerr.InvalidRequest, error(nil)
					if f := fs[0]; f != nil {
						if res, err = f.Wait(ctx); err != nil {
							return nil, err
						}
					}
					fs = fs[1:]
					rp := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
					rp.Partition, rp.ErrorCode = p, code(res)
					rt.Partitions = append(rt.Partitions, rp)
				}
				rm.Topics = append(rm.Topics, rt)
			}
			resp.Markers = append(resp.Markers, rm)
		}
		return resp, nil
	}
}

func (n *node) describeProducers(_ call, r *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeProducersResponse)
	topics := n.broker.Topics()
	name := func(t kmsg.DescribeProducersRequestTopic) string { return t.Topic }
	for _, t := range distinct(r.Topics, name) {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		known := topics.ByName[t.Topic]
		for _, p := range distinct(t.Partitions, itself) {
			rp := kmsg.NewDescribeProducersResponseTopicPartition()
			rp.Partition = p
			if known == nil || p < 0 || p >= known.Partitions {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				rp.ErrorMessage = message(kerr.UnknownTopicOrPartition, "")
			} else {
				rp.ActiveProducers = n.activeProducers(record.TopicPartition{Topic: t.Topic, Partition: p})
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (n *node) activeProducers(tp record.TopicPartition) []kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	var out []kmsg.DescribeProducersResponseTopicPartitionActiveProducer
	for _, a := range n.broker.ActiveProducers(tp) {
		p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		p.ProducerID, p.ProducerEpoch, p.LastSequence = a.Producer.ID, int32(a.Producer.Epoch), a.LastSequence
		p.LastTimestamp, p.CurrentTxnStartOffset = int64(a.LastTime), int64(a.TxnStart)
		out = append(out, p)
	}
	return out
}

func (n *node) describeTransactions(_ call, r *kmsg.DescribeTransactionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range distinct(r.TransactionalIDs, itself) {
		out := kmsg.NewDescribeTransactionsResponseTransactionState()
		out.TransactionalID = id
		d, ok := n.broker.DescribeTransaction(id)
		if !ok {
			out.ErrorCode = kerr.TransactionalIDNotFound.Code
			resp.TransactionStates = append(resp.TransactionStates, out)
			continue
		}
		out.State, out.TimeoutMillis, out.StartTimestamp = d.State, int32(d.Timeout.Milliseconds()), int64(d.Started)
		out.ProducerID, out.ProducerEpoch = d.Producer.ID, d.Producer.Epoch
		out.Topics = transactionTopics(d)
		resp.TransactionStates = append(resp.TransactionStates, out)
	}
	return resp
}

func transactionTopics(d txn.Description) []kmsg.DescribeTransactionsResponseTransactionStateTopic {
	var out []kmsg.DescribeTransactionsResponseTransactionStateTopic
	at := map[string]int{}
	for _, tp := range d.Partitions {
		i, ok := at[tp.Topic]
		if !ok {
			i = len(out)
			at[tp.Topic] = i
			t := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			t.Topic = tp.Topic
			out = append(out, t)
		}
		out[i].Partitions = append(out[i].Partitions, tp.Partition)
	}
	return out
}

// txnStates are Kafka's; the node never shows the preparing ones, because an end is one durable frame.
var txnStates = []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// maxPattern bounds the regular expression that a client may have compiled, in bytes.
const maxPattern = 1 << 10

func (n *node) listTransactions(_ call, r *kmsg.ListTransactionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListTransactionsResponse)
	for _, s := range r.StateFilters {
		if !slices.Contains(txnStates, s) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, s)
		}
	}
	var pattern *regexp.Regexp
	if p := orEmpty(r.TransactionalIDPattern); p != "" {
		var err error
		if len(p) <= maxPattern {
			pattern, err = regexp.Compile("^(?:" + p + ")$")
		}
		if pattern == nil || err != nil {
			resp.ErrorCode = kerr.InvalidRegularExpression.Code
			return resp
		}
	}
	now := n.o.Clock.Now().UnixMilli()
	for _, d := range n.broker.ListTransactions() {
		switch {
		case len(r.StateFilters) > 0 && !slices.Contains(r.StateFilters, d.State),
			len(r.ProducerIDFilters) > 0 && !slices.Contains(r.ProducerIDFilters, d.Producer.ID),
			r.DurationFilterMillis >= 0 && (d.Started < 0 || now-int64(d.Started) <= r.DurationFilterMillis),
			pattern != nil && !pattern.MatchString(d.ID):
			continue
		}
		out := kmsg.NewListTransactionsResponseTransactionState()
		out.TransactionalID, out.ProducerID, out.TransactionState = d.ID, d.Producer.ID, d.State
		resp.TransactionStates = append(resp.TransactionStates, out)
	}
	return resp
}
