package group

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"
)

// A driver calls the machine at random and keeps the books that the machine must agree with.
type driver struct {
	t       *rapid.T
	m       *Groups
	now     time.Duration
	token   Token
	nextID  int
	parked  map[Token]string // token → group
	ids     map[string][]string
	last    map[string]int32 // generation seen last
	leaders map[string]string
	log     []func(*Groups) error
	visible map[string]map[record.TopicPartition]record.Offset
	pending map[int64]map[string]map[record.TopicPartition]record.Offset
}

// Whatever is asked in whatever order: no token is answered twice or forgotten, a generation has one leader and never goes
// back, an offset shows exactly from its commit on, and the records rebuild the durable state at every point.
func TestRandomCallsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &driver{
			t: t, parked: map[Token]string{}, ids: map[string][]string{}, last: map[string]int32{}, leaders: map[string]string{},
			visible: map[string]map[record.TopicPartition]record.Offset{},
			pending: map[int64]map[string]map[record.TopicPartition]record.Offset{},
		}
		o := Options{
			InitialDelay: time.Duration(rapid.SampledFrom([]int{0, 0, 3}).Draw(t, "delay")) * time.Second,
			MaxSize:      rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "size"),
		}
		d.m = New(o)
		ops := rapid.IntRange(1, 60).Draw(t, "ops")
		cut := rapid.IntRange(0, ops).Draw(t, "cut")
		var snapshot []byte
		cutLog := 0
		for i := range ops {
			if i == cut {
				snapshot, cutLog = d.m.AppendSnapshot(nil), len(d.log)
			}
			d.step()
			d.check()
		}
		d.drain()
		d.compareReplay(o, nil, d.log)
		if cut < ops {
			d.compareReplay(o, snapshot, d.log[cutLog:])
		}
	})
}

func (d *driver) compareReplay(o Options, snapshot []byte, log []func(*Groups) error) {
	m := New(o)
	if err := m.LoadSnapshot(snapshot); err != nil {
		d.t.Fatal(err)
	}
	for _, f := range log {
		if err := f(m); err != nil {
			d.t.Fatal(err)
		}
	}
	if got, want := m.AppendSnapshot(nil), d.m.AppendSnapshot(nil); !bytes.Equal(got, want) {
		d.t.Fatalf("replay gives another state:\n%q\n%q", got, want)
	}
	for name := range d.visible {
		if !maps.Equal(m.Offsets(name), d.m.Offsets(name)) {
			d.t.Fatalf("replay gives other offsets of %s", name)
		}
	}
	m.Restored(0)
	for name, of := range m.groups {
		checkGroup(d.t, name, of)
	}
}

func (d *driver) step() {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(d.t, "group")
	d.now += time.Duration(rapid.SampledFrom([]int{0, 1, 1, 4, 20}).Draw(d.t, "pass")) * time.Second
	switch rapid.IntRange(0, 13).Draw(d.t, "op") {
	case 0, 1, 2, 3:
		d.join(name)
	case 4, 5, 6:
		d.sync(name)
	case 7:
		m := d.member(name)
		d.m.Heartbeat(d.now, name, m)
	case 8:
		_, _, fx := d.m.Leave(d.now, name, []Member{d.member(name)})
		d.take(fx)
	case 9, 10:
		d.take(d.m.Tick(d.now))
	case 11:
		d.commit(name)
	case 12:
		d.endTxn()
	case 13:
		d.remove(name)
	}
}

// member draws someone who may or may not be in the group.
func (d *driver) member(name string) Member {
	m := Member{Generation: d.last[name] - int32(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(d.t, "old"))}
	m.ID = rapid.SampledFrom(append([]string{"", "stranger"}, d.ids[name]...)).Draw(d.t, "id")
	if of := d.m.groups[name]; of != nil && of.members[m.ID] != nil {
		m.InstanceID = of.members[m.ID].instance
	}
	return m
}

func (d *driver) join(name string) {
	d.token++
	d.nextID++
	r := Join{
		Group: name, ProtocolType: "consumer", NewMemberID: fmt.Sprintf("m%d", d.nextID),
		SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Duration(rapid.IntRange(0, 30).Draw(d.t, "rebalance")) * time.Second,
		RequireMemberID: rapid.Bool().Draw(d.t, "require"), CanSkip: rapid.Bool().Draw(d.t, "skip"),
	}
	for _, p := range rapid.SampledFrom([]string{"r", "rs", "sr", "s"}).Draw(d.t, "protocols") {
		r.Protocols = append(r.Protocols, Protocol{Name: string(p), Metadata: []byte{byte(p)}})
	}
	if rapid.Bool().Draw(d.t, "again") {
		m := d.member(name)
		r.MemberID, r.InstanceID = m.ID, m.InstanceID
	} else if rapid.Bool().Draw(d.t, "static") {
		r.InstanceID = rapid.SampledFrom([]string{"one", "two"}).Draw(d.t, "instance")
	}
	d.parked[d.token] = name
	d.take(d.m.Join(d.now, d.token, r))
}

