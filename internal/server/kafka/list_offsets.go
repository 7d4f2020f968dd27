package kafka

import (
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets (2), versions 1-11: KIP-79 (times), KIP-98 (isolation), KIP-320 (leader epochs), KIP-734 (the greatest timestamp).
// OffsetForLeaderEpoch (23), versions 2-4: KIP-320.

func (n *node) listOffsets(_ call, r *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, t := range r.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset, rp.Timestamp = p.Partition, -1, -1
			tp := record.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if !knownTime(p.Timestamp, r.Version) {
				rp.ErrorCode = kerr.UnsupportedVersion.Code
			} else if err := n.checkEpoch(tp, p.CurrentLeaderEpoch); err != nil {
				rp.ErrorCode = err.Code
			} else {
				res := n.broker.ListOffset(broker.TopicRef{Name: t.Topic}, p.Partition, p.Timestamp, r.IsolationLevel == 1)
				if rp.ErrorCode = code(res.Err); res.Err == nil {
					rp.Offset, rp.Timestamp, rp.LeaderEpoch = int64(res.Offset), int64(res.Timestamp), res.LeaderEpoch
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// Timestamps that mean an offset (ListOffsets).
const (
	latest   = -1
	earliest = -2
)

// knownTime reports whether a timestamp means something in a version: the special values came one by one (KIP-734, 405,
// 1005, 1023).
func knownTime(ts int64, version int16) bool {
	switch {
	case ts >= earliest:
		return true
	case ts == -3:
		return version >= 7
	case ts == -4:
		return version >= 8
	}
	return ts == -5 && version >= 9 || ts == -6 && version >= 11
}

// checkEpoch compares the leader epoch that a client believes in with the partition's; -1 is not compared. An unknown partition is
// left to the call that follows.
func (n *node) checkEpoch(tp record.TopicPartition, current int32) *kerr.Error {
	if current < 0 {
		return nil
	}
	switch epoch := n.broker.LeaderEpoch(tp); {
	case epoch < 0 || current == epoch:
		return nil
	case current < epoch:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}

func (n *node) offsetForLeaderEpoch(_ call, r *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range r.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			tp := record.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if err := n.checkEpoch(tp, p.CurrentLeaderEpoch); err != nil {
				rp.ErrorCode = err.Code
			} else {
				res := n.broker.EndOfEpoch(tp, p.LeaderEpoch)
				if rp.ErrorCode = code(res.Err); res.Err == nil {
					rp.LeaderEpoch, rp.EndOffset = res.LeaderEpoch, int64(res.Offset)
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
