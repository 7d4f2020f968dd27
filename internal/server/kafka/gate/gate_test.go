package gate

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var topicID = [16]byte{7}

// world is a node with one topic, t.
type world struct{}

func (world) Name(id [16]byte) (string, bool) { return "t", id == topicID }
func (world) Exists(name string) bool         { return name == "t" }
func (world) Names() []string                 { return []string{"t"} }

// A sample is a request for one thing of each kind (topic t, group g, transactional id x) and who may send it, in the words of Kafka's
// documentation. The rule is a list of demands, which are judged in their order: alternatives, then what happens without any:
// an error's code, "gone" (left out of the answer) or "silent" (the connection ends).
type sample struct {
	name    string
	request kmsg.Request
	answer  kmsg.Response // of the handler, where the gate looks at it
	rule    string
}

func p[T any](v T) *T { return &v }

func in[R kmsg.Request](version int16, r R) R {
	r.SetVersion(version)
	return r
}

func produceOf(version, acks int16, id *string, records []byte) *kmsg.ProduceRequest {
	t := kmsg.ProduceRequestTopic{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: records}}}
	if version >= 13 {
		t.Topic, t.TopicID = "", topicID
	}
	return in(version, &kmsg.ProduceRequest{Acks: acks, TransactionID: id, Topics: []kmsg.ProduceRequestTopic{t}})
}

func batchOf(transactional bool) []byte {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: 1, Transactional: transactional})
	b.Append(1, nil, []byte("v"), nil)
	return b.AppendTo(nil)
}

func configOf(typ kmsg.ConfigResourceType) []kmsg.Request {
	name := map[kmsg.ConfigResourceType]string{kmsg.ConfigResourceTypeTopic: "t", kmsg.ConfigResourceTypeGroupConfig: "g"}[typ]
	return []kmsg.Request{
		&kmsg.DescribeConfigsRequest{Version: 4, Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: typ, ResourceName: name}}},
		&kmsg.AlterConfigsRequest{Version: 2, Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: typ, ResourceName: name}}},
		&kmsg.IncrementalAlterConfigsRequest{Version: 1, Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: typ, ResourceName: name}}},
	}
}

