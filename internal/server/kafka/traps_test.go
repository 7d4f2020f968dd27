package kafka

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Traps are the places where servers that speak the protocol have gone wrong with clients. They are numbered from 1 to 12; the number is
// in the name of each test.

func apiVersions(version int16) *kmsg.ApiVersionsRequest {
	req := inVersion(kmsg.NewPtrApiVersionsRequest(), version)
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	return req
}

func TestTrap1ApiVersionsResponseHasNoHeaderTags(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	for v := int16(0); v <= 5; v++ {
		c.send(apiVersions(v))
		frame := c.receive()
		resp := apiVersions(v).ResponseKind().(*kmsg.ApiVersionsResponse)
		if err := resp.ReadFrom(frame[4:]); err != nil || resp.ErrorCode != 0 || len(resp.ApiKeys) != len(dispatch) {
			t.Errorf("v%d: error %v, code %d, %d keys", v, err, resp.ErrorCode, len(resp.ApiKeys))
		}
	}
}

func TestTrap1UnknownApiVersionsVersionIsAnsweredInVersion0WithItsOwnRange(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	body := []byte{0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 2, 3}
	c.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	frame := c.receive()
	var resp kmsg.ApiVersionsResponse
	if err := resp.ReadFrom(frame[4:]); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "v99", resp.ErrorCode, kerr.UnsupportedVersion)
	if len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 5 || len(frame) != 4+2+4+6 {
		t.Errorf("answer %+v in %d bytes", resp.ApiKeys, len(frame))
	}
	if got := ask[*kmsg.ApiVersionsResponse](c, apiVersions(3)); got.ErrorCode != 0 {
		t.Errorf("the second try: %d", got.ErrorCode)
	}
}

func TestTrap1FeaturesWithMinimumZeroAreHiddenBeforeApiVersions4(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	for v, want := range map[int16]int{3: 0, 4: len(features)} {
		resp := ask[*kmsg.ApiVersionsResponse](c, apiVersions(v))
		if len(resp.SupportedFeatures) != want {
			t.Errorf("v%d: supported features %+v", v, resp.SupportedFeatures)
		}
	}
}

func TestApiVersionsChecksTheClientAndTheNodeItExpects(t *testing.T) {
	s := serve(t, Options{})
	c := s.dial(t)
	cluster, other := s.broker.ClusterID(), "other"
	for _, x := range []struct {
		name    string
		cluster *string
		node    int32
		want    *kerr.Error
	}{
		{"test", &cluster, s.broker.NodeID(), nil},
		{"test", &other, s.broker.NodeID(), kerr.RebootstrapRequired},
		{"test", &cluster, 77, kerr.RebootstrapRequired},
		{"test", &cluster, -1, kerr.InvalidRequest},
		{"-test", nil, -1, kerr.InvalidRequest},
		{"", nil, -1, kerr.InvalidRequest},
	} {
		req := apiVersions(5)
		req.ClientSoftwareName, req.ClusterID, req.NodeID = x.name, x.cluster, x.node
		wantCode(t, x.name, ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode, x.want)
	}
}

func TestTrap2ProduceAndJoinGroupAreAdvertisedFrom0(t *testing.T) {
	s := serve(t, Options{})
	c := s.dial(t)
	for _, k := range ask[*kmsg.ApiVersionsResponse](c, apiVersions(4)).ApiKeys {
		if (k.ApiKey == 0 || k.ApiKey == 11) && k.MinVersion != 0 {
			t.Errorf("key %d from version %d", k.ApiKey, k.MinVersion)
		}
		if k.ApiKey == 0 && k.MaxVersion != 13 {
			t.Errorf("Produce up to %d", k.MaxVersion)
		}
	}
	c.send(produceRequest(2, "t", 0, nil))
	c.closed()
}

func TestTrap3Produce12ComesWithTransactionVersion2(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	for _, v := range []int16{3, 4} {
		resp := ask[*kmsg.ApiVersionsResponse](c, apiVersions(v))
		final := map[string]int16{}
		for _, f := range resp.FinalizedFeatures {
			final[f.Name] = f.MaxVersionLevel
		}
		if resp.FinalizedFeaturesEpoch < 0 || final["transaction.version"] != 2 {
			t.Errorf("v%d: finalized %+v in epoch %d", v, resp.FinalizedFeatures, resp.FinalizedFeaturesEpoch)
		}
	}
}

