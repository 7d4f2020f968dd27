package broker

import (
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func join(g, member string) group.Join {
	return group.Join{
		Group: g, MemberID: member, ClientID: "c", ClientHost: "/127.0.0.1", ProtocolType: "consumer",
		Protocols: []group.Protocol{{Name: "range", Metadata: []byte("sub")}}, SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute,
	}
}

func joinSync(generation int32, member string) group.Sync {
	return group.Sync{Group: "g", Generation: generation, MemberID: member}
}

func TestGroupLifeThroughTheBroker(t *testing.T) {
	n := newNode(t)
	n.topic("in", 2, nil)
	j := get(t, n.JoinGroup(join("g", "")))
	if j.Err != nil || j.MemberID == "" || j.Leader != j.MemberID || len(j.Members) != 1 {
		t.Fatalf("join: %+v", j)
	}
	m := group.Member{Generation: j.Generation, ID: j.MemberID}
	sync := get(t, n.SyncGroup(group.Sync{Group: "g", Generation: j.Generation, MemberID: j.MemberID, Assignments: map[string][]byte{j.MemberID: []byte("all")}}))
	if sync.Err != nil || string(sync.Assignment) != "all" {
		t.Fatalf("sync: %+v", sync)
	}
	wantErr(t, get(t, n.Heartbeat("g", m)), nil)
	e := get(t, n.CommitOffsets("g", m, []group.OffsetCommit{
		{TopicPartition: tp("in", 0), Offset: 5, LeaderEpoch: 0, Metadata: "note"}, {TopicPartition: tp("none", 0), Offset: 5},
	}))
	wantErr(t, e.Err, nil)
	wantErr(t, e.Each[0], nil)
	wantErr(t, e.Each[1], kerr.UnknownTopicOrPartition)

	for _, at := range []*node{n, n.crash()} {
		wantErr(t, get(t, at.Heartbeat("g", m)), nil)
		all := get(t, at.FetchOffsets("g", nil))
		if c := all[tp("in", 0)]; len(all) != 1 || c.Offset != 5 || c.Metadata != "note" {
			t.Errorf("offsets %+v", all)
		}
		if d := get(t, at.DescribeGroups([]string{"g", "none"})); d[0].State != "Stable" || len(d[0].Members) != 1 || d[1].State != "Dead" {
			t.Errorf("%+v", d)
		}
		if l := get(t, at.ListGroups()); len(l) != 1 || l[0].Group != "g" {
			t.Errorf("%+v", l)
		}
		wantErr(t, get(t, at.DeleteGroup("g")), kerr.NonEmptyGroup)
		left := get(t, at.LeaveGroup("g", []group.Member{{ID: j.MemberID}}))
		wantErr(t, left.Err, nil)
		wantErr(t, left.Each[0], nil)
		wantErr(t, get(t, at.Heartbeat("g", m)), kerr.UnknownMemberID)
		dropped := get(t, at.DeleteOffsets("g", []record.TopicPartition{tp("in", 0)}))
		wantErr(t, dropped.Err, nil)
		wantErr(t, dropped.Each[0], nil)
		wantErr(t, get(t, at.DeleteGroup("g")), nil)
		wantErr(t, get(t, at.DeleteGroup("g")), kerr.GroupIDNotFound)
	}
}

func TestSecondMemberWaitsForTheFirstToRejoin(t *testing.T) {
	n := newNode(t)
	first := get(t, n.JoinGroup(join("g", "")))
	second := n.JoinGroup(join("g", ""))
	get(t, n.SyncGroup(group.Sync{Group: "g", Generation: first.Generation, MemberID: first.MemberID}))
	select {
	case <-second.Done():
		t.Fatal("the second member did not wait")
	default:
	}
	again := n.JoinGroup(join("g", first.MemberID))
	a, b := get(t, again), get(t, second)
	if a.Err != nil || b.Err != nil || a.Generation != b.Generation || len(a.Members)+len(b.Members) != 2 {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestParkedRequestsFailWhenTheBrokerStops(t *testing.T) {
	n := newNode(t)
	first := get(t, n.JoinGroup(join("g", "")))
	get(t, n.SyncGroup(group.Sync{Group: "g", Generation: first.Generation, MemberID: first.MemberID}))
	waiting := n.JoinGroup(join("g", ""))
	get(t, n.ListGroups())
	if err := n.halt(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, get(t, waiting).Err, kerr.CoordinatorNotAvailable)
	late := n.FetchOffsets("g", nil)
	if got := get(t, late); got != nil {
		t.Errorf("a stopped broker returns offsets %v: that reads as none", got)
	}
	if _, err := late.Wait(t.Context()); err == nil {
		t.Error("Wait returns no error after the end")
	}
}

func TestDeletedTopicTakesItsOffsetsAlong(t *testing.T) {
	n := newNode(t)
	n.topic("in", 1, nil)
	os := []group.OffsetCommit{{TopicPartition: tp("in", 0), Offset: 5}}
	wantErr(t, get(t, n.CommitOffsets("g", group.Member{Generation: -1}, os)).Err, nil)
	get(t, n.DeleteTopics([]TopicRef{{Name: "in"}}))
	n.topic("in", 1, nil)
	for _, at := range n.everyWay() {
		if got := at.committed("g"); got != -1 {
			t.Errorf("offset %d of a deleted topic", got)
		}
	}
}

func TestSilentMemberExpires(t *testing.T) {
	n := newNode(t)
	first := get(t, n.JoinGroup(join("g", "")))
	get(t, n.SyncGroup(group.Sync{Group: "g", Generation: first.Generation, MemberID: first.MemberID}))
	for range 1000 {
		n.clock.Advance(5 * time.Second)
		if d := get(t, n.DescribeGroups([]string{"g"})); d[0].State == "Empty" {
			return
		}
	}
	t.Error("a member without heartbeats stays")
}