func samples() []sample {
	var (
		tp     = []int32{0}
		tTopic = kmsg.MetadataResponse{Topics: []kmsg.MetadataResponseTopic{{Topic: p("t"), TopicID: topicID}}}
	)
	named := func(version int16, name string, create bool) *kmsg.MetadataRequest {
		return &kmsg.MetadataRequest{Version: version, AllowAutoTopicCreation: create, Topics: []kmsg.MetadataRequestTopic{{Topic: &name}}}
	}
	meta := func() *kmsg.MetadataResponse {
		r := tTopic
		r.Topics = append([]kmsg.MetadataResponseTopic(nil), r.Topics...)
		return &r
	}
	out := []sample{
		{"produce", produceOf(9, -1, nil, batchOf(false)), nil, "topic:WRITE>29"},
		{"produce by id", produceOf(13, -1, nil, batchOf(false)), nil, "topic:WRITE>29"},
		{"produce by an id that nobody has", &kmsg.ProduceRequest{Version: 13, Acks: -1, Topics: []kmsg.ProduceRequestTopic{{TopicID: [16]byte{1}}}}, nil, ""},
		{"commit offsets without a name or an id", &kmsg.OffsetCommitRequest{Version: 10, Group: "g", Topics: []kmsg.OffsetCommitRequestTopic{{Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}}, nil, "group:READ>30"},
		{"produce unacknowledged", produceOf(9, 0, nil, batchOf(false)), nil, "topic:WRITE>silent"},
		{"produce in a transaction", produceOf(9, -1, p("x"), batchOf(true)), nil, "txn:WRITE>53 topic:WRITE>29"},
		{"produce under a transactional id", produceOf(9, -1, p("x"), batchOf(false)), nil, "txn:WRITE>53 topic:WRITE>29"},
		{"produce a transaction's batch without an id", produceOf(9, -1, nil, batchOf(true)), nil, "never>53"},
		{"fetch", &kmsg.FetchRequest{Version: 12}, nil, ""},
		{"list offsets", &kmsg.ListOffsetsRequest{Version: 7, Topics: []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{}}}}}, nil, "topic:DESCRIBE>29"},
		{"metadata of a topic", named(9, "t", true), meta(), "topic:DESCRIBE>29"},
		{"metadata of a topic, v0", named(0, "t", false), meta(), "topic:DESCRIBE>29"},
		{"metadata by id", &kmsg.MetadataRequest{Version: 12, Topics: []kmsg.MetadataRequestTopic{{TopicID: topicID}}}, meta(), "topic:DESCRIBE>29"},
		{"metadata of all", &kmsg.MetadataRequest{Version: 9}, meta(), "topic:DESCRIBE>gone"},
		{"metadata of all, v0", &kmsg.MetadataRequest{Version: 0, Topics: []kmsg.MetadataRequestTopic{}}, meta(), "topic:DESCRIBE>gone"},
		{"metadata that makes a topic", named(9, "tnew", true), &kmsg.MetadataResponse{}, "topic:DESCRIBE>29 cluster:CREATE|topic:CREATE>29"},
		{"metadata that makes a topic, v1", named(1, "tnew", false), &kmsg.MetadataResponse{}, "topic:DESCRIBE>29 cluster:CREATE|topic:CREATE>29"},
		{"metadata that makes no topic", named(9, "tnew", false), &kmsg.MetadataResponse{}, "topic:DESCRIBE>29"},
		{"commit offsets", &kmsg.OffsetCommitRequest{Version: 7, Group: "g", Topics: []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}}, nil, "group:READ>30 topic:READ>29"},
		{"commit offsets by id", &kmsg.OffsetCommitRequest{Version: 10, Group: "g", Topics: []kmsg.OffsetCommitRequestTopic{{TopicID: topicID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}}, nil, "group:READ>30 topic:READ>29"},
		{"fetch offsets, v1", &kmsg.OffsetFetchRequest{Version: 1, Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: tp}}}, nil, "group:DESCRIBE>30 topic:DESCRIBE>29"},
		{"fetch offsets", &kmsg.OffsetFetchRequest{Version: 7, Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: tp}}}, nil, "group:DESCRIBE>30 topic:DESCRIBE>29"},
		{"fetch all offsets", &kmsg.OffsetFetchRequest{Version: 7, Group: "g"}, &kmsg.OffsetFetchResponse{Topics: []kmsg.OffsetFetchResponseTopic{{Topic: "t"}}}, "group:DESCRIBE>30 topic:DESCRIBE>gone"},
		{"fetch offsets of groups", &kmsg.OffsetFetchRequest{Version: 8, Groups: []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: tp}}}}}, &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{Group: "g"}}}, "group:DESCRIBE>30 topic:DESCRIBE>29"},
		{"fetch offsets of groups by id", &kmsg.OffsetFetchRequest{Version: 10, Groups: []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{TopicID: topicID, Partitions: tp}}}}}, &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{Group: "g"}}}, "group:DESCRIBE>30 topic:DESCRIBE>29"},
		{"find a group's coordinator", &kmsg.FindCoordinatorRequest{Version: 3, CoordinatorKey: "g"}, nil, "group:DESCRIBE>30"},
		{"find a transaction's coordinator", &kmsg.FindCoordinatorRequest{Version: 3, CoordinatorType: 1, CoordinatorKey: "x"}, nil, "txn:DESCRIBE>53"},
		{"find coordinators of groups", &kmsg.FindCoordinatorRequest{Version: 4, CoordinatorKeys: []string{"g"}}, nil, "group:DESCRIBE>30"},
		{"find coordinators of transactions", &kmsg.FindCoordinatorRequest{Version: 4, CoordinatorType: 1, CoordinatorKeys: []string{"x"}}, nil, "txn:DESCRIBE>53"},
		{"join", &kmsg.JoinGroupRequest{Version: 9, Group: "g"}, nil, "group:READ>30"},
		{"heartbeat", &kmsg.HeartbeatRequest{Version: 4, Group: "g"}, nil, "group:READ>30"},
		{"leave", &kmsg.LeaveGroupRequest{Version: 5, Group: "g"}, nil, "group:READ>30"},
		{"sync", &kmsg.SyncGroupRequest{Version: 5, Group: "g"}, nil, "group:READ>30"},
		{"describe groups", &kmsg.DescribeGroupsRequest{Version: 5, Groups: []string{"g"}}, nil, "group:DESCRIBE>30"},
		{"list groups", &kmsg.ListGroupsRequest{Version: 4}, &kmsg.ListGroupsResponse{Groups: []kmsg.ListGroupsResponseGroup{{Group: "g"}}}, "cluster:DESCRIBE|group:DESCRIBE>gone"},
		{"handshake", &kmsg.SASLHandshakeRequest{Version: 1}, nil, ""},
		{"authenticate", &kmsg.SASLAuthenticateRequest{Version: 1}, nil, ""},
		{"ApiVersions", &kmsg.ApiVersionsRequest{Version: 3}, nil, ""},
		{"create topics", &kmsg.CreateTopicsRequest{Version: 5, Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "t"}}}, &kmsg.CreateTopicsResponse{Topics: []kmsg.CreateTopicsResponseTopic{{Topic: "t"}}}, "cluster:CREATE|topic:CREATE>29"},
		{"delete topics", &kmsg.DeleteTopicsRequest{Version: 5, TopicNames: []string{"t"}}, nil, "topic:DELETE>29"},
		{"delete topics, v6", &kmsg.DeleteTopicsRequest{Version: 6, Topics: []kmsg.DeleteTopicsRequestTopic{{Topic: p("t")}}}, nil, "topic:DELETE>29"},
		{"delete topics by id", &kmsg.DeleteTopicsRequest{Version: 6, Topics: []kmsg.DeleteTopicsRequestTopic{{TopicID: topicID}}}, nil, "topic:DELETE>29"},
		{"delete records", &kmsg.DeleteRecordsRequest{Version: 2, Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}}}}, nil, "topic:DELETE>29"},
		{"a transactional producer", &kmsg.InitProducerIDRequest{Version: 4, TransactionalID: p("x")}, nil, "txn:WRITE>53"},
		{"an idempotent producer", &kmsg.InitProducerIDRequest{Version: 4}, nil, "cluster:IDEMPOTENT_WRITE|some topic:WRITE>31"},
		{"offset of an epoch", &kmsg.OffsetForLeaderEpochRequest{Version: 4, Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{}}}}}, nil, "topic:DESCRIBE>29"},
		{"add partitions", &kmsg.AddPartitionsToTxnRequest{Version: 3, TransactionalID: "x", Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: tp}}}, nil, "txn:WRITE>53 topic:WRITE>29"},
		{"add partitions between brokers", &kmsg.AddPartitionsToTxnRequest{Version: 4}, nil, "cluster:CLUSTER_ACTION>31"},
		{"add offsets", &kmsg.AddOffsetsToTxnRequest{Version: 3, TransactionalID: "x", Group: "g"}, nil, "txn:WRITE>53 group:READ>30"},
		{"end a transaction", &kmsg.EndTxnRequest{Version: 3, TransactionalID: "x"}, nil, "txn:WRITE>53"},
		{"write markers", &kmsg.WriteTxnMarkersRequest{Version: 1, Markers: []kmsg.WriteTxnMarkersRequestMarker{{Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "t", Partitions: tp}}}}}, nil, "cluster:ALTER|cluster:CLUSTER_ACTION>31"},
		{"commit offsets in a transaction", &kmsg.TxnOffsetCommitRequest{Version: 3, TransactionalID: "x", Group: "g", Topics: []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{}}}}}, nil, "txn:WRITE>53 group:READ>30 topic:READ>29"},
		{"commit offsets in a transaction by id", &kmsg.TxnOffsetCommitRequest{Version: 6, TransactionalID: "x", Group: "g", Topics: []kmsg.TxnOffsetCommitRequestTopic{{TopicID: topicID, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{}}}}}, nil, "txn:WRITE>53 group:READ>30 topic:READ>29"},
		{"describe ACLs", &kmsg.DescribeACLsRequest{Version: 2}, nil, "cluster:DESCRIBE>31"},
		{"create ACLs", &kmsg.CreateACLsRequest{Version: 2, Creations: []kmsg.CreateACLsRequestCreation{{}}}, nil, "cluster:ALTER>31"},
		{"delete ACLs", &kmsg.DeleteACLsRequest{Version: 2, Filters: []kmsg.DeleteACLsRequestFilter{{}}}, nil, "cluster:ALTER>31"},
		{"move replicas to directories", &kmsg.AlterReplicaLogDirsRequest{Version: 2, Dirs: []kmsg.AlterReplicaLogDirsRequestDir{{Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "t", Partitions: tp}}}}}, nil, "cluster:ALTER>31"},
		{"log directories", &kmsg.DescribeLogDirsRequest{Version: 3}, nil, "cluster:DESCRIBE>31"},
		{"create partitions", &kmsg.CreatePartitionsRequest{Version: 3, Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "t"}}}, nil, "topic:ALTER>29"},
		{"delete groups", &kmsg.DeleteGroupsRequest{Version: 2, Groups: []string{"g"}}, nil, "group:DELETE>30"},
		{"elect leaders", &kmsg.ElectLeadersRequest{Version: 2}, nil, "cluster:ALTER>31"},
		{"elect leaders, v0", &kmsg.ElectLeadersRequest{Topics: []kmsg.ElectLeadersRequestTopic{{Topic: "t", Partitions: tp}}}, nil, "cluster:ALTER>31"},
		{"reassign", &kmsg.AlterPartitionAssignmentsRequest{}, nil, "cluster:ALTER>31"},
		{"list reassignments", &kmsg.ListPartitionReassignmentsRequest{}, nil, "cluster:DESCRIBE>31"},
		{"delete offsets", &kmsg.OffsetDeleteRequest{Group: "g", Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}}, nil, "group:DELETE>30 topic:READ>29"},
		{"describe quotas", &kmsg.DescribeClientQuotasRequest{}, nil, "cluster:DESCRIBE_CONFIGS>31"},
		{"describe users", &kmsg.DescribeUserSCRAMCredentialsRequest{}, nil, "cluster:DESCRIBE>31"},
		{"alter users", &kmsg.AlterUserSCRAMCredentialsRequest{Upsertions: []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "u"}}}, nil, "cluster:ALTER>31"},
		{"describe the quorum", &kmsg.DescribeQuorumRequest{Version: 2}, nil, "cluster:DESCRIBE>31"},
		{"update features", &kmsg.UpdateFeaturesRequest{Version: 1}, nil, "cluster:ALTER>31"},
		{"describe the cluster", &kmsg.DescribeClusterRequest{}, &kmsg.DescribeClusterResponse{}, ""},
		{"describe producers", &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: tp}}}, nil, "topic:READ>29"},
		{"describe transactions", &kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{"x"}}, &kmsg.DescribeTransactionsResponse{TransactionStates: []kmsg.DescribeTransactionsResponseTransactionState{{TransactionalID: "x"}}}, "txn:DESCRIBE>53"},
		{"list transactions", &kmsg.ListTransactionsRequest{}, &kmsg.ListTransactionsResponse{TransactionStates: []kmsg.ListTransactionsResponseTransactionState{{TransactionalID: "x"}}}, "txn:DESCRIBE>gone"},
		{"consumer group heartbeat", &kmsg.ConsumerGroupHeartbeatRequest{Version: 1, Group: "g", SubscribedTopicNames: []string{"t"}}, nil, "group:READ>30 topic:DESCRIBE>29"},
		{"consumer group heartbeat that is assigned a topic", &kmsg.ConsumerGroupHeartbeatRequest{Version: 1, Group: "g"}, &kmsg.ConsumerGroupHeartbeatResponse{Assignment: &kmsg.ConsumerGroupHeartbeatResponseAssignment{Topics: []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{{TopicID: topicID}}}}, "group:READ>30 topic:DESCRIBE>29"},
		{"describe consumer groups", &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g"}}, &kmsg.ConsumerGroupDescribeResponse{Groups: []kmsg.ConsumerGroupDescribeResponseGroup{{Group: "g", Members: []kmsg.ConsumerGroupDescribeResponseGroupMember{{Assignment: kmsg.Assignment{TopicPartitions: []kmsg.AssignmentTopicPartition{{TopicID: topicID}}}}}}}}, "group:DESCRIBE>30 topic:DESCRIBE>29"},
		{"list resources with settings", &kmsg.ListConfigResourcesRequest{Version: 1}, nil, "cluster:DESCRIBE_CONFIGS>31"},
		{"describe partitions", &kmsg.DescribeTopicPartitionsRequest{Topics: []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "t"}}}, &kmsg.DescribeTopicPartitionsResponse{Topics: []kmsg.DescribeTopicPartitionsResponseTopic{{Topic: p("t")}}}, "topic:DESCRIBE>29"},
		{"describe all partitions", &kmsg.DescribeTopicPartitionsRequest{}, &kmsg.DescribeTopicPartitionsResponse{Topics: []kmsg.DescribeTopicPartitionsResponseTopic{{Topic: p("t")}}}, "topic:DESCRIBE>gone"},
	}
	for typ, rule := range map[kmsg.ConfigResourceType]string{
		kmsg.ConfigResourceTypeTopic: "topic:%s>29", kmsg.ConfigResourceTypeBroker: "cluster:%s>31", kmsg.ConfigResourceTypeBrokerLogger: "cluster:%s>31",
		kmsg.ConfigResourceTypeGroupConfig: "group:%s>30", kmsg.ConfigResourceTypeClientMetrics: "cluster:%s>31",
	} {
		for i, r := range configOf(typ) {
			op := "ALTER_CONFIGS"
			if i == 0 {
				op = "DESCRIBE_CONFIGS"
			}
			out = append(out, sample{fmt.Sprintf("settings of resource type %d, key %d", typ, r.Key()), r, nil, fmt.Sprintf(rule, op)})
		}
	}
	return out
}

