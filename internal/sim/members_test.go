package sim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/test/checker"
)

const sharing = "sharing"

// A member of a consumer group (KIP-848), which subscribes by an expression and commits what it has read.
type member struct {
	process int
	id      string
	epoch   int32 // 0: it has to join
	owned   assign.Partitions
	next    map[record.TopicPartition]record.Offset
}

// share is one round of a member: a heartbeat, then a step in each partition that it holds.
func (c *clients) share(m *member) {
	expr := wide + "|" + narrow
	h := consumer.Heartbeat{Group: sharing, MemberID: m.id, Epoch: m.epoch, RebalanceTimeout: -1, ClientID: m.id, ClientHost: "/127.0.0.1", Owned: m.owned}
	if m.epoch == 0 {
		h.Owned, h.Regex, h.RebalanceTimeout = assign.Partitions{}, &expr, 20*time.Second
	}
	r := wait(c.past, c.broker.ConsumerHeartbeat(h, ""))
	held := c.heard(func() {
		if r.Err != nil {
			m.epoch, m.owned, m.next = 0, nil, nil // out: it joins again
			return
		}
		m.epoch = r.Epoch
		if r.Assignment != nil {
			m.owned, m.next = r.Assignment, nil
		}
	})
	if !held || m.epoch == 0 {
		return
	}
	for _, tp := range lasting {
		if t := c.broker.Topics().ByName[tp.Topic]; m.owned.Has(t.ID, tp.Partition) && !c.isCrashed() {
			c.follow(m, tp)
		}
	}
}

// follow reads from where the group has got to, and commits.
func (c *clients) follow(m *member, tp record.TopicPartition) {
	next, known := m.next[tp]
	if !known {
		if next = c.committed(sharing, tp); next < 0 {
			next = 0
		}
	}
	ch := c.chunk(tp, next)
	if ch == nil {
		return
	}
	took := c.heard(func() {
		c.ops = append(c.ops, checker.Op{Process: m.process, End: c.time, Subscribed: true, Reads: reads(tp, ch)})
		if m.next == nil {
			m.next = map[record.TopicPartition]record.Offset{}
		}
		m.next[tp] = ch.Next
		c.counts["read by members"]++
	})
	if took {
		c.commit(sharing, group.Member{ID: m.id, Generation: m.epoch, Modern: true}, tp, ch.Next)
	}
}

// committed is a group's offset, which must be one that was committed.
func (c *clients) committed(name string, tp record.TopicPartition) record.Offset {
	o := wait(c.past, c.broker.FetchOffsets(name, []record.TopicPartition{tp}))[tp].Offset
	c.heard(func() {
		reg := c.register(registerOf(name, tp), "-1")
		if err := reg.see(strconv.FormatInt(int64(o), 10)); err != nil {
			c.t.Errorf("offset of %s in %v: %v", name, tp, err)
		}
	})
	return o
}

// afterCrash goes on with the new node: what was not answered is sent again, or given up.
func (c *clients) afterCrash() {
	if c.t.Failed() {
		return
	}
	c.txnWho.ID = 0
	c.lookAround()
	if c.rng.IntN(3) == 0 {
		c.newSender() // another process takes over
	}
	for _, s := range c.sender.pending {
		c.send(s)
	}
	c.settle()
	if c.isCrashed() {
		c.crash()
		c.afterCrash()
	}
}

// lookAround compares what the node remembers with what it was told.
func (c *clients) lookAround() {
	if c.isCrashed() {
		return
	}
	seen := map[bool]string{true: "there", false: "none"}
	topics := c.broker.Topics()
	if t := topics.ByName[fleeting]; t != nil {
		c.lifeOf(t)
	}
	for what, now := range map[string]string{"acl": seen[len(c.broker.Security().ACLs.All()) > 0], fleeting: seen[topics.ByName[fleeting] != nil]} {
		if reg := c.ledger[what]; reg != nil {
			if err := reg.see(now); err != nil {
				c.t.Errorf("%s: %v", what, err)
			}
		}
	}
	for _, tp := range lasting {
		if topics.ByName[tp.Topic] == nil {
			c.t.Errorf("topic %s is gone", tp.Topic)
			return
		}
		c.committed(sharing, tp)
	}
	c.committed("plain", record.TopicPartition{Topic: narrow})
}

// finish ends what is open and reads everything.
func (c *clients) finish() {
	if c.t.Failed() {
		return
	}
	c.settle()
	c.init("transactional")
	last := &position{99, map[record.TopicPartition]record.Offset{}}
	for _, tp := range lasting {
		for ch := c.chunk(tp, 0); ch != nil && !c.t.Failed(); ch = c.chunk(tp, last.next[tp]) {
			c.ops = append(c.ops, checker.Op{Process: last.process, End: c.tick(), Reads: reads(tp, ch)})
			last.next[tp] = ch.Next
		}
	}
	living := 0
	if t := c.broker.Topics().ByName[fleeting]; t != nil {
		living = c.lifeOf(t)
		c.visit(living)
	}
	c.lookAround()
	c.ops = append(c.ops, checker.Op{Process: last.process, End: c.tick(), ToEnd: true})
	for i := range c.ops {
		for _, s := range c.ops[i].Sends {
			if n, fleet := lifeNumber(s.Topic); fleet && n != living {
				c.ops[i].Outcome = checker.Info // deleted: nobody has to see it again
			}
		}
	}
}

func lifeNumber(topic string) (n int, ok bool) {
	_, err := fmt.Sscanf(topic, fleeting+"#%d", &n)
	return n, err == nil
}
