package group

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"
)

// A partitionID is one partition of a topic.
type partitionID struct {
	topic     assign.TopicID
	partition int32
}

// A reader is a member as its client sees it: what it holds is what it may fetch.
type reader struct {
	id      string
	classic bool
	epoch   int32
	holds   assign.Partitions
	wants   []string
	rejoin  bool // a classic one was told to join again
	synced  bool
	out     bool
}

// readers drive one group at random. Each partition that a live reader holds must be held by nobody else.
type readers struct {
	t      *rapid.T
	topics *topics
	o      Options
	m      *Groups
	now    time.Duration
	token  Token
	next   int
	quiet  bool // no answer is lost any more
	all    []*reader
	log    [][]byte
}

// However requests, lost answers, expiries, crashes and changes of topics follow on each other, and whichever protocols members use:
// no partition is with two members at once as the members see it, the records rebuild the state at every point, and once it is calm
// everything is assigned.
func TestNoPartitionHasTwoReadersInARandomConsumerGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &readers{t: t, topics: newTopics()}
		d.o = Options{Topics: d.topics}
		d.m = New(d.o)
		d.topics.put("t", int32(rapid.IntRange(1, 6).Draw(t, "t")))
		d.topics.put("u", int32(rapid.IntRange(1, 4).Draw(t, "u")))
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			d.step()
			d.check()
		}
		d.calm()
	})
}

func (d *readers) step() {
	d.now += time.Duration(rapid.SampledFrom([]int{0, 1, 3}).Draw(d.t, "pass")) * time.Second
	switch rapid.IntRange(0, 12).Draw(d.t, "op") {
	case 0, 1:
		d.join()
	case 2:
		if r := d.any(); r != nil {
			d.leave(r)
		}
	case 3:
		d.crash()
	case 4:
		name := rapid.SampledFrom([]string{"t", "u"}).Draw(d.t, "topic")
		d.topics.put(name, d.topics.all[name].Partitions+1)
	case 5:
		if r := d.any(); r != nil && !r.classic {
			r.wants = rapid.SampledFrom([][]string{{"t"}, {"u"}, {"t", "u"}}).Draw(d.t, "wants")
			d.beat(r, true)
		}
	case 6:
		d.expire()
	default:
		if r := d.any(); r != nil {
			d.beat(r, rapid.IntRange(0, 3).Draw(d.t, "full") == 0)
		}
	}
}

func (d *readers) any() *reader {
	live := d.live()
	if len(live) == 0 {
		return nil
	}
	return live[rapid.IntRange(0, len(live)-1).Draw(d.t, "who")]
}

func (d *readers) live() []*reader {
	var out []*reader
	for _, r := range d.all {
		if !r.out {
			out = append(out, r)
		}
	}
	return out
}

func (d *readers) join() {
	d.next++
	r := &reader{id: fmt.Sprintf("m%d", d.next), wants: []string{"t", "u"}, classic: rapid.Bool().Draw(d.t, "classic")}
	d.all = append(d.all, r)
	d.beat(r, true)
}

// beat lets a reader do what its client would do next.
func (d *readers) beat(r *reader, full bool) {
	if r.classic {
		d.beatClassic(r)
		return
	}
	h := consumer.Heartbeat{Group: "g", MemberID: r.id, Epoch: r.epoch, RebalanceTimeout: -1, Owned: r.holds}
	if full || r.epoch == 0 {
		h.RebalanceTimeout, h.Topics = 10*time.Second, r.wants
	}
	if h.Owned == nil {
		h.Owned = assign.Partitions{}
	}
	reply, fx := d.m.ConsumerHeartbeat(d.now, h, "")
	d.take(fx)
	if !d.quiet && rapid.IntRange(0, 5).Draw(d.t, "lost") == 0 {
		return // the answer: the reader comes again as it was
	}
	switch reply.Err {
	case nil:
		r.epoch = reply.Epoch
		if reply.Assignment != nil {
			r.holds = reply.Assignment
		}
	case kerr.FencedMemberEpoch, kerr.UnknownMemberID:
		r.epoch, r.holds = 0, nil // it gives all up and joins again
	case kerr.GroupIDNotFound:
		r.epoch, r.holds, r.out = 0, nil, true
	default:
		d.t.Fatalf("%s: %v %s", r.id, reply.Err, reply.Detail)
	}
}

