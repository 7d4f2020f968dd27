package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/test/checker"
)

// The topics of a past. Those of the first line are compacted, which must take nothing away: every record has a key of its own. The last
// one is deleted and made again, and again.
const (
	wide, narrow = "wide", "narrow"
	fleeting     = "fleeting"
)

var lasting = []record.TopicPartition{{Topic: wide}, {Topic: wide, Partition: 1}, {Topic: narrow}}

// Clients are who uses the node of a past: producers, readers, members of a group, and an administrator.
type clients struct {
	*past
	values  int
	sender  sender
	process int // of the next producer
	txnWho  txn.Producer
	txnSeq  map[record.TopicPartition]int32
	readers []*position
	members []*member
	ledger  map[string]*register
	life    map[broker.TopicID]int // the lives of the fleeting topic
	over    map[int]bool           // which of them have ended, acknowledged
}

// A sender is an idempotent producer with batches under way.
type sender struct {
	process int
	who     txn.Producer
	seq     map[record.TopicPartition]int32
	pending []*sending
}

// A sending is one batch, sent again until it is answered.
type sending struct {
	tp     record.TopicPartition
	bytes  func() []byte
	op     int
	answer *broker.Future[[]broker.ProduceResult]
}

// A position is where a reader stands.
type position struct {
	process int
	next    map[record.TopicPartition]record.Offset
}

