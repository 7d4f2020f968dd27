package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestTrap9RefusedRecordsAreNamed(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "compact", 1, map[string]string{"cleanup.policy": "compact"})
	s.topic(t, "strict", 1, map[string]string{"message.timestamp.before.max.ms": fmt.Sprint(time.Hour.Milliseconds())})
	c := s.dial(t)
	now := time.Now().UnixMilli()
	var b batch.Builder
	b.Reset(plainBatch)
	for i, key := range []string{"a", "", "b", ""} {
		var k []byte
		if key != "" {
			k = []byte(key)
		}
		b.Append(record.Timestamp(now-int64(i)*2*time.Hour.Milliseconds()), k, []byte("v"), nil)
	}
	keyless := b.AppendTo(nil)
	for _, x := range []struct {
		topic string
		want  *kerr.Error
		which []int32
	}{{"compact", kerr.InvalidRecord, []int32{1, 3}}, {"strict", kerr.InvalidTimestamp, []int32{1, 2, 3}}} {
		got := c.produce(x.topic, append([]byte(nil), keyless...))
		wantCode(t, x.topic, got.ErrorCode, x.want)
		if got.BaseOffset != -1 || got.LogStartOffset != 0 || got.ErrorMessage == nil || len(got.ErrorRecords) != len(x.which) {
			t.Fatalf("%s: %+v", x.topic, got)
		}
		for i, r := range got.ErrorRecords {
			if r.RelativeOffset != x.which[i] || r.ErrorMessage == nil || *r.ErrorMessage == "" {
				t.Errorf("%s: record %+v, want %d", x.topic, r, x.which[i])
			}
		}
	}
	b.Reset(plainBatch)
	for range 1000 {
		b.Append(record.Timestamp(now), nil, nil, nil)
	}
	if got := c.produce("compact", b.AppendTo(nil)); len(got.ErrorRecords) != 100 {
		t.Errorf("%d of 1000 records are named", len(got.ErrorRecords))
	}
}

func TestTrap10ListOffsetsKnowsSpecialTimesByVersion(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	wantCode(t, "produce", c.produce("t", batchOf(plainBatch, testRecord{5000, "k", "v"})).ErrorCode, nil)
	for _, x := range []struct {
		ts           int64
		since        int16
		offset, time int64
	}{{-1, 1, 1, -1}, {-2, 1, 0, -1}, {-3, 7, 0, 5000}, {-4, 8, 0, -1}, {-5, 9, -1, -1}, {-6, 11, -1, -1}, {-7, 99, 0, 0}} {
		for v := int16(1); v <= 11; v++ {
			req := inVersion(kmsg.NewPtrListOffsetsRequest(), v)
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp = x.ts
			req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
			got := ask[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0]
			if v < x.since {
				wantCode(t, "time unknown to the version", got.ErrorCode, kerr.UnsupportedVersion)
			} else if got.ErrorCode != 0 || got.Offset != x.offset || got.Timestamp != x.time {
				t.Errorf("v%d, time %d: %+v", v, x.ts, got)
			}
		}
	}
}

func TestAddPartitionsInBatchesVerifiesAndAdds(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 2, nil)
	c := s.dial(t)
	p := initTxn(c, "id", time.Minute)
	ask5 := func(version int16, verify bool, epoch int16, partitions ...int32) []kmsg.AddPartitionsToTxnResponseTransactionTopicPartition {
		req := inVersion(kmsg.NewPtrAddPartitionsToTxnRequest(), version)
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{
			TransactionalID: "id", ProducerID: p.ProducerID, ProducerEpoch: epoch, VerifyOnly: verify,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: partitions}},
		}}
		resp := ask[*kmsg.AddPartitionsToTxnResponse](c, req)
		if resp.ErrorCode != 0 || len(resp.Transactions) != 1 || resp.Transactions[0].TransactionalID != "id" {
			t.Fatalf("%+v", resp)
		}
		return resp.Transactions[0].Topics[0].Partitions
	}
	wantCode(t, "not added, v4", ask5(4, true, p.ProducerEpoch, 0)[0].ErrorCode, kerr.InvalidTxnState)
	wantCode(t, "not added, v5", ask5(5, true, p.ProducerEpoch, 0)[0].ErrorCode, kerr.TransactionAbortable)
	wantCode(t, "add", ask5(5, false, p.ProducerEpoch, 0)[0].ErrorCode, nil)
	got := ask5(5, true, p.ProducerEpoch, 0, 1)
	wantCode(t, "added", got[0].ErrorCode, nil)
	wantCode(t, "the other partition", got[1].ErrorCode, kerr.TransactionAbortable)
	wantCode(t, "another epoch", ask5(5, true, p.ProducerEpoch+1, 0)[0].ErrorCode, kerr.ProducerFenced)
}