// beatClassic is a cooperative client: it joins with what it holds, syncs, gives up what it has not, and joins again then.
func (d *readers) beatClassic(r *reader) {
	switch {
	case r.epoch == 0 || r.rejoin:
		d.joinClassic(r)
	case !r.synced:
		d.syncClassic(r)
	default:
		switch err := d.m.Heartbeat(d.now, "g", Member{Generation: r.epoch, ID: r.id}); err {
		case nil:
		case kerr.RebalanceInProgress:
			r.rejoin = true
		default:
			r.epoch, r.holds = 0, nil
			r.rejoin = true
		}
	}
}

func (d *readers) joinClassic(r *reader) {
	d.token++
	owned := map[string][]int32{}
	for id, of := range r.holds {
		if name, ok := d.topics.TopicName(id); ok {
			owned[name] = of
		}
	}
	fx := d.m.Join(d.now, d.token, Join{
		Group: "g", MemberID: r.id, NewMemberID: r.id, ProtocolType: "consumer", SessionTimeout: 45 * time.Second, RebalanceTimeout: 10 * time.Second,
		Protocols: []Protocol{{Name: "p", Metadata: owning(owned, r.wants...)}},
	})
	d.take(fx)
	reply, ok := answerTo[JoinReply](fx, d.token)
	switch {
	case !ok: // a classic group, in which it would wait
		r.epoch, r.holds, r.out = 0, nil, true
	case reply.Err == kerr.UnknownMemberID && r.epoch == 0:
		d.firstJoin(r)
	case reply.Err != nil:
		r.epoch, r.holds = 0, nil
	default:
		r.epoch, r.rejoin, r.synced = reply.Generation, false, false
	}
}

// firstJoin lets a classic member in that has no id yet; in a classic group it does not take part.
func (d *readers) firstJoin(r *reader) {
	d.token++
	fx := d.m.Join(d.now, d.token, Join{
		Group: "g", NewMemberID: r.id, ProtocolType: "consumer", SessionTimeout: 45 * time.Second, RebalanceTimeout: 10 * time.Second,
		Protocols: []Protocol{{Name: "p", Metadata: owning(nil, r.wants...)}},
	})
	d.take(fx)
	reply, ok := answerTo[JoinReply](fx, d.token)
	if !ok || reply.Err != nil || d.m.groups["g"].modern == nil {
		r.out = true
		return
	}
	r.epoch, r.rejoin, r.synced = reply.Generation, false, false
}

func (d *readers) syncClassic(r *reader) {
	d.token++
	fx := d.m.Sync(d.now, d.token, Sync{Group: "g", Generation: r.epoch, MemberID: r.id})
	d.take(fx)
	reply, ok := answerTo[SyncReply](fx, d.token)
	switch {
	case !ok:
		r.epoch, r.holds, r.out = 0, nil, true
	case reply.Err == kerr.RebalanceInProgress:
		r.rejoin = true
	case reply.Err != nil:
		r.epoch, r.holds, r.rejoin = 0, nil, true
	default:
		before := r.holds
		r.holds, r.synced = d.embedded(reply.Assignment), true
		for id, of := range before { // what it has given up it must tell
			for _, p := range of {
				r.rejoin = r.rejoin || !r.holds.Has(id, p)
			}
		}
	}
}

// embedded reads a consumer protocol assignment.
func (d *readers) embedded(b []byte) assign.Partitions {
	out := assign.Partitions{}
	at := 2
	num := func(n int) int {
		v := 0
		for range n {
			v, at = v<<8|int(b[at]), at+1
		}
		return v
	}
	for range num(4) {
		n := num(2)
		id := d.topics.all[string(b[at:at+n])].ID
		at += n
		for range num(4) {
			out[id] = append(out[id], int32(num(4)))
		}
	}
	return out
}

