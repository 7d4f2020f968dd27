package compat

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An errorCase is a request in one version.
type errorCase struct {
	name    string
	request kmsg.Request
}

// errorCases builds the requests around topic, which has two partitions and three records in the first, and topic-compact.
func errorCases(topic string) []errorCase {
	var out []errorCase
	add := func(name string, version int16, req kmsg.Request) {
		req.SetVersion(version)
		out = append(out, errorCase{name, req})
	}
	produceCases(topic, add)
	fetchCases(topic, add)
	offsetCases(topic, add)
	topicCases(topic, add)
	groupCases(topic, add)
	transactionCases(topic, add)
	clusterCases(topic, add)
	return out
}

func oneRecord(p batch.Params, key []byte) []byte {
	var b batch.Builder
	b.Reset(p)
	b.Append(record.Timestamp(1), key, []byte("v"), nil)
	return b.AppendTo(nil)
}

var plainBatch = batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}

func produceCases(topic string, add func(string, int16, kmsg.Request)) {
	produce := func(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = acks, 60_000
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = partition, records
		t := kmsg.NewProduceRequestTopic()
		t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
		req.Topics = []kmsg.ProduceRequestTopic{t}
		return req
	}
	good := oneRecord(plainBatch, []byte("k"))
	damaged := append([]byte(nil), good...)
	damaged[len(damaged)-1] ^= 1
	add("produce", 9, produce(topic, 0, -1, good))
	add("produce to an unknown topic", 9, produce("nowhere", 0, -1, good))
	add("produce to an unknown partition", 9, produce(topic, 9, -1, good))
	add("produce to an invalid topic", 9, produce("no/topic", 0, -1, good))
	add("produce to an internal topic", 9, produce("__consumer_offsets", 0, -1, good))
	add("produce with acks=2", 9, produce(topic, 0, 2, good))
	add("produce a damaged batch", 9, produce(topic, 0, -1, damaged))
	add("produce a keyless record to a compacted topic", 9, produce(topic+"-compact", 0, -1, oneRecord(plainBatch, nil)))
	add("produce two batches", 9, produce(topic, 0, -1, append(append([]byte(nil), good...), good...)))
	add("produce no records", 9, produce(topic, 0, -1, []byte{}))
	add("produce by an unknown id", 13, produce("", 0, -1, good))
	add("produce by an unknown producer", 9, produce(topic, 0, -1, oneRecord(batch.Params{ProducerID: 1 << 40, BaseSequence: 7}, []byte("k"))))
	transactional := produce(topic, 0, -1, oneRecord(batch.Params{ProducerID: 1 << 40, Transactional: true}, []byte("k")))
	transactional.TransactionID = kmsg.StringPtr(topic + "-unknown")
	add("produce in an unknown transaction", 11, transactional)
}

func fetchCases(topic string, add func(string, int16, kmsg.Request)) {
	fetch := func(topic string, partition int32, offset int64, epoch int32) *kmsg.FetchRequest {
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes = 1 << 20
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = partition, offset, epoch, 1<<20
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{p}
		req.Topics = []kmsg.FetchRequestTopic{t}
		return req
	}
	add("fetch", 12, fetch(topic, 0, 0, -1))
	add("fetch behind the end", 12, fetch(topic, 0, 1<<40, -1))
	add("fetch in front of the start", 12, fetch(topic, 0, -5, -1))
	add("fetch an unknown partition", 12, fetch(topic, 9, 0, -1))
	add("fetch an unknown topic", 12, fetch("nowhere", 0, 0, -1))
	add("fetch an unknown id", 13, fetch("", 0, 0, -1))
	add("fetch in an epoch to come", 12, fetch(topic, 0, 0, 99))
	for name, s := range map[string][2]int32{"an unknown session": {77, 1}, "no session": {0, 1}, "a strange epoch": {0, -2}, "a session to be closed": {77, -1}} {
		req := fetch(topic, 0, 0, -1)
		req.SessionID, req.SessionEpoch = s[0], s[1]
		add("fetch in "+name, 12, req)
	}
}