func TestTrap4InitProducerIDServesIdempotentProducers(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	seen := map[int64]bool{}
	for v := int16(0); v <= 5; v++ {
		req := inVersion(kmsg.NewPtrInitProducerIDRequest(), v)
		resp := ask[*kmsg.InitProducerIDResponse](c, req)
		if resp.ErrorCode != 0 || resp.ProducerID < 0 || seen[resp.ProducerID] || resp.ProducerEpoch != 0 {
			t.Errorf("v%d: %+v", v, resp)
		}
		seen[resp.ProducerID] = true
	}
}

func TestTrap9InitProducerIDRefusesBadRequests(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	empty, id := "", "id"
	for _, x := range []struct {
		name  string
		id    *string
		ms    int32
		pid   int64
		epoch int16
		want  *kerr.Error
	}{
		{"empty id", &empty, 1000, -1, -1, kerr.InvalidRequest},
		{"id without epoch", &id, 1000, 5, -1, kerr.InvalidRequest},
		{"timeout 0", &id, 0, -1, -1, kerr.InvalidTransactionTimeout},
		{"timeout beyond the limit", &id, 1<<31 - 1, -1, -1, kerr.InvalidTransactionTimeout},
	} {
		req := inVersion(kmsg.NewPtrInitProducerIDRequest(), 4)
		req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = x.id, x.ms, x.pid, x.epoch
		resp := ask[*kmsg.InitProducerIDResponse](c, req)
		wantCode(t, x.name, resp.ErrorCode, x.want)
		if resp.ProducerID != -1 {
			t.Errorf("%s: producer id %d", x.name, resp.ProducerID)
		}
	}
}

func TestTrap5OffsetFetchOfAnUnknownGroupIsMinusOneWithoutError(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	c := s.dial(t)
	for v := int16(1); v <= 10; v++ {
		req := inVersion(kmsg.NewPtrOffsetFetchRequest(), v)
		req.Group = "nobody"
		req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0, 5}}}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = "nobody"
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", TopicID: topic.ID, Partitions: []int32{0, 5}}}
		req.Groups = []kmsg.OffsetFetchRequestGroup{g}
		resp := ask[*kmsg.OffsetFetchResponse](c, req)
		var got []kmsg.OffsetFetchResponseTopicPartition
		if v < 8 {
			got = resp.Topics[0].Partitions
		} else {
			for _, p := range resp.Groups[0].Topics[0].Partitions {
				got = append(got, kmsg.OffsetFetchResponseTopicPartition(p))
			}
		}
		for _, p := range got {
			if p.ErrorCode != 0 || p.Offset != -1 || p.LeaderEpoch != -1 || *p.Metadata != "" {
				t.Errorf("v%d: %+v", v, p)
			}
		}
		if len(got) != 2 {
			t.Errorf("v%d: %d partitions", v, len(got))
		}
	}
}

func createTopic(version int16, name string, partitions int32, replication int16) *kmsg.CreateTopicsRequest {
	req := inVersion(kmsg.NewPtrCreateTopicsRequest(), version)
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, partitions, replication
	req.Topics = []kmsg.CreateTopicsRequestTopic{ct}
	return req
}

func TestTrap6ReplicationAboveOneIsTakenAndReportedAsOne(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	resp := ask[*kmsg.CreateTopicsResponse](c, createTopic(7, "t", 2, 3))
	if got := resp.Topics[0]; got.ErrorCode != 0 || got.ReplicationFactor != 1 || got.NumPartitions != 2 || got.TopicID == [16]byte{} {
		t.Errorf("%+v", got)
	}
	req := inVersion(kmsg.NewPtrMetadataRequest(), 9)
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}
	if p := ask[*kmsg.MetadataResponse](c, req).Topics[0].Partitions; len(p) != 2 || len(p[0].Replicas) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestTrap7FetchInsideABatchReturnsTheWholeBatchHoweverSmallTheLimit(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	c := s.dial(t)
	want := batchOf(plainBatch, testRecord{1, "a", strings.Repeat("x", 500)}, testRecord{2, "b", "y"}, testRecord{3, "c", "z"})
	wantCode(t, "produce", c.produce("t", want).ErrorCode, nil)
	for v := int16(4); v <= 18; v++ {
		req := fetchRequest(v, "t", 1)
		req.Topics[0].TopicID = topic.ID
		req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
		got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.HighWatermark != 3 || len(got.RecordBatches) != len(want) {
			t.Fatalf("v%d: code %d, high watermark %d, %d bytes, want %d", v, got.ErrorCode, got.HighWatermark, len(got.RecordBatches), len(want))
		}
		view, _, err := batch.Next(got.RecordBatches)
		if err != nil || view.BaseOffset() != 0 || view.Count() != 3 {
			t.Errorf("v%d: batch %v at %d with %d records", v, err, view.BaseOffset(), view.Count())
		}
	}
}