var operations = map[string]auth.Operation{
	"ALL": 2, "READ": 3, "WRITE": 4, "CREATE": 5, "DELETE": 6, "ALTER": 7, "DESCRIBE": 8, "CLUSTER_ACTION": 9, "DESCRIBE_CONFIGS": 10, "ALTER_CONFIGS": 11, "IDEMPOTENT_WRITE": 12,
}

var resources = map[string]struct {
	typ  auth.ResourceType
	name string
}{"topic": {2, "t"}, "group": {3, "g"}, "cluster": {4, auth.ClusterName}, "txn": {5, "x"}}

var patterns = []string{"literal", "prefixed", "wildcard"}

// A setting is one row of the matrix: everything is allowed on the other resources. On this one op is allowed alone, everything
// but op is, or nothing is said.
type setting struct{ resource, op, mode, pattern string }

func (s setting) acls() map[auth.ACL]struct{} {
	set := map[auth.ACL]struct{}{}
	add := func(resource, pattern, op string, permission auth.Permission) {
		r := resources[resource]
		a := auth.ACL{Resource: r.typ, Pattern: auth.Literal, Name: r.name, Principal: "User:alice", Host: "*", Operation: operations[op], Permission: permission}
		switch pattern {
		case "prefixed":
			a.Pattern = auth.Prefixed
		case "wildcard":
			a.Name = "*"
		}
		if r.name == "t" && pattern == "literal" { // the topic that does not exist yet
			b := a
			b.Name = "tnew"
			set[b] = struct{}{}
		}
		set[a] = struct{}{}
	}
	for r := range resources {
		if r != s.resource || s.mode == "deny" {
			add(r, "wildcard", "ALL", auth.Allow)
		}
	}
	switch s.mode {
	case "allow":
		add(s.resource, s.pattern, s.op, auth.Allow)
	case "deny":
		add(s.resource, s.pattern, s.op, auth.Deny)
	}
	return set
}