func offsetCases(topic string, add func(string, int16, kmsg.Request)) {
	for _, version := range []int16{6, 7, 8, 9, 10, 11} {
		for ts := int64(-7); ts <= 0; ts++ {
			req := kmsg.NewPtrListOffsetsRequest()
			req.TimeoutMillis = 1000
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp, p.CurrentLeaderEpoch = ts, -1
			far := p
			far.Partition = 9
			t.Partitions = []kmsg.ListOffsetsRequestTopicPartition{p, far}
			req.Topics = []kmsg.ListOffsetsRequestTopic{t}
			add(fmt.Sprintf("list offsets v%d at %d", version, ts), version, req)
		}
	}
	epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
	et := kmsg.NewOffsetForLeaderEpochRequestTopic()
	et.Topic = topic
	for _, x := range [][3]int32{{0, -1, 0}, {0, 0, 0}, {0, 99, 0}, {0, -1, 99}, {9, -1, 0}} {
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = x[0], x[1], x[2]
		et.Partitions = append(et.Partitions, p)
	}
	epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{et}
	add("offsets of leader epochs", 4, epochs)
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.TimeoutMillis = 60_000
	dt := kmsg.NewDeleteRecordsRequestTopic()
	dt.Topic = topic
	for _, x := range [][2]int64{{0, 1 << 40}, {1, -1}, {9, 0}} {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = int32(x[0]), x[1]
		dt.Partitions = append(dt.Partitions, p)
	}
	del.Topics = []kmsg.DeleteRecordsRequestTopic{dt}
	add("delete records", 2, del)
}

func topicCases(topic string, add func(string, int16, kmsg.Request)) {
	text := kmsg.StringPtr
	create := func(name string, partitions int32, replicas int16, configs ...string) *kmsg.CreateTopicsRequest {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis, req.ValidateOnly = 60_000, true
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, partitions, replicas
		for i := 0; i+1 < len(configs); i += 2 {
			ct.Configs = append(ct.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[i], Value: text(configs[i+1])})
		}
		req.Topics = []kmsg.CreateTopicsRequestTopic{ct}
		return req
	}
	add("create a topic that exists", 7, create(topic, 1, 1))
	add("create an invalid name", 7, create("no/topic", 1, 1))
	add("create a long name", 7, create(strings.Repeat("x", 250), 1, 1))
	add("create without partitions", 7, create(topic+"-0", 0, 1))
	add("create without replicas", 7, create(topic+"-0", 1, 0))
	add("create with an unknown setting", 7, create(topic+"-0", 1, 1, "no.such", "1"))
	add("create with a bad value", 7, create(topic+"-0", 1, 1, "retention.ms", "soon"))
	add("create with settings at odds", 7, create(topic+"-0", 1, 1, "min.compaction.lag.ms", "9", "max.compaction.lag.ms", "5"))
	add("create with defaults", 7, create(topic+"-0", -1, -1))
	twice := create(topic+"-0", 1, 1)
	twice.Topics = append(twice.Topics, twice.Topics[0])
	add("create twice", 7, twice)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TimeoutMillis = 60_000
	del.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: text("nowhere")}, {TopicID: [16]byte{9}}, {Topic: text("nowhere"), TopicID: [16]byte{9}}}
	add("delete by name and id", 6, del)
	named := kmsg.NewPtrDeleteTopicsRequest()
	named.TimeoutMillis, named.TopicNames = 60_000, []string{"nowhere"}
	add("delete an unknown topic", 5, named)
	for name, count := range map[string]int32{"fewer": 1, "as many": 2, "none": 0, "far too many": 1 << 30} {
		grow := kmsg.NewPtrCreatePartitionsRequest()
		grow.TimeoutMillis, grow.ValidateOnly = 60_000, true
		pt := kmsg.NewCreatePartitionsRequestTopic()
		pt.Topic, pt.Count = topic, count
		grow.Topics = []kmsg.CreatePartitionsRequestTopic{pt}
		if name != "far too many" {
			add("partitions: "+name, 3, grow)
		}
	}
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: text("nowhere")}, {Topic: text("no/topic")}, {Topic: text(topic)}}
	add("metadata by name", 12, metadata)
	byID := kmsg.NewPtrMetadataRequest()
	byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: [16]byte{9}}}
	add("metadata by id", 12, byID)
	pages := kmsg.NewPtrDescribeTopicPartitionsRequest()
	pages.ResponsePartitionLimit = 10
	pages.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "nowhere"}}
	add("describe partitions", 0, pages)
	configCases(topic, add)
}