func TestTrap8MetadataCreatesTopicsAndAdvertisesIPv4(t *testing.T) {
	s := serve(t, Options{})
	c := s.dial(t)
	req := inVersion(kmsg.NewPtrMetadataRequest(), 8)
	req.AllowAutoTopicCreation = true
	for _, name := range []string{"new", "bad name", ""} {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(name)})
	}
	resp := ask[*kmsg.MetadataResponse](c, req)
	for i, want := range []*kerr.Error{nil, kerr.InvalidTopicException, kerr.InvalidTopicException} {
		wantCode(t, *resp.Topics[i].Topic, resp.Topics[i].ErrorCode, want)
	}
	if len(resp.Topics[0].Partitions) != 1 {
		t.Errorf("partitions %+v", resp.Topics[0].Partitions)
	}
	if b := resp.Brokers[0]; b.Host != "127.0.0.1" || !strings.HasSuffix(s.addr, ":"+itoa(b.Port)) {
		t.Errorf("advertised %s:%d, listening on %s", b.Host, b.Port, s.addr)
	}
	req.AllowAutoTopicCreation = false
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("other")}}
	wantCode(t, "without auto-creation", ask[*kmsg.MetadataResponse](c, req).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func TestMetadataFindsTopicsByID(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	c := s.dial(t)
	req := inVersion(kmsg.NewPtrMetadataRequest(), 13)
	req.Topics = []kmsg.MetadataRequestTopic{{TopicID: topic.ID}, {TopicID: [16]byte{1}}}
	resp := ask[*kmsg.MetadataResponse](c, req)
	if *resp.Topics[0].Topic != "t" || resp.Topics[0].ErrorCode != 0 {
		t.Errorf("%+v", resp.Topics[0])
	}
	wantCode(t, "unknown id", resp.Topics[1].ErrorCode, kerr.UnknownTopicID)
}

func TestTrap9ProduceErrors(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "compact", 1, map[string]string{"cleanup.policy": "compact"})
	s.topic(t, "small", 1, map[string]string{"max.message.bytes": "100"})
	c := s.dial(t)
	good := func() []byte { return batchOf(plainBatch, testRecord{1, "k", "v"}) }
	var b batch.Builder
	b.Reset(plainBatch)
	b.Append(1, nil, []byte("v"), nil)
	damaged := good()
	damaged[len(damaged)-1] ^= 1
	for _, x := range []struct {
		name, topic string
		records     []byte
		want        *kerr.Error
	}{
		{"unknown topic", "nowhere", good(), kerr.UnknownTopicOrPartition},
		{"record without key in a compacted topic", "compact", b.AppendTo(nil), kerr.InvalidRecord},
		{"batch over the topic's limit", "small", batchOf(plainBatch, testRecord{1, "k", strings.Repeat("v", 200)}), kerr.MessageTooLarge},
		{"damaged batch", "compact", damaged, kerr.CorruptMessage},
	} {
		got := c.produce(x.topic, x.records)
		wantCode(t, x.name, got.ErrorCode, x.want)
		if got.BaseOffset != -1 {
			t.Errorf("%s: base offset %d", x.name, got.BaseOffset)
		}
	}
	req := produceRequest(9, "compact", 0, good())
	req.Acks = 2
	wantCode(t, "acks=2", ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0].ErrorCode, kerr.InvalidRequiredAcks)
}