// grants is the model of one demand.
func (s setting) grants(resource, op string) bool {
	switch resource {
	case "never":
		return false
	case "some topic":
		if s.mode == "deny" && s.resource == "topic" { // one name or prefix denied leaves others
			return s.pattern != "wildcard" || s.grants("topic", op)
		}
		resource = "topic"
	}
	if resource != s.resource {
		return true
	}
	switch s.mode {
	case "deny":
		return s.op != op && s.op != "ALL"
	case "allow":
		implied := op == "DESCRIBE" && strings.Contains(" READ WRITE DELETE ALTER ", " "+s.op+" ") || op == "DESCRIBE_CONFIGS" && s.op == "ALTER_CONFIGS"
		return s.op == op || s.op == "ALL" || implied
	}
	return false
}

func (s setting) expects(rule string) string {
	for demand := range strings.SplitSeq(strings.ReplaceAll(rule, "some topic", "some_topic"), " ") {
		alternatives, otherwise, _ := strings.Cut(demand, ">")
		granted := rule == ""
		for a := range strings.SplitSeq(alternatives, "|") {
			resource, op, _ := strings.Cut(a, ":")
			granted = granted || s.grants(strings.ReplaceAll(resource, "_", " "), op)
		}
		if !granted {
			return otherwise
		}
	}
	return "ok"
}