func answerTo[T any](fx Effects, to Token) (T, bool) {
	for _, r := range fx.Replies {
		if v, ok := r.Value.(T); ok && r.To == to {
			return v, true
		}
	}
	var none T
	return none, false
}

func (d *readers) leave(r *reader) {
	r.out, r.holds = true, nil
	if r.classic {
		_, _, fx := d.m.Leave(d.now, "g", []Member{{ID: r.id}})
		d.take(fx)
		return
	}
	_, fx := d.m.ConsumerHeartbeat(d.now, consumer.Heartbeat{Group: "g", MemberID: r.id, Epoch: consumer.Leaving, RebalanceTimeout: -1}, "")
	d.take(fx)
}

// expire lets all but one reader die without a word and time go on until the group has noticed.
func (d *readers) expire() {
	keep := d.any()
	for _, r := range d.live() {
		if r != keep {
			r.out, r.holds = true, nil
		}
	}
	for range 12 {
		d.now += 5 * time.Second
		if keep != nil && !keep.out {
			d.beat(keep, false)
		}
		d.tick()
	}
}

// tick lets times run out. A reader that did not do in time what it was asked to gives up what it holds: its client measures the same
// times.
func (d *readers) tick() {
	d.take(d.m.Tick(d.now))
	if of := d.m.groups["g"]; of != nil && of.modern != nil {
		for _, r := range d.live() {
			if of.modern.Member(r.id) == nil {
				r.out, r.holds = true, nil
			}
		}
	}
	d.check()
}

func (d *readers) crash() {
	m := New(d.o)
	for _, rec := range d.log {
		if err := m.Apply(rec); err != nil {
			d.t.Fatal(err)
		}
	}
	if !bytes.Equal(m.AppendSnapshot(nil), d.m.AppendSnapshot(nil)) {
		d.t.Fatal("the records do not rebuild the state")
	}
	loaded := New(d.o)
	if err := loaded.LoadSnapshot(m.AppendSnapshot(nil)); err != nil {
		d.t.Fatal(err)
	}
	d.m = loaded
	d.m.Restored(d.now)
}

func (d *readers) take(fx Effects) {
	for _, rec := range fx.Records {
		d.log = append(d.log, slices.Clone(rec))
	}
}

// check looks for partitions with two readers.
func (d *readers) check() {
	if of := d.m.groups["g"]; of == nil || of.modern == nil {
		for _, r := range d.live() { // a classic group: its own tests judge it
			r.out, r.holds = true, nil
		}
		return
	}
	held := map[partitionID]string{}
	for _, r := range d.live() {
		for id, of := range r.holds {
			for _, p := range of {
				k := partitionID{id, p}
				if other, twice := held[k]; twice {
					d.t.Fatalf("%s and %s both read %d of %x", other, r.id, p, id[0])
				}
				held[k] = r.id
			}
		}
	}
}

// calm lets the readers beat until nothing moves, and those that went without a word expire; then it looks for partitions without
// reader.
func (d *readers) calm() {
	d.quiet = true
	for i := range 30 {
		d.now += 3 * time.Second
		for _, r := range d.live() {
			d.beat(r, i == 0) // in full: the last answer may be lost
			d.check()
		}
		d.tick()
	}
	of := d.m.groups["g"]
	if of == nil || of.modern == nil || len(d.live()) == 0 {
		return
	}
	if state := of.modern.State(); state != "Stable" && state != "Empty" {
		d.t.Fatalf("the group is %s when it is calm", state)
	}
	for name, topic := range d.topics.all {
		readers := 0
		for _, r := range d.live() {
			if slices.Contains(r.wants, name) {
				readers++
			}
		}
		for p := range topic.Partitions {
			n := 0
			for _, m := range of.modern.Members() {
				if m.Assigned.Partitions().Has(topic.ID, p) {
					n++
				}
			}
			if readers > 0 && n != 1 {
				d.t.Fatalf("%s/%d is with %d members", name, p, n)
			}
		}
	}
}