func (d *driver) sync(name string) {
	d.token++
	m := d.member(name)
	d.parked[d.token] = name
	d.take(d.m.Sync(d.now, d.token, Sync{
		Group: name, Generation: m.Generation, MemberID: m.ID, InstanceID: m.InstanceID,
		Assignments: map[string][]byte{m.ID: []byte(m.ID)},
	}))
}

func (d *driver) commit(name string) {
	tp := record.TopicPartition{Topic: rapid.SampledFrom([]string{"x", "y"}).Draw(d.t, "topic")}
	o := OffsetCommit{TopicPartition: tp, Offset: record.Offset(rapid.IntRange(0, 99).Draw(d.t, "offset"))}
	m := d.member(name)
	if rapid.Bool().Draw(d.t, "simple") {
		m = Member{Generation: -1}
	}
	at := record.Timestamp(d.now.Milliseconds())
	if rapid.Bool().Draw(d.t, "txn") {
		pid := int64(rapid.IntRange(1, 2).Draw(d.t, "pid"))
		_, err, fx := d.m.CommitTxn(d.now, at, name, pid, m, []OffsetCommit{o})
		d.take(fx)
		if err == nil {
			if d.pending[pid] == nil {
				d.pending[pid] = map[string]map[record.TopicPartition]record.Offset{}
			}
			put(d.pending[pid], name, tp, o.Offset)
		}
		return
	}
	_, err, fx := d.m.Commit(d.now, at, name, m, []OffsetCommit{o})
	d.take(fx)
	if err == nil {
		put(d.visible, name, tp, o.Offset)
	}
}

func put(m map[string]map[record.TopicPartition]record.Offset, name string, tp record.TopicPartition, o record.Offset) {
	if m[name] == nil {
		m[name] = map[record.TopicPartition]record.Offset{}
	}
	m[name][tp] = o
}

func (d *driver) endTxn() {
	pid := int64(rapid.IntRange(1, 2).Draw(d.t, "pid"))
	commit := rapid.Bool().Draw(d.t, "commit")
	d.again(func(m *Groups) error { m.EndTxn(pid, commit); return nil })
	if commit {
		for name, os := range d.pending[pid] {
			for tp, o := range os {
				put(d.visible, name, tp, o)
			}
		}
	}
	delete(d.pending, pid)
}

func (d *driver) again(f func(*Groups) error) {
	_ = f(d.m)
	d.log = append(d.log, f)
}

func (d *driver) remove(name string) {
	switch rapid.IntRange(0, 2).Draw(d.t, "remove") {
	case 0:
		err, fx := d.m.Delete(name)
		d.take(fx)
		if err == nil {
			delete(d.visible, name)
			delete(d.last, name)
			for pid := range d.pending {
				delete(d.pending[pid], name)
			}
		}
	case 1:
		tp := record.TopicPartition{Topic: "x"}
		errs, err, fx := d.m.DeleteOffsets(name, []record.TopicPartition{tp})
		d.take(fx)
		if err == nil && errs[0] == nil {
			delete(d.visible[name], tp)
		}
	case 2:
		d.again(func(m *Groups) error { m.ForgetTopic("y"); return nil })
		tp := record.TopicPartition{Topic: "y"}
		for _, os := range d.visible {
			delete(os, tp)
		}
		for _, groups := range d.pending {
			for _, os := range groups {
				delete(os, tp)
			}
		}
	}
}

// take books the effects of a call.
func (d *driver) take(fx Effects) {
	for _, rec := range fx.Records {
		d.log = append(d.log, func(m *Groups) error { return m.Apply(rec) })
	}
	for _, r := range fx.Replies {
		name, ok := d.parked[r.To]
		if !ok {
			d.t.Fatalf("token %d answered twice or never given: %+v", r.To, r.Value)
		}
		delete(d.parked, r.To)
		if j, ok := r.Value.(JoinReply); ok {
			d.joined(name, j)
		}
	}
}