// transactional is a Produce of one record in a transaction.
func transactional(c *rawClient, id string, p *kmsg.InitProducerIDResponse, partition, sequence int32) int16 {
	c.t.Helper()
	params := batch.Params{ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, BaseSequence: sequence, Transactional: true}
	req := produceRequest(9, "t", partition, batchOf(params, testRecord{1, "k", "v"}))
	req.TransactionID = &id
	return ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0].ErrorCode
}

func TestAnAdministratorAbortsAnOpenTransaction(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	p := initTxn(c, "id", time.Minute)
	wantCode(t, "add partitions", addPartition(c, "id", p), nil)
	wantCode(t, "produce", transactional(c, "id", p, 0, 0), nil)
	mark := func(version, epoch int16, commit bool, partition int32) int16 {
		req := inVersion(kmsg.NewPtrWriteTxnMarkersRequest(), version)
		req.Markers = []kmsg.WriteTxnMarkersRequestMarker{{
			ProducerID: p.ProducerID, ProducerEpoch: epoch, Committed: commit,
			Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "t", Partitions: []int32{partition}}},
		}}
		return ask[*kmsg.WriteTxnMarkersResponse](c, req).Markers[0].Topics[0].Partitions[0].ErrorCode
	}
	stable := func() int64 {
		return toldPartitions(ask[*kmsg.FetchResponse](c, fetchRequest(12, "t", 0)))[0].LastStableOffset
	}
	wantCode(t, "commit", mark(1, p.ProducerEpoch, true, 0), kerr.InvalidRequest)
	wantCode(t, "unknown partition", mark(1, p.ProducerEpoch, false, 9), kerr.UnknownTopicOrPartition)
	wantCode(t, "older epoch", mark(2, p.ProducerEpoch-1, false, 0), kerr.InvalidProducerEpoch)
	if got := stable(); got != 0 {
		t.Fatalf("last stable offset %d", got)
	}
	wantCode(t, "abort", mark(2, p.ProducerEpoch, false, 0), nil)
	if got := stable(); got != 2 { // the record and its marker
		t.Errorf("last stable offset %d", got)
	}
	wantCode(t, "abort again", mark(1, p.ProducerEpoch+1, false, 0), nil)
	wantCode(t, "the producer's commit", endTxn(c, 4, "id", p, true).ErrorCode, kerr.ProducerFenced)
}

func TestReassignmentsAndLogDirsGrantOnlyWhatIsThere(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	req := inVersion(kmsg.NewPtrAlterPartitionAssignmentsRequest(), 1)
	at := func(partition int32, replicas []int32) kmsg.AlterPartitionAssignmentsRequestTopicPartition {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = partition, replicas
		return p
	}
	topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	topic.Topic = "t"
	topic.Partitions = append(topic.Partitions, at(0, []int32{1}), at(0, nil), at(0, []int32{}), at(0, []int32{1, 2}), at(7, []int32{1}))
	req.Topics = append(req.Topics, topic)
	want := []*kerr.Error{nil, kerr.NoReassignmentInProgress, kerr.InvalidReplicaAssignment, kerr.InvalidReplicaAssignment, kerr.UnknownTopicOrPartition}
	for i, p := range ask[*kmsg.AlterPartitionAssignmentsResponse](c, req).Topics[0].Partitions {
		wantCode(t, "reassign", p.ErrorCode, want[i])
	}
	for _, x := range []struct {
		dir       string
		partition int32
		want      *kerr.Error
	}{{logDir, 0, nil}, {logDir, 3, kerr.UnknownTopicOrPartition}, {"/elsewhere", 0, kerr.LogDirNotFound}} {
		move := inVersion(kmsg.NewPtrAlterReplicaLogDirsRequest(), 2)
		move.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: x.dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "t", Partitions: []int32{x.partition}}}}}
		wantCode(t, x.dir, ask[*kmsg.AlterReplicaLogDirsResponse](c, move).Topics[0].Partitions[0].ErrorCode, x.want)
	}
}

func TestTheQuorumIsTheNodeItself(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	for v := int16(0); v <= 2; v++ {
		req := inVersion(kmsg.NewPtrDescribeQuorumRequest(), v)
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}, {Partition: 1}}}}
		resp := ask[*kmsg.DescribeQuorumResponse](c, req)
		p := resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.HighWatermark <= 0 || len(p.CurrentVoters) != 1 || p.CurrentVoters[0].LogEndOffset != p.HighWatermark {
			t.Errorf("v%d: %+v", v, p)
		}
		wantCode(t, "another partition", resp.Topics[0].Partitions[1].ErrorCode, kerr.UnknownTopicOrPartition)
		if v == 2 && (len(resp.Nodes) != 1 || resp.Nodes[0].Listeners[0].Host != "127.0.0.1") {
			t.Errorf("nodes %+v", resp.Nodes)
		}
	}
}

