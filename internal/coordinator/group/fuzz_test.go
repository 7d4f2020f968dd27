package group

import (
	"bytes"
	"encoding/hex"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/format"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
)

// sampleSnapshot is the state of a machine that has used every kind of record.
func sampleSnapshot(t testing.TB) []byte {
	m := New(Options{})
	join := Join{
		Group: "orders", NewMemberID: "m1", InstanceID: "one", ClientID: "c", ClientHost: "/127.0.0.1", ProtocolType: "consumer",
		Protocols:      []Protocol{{Name: "range", Metadata: subscription("payments")}, {Name: "sticky"}},
		SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute,
	}
	m.Join(0, 1, join)
	m.Sync(0, 2, Sync{Group: "orders", Generation: 1, MemberID: "m1", Assignments: map[string][]byte{"m1": {1, 2}}})
	os := []OffsetCommit{
		{record.TopicPartition{Topic: "payments", Partition: 0}, 5, 1, "note"},
		{record.TopicPartition{Topic: "payments", Partition: 1}, 1 << 40, -1, ""},
		{record.TopicPartition{Topic: "refunds", Partition: 0}, 0, 0, ""},
	}
	if _, err, _ := m.Commit(0, 1_700_000_000_000, "orders", Member{Generation: 1, ID: "m1"}, os); err != nil {
		t.Fatal(err)
	}
	if _, err, _ := m.CommitTxn(0, 1_700_000_000_001, "simple", 42, Member{Generation: -1}, os); err != nil {
		t.Fatal(err)
	}
	return m.AppendSnapshot(nil)
}

// consumerSample is the state and the records of a machine with a consumer group, members of both protocols in it, and one that has
// become classic.
func consumerSample(t testing.TB) (snapshot []byte, records [][]byte) {
	ts := newTopics()
	ts.put("payments", 3)
	ts.put("refunds", 2)
	m := New(Options{Topics: ts})
	take := func(fx Effects) { records = append(records, fx.Records...) }
	for _, g := range []string{"modern", "back"} {
		reply, fx := m.ConsumerHeartbeat(0, consumer.Heartbeat{
			Group: g, MemberID: "m1", ClientID: "c", ClientHost: "/127.0.0.1", InstanceID: ptr("one"), Rack: ptr("r"), Assignor: ptr("range"),
			RebalanceTimeout: time.Minute, Topics: []string{"refunds", "payments"}, Regex: ptr("ref.*"), Owned: assign.Partitions{},
		}, "")
		if take(fx); reply.Err != nil {
			t.Fatal(reply.Err)
		}
		take(m.Join(0, 1, Join{
			Group: g, NewMemberID: "m2", ProtocolType: "consumer", Protocols: []Protocol{{Name: "range", Metadata: subscription("payments")}},
			SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute,
		}))
		_, fx = m.ConsumerHeartbeat(0, consumer.Heartbeat{Group: g, MemberID: "m1", Epoch: 2, RebalanceTimeout: -1}, "")
		take(fx)
	}
	_, fx := m.ConsumerHeartbeat(0, consumer.Heartbeat{Group: "back", MemberID: "m1", Epoch: consumer.Leaving}, "")
	take(fx)
	return m.AppendSnapshot(nil), records
}

func TestSettingsAreWrittenAsThePageSays(t *testing.T) {
	const want = "0108026f73021e" + "636f6e73756d65722e6865617274626561742e696e74657276616c2e6d73" + "0437303030" + "0178" + "00"
	values := map[string]string{"x": "", heartbeatSetting: "7000"}
	rec := appendSettings(nil, "os", values)
	if got := hex.EncodeToString(rec); got != want {
		t.Errorf("%s", got)
	}
	m := New(Options{})
	if err := m.Apply(rec); err != nil || !maps.Equal(m.Settings("os"), values) {
		t.Errorf("%v, %v", m.Settings("os"), err)
	}
	twice := append(rec[:5:5], 2, 1, 'x', 0, 1, 'x', 0)
	if err := m.Apply(twice); err == nil {
		t.Error("a setting may stand twice")
	}
}