func configCases(topic string, add func(string, int16, kmsg.Request)) {
	describe := kmsg.NewPtrDescribeConfigsRequest()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.ValidateOnly = true
	set := func(typ kmsg.ConfigResourceType, resource, name, value string, op kmsg.IncrementalAlterConfigOp) {
		c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: op, Value: &value}
		alter.Resources = append(alter.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: typ, ResourceName: resource, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c}})
	}
	const topics, brokers = kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	const put, plus = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpAppend
	for _, x := range []struct {
		typ  kmsg.ConfigResourceType
		name string
	}{{topics, topic}, {topics, "nowhere"}, {topics, "no/topic"}, {brokers, "1"}, {brokers, ""}, {brokers, "9"}, {brokers, "x"}} {
		describe.Resources = append(describe.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: x.typ, ResourceName: x.name, ConfigNames: []string{"retention.ms"}})
	}
	add("describe settings", 4, describe)
	set(topics, topic, "retention.ms", "5", put)
	set(topics, "nowhere", "retention.ms", "5", put)
	set(topics, topic+"-compact", "retention.ms", "soon", put)
	set(brokers, "1", "log.cleaner.backoff.ms", "20000", put)
	set(brokers, "", "message.max.bytes", "-1", put)
	add("alter settings", 1, alter)
	for name, x := range map[string][2]string{"unknown": {"no.such", "1"}, "not a list": {"retention.ms", "1"}} {
		op := put
		if name == "not a list" {
			op = plus
		}
		one := kmsg.NewPtrIncrementalAlterConfigsRequest()
		one.ValidateOnly = true
		one.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: topics, ResourceName: topic, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: x[0], Op: op, Value: &x[1]}}}}
		add("alter a setting: "+name, 1, one)
	}
	for name, setting := range map[string]string{"fixed": "node.id", "of another node": "log.cleaner.backoff.ms"} {
		value, resource := "20000", "1"
		if name == "of another node" {
			resource = "9"
		}
		one := kmsg.NewPtrIncrementalAlterConfigsRequest()
		one.ValidateOnly = true
		one.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: brokers, ResourceName: resource, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: setting, Value: &value}}}}
		add("alter a node setting: "+name, 1, one)
	}
	groupConfigCases(topic, add)
}

func groupConfigCases(group string, add func(string, int16, kmsg.Request)) {
	const groups = kmsg.ConfigResourceTypeGroupConfig
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Resources = []kmsg.DescribeConfigsRequestResource{
		{ResourceType: groups, ResourceName: group, ConfigNames: []string{"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"}},
		{ResourceType: groups, ResourceName: ""},
		{ResourceType: groups, ResourceName: group, ConfigNames: []string{"no.such"}},
	}
	add("describe settings of groups", 4, describe)
	set, unset, plus := kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend
	for _, x := range []struct {
		group, name, value string
		op                 kmsg.IncrementalAlterConfigOp
	}{
		{group, "consumer.session.timeout.ms", "50000", set},
		{group, "consumer.session.timeout.ms", "44999", set},
		{group, "consumer.session.timeout.ms", "60001", set},
		{group, "consumer.session.timeout.ms", "soon", set},
		{group, "consumer.session.timeout.ms", "", unset},
		{group, "consumer.session.timeout.ms", "50000", plus},
		{group, "consumer.heartbeat.interval.ms", "4999", set},
		{group, "consumer.heartbeat.interval.ms", "15001", set},
		{group, "consumer.heartbeat.interval.ms", "15000", set},
		{group, "consumer.assignment.interval.ms", "0", set},
		{group, "consumer.assignor.offload.enable", "maybe", set},
		{group, "no.such", "1", set},
		{"", "consumer.session.timeout.ms", "50000", set},
	} {
		one := kmsg.NewPtrIncrementalAlterConfigsRequest()
		one.ValidateOnly = true
		one.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: groups, ResourceName: x.group, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: x.name, Op: x.op, Value: &x.value}},
		}}
		add(fmt.Sprintf("alter a setting of group %q: %s %v %s", x.group, x.name, x.op, x.value), 1, one)
	}
}

