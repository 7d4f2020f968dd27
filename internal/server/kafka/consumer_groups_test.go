package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func joinConsumer(version int16, group, member, topic string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := inVersion(kmsg.NewPtrConsumerGroupHeartbeatRequest(), version)
	req.Group, req.MemberID, req.RebalanceTimeoutMillis = group, member, 60000
	req.SubscribedTopicNames, req.Topics = []string{topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

func TestConsumerGroupOverTheWire(t *testing.T) {
	s := serve(t, Options{NewID: func() string { return "made" }})
	topic := s.topic(t, "t", 3, nil)
	c := s.dial(t)
	resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, joinConsumer(0, "g", "", "t"))
	wantCode(t, "join", resp.ErrorCode, nil)
	if resp.MemberID == nil || *resp.MemberID != "made" || resp.HeartbeatIntervalMillis != 5000 || resp.Assignment == nil ||
		len(resp.Assignment.Topics) != 1 || resp.Assignment.Topics[0].TopicID != topic.ID || len(resp.Assignment.Topics[0].Partitions) != 3 {
		t.Fatalf("join: %+v", resp)
	}
	beat := inVersion(kmsg.NewPtrConsumerGroupHeartbeatRequest(), 1)
	beat.Group, beat.MemberID, beat.MemberEpoch = "g", "made", resp.MemberEpoch
	if again := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, beat); again.ErrorCode != 0 || again.Assignment != nil {
		t.Errorf("a heartbeat without news: %+v", again)
	}
	beat.MemberEpoch++
	fenced := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, beat)
	wantCode(t, "a wrong epoch", fenced.ErrorCode, kerr.FencedMemberEpoch)
	if fenced.ErrorMessage == nil || fenced.MemberID != nil {
		t.Errorf("refusal: %+v", fenced)
	}
	unnamed := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, joinConsumer(1, "g", "", "t"))
	wantCode(t, "v1 without a member id", unnamed.ErrorCode, kerr.InvalidRequest)

	describe := inVersion(kmsg.NewPtrConsumerGroupDescribeRequest(), 1)
	describe.Groups, describe.IncludeAuthorizedOperations = []string{"g", "none", "g"}, true
	d := ask[*kmsg.ConsumerGroupDescribeResponse](c, describe).Groups
	if len(d) != 2 || d[0].State != "Stable" || len(d[0].Members) != 1 || d[0].Members[0].MemberType != consumerMember ||
		d[0].Members[0].Assignment.TopicPartitions[0].Topic != "t" || d[0].AuthorizedOperations != groupOperations {
		t.Fatalf("describe: %+v", d)
	}
	wantCode(t, "describe none", d[1].ErrorCode, kerr.GroupIDNotFound)
}

func TestMembersOfConsumerGroupsReadAndCommitInTheirEpoch(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, joinConsumer(1, "g", "m", "t"))
	wantCode(t, "join", resp.ErrorCode, nil)
	member := "m"
	for version, want := range map[int16]*kerr.Error{8: kerr.UnsupportedVersion, 9: nil} {
		commit := inVersion(kmsg.NewPtrOffsetCommitRequest(), version)
		commit.Group, commit.MemberID, commit.Generation = "g", member, resp.MemberEpoch
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 3}}}}
		got := ask[*kmsg.OffsetCommitResponse](c, commit)
		wantCode(t, "commit", got.Topics[0].Partitions[0].ErrorCode, want)
	}
	for epoch, want := range map[int32]*kerr.Error{resp.MemberEpoch: nil, resp.MemberEpoch + 1: kerr.StaleMemberEpoch} {
		fetch := inVersion(kmsg.NewPtrOffsetFetchRequest(), 9)
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberID, g.MemberEpoch = "g", &member, epoch
		fetch.Groups = append(fetch.Groups, g)
		wantCode(t, "fetch", ask[*kmsg.OffsetFetchResponse](c, fetch).Groups[0].ErrorCode, want)
	}
}

func TestGroupsAreListedByTypeAndDescribedByTheirOwnRequest(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	wantCode(t, "join", ask[*kmsg.ConsumerGroupHeartbeatResponse](c, joinConsumer(1, "modern", "m", "t")).ErrorCode, nil)
	commit := inVersion(kmsg.NewPtrOffsetCommitRequest(), 9)
	commit.Group, commit.Generation = "plain", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 0}}}}
	ask[*kmsg.OffsetCommitResponse](c, commit)
	for filter, want := range map[string]string{"Consumer": "modern", "classic": "plain"} {
		list := inVersion(kmsg.NewPtrListGroupsRequest(), 5)
		list.TypesFilter = []string{filter}
		got := ask[*kmsg.ListGroupsResponse](c, list).Groups
		if len(got) != 1 || got[0].Group != want {
			t.Errorf("%s: %+v", filter, got)
		}
	}
	describe := inVersion(kmsg.NewPtrDescribeGroupsRequest(), 6)
	describe.Groups = []string{"modern"}
	d := ask[*kmsg.DescribeGroupsResponse](c, describe).Groups[0]
	wantCode(t, "describe a consumer group", d.ErrorCode, kerr.GroupIDNotFound)
	if d.State != "Dead" || *d.ErrorMessage != "Group modern is not a classic group." {
		t.Errorf("%+v", d)
	}
	other := inVersion(kmsg.NewPtrConsumerGroupDescribeRequest(), 0)
	other.Groups = []string{"plain"}
	o := ask[*kmsg.ConsumerGroupDescribeResponse](c, other).Groups[0]
	wantCode(t, "describe a classic group", o.ErrorCode, kerr.GroupIDNotFound)
	if *o.ErrorMessage != "Group plain is not a consumer group." {
		t.Errorf("%+v", o)
	}
}
