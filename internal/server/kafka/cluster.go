package kafka

import (
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (60), versions 0-2: KIP-700. DescribeLogDirs (35), versions 1-5: KIP-113, one directory. ElectLeaders (43),
// versions 0-2: KIP-460; the only node leads already.

func (n *node) describeCluster(_ call, r *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeClusterResponse)
	if r.Version >= 1 && r.EndpointType != 1 { // 2 asks for controllers: there is no controller listener
		err := kerr.UnsupportedEndpointType
		if r.EndpointType == 2 {
			err = kerr.MismatchedEndpointType
		}
		resp.ErrorCode, resp.ErrorMessage = err.Code, message(err, "")
		resp.EndpointType = r.EndpointType
		return resp
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = n.broker.NodeID(), n.host, n.port
	resp.EndpointType = 1
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{b}
	resp.ClusterID, resp.ControllerID = n.broker.ClusterID(), n.broker.NodeID()
	if r.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp
}

// logDir stands for the data directory: its path is the node's own business.
const logDir = "/mainstem"

func (n *node) describeLogDirs(_ call, r *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = logDir
	if disk := n.broker.Stats().Disk; disk.Total > 0 { // KIP-827
		dir.TotalBytes, dir.UsableBytes = disk.Total, disk.Free
	}
	topics := n.broker.Topics()
	if r.Topics == nil {
		for _, t := range sortedTopics(topics) {
			all := make([]int32, t.Partitions)
			for i := range all {
				all[i] = int32(i)
			}
			dir.Topics = append(dir.Topics, n.logDirTopic(t, all))
		}
	}
	for _, rt := range r.Topics {
		if t := topics.ByName[rt.Topic]; t != nil {
			dir.Topics = append(dir.Topics, n.logDirTopic(t, rt.Partitions))
		}
	}
	resp.Dirs = []kmsg.DescribeLogDirsResponseDir{dir}
	return resp
}

func (n *node) logDirTopic(t *broker.Topic, partitions []int32) kmsg.DescribeLogDirsResponseDirTopic {
	out := kmsg.NewDescribeLogDirsResponseDirTopic()
	out.Topic = t.Name
	for _, p := range partitions {
		size := n.broker.LogSize(record.TopicPartition{Topic: t.Name, Partition: p})
		if size < 0 {
			continue
		}
		rp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		rp.Partition, rp.Size = p, size
		out.Partitions = append(out.Partitions, rp)
	}
	return out
}

func (n *node) electLeaders(_ call, r *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ElectLeadersResponse)
	topics := n.broker.Topics()
	for _, t := range r.Topics { // null asks for all and gets only those that were elected: none
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewElectLeadersResponseTopicPartition()
			err := kerr.ElectionNotNeeded
			if bt := topics.ByName[t.Topic]; bt == nil || p < 0 || p >= bt.Partitions {
				err = kerr.UnknownTopicOrPartition
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p, err.Code, message(err, "")
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