// happens is what the gate makes of the request and the handler's answer.
func happens(t *testing.T, c *Caller, s sample) string {
	t.Helper()
	v, err := Check(c, s.request)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	resp, before := v.Answer, 0
	if resp == nil {
		if resp = s.answer; resp == nil {
			resp = s.request.ResponseKind()
		}
		before = listed(resp)
		if v.Finish != nil {
			v.Finish(resp)
		}
	}
	resp.AppendTo(nil) // it can be sent
	codes := map[int16]bool{}
	collect(reflect.ValueOf(resp).Elem(), codes)
	delete(codes, 0)
	switch {
	case v.Silent != nil:
		return "silent"
	case len(codes) > 0:
		return strings.Trim(fmt.Sprint(slices.Collect(maps.Keys(codes))), "[]")
	case v.Answer != nil || before > 0 && listed(resp) == 0:
		return "gone"
	}
	return "ok"
}

// collect finds every error code in an answer.
func collect(v reflect.Value, codes map[int16]bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" {
				codes[int16(v.Field(i).Int())] = true
			} else if v.Type().Field(i).IsExported() {
				collect(v.Field(i), codes)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), codes)
		}
	}
}

// listed is how many things an answer lists.
func listed(resp kmsg.Response) int {
	for _, name := range []string{"Topics", "Groups", "TransactionStates"} {
		if f := reflect.ValueOf(resp).Elem().FieldByName(name); f.IsValid() {
			return f.Len()
		}
	}
	return 0
}