func TestFeaturesStayAtTheirLevels(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	for _, x := range []struct {
		feature string
		level   int16
		want    *kerr.Error
	}{
		{"transaction.version", 2, nil},
		{"transaction.version", 1, kerr.InvalidUpdateVersion},
		{"transaction.version", 3, kerr.InvalidUpdateVersion},
		{"invented.version", 1, kerr.InvalidUpdateVersion},
	} {
		for v := int16(0); v <= 2; v++ {
			req := inVersion(kmsg.NewPtrUpdateFeaturesRequest(), v)
			req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: x.feature, MaxVersionLevel: x.level, UpgradeType: 1}}
			resp := ask[*kmsg.UpdateFeaturesResponse](c, req)
			wantCode(t, x.feature, resp.ErrorCode, x.want)
			if x.want != nil && (resp.ErrorMessage == nil || !strings.Contains(*resp.ErrorMessage, x.feature)) {
				t.Errorf("v%d: no word about %s", v, x.feature)
			}
		}
	}
}

func TestNodeSettingsChangeWhileItRuns(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "own", 1, map[string]string{"max.message.bytes": "1000000"})
	s.topic(t, "following", 1, nil)
	c := s.dial(t)
	alter := func(resource, name string, op kmsg.IncrementalAlterConfigOp, value string) int16 {
		req := inVersion(kmsg.NewPtrIncrementalAlterConfigsRequest(), 1)
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: resource,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Op: op, Value: &value}},
		}}
		return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0].ErrorCode
	}
	set, unset := kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete
	wantCode(t, "all nodes", alter("", "message.max.bytes", set, "200"), nil)
	wantCode(t, "this node", alter("1", "log.cleaner.backoff.ms", set, "20000"), nil)
	wantCode(t, "another node", alter("2", "log.cleaner.backoff.ms", set, "1"), kerr.InvalidRequest)
	wantCode(t, "fixed", alter("1", "node.id", set, "5"), kerr.InvalidRequest)
	wantCode(t, "impossible", alter("1", "message.max.bytes", set, "-5"), kerr.InvalidRequest)
	wantCode(t, "removed that was not there", alter("1", "leader.replication.throttled.rate", unset, ""), nil)
	describe := func(typ kmsg.ConfigResourceType, resource, name string) kmsg.DescribeConfigsResponseResourceConfig {
		req := inVersion(kmsg.NewPtrDescribeConfigsRequest(), 4)
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: typ, ResourceName: resource, ConfigNames: []string{name}}}
		resp := ask[*kmsg.DescribeConfigsResponse](c, req)
		if len(resp.Resources[0].Configs) != 1 {
			t.Fatalf("%s of %q: %+v", name, resource, resp.Resources[0])
		}
		return resp.Resources[0].Configs[0]
	}
	for _, x := range []struct {
		typ            kmsg.ConfigResourceType
		resource, name string
		value          string
		source         kmsg.ConfigSource
	}{
		{kmsg.ConfigResourceTypeBroker, "1", "log.cleaner.backoff.ms", "20000", kmsg.ConfigSourceDynamicBrokerConfig},
		{kmsg.ConfigResourceTypeBroker, "1", "message.max.bytes", "200", kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", "200", kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{kmsg.ConfigResourceTypeTopic, "following", "max.message.bytes", "200", kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{kmsg.ConfigResourceTypeTopic, "own", "max.message.bytes", "1000000", kmsg.ConfigSourceDynamicTopicConfig},
	} {
		if got := describe(x.typ, x.resource, x.name); *got.Value != x.value || got.Source != x.source || got.ReadOnly {
			t.Errorf("%s of %q: %s, source %v, read only %v", x.name, x.resource, *got.Value, got.Source, got.ReadOnly)
		}
	}
	large := batchOf(plainBatch, testRecord{record.Timestamp(time.Now().UnixMilli()), "k", strings.Repeat("v", 500)})
	wantCode(t, "a topic of its own mind", c.produce("own", append([]byte(nil), large...)).ErrorCode, nil)
	wantCode(t, "a topic that follows", c.produce("following", append([]byte(nil), large...)).ErrorCode, kerr.MessageTooLarge)
	wantCode(t, "unset", alter("", "message.max.bytes", unset, ""), nil)
	wantCode(t, "after that", c.produce("following", large).ErrorCode, nil)
}

