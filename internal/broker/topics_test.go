package broker

import (
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestCreateTopicRules(t *testing.T) {
	n := newNode(t)
	n.topic("taken", 1, nil)
	n.topic("dotted.name", 1, nil)
	tests := []struct {
		about string
		spec  TopicSpec
		want  *kerr.Error
	}{
		{"plain", TopicSpec{Name: "ok", Partitions: 3, Replication: 1}, nil},
		{"defaults", TopicSpec{Name: "ok2", Partitions: -1, Replication: -1}, nil},
		{"more replicas than nodes are taken", TopicSpec{Name: "ok3", Partitions: 1, Replication: 3}, nil},
		{"longest name", TopicSpec{Name: strings.Repeat("x", 249), Partitions: 1, Replication: 1}, nil},
		{"assignment", TopicSpec{Name: "ok4", Partitions: -1, Replication: -1, Assignments: map[int32][]int32{0: {1}, 1: {1}}}, nil},
		{"exists", TopicSpec{Name: "taken", Partitions: 1, Replication: 1}, kerr.TopicAlreadyExists},
		{"empty name", TopicSpec{Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"dot", TopicSpec{Name: ".", Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"dots", TopicSpec{Name: "..", Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"slash", TopicSpec{Name: "a/b", Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"umlaut", TopicSpec{Name: "bär", Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"too long", TopicSpec{Name: strings.Repeat("x", 250), Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"dot and underscore collide", TopicSpec{Name: "dotted_name", Partitions: 1, Replication: 1}, kerr.InvalidTopicException},
		{"no partitions", TopicSpec{Name: "p0", Partitions: 0, Replication: 1}, kerr.InvalidPartitions},
		{"negative partitions", TopicSpec{Name: "p2", Partitions: -2, Replication: 1}, kerr.InvalidPartitions},
		{"too many partitions", TopicSpec{Name: "pm", Partitions: 10_001, Replication: 1}, kerr.PolicyViolation},
		{"no replicas", TopicSpec{Name: "r0", Partitions: 1, Replication: 0}, kerr.InvalidReplicationFactor},
		{"negative replicas", TopicSpec{Name: "r2", Partitions: 1, Replication: -2}, kerr.InvalidReplicationFactor},
		{"assignment and count", TopicSpec{Name: "a1", Partitions: 1, Replication: -1, Assignments: map[int32][]int32{0: {1}}}, kerr.InvalidRequest},
		{"assignment with a gap", TopicSpec{Name: "a2", Partitions: -1, Replication: -1, Assignments: map[int32][]int32{1: {1}}}, kerr.InvalidReplicaAssignment},
		{"assignment to nobody", TopicSpec{Name: "a3", Partitions: -1, Replication: -1, Assignments: map[int32][]int32{0: {7}}}, kerr.InvalidReplicaAssignment},
		{"unknown setting", TopicSpec{Name: "c1", Partitions: 1, Replication: 1, Configs: map[string]string{"no.such": "1"}}, kerr.InvalidConfig},
		{"bad setting", TopicSpec{Name: "c2", Partitions: 1, Replication: 1, Configs: map[string]string{"retention.ms": "soon"}}, kerr.InvalidConfig},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			dry := get(t, n.CreateTopics([]TopicSpec{test.spec}, true))[0]
			if n.Topics().ByName[test.spec.Name] != nil && test.want != kerr.TopicAlreadyExists {
				t.Error("a validation created the topic")
			}
			wantErr(t, dry.Err, test.want)
			wet := get(t, n.CreateTopics([]TopicSpec{test.spec}, false))[0]
			wantErr(t, wet.Err, test.want)
			if (wet.Err != nil) != (wet.Detail != "") {
				t.Errorf("error %v comes with detail %q", wet.Err, wet.Detail)
			}
			if test.want == nil && n.Topics().ByName[test.spec.Name] != wet.Topic {
				t.Error("the created topic is not in the snapshot")
			}
		})
	}
}

func TestCreateTopicsKeepsValidOnesBesideInvalid(t *testing.T) {
	n := newNode(t)
	rs := get(t, n.CreateTopics([]TopicSpec{
		{Name: "good", Partitions: 1, Replication: 1},
		{Name: "bad", Partitions: 1, Replication: 1, Configs: map[string]string{"x": "y"}},
		{Name: "twice", Partitions: 1, Replication: 1},
		{Name: "twice", Partitions: 1, Replication: 1},
	}, false))
	wantErr(t, rs[0].Err, nil)
	wantErr(t, rs[1].Err, kerr.InvalidConfig)
	wantErr(t, rs[2].Err, kerr.InvalidRequest)
	wantErr(t, rs[3].Err, kerr.InvalidRequest)
	if got := len(n.Topics().ByName); got != 1 {
		t.Errorf("%d topics, want 1", got)
	}
	if got := get(t, n.CreateTopics(nil, false)); len(got) != 0 {
		t.Errorf("an empty request has %d results", len(got))
	}
}

func TestAutoCreate(t *testing.T) {
	n := newNode(t)
	made := get(t, n.AutoCreate("auto"))
	again := get(t, n.AutoCreate("auto"))
	if made.Err != nil || again.Err != nil || made.Topic.ID != again.Topic.ID || made.Topic.Partitions != 1 {
		t.Errorf("made %+v, again %+v", made, again)
	}
	wantErr(t, get(t, n.AutoCreate("not/a/name")).Err, kerr.InvalidTopicException)

	o := options(vfs.NewCrashable())
	o.NoAutoCreate = true
	off := boot(t, o)
	wantErr(t, get(t, off.AutoCreate("auto")).Err, kerr.UnknownTopicOrPartition)
	off.topic("there", 1, nil)
	wantErr(t, get(t, off.AutoCreate("there")).Err, nil)
}

func TestDeleteTopicTakesEverythingAlong(t *testing.T) {
	n := newNode(t)
	old := n.topic("a", 1, nil)
	n.mustProduce("a", 0, plain("x"))
	wait := n.Watch([]record.TopicPartition{tp("a", 0)})
	defer n.Unwatch(wait)
	drain(wait)
	rs := get(t, n.DeleteTopics([]TopicRef{{Name: "a"}, {Name: "none"}, {ID: TopicID{1}}}))
	wantErr(t, rs[0].Err, nil)
	wantErr(t, rs[1].Err, kerr.UnknownTopicOrPartition)
	wantErr(t, rs[2].Err, kerr.UnknownTopicID)
	select {
	case <-wait.C:
	default:
		t.Error("the waiter of a deleted partition did not wake")
	}
	wantErr(t, n.produce("a", 0, plain("x")).Err, kerr.UnknownTopicOrPartition)
	wantErr(t, n.Fetch(Fetch{Ref: TopicRef{ID: old.ID}, LeaderEpoch: -1}).Err, kerr.UnknownTopicID)

	again := n.topic("a", 1, nil)
	if again.ID == old.ID {
		t.Error("the id of a deleted topic came back")
	}
	if rows := n.read("a", 0, false); len(rows) != 0 {
		t.Errorf("a new topic holds %v", rows)
	}
	n = n.restart()
	if n.Topics().ByName["a"].ID != again.ID {
		t.Error("the id changed over a restart")
	}
	names, err := n.o.FS.List(n.o.FS.PathJoin("data", logsName))
	if err != nil || len(names) != 0 {
		t.Errorf("log directories %v (%v) are left of a deleted topic", names, err)
	}
}

func drain(w *Waiter) {
	select {
	case <-w.C:
	default:
	}
}

func TestCreatePartitions(t *testing.T) {
	n := newNode(t)
	n.topic("a", 2, nil)
	n.mustProduce("a", 1, plain("x"))
	wantErr(t, get(t, n.CreatePartitions("none", 2, false)).Err, kerr.UnknownTopicOrPartition)
	wantErr(t, get(t, n.CreatePartitions("a", 2, false)).Err, kerr.InvalidPartitions)
	wantErr(t, get(t, n.CreatePartitions("a", 1, false)).Err, kerr.InvalidPartitions)
	wantErr(t, get(t, n.CreatePartitions("a", 5, true)).Err, nil)
	if got := n.Topics().ByName["a"].Partitions; got != 2 {
		t.Errorf("%d partitions after a validation, want 2", got)
	}
	if r := get(t, n.CreatePartitions("a", 5, false)); r.Err != nil || r.Topic.Partitions != 5 {
		t.Errorf("%+v", r)
	}
	n.mustProduce("a", 4, plain("y"))
	for _, at := range n.everyWay() {
		if got := at.Topics().ByName["a"].Partitions; got != 5 {
			t.Errorf("%d partitions after a start, want 5", got)
		}
		if got := at.read("a", 1, false); len(got) != 1 {
			t.Errorf("partition 1 holds %v", got)
		}
		if got := at.read("a", 4, false); len(got) != 1 {
			t.Errorf("partition 4 holds %v", got)
		}
	}
}

func TestTopicConfigs(t *testing.T) {
	n := newNode(t)
	n.topic("a", 1, map[string]string{"retention.ms": "5000"})
	value := func(n *node, name string) (string, string) {
		t.Helper()
		cs, err := n.TopicConfigs("a")
		if err != nil {
			t.Fatal(err)
		}
		if len(cs) != len(settings.Table) {
			t.Errorf("%d settings described, want all %d", len(cs), len(settings.Table))
		}
		for _, c := range cs {
			if c.Name == name {
				return c.Value, c.Source
			}
		}
		t.Fatalf("no setting %s", name)
		return "", ""
	}
	expect := func(n *node, name, wantValue, wantSource string) {
		t.Helper()
		if v, s := value(n, name); v != wantValue || s != wantSource {
			t.Errorf("%s = %q from %s, want %q from %s", name, v, s, wantValue, wantSource)
		}
	}
	expect(n, "retention.ms", "5000", "topic")
	expect(n, "segment.ms", "604800000", "default")

	alter := func(want *kerr.Error, replace bool, cs ...ConfigChange) {
		t.Helper()
		wantErr(t, get(t, n.AlterTopicConfigs("a", cs, replace, true)).Err, want)
		wantErr(t, get(t, n.AlterTopicConfigs("a", cs, replace, false)).Err, want)
	}
	alter(nil, false, ConfigChange{Name: "cleanup.policy", Op: "append", Value: "compact"}, ConfigChange{Name: "segment.ms", Op: "set", Value: "7"})
	expect(n, "cleanup.policy", "delete,compact", "topic")
	expect(n, "retention.ms", "5000", "topic")
	alter(nil, false, ConfigChange{Name: "cleanup.policy", Op: "subtract", Value: "delete"}, ConfigChange{Name: "segment.ms", Op: "delete", Value: ""})
	expect(n, "cleanup.policy", "compact", "topic")
	expect(n, "segment.ms", "604800000", "default")
	alter(kerr.InvalidConfig, false, ConfigChange{Name: "nope", Op: "set", Value: "1"})
	alter(kerr.InvalidConfig, false, ConfigChange{Name: "segment.ms", Op: "append", Value: "1"})
	alter(kerr.InvalidConfig, false, ConfigChange{Name: "segment.ms", Op: "set", Value: "-4"})
	alter(kerr.InvalidConfig, false, ConfigChange{Name: "cleanup.policy", Op: "subtract", Value: "compact"})
	alter(kerr.InvalidConfig, false, ConfigChange{Name: "remote.storage.enable", Op: "set", Value: "true"})
	alter(kerr.InvalidRequest, false, ConfigChange{Name: "segment.ms", Op: "set", Value: "1"}, ConfigChange{Name: "segment.ms", Op: "set", Value: "2"})
	alter(kerr.InvalidRequest, false, ConfigChange{Name: "segment.ms", Op: "guess", Value: "1"})
	alter(nil, true, ConfigChange{Name: "segment.ms", Op: "set", Value: "9"})
	wantErr(t, get(t, n.AlterTopicConfigs("none", nil, false, false)).Err, kerr.UnknownTopicOrPartition)
	for _, at := range n.everyWay() {
		expect(at, "cleanup.policy", "delete", "default")
		expect(at, "retention.ms", "604800000", "default")
		expect(at, "segment.ms", "9", "topic")
	}
}

func TestBrokerConfigs(t *testing.T) {
	n := newNode(t)
	seen, readOnly := map[string]bool{}, map[string]bool{}
	for _, c := range n.BrokerConfigs() {
		readOnly[c.Name] = c.ReadOnly
		if seen[c.Name] {
			t.Errorf("%s is listed twice", c.Name)
		}
		seen[c.Name] = true
		if c.Type == "" || c.Doc == "" {
			t.Errorf("%+v", c)
		}
	}
	for name, fixed := range map[string]bool{"num.partitions": true, "auto.create.topics.enable": true, "log.retention.ms": false, "log.retention.hours": true, "message.max.bytes": false, "log.cleaner.backoff.ms": false} {
		if !seen[name] || readOnly[name] != fixed {
			t.Errorf("%s: listed %v, read only %v", name, seen[name], readOnly[name])
		}
	}
}

func TestNodeSettingsOutliveEveryEnd(t *testing.T) {
	n := newNode(t)
	n.topic("own", 1, map[string]string{"retention.ms": "9"})
	n.topic("following", 1, nil)
	for all, changes := range map[bool][]ConfigChange{
		true:  {{Name: "log.retention.ms", Op: "set", Value: "5"}, {Name: "message.max.bytes", Op: "set", Value: "70"}},
		false: {{Name: "log.retention.ms", Op: "set", Value: "6"}},
	} {
		wantErr(t, get(t, n.AlterNodeConfigs(all, changes, false, false)).Err, nil)
	}
	wantErr(t, get(t, n.AlterNodeConfigs(false, []ConfigChange{{Name: "log.retention.ms", Op: "delete"}}, false, true)).Err, nil)
	wantErr(t, get(t, n.AlterNodeConfigs(false, []ConfigChange{{Name: "node.id", Op: "set", Value: "2"}}, false, false)).Err, kerr.InvalidRequest)
	for at, n := range n.everyWay() {
		for topic, want := range map[string]string{"own": "9", "following": "6"} {
			cs, err := n.TopicConfigs(topic)
			wantErr(t, err, nil)
			for _, c := range cs {
				if c.Name == "retention.ms" && c.Value != want {
					t.Errorf("%s: retention.ms of %s is %s", at, topic, c.Value)
				}
			}
		}
		wantErr(t, n.produce("following", 0, plain(strings.Repeat("x", 100))).Err, kerr.MessageTooLarge)
		if r := n.seq.st.topics["own"].rules.Load(); r.MaxBytes != 70 {
			t.Errorf("%s: %d bytes at most", at, r.MaxBytes)
		}
	}
}