func (d *driver) joined(name string, j JoinReply) {
	if j.Err != nil {
		if j.Err == kerr.MemberIDRequired {
			d.ids[name] = append(d.ids[name], j.MemberID)
		}
		return
	}
	d.ids[name] = append(d.ids[name], j.MemberID)
	if j.Generation < d.last[name] {
		d.t.Fatalf("generation %d after %d", j.Generation, d.last[name])
	}
	d.last[name] = j.Generation
	if len(j.Members) > 0 {
		if j.Leader != j.MemberID {
			d.t.Fatalf("%s got the members but %s leads", j.MemberID, j.Leader)
		}
		if !j.SkipAssignment {
			key := fmt.Sprintf("%s/%d", name, j.Generation)
			if other, ok := d.leaders[key]; ok && other != j.MemberID && d.m.groups[name].members[other] != nil {
				d.t.Fatalf("%s and %s both lead generation %s", other, j.MemberID, key)
			}
			d.leaders[key] = j.MemberID
		}
	}
}

func (d *driver) check() {
	for name, of := range d.m.groups {
		checkGroup(d.t, name, of)
	}
	for _, name := range []string{"a", "b"} {
		all := d.m.Offsets(name)
		if len(all) != len(d.visible[name]) {
			d.t.Fatalf("%s shows %v, want %v", name, all, d.visible[name])
		}
		for tp, want := range d.visible[name] {
			if all[tp].Offset != want {
				d.t.Fatalf("%s %v shows %d, want %d", name, tp, all[tp].Offset, want)
			}
			pending := false
			for _, groups := range d.pending {
				_, has := groups[name][tp]
				pending = pending || has
			}
			if all[tp].Pending != pending {
				d.t.Fatalf("%s %v pending is %v", name, tp, all[tp].Pending)
			}
		}
	}
}

// drain lets time pass until nothing is due: by then every parked request must have its answer.
func (d *driver) drain() {
	for range 10_000 {
		at, ok := d.m.Next()
		if !ok {
			break
		}
		d.now = max(d.now, at)
		d.take(d.m.Tick(d.now))
		if next, ok := d.m.Next(); ok && next <= d.now {
			d.t.Fatalf("after Tick(%v) something is still due at %v", d.now, next)
		}
	}
	if len(d.parked) > 0 {
		d.t.Fatalf("forgotten: %v", d.parked)
	}
	for name, of := range d.m.groups {
		if of.state != empty {
			d.t.Fatalf("%s is %v when everybody is gone", name, of.state)
		}
	}
}

// checkGroup verifies what must hold in a group between calls.
func checkGroup(t *rapid.T, name string, of *group) {
	fail := func(format string, args ...any) { t.Fatalf("group %s: "+format, append([]any{name}, args...)...) }
	joining, supported, static := 0, map[string]int{}, map[string]string{}
	for _, m := range of.order {
		if of.members[m.id] != m || m.timer.Of.member != m.id {
			fail("member %s is listed wrongly", m.id)
		}
		if m.joining {
			joining++
		}
		if m.joining && of.state != preparingRebalance || m.syncing && of.state != completingRebalance {
			fail("member %s is parked in state %v", m.id, of.state)
		}
		if !m.timer.Pending() && !m.joining && !m.syncing {
			fail("member %s can never expire", m.id)
		}
		for _, p := range m.protocols {
			supported[p.Name]++
		}
		if m.instance != "" {
			static[m.instance] = m.id
		}
	}
	for id, timer := range of.pendingJoin {
		if of.members[id] != nil || !timer.Pending() {
			fail("pending id %s is a member or never expires", id)
		}
	}
	switch {
	case len(of.order) != len(of.members) || joining != of.joining:
		fail("%d listed, %d members, %d joining, %d counted", len(of.order), len(of.members), joining, of.joining)
	case !maps.Equal(supported, of.supported) || !maps.Equal(static, of.static):
		fail("supported %v or static %v", of.supported, of.static)
	case (len(of.members) == 0) != (of.leader == ""), of.leader != "" && of.members[of.leader] == nil:
		fail("leader %q of %d members", of.leader, len(of.members))
	case of.state == empty && len(of.members) > 0, of.state >= completingRebalance && len(of.members) == 0:
		fail("%d members in state %v", len(of.members), of.state)
	case (of.state == preparingRebalance) != of.join.Pending():
		fail("join timer in state %v", of.state)
	case of.state >= completingRebalance && of.owesSync() && !of.sync.Pending(), of.state < completingRebalance && of.sync.Pending():
		fail("sync timer in state %v", of.state)
	case of.state == completingRebalance && of.members[of.leader].syncing:
		fail("the leader waits for itself")
	case of.state >= completingRebalance && slices.ContainsFunc(of.order, func(m *member) bool { return m.metadata(of.protocol) == nil }):
		fail("a member does not know protocol %q", of.protocol)
	}
}