// What the comparison with Apache Kafka's own answers has found.
func TestErrorsForWhatIsNotThere(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	good := batchOf(plainBatch, testRecord{1, "k", "v"})
	byID := produceRequest(13, "", 0, good)
	wantCode(t, "produce by the zero id", ask[*kmsg.ProduceResponse](c, byID).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
	wantCode(t, "produce nothing", c.produce("t", []byte{}).ErrorCode, kerr.InvalidRecord)
	wantCode(t, "fetch by the zero id", toldPartitions(ask[*kmsg.FetchResponse](c, fetchRequest(13, "", 0)))[0].ErrorCode, kerr.UnknownTopicID)
	for typ, want := range map[int8]*kerr.Error{1: nil, 2: kerr.MismatchedEndpointType, 3: kerr.UnsupportedEndpointType} {
		req := inVersion(kmsg.NewPtrDescribeClusterRequest(), 1)
		req.EndpointType = typ
		wantCode(t, "describe cluster", ask[*kmsg.DescribeClusterResponse](c, req).ErrorCode, want)
	}
	commit := inVersion(kmsg.NewPtrOffsetCommitRequest(), 8)
	commit.Group, commit.Generation = "g", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
	wantCode(t, "commit", ask[*kmsg.OffsetCommitResponse](c, commit).Topics[0].Partitions[0].ErrorCode, nil)
	forget := inVersion(kmsg.NewPtrOffsetDeleteRequest(), 0)
	forget.Group = "g"
	forget.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 9}, {}}}, {Topic: "nowhere", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
	resp := ask[*kmsg.OffsetDeleteResponse](c, forget)
	wantCode(t, "offset of an unknown partition", resp.Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	wantCode(t, "offset", resp.Topics[0].Partitions[1].ErrorCode, nil)
	wantCode(t, "offset of an unknown topic", resp.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

func TestGroupsHaveSettingsOfTheirOwn(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	const groups = kmsg.ConfigResourceTypeGroupConfig
	alter := func(group, name, value string) int16 {
		req := inVersion(kmsg.NewPtrIncrementalAlterConfigsRequest(), 1)
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: groups, ResourceName: group, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
		}}
		return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0].ErrorCode
	}
	wantCode(t, "set", alter("g", "consumer.heartbeat.interval.ms", "7000"), nil)
	wantCode(t, "out of bounds", alter("g", "consumer.session.timeout.ms", "1"), kerr.InvalidConfig)
	wantCode(t, "unknown", alter("g", "consumer.patience", "1"), kerr.InvalidConfig)
	wantCode(t, "no group", alter("", "consumer.heartbeat.interval.ms", "7000"), kerr.InvalidRequest)
	describe := inVersion(kmsg.NewPtrDescribeConfigsRequest(), 4)
	describe.IncludeSynonyms = true
	describe.Resources = []kmsg.DescribeConfigsRequestResource{
		{ResourceType: groups, ResourceName: "g"},
		{ResourceType: groups, ResourceName: "unset", ConfigNames: []string{"consumer.heartbeat.interval.ms"}},
		{ResourceType: groups, ResourceName: ""},
	}
	resp := ask[*kmsg.DescribeConfigsResponse](c, describe)
	if g := resp.Resources[0]; g.ErrorCode != 0 || len(g.Configs) != 3 || *g.Configs[1].Value != "7000" || g.Configs[1].Source != kmsg.ConfigSourceGroupConfig || len(g.Configs[1].ConfigSynonyms) != 2 || g.Configs[1].ConfigSynonyms[1].Name != "group.consumer.heartbeat.interval.ms" {
		t.Errorf("%+v", g)
	}
	if g := resp.Resources[1]; g.ErrorCode != 0 || len(g.Configs) != 1 || *g.Configs[0].Value != "5000" || g.Configs[0].Source != kmsg.ConfigSourceDefaultConfig {
		t.Errorf("%+v", g)
	}
	wantCode(t, "describe no group", resp.Resources[2].ErrorCode, kerr.InvalidRequest)
	list := inVersion(kmsg.NewPtrListConfigResourcesRequest(), 1)
	list.ResourceTypes = []int8{int8(groups)}
	if got := ask[*kmsg.ListConfigResourcesResponse](c, list).ConfigResources; len(got) != 1 || got[0].Name != "g" || got[0].Type != int8(groups) {
		t.Errorf("%+v", got)
	}
	beat := inVersion(kmsg.NewPtrConsumerGroupHeartbeatRequest(), 1)
	beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis, beat.SubscribedTopicNames, beat.Topics = "g", "m", 1000, []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, beat); got.ErrorCode != 0 || got.HeartbeatIntervalMillis != 7000 {
		t.Errorf("%+v", got)
	}
}
