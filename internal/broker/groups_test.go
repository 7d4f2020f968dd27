package broker

import (
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/internal/journal"
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

// beat is a heartbeat of a member of the consumer protocol; one that joins wants topic in.
func beat(member string, epoch int32, owned assign.Partitions) consumer.Heartbeat {
	h := consumer.Heartbeat{Group: "g", MemberID: member, Epoch: epoch, RebalanceTimeout: -1, Owned: owned}
	if epoch == consumer.Joining {
		h.RebalanceTimeout, h.Topics, h.Owned = time.Minute, []string{"in"}, assign.Partitions{}
	}
	return h
}

// Killed in the middle of a rebalance the node goes on where it was: members keep their epochs and what they hold.
func TestConsumerGroupGoesOnAfterEveryKindOfEnd(t *testing.T) {
	n := newNode(t)
	in := n.topic("in", 4, nil)
	a := get(t, n.ConsumerHeartbeat(beat("a", 0, nil), ""))
	if a.Err != nil || len(a.Assignment[in.ID]) != 4 {
		t.Fatalf("join: %+v", a)
	}
	b := get(t, n.ConsumerHeartbeat(beat("b", 0, nil), ""))
	told := get(t, n.ConsumerHeartbeat(beat("a", a.Epoch, a.Assignment), ""))
	if b.Err != nil || len(b.Assignment) != 0 || len(told.Assignment[in.ID]) != 2 {
		t.Fatalf("b %+v, a %+v", b, told)
	}
	newest := func() journal.LSN {
		n.seq.mu.Lock()
		defer n.seq.mu.Unlock()
		return n.seq.last
	}
	lsn := newest()
	get(t, n.ConsumerHeartbeat(beat("a", a.Epoch, nil), ""))
	if newest() != lsn {
		t.Error("a heartbeat that changes nothing was written to the journal")
	}
	crashed := n.crash()
	for way, at := range map[string]*node{"after a crash": crashed, "after a restart": n.restart()} {
		still := get(t, at.ConsumerHeartbeat(beat("a", told.Epoch, a.Assignment), ""))
		if still.Err != nil || still.Epoch != told.Epoch {
			t.Fatalf("%s: a %+v", way, still)
		}
		waits := get(t, at.ConsumerHeartbeat(beat("b", b.Epoch, nil), ""))
		if waits.Err != nil || waits.Epoch != b.Epoch || waits.Assignment != nil {
			t.Errorf("%s: b %+v", way, waits)
		}
		gave := get(t, at.ConsumerHeartbeat(beat("a", told.Epoch, told.Assignment), ""))
		got := get(t, at.ConsumerHeartbeat(beat("b", b.Epoch, nil), ""))
		if gave.Err != nil || gave.Epoch != b.Epoch || got.Err != nil || len(got.Assignment[in.ID]) != 2 {
			t.Errorf("%s: a %+v, b %+v", way, gave, got)
		}
		m := group.Member{Generation: b.Epoch, ID: "b", Modern: true}
		e := get(t, at.CommitOffsets("g", m, []group.OffsetCommit{{TopicPartition: tp("in", got.Assignment[in.ID][0]), Offset: 7}}))
		wantErr(t, e.Err, nil)
		stale := get(t, at.FetchOffsetsAs("g", &group.Member{Generation: 9, ID: "b"}, nil))
		wantErr(t, stale.Err, kerr.StaleMemberEpoch)
		if d := get(t, at.DescribeConsumerGroups([]string{"g", "none"})); d[0].State != "Stable" || len(d[0].Members) != 2 || d[1].Found {
			t.Errorf("%s: %+v", way, d)
		}
		wantErr(t, get(t, at.DeleteTopics([]TopicRef{{Name: "in"}}))[0].Err, nil)
		gone := get(t, at.ConsumerHeartbeat(beat("a", b.Epoch, assign.Partitions{}), ""))
		if gone.Err != nil || gone.Epoch != b.Epoch+1 || gone.Assignment == nil || len(gone.Assignment) != 0 {
			t.Errorf("%s: after the topic's end %+v", way, gone)
		}
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

func TestGroupSettingsSurviveCrashAndRestart(t *testing.T) {
	n := newNode(t)
	set := func(group, name, value string) TopicResult {
		return get(t, n.AlterGroupConfigs(group, []ConfigChange{{Name: name, Op: "set", Value: value}}, false, false))
	}
	wantErr(t, set("a", "consumer.session.timeout.ms", "50000").Err, nil)
	wantErr(t, set("b", "consumer.heartbeat.interval.ms", "10000").Err, nil)
	wantErr(t, set("b", "consumer.heartbeat.interval.ms", "16000").Err, kerr.InvalidConfig)
	wantErr(t, set("c", "consumer.heartbeat.interval.ms", "10000").Err, nil)
	wantErr(t, get(t, n.AlterGroupConfigs("c", nil, true, true)).Err, nil) // validated only
	if got := get(t, n.ConfiguredGroups()); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("configured %v", got)
	}
	wantErr(t, get(t, n.AlterGroupConfigs("c", nil, true, false)).Err, nil)
	for about, n := range n.everyWay() {
		if got := get(t, n.ConfiguredGroups()); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: configured %v", about, got)
		}
		all := get(t, n.GroupConfigs([]string{"a", "b", "c"}))
		for _, x := range []struct{ group, name, value, source string }{
			{"a", "consumer.session.timeout.ms", "50000", "group"},
			{"a", "consumer.heartbeat.interval.ms", "5000", "default"},
			{"b", "consumer.session.timeout.ms", "45000", "default"},
			{"b", "consumer.heartbeat.interval.ms", "10000", "group"},
			{"c", "consumer.heartbeat.interval.ms", "5000", "default"},
			{"c", "consumer.assignment.interval.ms", "0", "broker"},
		} {
			i := slices.IndexFunc(all[x.group], func(c Config) bool { return c.Name == x.name })
			if i < 0 || all[x.group][i].Value != x.value || all[x.group][i].Source != x.source {
				t.Errorf("%s: %s of %s is %+v", about, x.name, x.group, all[x.group])
			}
		}
		beat := get(t, n.ConsumerHeartbeat(consumer.Heartbeat{Group: "b", MemberID: "m", RebalanceTimeout: time.Minute, Topics: []string{"t"}, Owned: assign.Partitions{}}, ""))
		if wantErr(t, beat.Err, nil); beat.Heartbeat != 10*time.Second {
			t.Errorf("%s: heartbeat every %v", about, beat.Heartbeat)
		}
	}
}
