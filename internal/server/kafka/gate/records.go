package gate

import (
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is about records and offsets of topics.

// produce wants WRITE on each topic, and on the transactional id when there is one or a batch claims to be part of a transaction.
func produce(c *Caller, r *kmsg.ProduceRequest) Verdict {
	err := kerr.TopicAuthorizationFailed
	var denied []kmsg.ProduceRequestTopic
	if id := r.TransactionID; (id != nil || transactional(r)) && (id == nil || !c.May(auth.Write, auth.TransactionalID, *id)) {
		err, denied, r.Topics = kerr.TransactionalIDAuthorizationFailed, r.Topics, nil
	} else {
		denied = take(&r.Topics, func(t *kmsg.ProduceRequestTopic) bool { return c.topicBy(auth.Write, t.Topic, t.TopicID) })
	}
	if len(denied) == 0 && err == kerr.TopicAuthorizationFailed {
		return Verdict{}
	}
	v := finish(r, len(r.Topics), func(resp *kmsg.ProduceResponse) {
		for _, t := range denied {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.BaseOffset, rp.LogAppendTime, rp.LogStartOffset = p.Partition, err.Code, -1, -1, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
	if r.Acks == 0 { // there is no other way to tell it, as in Kafka
		return Verdict{Silent: ErrUnacknowledged, Answer: v.Answer}
	}
	return v
}

func transactional(r *kmsg.ProduceRequest) bool {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if b := r.Topics[i].Partitions[j].Records; len(b) >= batch.HeaderSize && batch.View(b).Transactional() {
				return true
			}
		}
	}
	return false
}

func listOffsets(c *Caller, r *kmsg.ListOffsetsRequest) Verdict {
	denied := take(&r.Topics, func(t *kmsg.ListOffsetsRequestTopic) bool { return c.topic(auth.Describe, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.ListOffsetsResponse) {
		for _, t := range denied {
			rt := kmsg.NewListOffsetsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewListOffsetsResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.Offset, rp.Timestamp = p.Partition, kerr.TopicAuthorizationFailed.Code, -1, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

func offsetForLeaderEpoch(c *Caller, r *kmsg.OffsetForLeaderEpochRequest) Verdict {
	denied := take(&r.Topics, func(t *kmsg.OffsetForLeaderEpochRequestTopic) bool { return c.topic(auth.Describe, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.OffsetForLeaderEpochResponse) {
		for _, t := range denied {
			rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.LeaderEpoch, rp.EndOffset = p.Partition, kerr.TopicAuthorizationFailed.Code, -1, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

func deleteRecords(c *Caller, r *kmsg.DeleteRecordsRequest) Verdict {
	denied := take(&r.Topics, func(t *kmsg.DeleteRecordsRequestTopic) bool { return c.topic(auth.Delete, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.DeleteRecordsResponse) {
		for _, t := range denied {
			rt := kmsg.NewDeleteRecordsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewDeleteRecordsResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.LowWatermark = p.Partition, kerr.TopicAuthorizationFailed.Code, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

func describeProducers(c *Caller, r *kmsg.DescribeProducersRequest) Verdict {
	denied := take(&r.Topics, func(t *kmsg.DescribeProducersRequestTopic) bool { return c.topic(auth.Read, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.DescribeProducersResponse) {
		for _, t := range denied {
			rt := kmsg.NewDescribeProducersResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewDescribeProducersResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.ErrorMessage = p, kerr.TopicAuthorizationFailed.Code, text(kerr.TopicAuthorizationFailed)
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}