func TestTrap9CreateTopicsMakesTheValidOnesAmongInvalidOnes(t *testing.T) {
	c := serve(t, Options{}).dial(t)
	req := createTopic(7, "good", 1, 1)
	bad := createTopic(7, "bad", 1, 1).Topics[0]
	value := "nonsense"
	bad.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &value}}
	null := createTopic(7, "null", 1, 1).Topics[0]
	null.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
	twice := createTopic(7, "twice", 1, 1).Topics[0]
	req.Topics = append(req.Topics, bad, null, twice, twice, createTopic(7, "no/name", 1, 1).Topics[0])
	resp := ask[*kmsg.CreateTopicsResponse](c, req)
	want := map[string]*kerr.Error{"good": nil, "bad": kerr.InvalidConfig, "null": kerr.InvalidConfig, "twice": kerr.InvalidRequest, "no/name": kerr.InvalidTopicException}
	if len(resp.Topics) != len(want) {
		t.Errorf("%d answers", len(resp.Topics))
	}
	for _, rt := range resp.Topics {
		wantCode(t, rt.Topic, rt.ErrorCode, want[rt.Topic])
	}
	if len(resp.Topics[0].Configs) < 10 {
		t.Errorf("%d configs of the new topic", len(resp.Topics[0].Configs))
	}
}

func TestTrap10DescribeConfigsListsEveryDefault(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, map[string]string{"retention.ms": "1000"})
	c := s.dial(t)
	req := inVersion(kmsg.NewPtrDescribeConfigsRequest(), 4)
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	req.Resources = []kmsg.DescribeConfigsRequestResource{
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "nowhere"},
		{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"},
		{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "9"},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", ConfigNames: []string{"cleanup.policy"}},
	}
	resp := ask[*kmsg.DescribeConfigsResponse](c, req)
	found := map[string]kmsg.DescribeConfigsResponseResourceConfig{}
	for _, cfg := range resp.Resources[0].Configs {
		found[cfg.Name] = cfg
	}
	for _, name := range []string{"cleanup.policy", "retention.ms", "max.message.bytes", "message.timestamp.type", "segment.bytes", "min.insync.replicas", "compression.type"} {
		if _, ok := found[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	r := found["retention.ms"]
	if *r.Value != "1000" || r.Source != kmsg.ConfigSourceDynamicTopicConfig || r.ConfigType != kmsg.ConfigTypeLong || len(r.ConfigSynonyms) != 2 {
		t.Errorf("retention.ms: %+v", r)
	}
	if found["cleanup.policy"].Source != kmsg.ConfigSourceDefaultConfig {
		t.Errorf("cleanup.policy: %+v", found["cleanup.policy"])
	}
	wantCode(t, "unknown topic", resp.Resources[1].ErrorCode, kerr.UnknownTopicOrPartition)
	wantCode(t, "this broker", resp.Resources[2].ErrorCode, nil)
	wantCode(t, "another broker", resp.Resources[3].ErrorCode, kerr.InvalidRequest)
	if len(resp.Resources[2].Configs) == 0 || len(resp.Resources[4].Configs) != 1 {
		t.Errorf("%d broker settings, %d chosen", len(resp.Resources[2].Configs), len(resp.Resources[4].Configs))
	}
}

func TestTrap10OffsetCommitKeepsMetadata(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	commit := inVersion(kmsg.NewPtrOffsetCommitRequest(), 8)
	commit.Group, commit.Generation = "g", -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch, p.Metadata = 42, 3, kmsg.StringPtr("who did it")
	commit.Topics = []kmsg.OffsetCommitRequestTopic{
		{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}},
		{Topic: "nowhere", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}},
	}
	resp := ask[*kmsg.OffsetCommitResponse](c, commit)
	wantCode(t, "commit", resp.Topics[0].Partitions[0].ErrorCode, nil)
	wantCode(t, "commit to an unknown topic", resp.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	fetch := inVersion(kmsg.NewPtrOffsetFetchRequest(), 7)
	fetch.Group, fetch.Topics = "g", nil // all
	got := ask[*kmsg.OffsetFetchResponse](c, fetch).Topics[0].Partitions[0]
	if got.Offset != 42 || got.LeaderEpoch != 3 || *got.Metadata != "who did it" {
		t.Errorf("%+v", got)
	}
}

