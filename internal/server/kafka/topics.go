package kafka

import (
	"context"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (19), versions 2-7: KIP-4, details of what was made from 5 (KIP-525), ids from 7. DeleteTopics (20), versions 1-6: by
// id from 6 (KIP-516). CreatePartitions (37), versions 0-3: KIP-195. DeleteRecords (21), versions 0-2: KIP-107.

func (n *node) createTopics(_ call, r *kmsg.CreateTopicsRequest) pending {
	count, told := map[string]int{}, map[string]bool{}
	for _, t := range r.Topics {
		count[t.Topic]++
	}
	resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
	var specs []broker.TopicSpec
	var slots []int
	for _, t := range r.Topics {
		if told[t.Topic] {
			continue // one answer for all of them, as in Kafka
		}
		told[t.Topic] = true
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic = t.Topic
		if count[t.Topic] > 1 {
			rt.ErrorCode, rt.ErrorMessage = kerr.InvalidRequest.Code, ptr("Duplicate topic name.")
			resp.Topics = append(resp.Topics, rt)
			continue
		}
		spec, err := topicSpec(t)
		if err != nil {
			rt.ErrorCode, rt.ErrorMessage = err.Code, message(err, "")
		} else {
			specs, slots = append(specs, spec), append(slots, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if len(specs) == 0 {
		return answered(resp)
	}
	f := n.broker.CreateTopics(specs, r.ValidateOnly)
	return func(ctx context.Context) (answer, error) {
		results, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i, slot := range slots {
			n.createdTopic(&resp.Topics[slot], results[i], specs[i], r.ValidateOnly)
		}
		return resp, nil
	}
}

func topicSpec(t kmsg.CreateTopicsRequestTopic) (broker.TopicSpec, *kerr.Error) {
	spec := broker.TopicSpec{Name: t.Topic, Partitions: t.NumPartitions, Replication: t.ReplicationFactor, Configs: map[string]string{}}
	if len(t.ReplicaAssignment) > 0 {
		spec.Assignments = map[int32][]int32{}
	}
	for _, a := range t.ReplicaAssignment {
		if _, twice := spec.Assignments[a.Partition]; twice {
			return spec, kerr.InvalidReplicaAssignment
		}
		spec.Assignments[a.Partition] = a.Replicas
	}
	for _, c := range t.Configs {
		if c.Value == nil {
			return spec, kerr.InvalidConfig
		}
		spec.Configs[c.Name] = *c.Value
	}
	return spec, nil
}

// createdTopic tells what was made. The numbers and settings are those of the topic, or of the wish when it was only validated.
func (n *node) createdTopic(rt *kmsg.CreateTopicsResponseTopic, res broker.TopicResult, spec broker.TopicSpec, validateOnly bool) {
	if rt.ErrorCode, rt.ErrorMessage = code(res.Err), message(res.Err, res.Detail); res.Err != nil {
		return
	}
	rt.ReplicationFactor = 1
	rt.NumPartitions = spec.Partitions
	if len(spec.Assignments) > 0 {
		rt.NumPartitions = int32(len(spec.Assignments))
	}
	if res.Topic != nil {
		rt.NumPartitions = res.Topic.Partitions
		if !validateOnly {
			rt.TopicID = res.Topic.ID
		}
	}
	rt.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	configs, err := n.broker.TopicConfigs(spec.Name)
	if err != nil {
		return // deleted again, or only validated
	}
	for _, c := range configs {
		rc := kmsg.NewCreateTopicsResponseTopicConfig()
		rc.Name, rc.Value, rc.ReadOnly, rc.IsSensitive = c.Name, configValue(c), c.ReadOnly, c.Sensitive
		rc.Source = int8(configSource(c))
		rt.Configs = append(rt.Configs, rc)
	}
}

func (n *node) deleteTopics(_ call, r *kmsg.DeleteTopicsRequest) pending {
	resp := r.ResponseKind().(*kmsg.DeleteTopicsResponse)
	var refs []broker.TopicRef
	for i := range r.TopicNames {
		refs = append(refs, broker.TopicRef{Name: r.TopicNames[i]})
		resp.Topics = append(resp.Topics, deletedTopic(&r.TopicNames[i], [16]byte{}))
	}
	for _, t := range r.Topics {
		refs = append(refs, broker.TopicRef{Name: orEmpty(t.Topic), ID: t.TopicID})
		resp.Topics = append(resp.Topics, deletedTopic(t.Topic, t.TopicID))
	}
	var slots []int
	var asked []broker.TopicRef
	for i, ref := range refs {
		if ref.Name != "" && ref.ID != (broker.TopicID{}) {
			resp.Topics[i].ErrorCode = kerr.InvalidRequest.Code
			resp.Topics[i].ErrorMessage = ptr("You may not specify both topic name and topic id.")
			continue
		}
		slots, asked = append(slots, i), append(asked, ref)
	}
	if len(asked) == 0 {
		return answered(resp)
	}
	before := n.broker.Topics()
	f := n.broker.DeleteTopics(asked)
	return func(ctx context.Context) (answer, error) {
		results, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i, res := range results {
			rt := &resp.Topics[slots[i]]
			rt.ErrorCode, rt.ErrorMessage = code(res.Err), message(res.Err, res.Detail)
			if t, err := lookup(before, asked[i].Name, asked[i].ID, asked[i].Name == ""); err == nil {
				rt.Topic, rt.TopicID = &t.Name, t.ID
			}
		}
		return resp, nil
	}
}

func deletedTopic(name *string, id [16]byte) kmsg.DeleteTopicsResponseTopic {
	rt := kmsg.NewDeleteTopicsResponseTopic()
	rt.Topic, rt.TopicID = name, id
	return rt
}

func (n *node) createPartitions(_ call, r *kmsg.CreatePartitionsRequest) pending {
	resp := r.ResponseKind().(*kmsg.CreatePartitionsResponse)
	resp.Topics = make([]kmsg.CreatePartitionsResponseTopic, len(r.Topics))
	fs := make([]*broker.Future[broker.TopicResult], len(r.Topics))
	seen := map[string]bool{}
	for i, t := range r.Topics {
		rt := &resp.Topics[i]
		rt.Topic = t.Topic
		if seen[t.Topic] {
			rt.ErrorCode, rt.ErrorMessage = kerr.InvalidRequest.Code, ptr("Duplicate topic in request.")
			continue
		}
		seen[t.Topic] = true
		if err := n.checkAssignment(t); err != nil {
			rt.ErrorCode, rt.ErrorMessage = err.Code, message(err, "")
			continue
		}
		fs[i] = n.broker.CreatePartitions(t.Topic, t.Count, r.ValidateOnly)
	}
	return func(ctx context.Context) (answer, error) {
		for i, f := range fs {
			if f == nil {
				continue
			}
			res, err := f.Wait(ctx)
			if err != nil {
				return nil, err
			}
			resp.Topics[i].ErrorCode, resp.Topics[i].ErrorMessage = code(res.Err), message(res.Err, res.Detail)
		}
		return resp, nil
	}
}

// checkAssignment accepts what a single node can do: this node, once, for each new partition.
func (n *node) checkAssignment(t kmsg.CreatePartitionsRequestTopic) *kerr.Error {
	if t.Assignment == nil {
		return nil
	}
	if known := n.broker.Topics().ByName[t.Topic]; known == nil || int64(t.Count)-int64(known.Partitions) != int64(len(t.Assignment)) {
		if known != nil && t.Count > known.Partitions {
			return kerr.InvalidReplicaAssignment
		}
		return nil // the broker says what is wrong with the topic or the count
	}
	for _, a := range t.Assignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != n.broker.NodeID() {
			return kerr.InvalidReplicaAssignment
		}
	}
	return nil
}

func (n *node) deleteRecords(_ call, r *kmsg.DeleteRecordsRequest) pending {
	var fs []*broker.Future[broker.OffsetResult]
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			fs = append(fs, n.broker.DeleteRecords(record.TopicPartition{Topic: t.Topic, Partition: p.Partition}, record.Offset(p.Offset)))
		}
	}
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.DeleteRecordsResponse)
		i := 0
		for _, t := range r.Topics {
			rt := kmsg.NewDeleteRecordsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				res, err := fs[i].Wait(ctx)
				if err != nil {
					return nil, err
				}
				i++
				rp := kmsg.NewDeleteRecordsResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.LowWatermark = p.Partition, code(res.Err), int64(res.Offset)
				if res.Err != nil {
					rp.LowWatermark = -1
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil
	}
}