func ptr[T any](v T) *T { return &v }

// Whatever a record holds, Apply refuses it or takes it whole; what it takes survives a snapshot and the machine goes on.
func FuzzApply(f *testing.F) {
	_ = format.Frames(sampleSnapshot(f), func(rec []byte) error { f.Add(rec); return nil })
	f.Add(appendDeletedOffsets(nil, "orders", []record.TopicPartition{{Topic: "payments", Partition: 3}}))
	f.Add(appendDeletedGroup(nil, "orders"))
	f.Add(appendSettings(nil, "orders", map[string]string{sessionSetting: "50000", "x": ""}))
	modern, records := consumerSample(f)
	for _, rec := range records {
		f.Add(rec)
	}
	base := append(sampleSnapshot(f), modern...)
	whole := New(Options{})
	if err := whole.LoadSnapshot(base); err != nil {
		f.Fatal(err)
	}
	base = whole.AppendSnapshot(nil)
	f.Fuzz(func(t *testing.T, rec []byte) {
		m := New(Options{})
		if err := m.LoadSnapshot(base); err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(rec); err != nil {
			if !bytes.Equal(m.AppendSnapshot(nil), base) {
				t.Fatal("a refused record changed the state")
			}
			return
		}
		snapshot := m.AppendSnapshot(nil)
		again := New(Options{})
		if err := again.LoadSnapshot(snapshot); err != nil {
			t.Fatalf("own snapshot: %v", err)
		}
		if !bytes.Equal(again.AppendSnapshot(nil), snapshot) {
			t.Fatal("a snapshot does not rebuild its state")
		}
		m.Restored(0)
		for range 100 {
			at, ok := m.Next()
			if !ok {
				break
			}
			m.Tick(at)
		}
		snapshot = m.AppendSnapshot(nil)
		if err := New(Options{}).LoadSnapshot(snapshot); err != nil {
			t.Fatalf("own snapshot after everybody expired: %v", err)
		}
	})
}

func FuzzLoadSnapshot(f *testing.F) {
	f.Add(sampleSnapshot(f))
	f.Add([]byte{2, recordVersion, kindOffsets})
	modern, _ := consumerSample(f)
	f.Add(modern)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(Options{})
		if m.LoadSnapshot(b) != nil {
			return
		}
		snapshot := m.AppendSnapshot(nil)
		again := New(Options{})
		if err := again.LoadSnapshot(snapshot); err != nil {
			t.Fatalf("own snapshot: %v", err)
		}
		if !bytes.Equal(again.AppendSnapshot(nil), snapshot) {
			t.Fatal("a snapshot does not rebuild its state")
		}
	})
}

func FuzzSubscription(f *testing.F) {
	f.Add(subscription("payments", "refunds"))
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := map[string]struct{}{}
		readSubscription(b, topics)
		if len(topics) > len(b) {
			t.Fatalf("%d topics in %d bytes", len(topics), len(b))
		}
	})
}

// The bytes of version 1 are on users' disks: a change of this golden value is a new version.
func TestRecordBytesOfVersion1(t *testing.T) {
	want, err := os.ReadFile("testdata/snapshot-v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(sampleSnapshot(t)); got != string(want) {
		t.Errorf("the record format changed:\n%s", got)
	}
}

// The same for consumer groups: their records one by one, then their snapshot.
func TestConsumerRecordBytesOfVersion1(t *testing.T) {
	want, err := os.ReadFile("testdata/consumer-v1.hex")
	if err != nil && !*update {
		t.Fatal(err)
	}
	snapshot, records := consumerSample(t)
	got := ""
	for _, rec := range append(records, snapshot) {
		got += hex.Dump(rec) + "\n"
	}
	if *update && len(want) == 0 { // once: a change is a new version
		if err := os.WriteFile("testdata/consumer-v1.hex", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(want) {
		t.Errorf("the record format changed:\n%s", got)
	}
}
