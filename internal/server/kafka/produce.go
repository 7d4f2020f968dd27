package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce (0), versions 3-13: record batches v2 only (KIP-98), error messages from 8 (KIP-467), implicit partitions of
// transactions from 12 (KIP-890), topic ids from 13 (KIP-516).

// errUnacknowledged closes the connection of an acks=0 producer whose batch failed: there is no other way to tell it (as in Kafka).
var errUnacknowledged = errors.New("produce without acknowledgement failed")

// errBomb closes a connection behind the answer to a batch that fits its topic and inflates beyond every limit: whoever made it
// would only send more.
var errBomb = errors.New("compression bomb")

func (n *node) produce(c call, r *kmsg.ProduceRequest) pending {
	var errs *kerr.Error
	if r.Acks < -1 || r.Acks > 1 {
		errs = kerr.InvalidRequiredAcks
	}
	var sizes []int
	p := broker.Produce{TransactionalID: orEmpty(r.TransactionID), Implicit: r.Version >= 12}
	for i := range r.Topics {
		t := &r.Topics[i]
		ref := broker.TopicRef{Name: t.Topic, ID: t.TopicID}
		refused := n.notForClients(c, ref)
		if r.Version >= 13 && ref.ID == (broker.TopicID{}) {
			refused = kerr.UnknownTopicID
		}
		for j := range t.Partitions {
			p.Items = append(p.Items, broker.ProduceItem{Ref: ref, Partition: t.Partitions[j].Partition, Bytes: t.Partitions[j].Records, Refused: refused})
			sizes = append(sizes, len(t.Partitions[j].Records))
			t.Partitions[j].Records = nil // the broker's from now on
		}
	}
	var f *broker.Future[[]broker.ProduceResult]
	if errs == nil && len(p.Items) > 0 {
		f = n.broker.Produce(p)
	}
	return func(ctx context.Context) (answer, error) {
		results := make([]broker.ProduceResult, len(p.Items))
		if f != nil {
			var err error
			if results, err = f.Wait(ctx); err != nil {
				return nil, err
			}
		}
		for i := range results {
			if errs != nil {
				results[i] = broker.ProduceResult{Err: errs, BaseOffset: -1, AppendTime: -1, LogStart: -1}
			}
		}
		if r.Acks == 0 {
			return nil, firstFailure(results)
		}
		return produceResponse(r, results), n.bomb(p.Items, sizes, results)
	}
}

// adminClient is the client id with which Kafka's tools may write to internal topics.
const adminClient = "__admin_client"

// notForClients keeps clients from writing to internal topics.
func (n *node) notForClients(c call, ref broker.TopicRef) *kerr.Error {
	t, err := lookup(n.broker.Topics(), ref.Name, ref.ID, ref.Name == "")
	if err == nil && t.Internal && c.clientID != adminClient {
		return kerr.InvalidTopicException
	}
	return nil
}

func firstFailure(results []broker.ProduceResult) error {
	for _, res := range results {
		if res.Err != nil {
			return fmt.Errorf("%w: %w", errUnacknowledged, res.Err)
		}
	}
	return nil
}

// bomb looks for batches that are too large only when inflated.
func (n *node) bomb(items []broker.ProduceItem, sizes []int, results []broker.ProduceResult) error {
	for i, res := range results {
		if res.Err != kerr.MessageTooLarge {
			continue
		}
		t, err := lookup(n.broker.Topics(), items[i].Ref.Name, items[i].Ref.ID, items[i].Ref.Name == "")
		if err != nil {
			continue
		}
		configs, _ := n.broker.TopicConfigs(t.Name)
		for _, c := range configs {
			if limit, err := strconv.Atoi(c.Value); c.Name == "max.message.bytes" && err == nil && sizes[i] <= limit {
				return fmt.Errorf("%w: %d bytes for %s/%d: %s", errBomb, sizes[i], t.Name, items[i].Partition, res.Detail)
			}
		}
	}
	return nil
}

func produceResponse(r *kmsg.ProduceRequest, results []broker.ProduceResult) *kmsg.ProduceResponse {
	resp := r.ResponseKind().(*kmsg.ProduceResponse)
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(r.Topics))
	for i := range r.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = r.Topics[i].Topic, r.Topics[i].TopicID
		t.Partitions = make([]kmsg.ProduceResponseTopicPartition, 0, len(r.Topics[i].Partitions))
		for _, rp := range r.Topics[i].Partitions {
			res := results[0]
			results = results[1:]
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = rp.Partition, code(res.Err), message(res.Err, res.Detail)
			p.BaseOffset, p.LogAppendTime, p.LogStartOffset = int64(res.BaseOffset), int64(res.AppendTime), int64(res.LogStart)
			for _, e := range res.Records {
				re := kmsg.NewProduceResponseTopicPartitionErrorRecord()
				re.RelativeOffset, re.ErrorMessage = e.Index, orNull(e.Detail)
				p.ErrorRecords = append(p.ErrorRecords, re)
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics[i] = t
	}
	return resp
}