func settings() (out []setting) {
	for resource := range resources {
		out = append(out, setting{resource: resource, mode: "absent"})
		for op := range operations {
			for _, pattern := range patterns {
				out = append(out, setting{resource, op, "allow", pattern}, setting{resource, op, "deny", pattern})
			}
		}
	}
	return out
}

func (s setting) caller() *Caller {
	return &Caller{Subject: auth.Subject{Principal: "User:alice", Host: "10.0.0.1"}, Topics: world{}, AutoCreate: true, Rules: auth.Rules{ACLs: auth.NewIndex(s.acls())}}
}

func TestEveryRequestNeedsItsRights(t *testing.T) {
	cases, outcomes := 0, map[string]int{}
	for _, s := range settings() {
		c := s.caller()
		for _, sample := range samples() {
			cases++
			got, want := happens(t, c, sample), s.expects(sample.rule)
			if got != want {
				t.Errorf("%s with %+v: %s, want %s", sample.name, s, got, want)
			}
			outcomes[want]++
		}
	}
	if cases < 20_000 || outcomes["29"] < 900 || outcomes["30"] < 600 || outcomes["31"] < 600 || outcomes["53"] < 500 || outcomes["gone"] < 100 || outcomes["silent"] < 30 {
		t.Errorf("%d cases, outcomes %v", cases, outcomes)
	}
}

func TestEveryCheckedRequestIsInTheMatrix(t *testing.T) {
	seen := map[int16]bool{}
	for _, s := range samples() {
		seen[s.request.Key()] = true
	}
	for key := range checks {
		if !seen[key] {
			t.Errorf("%s is not sampled", kmsg.NameForKey(key))
		}
	}
	if _, err := Check((setting{resource: "topic", mode: "absent"}).caller(), kmsg.NewPtrLeaderAndISRRequest()); err == nil {
		t.Error("a request without a rule passes")
	}
}

