package gate

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// whole refuses all of a request with one error, in the way of its response: once, or for each item.
func whole(r kmsg.Request, err *kerr.Error) Verdict {
	resp := r.ResponseKind()
	if !refuseOnce(resp, err) {
		refuseEach(r, resp, err)
	}
	return Verdict{Answer: resp}
}

// refuseOnce is for responses that have one place for an error.
func refuseOnce(resp kmsg.Response, err *kerr.Error) bool {
	code := err.Code
	switch resp := resp.(type) {
	case *kmsg.JoinGroupResponse:
		resp.ErrorCode, resp.Generation = code, -1
		if resp.Version < 7 { // not nullable before
			resp.Protocol = new(string)
		}
	case *kmsg.HeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		resp.ErrorCode = code
	case *kmsg.SyncGroupResponse:
		resp.ErrorCode = code
	case *kmsg.InitProducerIDResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.AddOffsetsToTxnResponse:
		resp.ErrorCode = code
	case *kmsg.EndTxnResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.DescribeACLsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.DescribeLogDirsResponse:
		resp.ErrorCode = code
	case *kmsg.AlterPartitionAssignmentsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.ListPartitionReassignmentsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.OffsetDeleteResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeClientQuotasResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.DescribeUserSCRAMCredentialsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.DescribeQuorumResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.UpdateFeaturesResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	case *kmsg.ListConfigResourcesResponse:
		resp.ErrorCode = code
	case *kmsg.ConsumerGroupHeartbeatResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text(err)
	default:
		return false
	}
	return true
}

// refuseEach is for responses that have an error for each item of the request.
func refuseEach(r kmsg.Request, resp kmsg.Response, err *kerr.Error) {
	switch resp := resp.(type) {
	case *kmsg.CreateACLsResponse:
		for range r.(*kmsg.CreateACLsRequest).Creations {
			resp.Results = append(resp.Results, kmsg.CreateACLsResponseResult{ErrorCode: err.Code, ErrorMessage: text(err)})
		}
	case *kmsg.DeleteACLsResponse:
		for range r.(*kmsg.DeleteACLsRequest).Filters {
			resp.Results = append(resp.Results, kmsg.DeleteACLsResponseResult{ErrorCode: err.Code, ErrorMessage: text(err)})
		}
	case *kmsg.AlterUserSCRAMCredentialsResponse:
		refuseUsers(r.(*kmsg.AlterUserSCRAMCredentialsRequest), resp, err)
	case *kmsg.AlterReplicaLogDirsResponse:
		for _, d := range r.(*kmsg.AlterReplicaLogDirsRequest).Dirs {
			for _, t := range d.Topics {
				rt := kmsg.AlterReplicaLogDirsResponseTopic{Topic: t.Topic}
				for _, p := range t.Partitions {
					rt.Partitions = append(rt.Partitions, kmsg.AlterReplicaLogDirsResponseTopicPartition{Partition: p, ErrorCode: err.Code})
				}
				resp.Topics = append(resp.Topics, rt)
			}
		}
	case *kmsg.ElectLeadersResponse:
		resp.ErrorCode = err.Code
		for _, t := range r.(*kmsg.ElectLeadersRequest).Topics {
			rt := kmsg.ElectLeadersResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.ElectLeadersResponseTopicPartition{Partition: p, ErrorCode: err.Code, ErrorMessage: text(err)})
			}
			resp.Topics = append(resp.Topics, rt)
		}
	case *kmsg.WriteTxnMarkersResponse:
		refuseMarkers(r.(*kmsg.WriteTxnMarkersRequest), resp, err)
	case *kmsg.AddPartitionsToTxnResponse:
		refusePartitions(r.(*kmsg.AddPartitionsToTxnRequest), resp, err)
	default:
		panic("gate: no way to refuse " + kmsg.NameForKey(r.Key()))
	}
}

func refuseUsers(r *kmsg.AlterUserSCRAMCredentialsRequest, resp *kmsg.AlterUserSCRAMCredentialsResponse, err *kerr.Error) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			resp.Results = append(resp.Results, kmsg.AlterUserSCRAMCredentialsResponseResult{User: name, ErrorCode: err.Code, ErrorMessage: text(err)})
		}
	}
	for _, d := range r.Deletions {
		add(d.Name)
	}
	for _, u := range r.Upsertions {
		add(u.Name)
	}
}

func refuseMarkers(r *kmsg.WriteTxnMarkersRequest, resp *kmsg.WriteTxnMarkersResponse, err *kerr.Error) {
	for _, m := range r.Markers {
		rm := kmsg.WriteTxnMarkersResponseMarker{ProducerID: m.ProducerID}
		for _, t := range m.Topics {
			rt := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p, ErrorCode: err.Code})
			}
			rm.Topics = append(rm.Topics, rt)
		}
		resp.Markers = append(resp.Markers, rm)
	}
}

// refusePartitions is for both forms of AddPartitionsToTxn.
func refusePartitions(r *kmsg.AddPartitionsToTxnRequest, resp *kmsg.AddPartitionsToTxnResponse, err *kerr.Error) {
	if r.Version >= 4 {
		resp.ErrorCode = err.Code
		return
	}
	for _, t := range r.Topics {
		resp.Topics = append(resp.Topics, addedTopic(t, err))
	}
}

func addedTopic(t kmsg.AddPartitionsToTxnRequestTopic, err *kerr.Error) kmsg.AddPartitionsToTxnResponseTopic {
	rt := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
	for _, p := range t.Partitions {
		rt.Partitions = append(rt.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p, ErrorCode: err.Code})
	}
	return rt
}