func groupCases(topic string, add func(string, int16, kmsg.Request)) {
	coordinator := kmsg.NewPtrFindCoordinatorRequest()
	coordinator.CoordinatorType, coordinator.CoordinatorKeys = 1, []string{"id"}
	add("find a transaction coordinator", 4, coordinator)
	strange := kmsg.NewPtrFindCoordinatorRequest()
	strange.CoordinatorType, strange.CoordinatorKeys = 7, []string{"id"}
	add("find a coordinator of nothing", 4, strange)
	join := func(group string, session int32, member string) *kmsg.JoinGroupRequest {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.MemberID, req.ProtocolType = group, session, 5000, member, "consumer"
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 0}}}
		return req
	}
	add("join without a name", 5, join("", 10000, ""))
	add("join with a short session", 5, join(topic+"-g", 1, ""))
	add("join without a member id", 5, join(topic+"-g", 10000, ""))
	add("join as a stranger", 5, join(topic+"-g", 10000, "stranger"))
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.MemberID = topic+"-nobody", "stranger"
	add("heartbeat of a stranger", 4, beat)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID = topic+"-nobody", "stranger"
	add("sync of a stranger", 4, sync)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.Members = topic+"-nobody", []kmsg.LeaveGroupRequestMember{{MemberID: "stranger"}}
	add("leave of a stranger", 4, leave)
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{topic + "-nobody"}
	add("describe an unknown group, v5", 5, describe)
	later := kmsg.NewPtrDescribeGroupsRequest()
	later.Groups = describe.Groups
	add("describe an unknown group, v6", 6, later)
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Groups = []string{topic + "-nobody"}
	add("delete an unknown group", 2, del)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = topic+"-offsets", -1
	for _, name := range []string{topic, "nowhere"} {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset = 1
		far := p
		far.Partition = 9
		commit.Topics = append(commit.Topics, kmsg.OffsetCommitRequestTopic{Topic: name, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p, far}})
	}
	add("commit offsets", 8, commit)
	stranger := kmsg.NewPtrOffsetCommitRequest()
	stranger.Group, stranger.Generation, stranger.MemberID, stranger.Topics = topic+"-nobody", 3, "stranger", commit.Topics[:1]
	add("commit as a stranger", 8, stranger)
	long := kmsg.NewPtrOffsetCommitRequest()
	long.Group, long.Generation = topic+"-offsets", -1
	lp := kmsg.NewOffsetCommitRequestTopicPartition()
	lp.Metadata = kmsg.StringPtr(strings.Repeat("m", 5000))
	long.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{lp}}}
	add("commit with long metadata", 8, long)
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Groups = []kmsg.OffsetFetchRequestGroup{{Group: topic + "-nobody", MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, Partitions: []int32{0, 9}}}}}
	add("offsets of an unknown group", 8, fetch)
	forget := kmsg.NewPtrOffsetDeleteRequest()
	forget.Group, forget.Topics = topic+"-nobody", []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
	add("delete offsets of an unknown group", 0, forget)
	known := kmsg.NewPtrOffsetDeleteRequest()
	known.Group, known.Topics = topic+"-offsets", []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}, {Partition: 9}}}}
	add("delete offsets", 0, known)
}