// What is allowed goes on beside what is not.
func TestOneOfManyIsRefusedAlone(t *testing.T) {
	s := setting{"topic", "ALL", "allow", "literal"}
	r := &kmsg.ListOffsetsRequest{Version: 7}
	for _, name := range []string{"a", "t", "b"} {
		r.Topics = append(r.Topics, kmsg.ListOffsetsRequestTopic{Topic: name, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{}, {Partition: 1}}})
	}
	v, err := Check(s.caller(), r)
	if err != nil || v.Answer != nil || len(r.Topics) != 1 || r.Topics[0].Topic != "t" {
		t.Fatalf("%+v, %v; left %+v", v, err, r.Topics)
	}
	resp := &kmsg.ListOffsetsResponse{Version: 7, Topics: []kmsg.ListOffsetsResponseTopic{{Topic: "t"}}}
	v.Finish(resp)
	if len(resp.Topics) != 3 || resp.Topics[0].Topic != "t" || resp.Topics[1].Topic != "a" || len(resp.Topics[2].Partitions) != 2 || resp.Topics[2].Partitions[1].Partition != 1 {
		t.Errorf("%+v", resp.Topics)
	}
	added := &kmsg.AddPartitionsToTxnRequest{Version: 3, TransactionalID: "x", Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0}}, {Topic: "a", Partitions: []int32{0}}}}
	v, _ = Check(s.caller(), added)
	got := v.Answer.(*kmsg.AddPartitionsToTxnResponse)
	if got.Topics[0].Partitions[0].ErrorCode != 55 || got.Topics[1].Partitions[0].ErrorCode != 29 {
		t.Errorf("%+v", got.Topics)
	}
}

func TestOperationsAreShownAsFarAsAllowed(t *testing.T) {
	c := setting{"topic", "READ", "allow", "wildcard"}.caller()
	r := &kmsg.MetadataRequest{Version: 9, IncludeTopicAuthorizedOperations: true, IncludeClusterAuthorizedOperations: true}
	v, err := Check(c, r)
	if err != nil {
		t.Fatal(err)
	}
	resp := &kmsg.MetadataResponse{Version: 9, Topics: []kmsg.MetadataResponseTopic{{Topic: p("t")}}}
	v.Finish(resp)
	if resp.Topics[0].AuthorizedOperations != 1<<3|1<<8 || resp.AuthorizedOperations != 1<<5|1<<7|1<<8|1<<9|1<<10|1<<11|1<<12 {
		t.Errorf("topic %b, cluster %b", resp.Topics[0].AuthorizedOperations, resp.AuthorizedOperations)
	}
	c = setting{"cluster", "CREATE", "allow", "wildcard"}.caller()
	v, _ = Check(c, &kmsg.DescribeClusterRequest{IncludeClusterAuthorizedOperations: true})
	cluster := &kmsg.DescribeClusterResponse{ClusterAuthorizedOperations: 1}
	if v.Finish(cluster); cluster.ClusterAuthorizedOperations != 0 {
		t.Errorf("who may not describe the cluster is shown %b", cluster.ClusterAuthorizedOperations)
	}
}

// FuzzCheck: whatever a request names, the gate neither panics nor lets a caller without any right through.
func FuzzCheck(f *testing.F) {
	for key := range checks {
		f.Add(key, int16(3), []byte("seed"))
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		req := kmsg.RequestForKey(key)
		if req == nil || version < 0 || version > req.MaxVersion() {
			return
		}
		req.SetVersion(version)
		if _, err := guard.Check(key, version, body, 1<<20); err != nil || req.ReadFrom(body) != nil {
			return
		}
		c := &Caller{Subject: auth.Subject{Principal: "User:nobody", Host: "h"}, Topics: world{}, AutoCreate: true, Rules: auth.Rules{ACLs: auth.NewIndex(nil)}}
		v, err := Check(c, req)
		if err != nil {
			return
		}
		resp := v.Answer
		if resp == nil {
			resp = req.ResponseKind()
			if v.Finish != nil {
				v.Finish(resp)
			}
		}
		resp.AppendTo(nil)
	})
}