func TestTrap10ListOffsetsByTime(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	for _, ts := range []int64{100, 300, 200} {
		c.produce("t", batchOf(plainBatch, testRecord{record.Timestamp(1000000000000 + ts), "k", "v"}))
	}
	for _, x := range []struct {
		name         string
		ts           int64
		offset, time int64
	}{
		{"first at or after", 1000000000150, 1, 1000000000300},
		{"none after", 1000000000400, -1, -1},
		{"the end", -1, 3, -1},
		{"the start", -2, 0, -1},
		{"the greatest timestamp", -3, 1, 1000000000300},
		{"the local start", -4, 0, -1},
	} {
		req := inVersion(kmsg.NewPtrListOffsetsRequest(), 9)
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = x.ts
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		got := ask[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.Offset != x.offset || got.Timestamp != x.time {
			t.Errorf("%s: %+v", x.name, got)
		}
	}
}

func TestTrap9ProduceToWhatIsNoTopic(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "__consumer_offsets", 1, nil)
	c := s.dial(t)
	good := func() []byte { return batchOf(plainBatch, testRecord{1, "k", "v"}) }
	for name, want := range map[string]*kerr.Error{
		"no/topic": kerr.UnknownTopicOrPartition, "": kerr.UnknownTopicOrPartition, strings.Repeat("x", 300): kerr.UnknownTopicOrPartition,
		"__consumer_offsets": kerr.InvalidTopicException,
	} {
		wantCode(t, name, c.produce(name, good()).ErrorCode, want)
	}
	req := produceRequest(13, "", 0, good())
	req.Topics[0].TopicID = [16]byte{7}
	wantCode(t, "unknown id", ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
}

func TestTrap11TheLastFiveBatchesAreRecognisedWithTheirOffsets(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 2, nil)
	c := s.dial(t)
	init := ask[*kmsg.InitProducerIDResponse](c, inVersion(kmsg.NewPtrInitProducerIDRequest(), 4))
	p := batch.Params{ProducerID: init.ProducerID, ProducerEpoch: init.ProducerEpoch}
	send := func(partition int32) kmsg.ProduceResponseTopicPartition {
		return ask[*kmsg.ProduceResponse](c, produceRequest(9, "t", partition, batchOf(p, testRecord{1, "k", "v"}))).Topics[0].Partitions[0]
	}
	for p.BaseSequence = range int32(6) {
		if got := send(0); got.ErrorCode != 0 || got.BaseOffset != int64(p.BaseSequence) {
			t.Fatalf("batch %d: %+v", p.BaseSequence, got)
		}
	}
	for p.BaseSequence = 5; p.BaseSequence >= 1; p.BaseSequence-- {
		if got := send(0); got.ErrorCode != 0 || got.BaseOffset != int64(p.BaseSequence) {
			t.Errorf("retry of batch %d: %+v", p.BaseSequence, got)
		}
	}
	wantCode(t, "the sixth last", send(0).ErrorCode, kerr.OutOfOrderSequenceNumber)
	p.BaseSequence = 7
	wantCode(t, "a gap", send(0).ErrorCode, kerr.OutOfOrderSequenceNumber)
	// A producer that the partition does not know may begin anywhere, here at the last sequence there is; the next one is 0.
	p.BaseSequence = 1<<31 - 1
	wantCode(t, "any first sequence", send(1).ErrorCode, nil)
	p.BaseSequence = -1 << 31
	wantCode(t, "a negative sequence", send(1).ErrorCode, kerr.InvalidRecord)
	p.BaseSequence = 0
	wantCode(t, "the sequence wraps to 0", send(1).ErrorCode, nil)
	p.ProducerEpoch, p.BaseSequence = p.ProducerEpoch+1, 1
	wantCode(t, "a new epoch does not begin at 1", send(1).ErrorCode, kerr.OutOfOrderSequenceNumber)
	p.BaseSequence = 0
	wantCode(t, "a new epoch begins at 0", send(1).ErrorCode, nil)
	p.ProducerEpoch, p.BaseSequence = p.ProducerEpoch-1, 1
	wantCode(t, "the old epoch", send(1).ErrorCode, kerr.InvalidProducerEpoch)
}

func TestTrap11ARetriedBatchGetsItsOriginalOffset(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	init := ask[*kmsg.InitProducerIDResponse](c, inVersion(kmsg.NewPtrInitProducerIDRequest(), 4))
	p := batch.Params{ProducerID: init.ProducerID, ProducerEpoch: init.ProducerEpoch}
	for i := range int32(3) {
		p.BaseSequence = i
		if got := c.produce("t", batchOf(p, testRecord{1, "k", "v"})); got.ErrorCode != 0 || got.BaseOffset != int64(i) {
			t.Fatalf("batch %d: %+v", i, got)
		}
	}
	p.BaseSequence = 1
	if got := c.produce("t", batchOf(p, testRecord{1, "k", "v"})); got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Errorf("retry: %+v", got)
	}
	p.BaseSequence = 7
	wantCode(t, "a gap", c.produce("t", batchOf(p, testRecord{1, "k", "v"})).ErrorCode, kerr.OutOfOrderSequenceNumber)
}