func newClients(p *past) *clients {
	c := &clients{past: p, process: 1000, ledger: map[string]*register{}, life: map[broker.TopicID]int{}, over: map[int]bool{}}
	configs := map[string]string{"cleanup.policy": "compact", "retention.ms": "-1", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0"}
	specs := []broker.TopicSpec{{Name: wide, Partitions: 2, Replication: 1, Configs: configs}, {Name: narrow, Partitions: 1, Replication: 1, Configs: configs}}
	for _, r := range wait(p, p.broker.CreateTopics(specs, false)) {
		if r.Err != nil {
			p.t.Errorf("create %s: %v", r.Name, r.Err)
		}
	}
	for i := range 2 {
		c.readers = append(c.readers, &position{30 + i, map[record.TopicPartition]record.Offset{}})
		c.members = append(c.members, &member{process: 40 + i, id: fmt.Sprintf("member-%d", i)})
	}
	c.newSender()
	return c
}

func (c *clients) step() {
	switch k := c.rng.IntN(100); {
	case k < 28:
		c.produce()
	case k < 38:
		c.settle()
	case k < 56:
		c.transact()
	case k < 68:
		c.read(c.readers[c.rng.IntN(2)])
	case k < 80:
		c.share(c.members[c.rng.IntN(2)])
	case k < 84:
		c.commitPlain()
	case k < 88:
		c.changeACL()
	case k < 93:
		c.recreate()
	case k < 97:
		c.pass(16*time.Second, c.rng.IntN(2) == 0) // for the cleaner
	case k < 99:
		c.settle()
		if !c.isCrashed() {
			c.restart()
			c.lookAround()
		}
	default:
		c.sleep()
	}
}

// sleep lets everything expire that nobody uses for long.
func (c *clients) sleep() {
	c.settle()
	c.pass(8*24*time.Hour, false)
	c.count("expired")
	for name, reg := range c.ledger {
		if strings.HasPrefix(name, "shared ") {
			reg.ask("-1") // the group may have been without members for long enough
		}
	}
	c.txnWho.ID = 0
	c.newSender() // its id is forgotten, and that of the transactions
}

// ---- producers

func (c *clients) newValues(n int) []string {
	out := make([]string, n)
	for i := range out {
		c.values++
		out[i] = valueOf(c.values)
	}
	return out
}

// build makes a batch of values, each with a key of its own.
func (c *clients) build(values []string, params batch.Params) func() []byte {
	at := record.Timestamp(c.clk.Now().UnixMilli())
	return func() []byte {
		var b batch.Builder
		b.Reset(params)
		for _, v := range values {
			key, _, _ := strings.Cut(v, " ")
			b.Append(at, []byte(key), []byte(v), nil)
		}
		return b.AppendTo(nil)
	}
}

// sends adds values to an operation that was begun.
func (c *clients) sends(op int, tp record.TopicPartition, values []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range values {
		c.ops[op].Sends = append(c.ops[op].Sends, checker.Send{TopicPartition: tp, Value: v, Offset: -1})
	}
}

// acked notes where the last n values of an operation stand, and that it took place if whole.
func (c *clients) acked(op, n int, base record.Offset, whole bool) {
	c.heard(func() {
		o := &c.ops[op]
		for i := range n {
			o.Sends[len(o.Sends)-n+i].Offset = base + record.Offset(i)
		}
		if whole {
			o.Outcome, o.End = checker.OK, c.time
		}
	})
}

// newSender gets an id, unless the node crashes before it is heard: then the next one that needs it does.
func (c *clients) newSender() {
	c.process++
	c.sender = sender{process: c.process, who: txn.None, seq: map[record.TopicPartition]int32{}}
	if who := c.init(""); !c.isCrashed() {
		c.sender.who = who
	}
}

func (c *clients) init(id string) txn.Producer {
	r := wait(c.past, c.broker.InitProducer(txn.Init{ID: id, Timeout: time.Minute, Current: txn.None}))
	if r.Err != nil {
		c.wrong("init producer", r.Err)
	}
	return r.Producer
}

func (c *clients) produce() {
	if c.sender.who == txn.None {
		c.newSender()
	}
	if len(c.sender.pending) == maxInFlight {
		c.settle()
	}
	if c.isCrashed() {
		return
	}
	tp := lasting[c.rng.IntN(len(lasting))]
	values := c.newValues(1 + c.rng.IntN(4))
	who := c.sender.who
	s := &sending{tp: tp, op: c.begin(c.sender.process), bytes: c.build(values, batch.Params{
		ProducerID: who.ID, ProducerEpoch: who.Epoch, BaseSequence: c.sender.seq[tp], Codec: batch.Codec(c.rng.IntN(5)),
	})}
	c.sender.seq[tp] += int32(len(values))
	c.sends(s.op, tp, values)
	c.send(s)
	c.sender.pending = append(c.sender.pending, s)
	if c.rng.IntN(8) == 0 {
		c.send(s) // as after a lost answer: the first one is never heard
	}
	c.count("sent")
}

func (c *clients) send(s *sending) {
	s.answer = c.broker.Produce(broker.Produce{Items: []broker.ProduceItem{{Ref: broker.TopicRef{Name: s.tp.Topic}, Partition: s.tp.Partition, Bytes: s.bytes()}}})
}

// settle waits for what is under way.
func (c *clients) settle() {
	for len(c.sender.pending) > 0 {
		s := c.sender.pending[0]
		r := wait(c.past, s.answer)
		if c.isCrashed() {
			return // afterCrash sends them again
		}
		if len(r) != 1 || r[0].Err != nil {
			c.wrong("produce", fmt.Errorf("%+v", r))
			return
		}
		c.acked(s.op, len(c.ops[s.op].Sends), r[0].BaseOffset, true)
		if c.isCrashed() {
			return
		}
		c.sender.pending = c.sender.pending[1:]
	}
}

// ---- transactions

// transact writes one transaction, by either protocol. Some are aborted, some are left open.
func (c *clients) transact() {
	const id = "transactional"
	if c.txnWho.ID == 0 || c.rng.IntN(5) == 0 {
		if c.txnWho = c.init(id); c.isCrashed() {
			return
		}
		c.txnSeq = map[record.TopicPartition]int32{}
	}
	implicit := c.rng.IntN(2) == 0
	op := c.begin(20)
	c.mu.Lock()
	c.ops[op].Outcome = checker.Fail // unless a commit is asked for
	c.mu.Unlock()
	for range 1 + c.rng.IntN(3) {
		if !c.write(op, id, implicit) {
			c.txnWho.ID = 0
			return
		}
	}
	if c.rng.IntN(12) == 0 {
		c.txnWho.ID = 0 // it hangs until the next one of its kind, or its timeout, ends it
		return
	}
	if c.rng.IntN(20) == 0 {
		c.pass(2*time.Minute, false)
		c.count("timed out")
	}
	c.end(op, id, c.rng.IntN(4) > 0, implicit)
}

func (c *clients) write(op int, id string, implicit bool) bool {
	tp, values := lasting[c.rng.IntN(len(lasting))], c.newValues(1+c.rng.IntN(3))
	if !implicit {
		if errs := wait(c.past, c.broker.AddPartitions(id, c.txnWho, []record.TopicPartition{tp})); len(errs) != 1 || errs[0] != nil {
			c.wrong("add partitions", fmt.Errorf("%v", errs))
			return false
		}
	}
	c.sends(op, tp, values)
	bytes := c.build(values, batch.Params{ProducerID: c.txnWho.ID, ProducerEpoch: c.txnWho.Epoch, BaseSequence: c.txnSeq[tp], Transactional: true})
	c.txnSeq[tp] += int32(len(values))
	r := wait(c.past, c.broker.Produce(broker.Produce{TransactionalID: id, Implicit: implicit, Items: []broker.ProduceItem{
		{Ref: broker.TopicRef{Name: tp.Topic}, Partition: tp.Partition, Bytes: bytes()},
	}}))
	if len(r) != 1 || r[0].Err != nil {
		c.wrong("produce in a transaction", fmt.Errorf("%+v", r))
		return false
	}
	c.acked(op, len(values), r[0].BaseOffset, false)
	return !c.isCrashed()
}

// end asks for the outcome. One that timed out is refused, and was aborted.
func (c *clients) end(op int, id string, commit, implicit bool) {
	if commit {
		at := c.tick()
		c.mu.Lock()
		c.ops[op].Commit, c.ops[op].Outcome = at, checker.Info
		c.mu.Unlock()
	}
	r := wait(c.past, c.broker.EndTxn(id, c.txnWho, commit, implicit))
	what := "aborted"
	if commit {
		what = "committed"
	}
	heard := c.heard(func() {
		switch o := &c.ops[op]; {
		case r.Err != nil:
			o.Outcome = checker.Fail
		case commit:
			o.Outcome, o.End = checker.OK, c.time
		}
	})
	if !heard || r.Err != nil {
		c.txnWho.ID = 0
		return
	}
	c.count(what)
	if implicit {
		c.txnWho, c.txnSeq = r.Producer, map[record.TopicPartition]int32{}
	}
}

// ---- readers

// chunk is what stands behind a place of a partition; nil when nothing committed does.
func (c *clients) chunk(tp record.TopicPartition, next record.Offset) *client.Chunk {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends, err := c.door.Ends(ctx, tp)
	switch {
	case err != nil:
		c.wrong("the end", err)
		return nil
	case ends[tp] < next:
		c.wrong("read", fmt.Errorf("%v ends at %d, the reader stands at %d", tp, ends[tp], next))
		return nil
	case ends[tp] == next:
		return nil
	}
	r, err := c.door.OpenReader(ctx, map[record.TopicPartition]record.Offset{tp: next})
	if err != nil {
		c.wrong("open a reader", err)
		return nil
	}
	defer r.Close()
	chunks, err := r.Poll(ctx, 1<<10)
	if err != nil || len(chunks) == 0 {
		c.wrong("poll", errors.Join(err, fmt.Errorf("%d chunks", len(chunks))))
		return nil
	}
	return &chunks[0]
}

// reads turns a chunk into the words of a history.
func reads(tp record.TopicPartition, ch *client.Chunk) (out []checker.Read) {
	for i, v := range ch.Values {
		out = append(out, checker.Read{TopicPartition: tp, Value: string(v), Offset: ch.Offsets[i]})
	}
	return out
}

// read takes one reader a step on.
func (c *clients) read(at *position) {
	tp := lasting[c.rng.IntN(len(lasting))]
	ch := c.chunk(tp, at.next[tp])
	if ch == nil {
		return
	}
	c.heard(func() {
		c.ops = append(c.ops, checker.Op{Process: at.process, End: c.time, Reads: reads(tp, ch)})
		at.next[tp] = ch.Next
		c.counts["read"]++
	})
}

// ---- an administrator

// commitPlain commits an offset of a group without members, which never expires.
func (c *clients) commitPlain() {
	c.commit("plain", group.Member{Generation: -1}, record.TopicPartition{Topic: narrow}, record.Offset(c.rng.IntN(1000)))
}

func (c *clients) register(name, initial string) *register {
	r := c.ledger[name]
	if r == nil {
		r = newRegister(initial)
		c.ledger[name] = r
	}
	return r
}

// commit tells whether the node took an offset.
func (c *clients) commit(name string, m group.Member, tp record.TopicPartition, o record.Offset) bool {
	reg := c.register(registerOf(name, tp), "-1")
	at := reg.ask(strconv.FormatInt(int64(o), 10))
	r := wait(c.past, c.broker.CommitOffsets(name, m, []group.OffsetCommit{{TopicPartition: tp, Offset: o}}))
	if r.Err != nil || len(r.Each) != 1 || r.Each[0] != nil {
		if name == "plain" {
			c.wrong("commit", fmt.Errorf("%+v", r))
		}
		return false
	}
	return c.heard(func() { reg.ack(at) })
}

func registerOf(name string, tp record.TopicPartition) string {
	return map[bool]string{true: "offset ", false: "shared "}[name == "plain"] + name + " " + tp.String()
}

// theACL is there, or it is not.
var theACL = auth.ACL{
	Resource: auth.Topic, Pattern: auth.Literal, Name: wide, Principal: "User:ann", Host: auth.Wildcard, Operation: auth.Read, Permission: auth.Allow,
}

func (c *clients) changeACL() {
	reg, want := c.register("acl", "none"), "there"
	if len(c.broker.Security().ACLs.All()) > 0 {
		want = "none"
	}
	at := reg.ask(want)
	if want == "there" {
		if err := wait(c.past, c.broker.CreateACLs([]auth.ACL{theACL})); err != nil {
			c.wrong("create an ACL", err)
			return
		}
	} else if r := wait(c.past, c.broker.DeleteACLs([]auth.Filter{{Resource: auth.AnyResource, Pattern: auth.AnyPattern, Operation: auth.AnyOperation, Permission: auth.AnyPermission}})); len(r) != 1 || r[0].Err != nil {
		c.wrong("delete ACLs", fmt.Errorf("%+v", r))
		return
	}
	c.heard(func() { reg.ack(at) })
}

// recreate makes the fleeting topic, or writes to it, reads it whole, and deletes it.
func (c *clients) recreate() {
	reg := c.register("fleeting", "none")
	t := c.broker.Topics().ByName[fleeting]
	if t == nil {
		at := reg.ask("there")
		rs := wait(c.past, c.broker.CreateTopics([]broker.TopicSpec{{Name: fleeting, Partitions: 1, Replication: 1, Configs: map[string]string{"retention.ms": "-1"}}}, false))
		if len(rs) != 1 || rs[0].Err != nil {
			c.wrong("create a topic", fmt.Errorf("%+v", rs))
			return
		}
		c.count("re-created")
		c.heard(func() { reg.ack(at) })
		return
	}
	life := c.lifeOf(t)
	c.visit(life)
	if c.isCrashed() || c.rng.IntN(2) == 0 {
		return
	}
	at := reg.ask("none")
	rs := wait(c.past, c.broker.DeleteTopics([]broker.TopicRef{{Name: fleeting}}))
	if len(rs) != 1 || rs[0].Err != nil {
		c.wrong("delete a topic", fmt.Errorf("%+v", rs))
		return
	}
	c.heard(func() {
		reg.ack(at)
		c.over[life] = true
	})
}

// lifeOf numbers the topics of that name.
func (c *clients) lifeOf(t *broker.Topic) int {
	n, known := c.life[t.ID]
	if !known {
		n = len(c.life) + 1
		c.life[t.ID] = n
	}
	if c.over[n] {
		c.wrong("topic", fmt.Errorf("life %d of it was deleted and is back", n))
	}
	return n
}

// visit writes to the fleeting topic and reads it from its start: every reader is a new one.
func (c *clients) visit(life int) {
	real, named := record.TopicPartition{Topic: fleeting}, record.TopicPartition{Topic: fmt.Sprint(fleeting, "#", life)}
	values := c.newValues(1 + c.rng.IntN(3))
	c.process++
	op := c.begin(c.process)
	c.sends(op, named, values)
	bytes := c.build(values, batch.Params{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	r := wait(c.past, c.broker.Produce(broker.Produce{Items: []broker.ProduceItem{{Ref: broker.TopicRef{Name: fleeting}, Bytes: bytes()}}}))
	if len(r) != 1 || r[0].Err != nil {
		c.wrong("produce to a topic made again", fmt.Errorf("%+v", r))
		return
	}
	c.acked(op, len(values), r[0].BaseOffset, true)
	c.process++
	for next := record.Offset(0); !c.isCrashed() && !c.t.Failed(); {
		ch := c.chunk(real, next)
		if ch == nil {
			return
		}
		next = ch.Next
		c.heard(func() { c.ops = append(c.ops, checker.Op{Process: c.process, End: c.time, Reads: reads(named, ch)}) })
	}
}