func transactionCases(topic string, add func(string, int16, kmsg.Request)) {
	id := topic + "-unknown"
	for name, x := range map[string]struct {
		id      string
		timeout int32
		pid     int64
		epoch   int16
	}{"no id": {"", 1000, -1, -1}, "no time": {id, 0, -1, -1}, "too much time": {id, 1 << 30, -1, -1}, "half a producer": {id, 1000, 5, -1}, "another's producer": {id + "2", 1000, 1 << 40, 3}} {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &x.id, x.timeout, x.pid, x.epoch
		add("init: "+name, 4, req)
	}
	addp := kmsg.NewPtrAddPartitionsToTxnRequest()
	addp.TransactionalID, addp.ProducerID, addp.ProducerEpoch = id+"3", 1<<40, 0
	addp.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0, 1}}}
	add("add partitions of an unknown transaction", 3, addp)
	nowhere := kmsg.NewPtrAddPartitionsToTxnRequest()
	nowhere.TransactionalID, nowhere.ProducerID, nowhere.ProducerEpoch = id+"3", 1<<40, 0
	nowhere.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0, 9}}}
	add("add unknown partitions", 3, nowhere)
	verify := kmsg.NewPtrAddPartitionsToTxnRequest()
	verify.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: id + "3", ProducerID: 1 << 40, VerifyOnly: true, Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: []int32{0}}}}}
	add("verify an unknown transaction", 5, verify)
	offsets := kmsg.NewPtrAddOffsetsToTxnRequest()
	offsets.TransactionalID, offsets.ProducerID, offsets.Group = id+"3", 1<<40, topic+"-offsets"
	add("add offsets to an unknown transaction", 3, offsets)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.Commit = id+"3", 1<<40, true
	add("end an unknown transaction", 4, end)
	mark := kmsg.NewPtrWriteTxnMarkersRequest()
	mark.Markers = []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: 1 << 40, Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{9}}}}}
	add("abort in an unknown partition", 1, mark)
	producers := kmsg.NewPtrDescribeProducersRequest()
	producers.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: []int32{0, 9}}, {Topic: "nowhere", Partitions: []int32{0}}}
	add("describe producers", 0, producers)
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{id + "3"}
	add("describe an unknown transaction", 0, describe)
	list := kmsg.NewPtrListTransactionsRequest()
	list.TransactionalIDPattern = kmsg.StringPtr("[")
	add("list transactions by a bad pattern", 2, list)
}

func clusterCases(topic string, add func(string, int16, kmsg.Request)) {
	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.EndpointType = 2
	add("describe the controllers of a broker", 1, cluster)
	elect := kmsg.NewPtrElectLeadersRequest()
	elect.TimeoutMillis = 60_000
	elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{0, 9}}}
	add("elect leaders", 2, elect)
	moves := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	mt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	mt.Topic = topic
	for i, replicas := range [][]int32{nil, {}, {1, 2}, {1}} {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		if p.Replicas = replicas; i == 3 {
			p.Partition = 9
		}
		mt.Partitions = []kmsg.AlterPartitionAssignmentsRequestTopicPartition{p}
		one := *moves
		one.TimeoutMillis, one.Topics = 60_000, []kmsg.AlterPartitionAssignmentsRequestTopic{mt}
		add("reassign", 0, &one)
	}
	dirs := kmsg.NewPtrAlterReplicaLogDirsRequest()
	dirs.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: "/elsewhere", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: []int32{0}}}}}
	add("move to a directory that is not there", 2, dirs)
	for version := int16(0); version <= 2; version++ {
		features := kmsg.NewPtrUpdateFeaturesRequest()
		features.TimeoutMillis = 60_000
		features.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "invented.version", MaxVersionLevel: 1, UpgradeType: 1}}
		add("update an unknown feature", version, features)
	}
	quorum := kmsg.NewPtrDescribeQuorumRequest()
	quorum.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	add("describe the quorum", 2, quorum)
}
