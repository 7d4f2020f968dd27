package checker

import (
	"github.com/mainstemio/mainstem/record"
)

// writes: what was acknowledged, or partly read, was read.
func (c *check) writes() {
	for _, op := range c.ops {
		seen := 0
		for i := range op.Sends {
			if _, ok := c.places[op.Sends[i].Value]; ok {
				seen++
			}
		}
		if op.Outcome == Fail || (op.Outcome == Info && seen == 0) {
			continue
		}
		for i := range op.Sends {
			c.wasRead(op, &op.Sends[i], seen)
		}
	}
}

func (c *check) wasRead(op *Op, s *Send, seen int) {
	if _, ok := c.places[s.Value]; ok {
		return
	}
	high, any := c.high[s.TopicPartition]
	switch {
	case op.Outcome == OK && !c.complete && s.Offset >= 0 && (!any || s.Offset > high):
		return // nobody came that far
	case op.Outcome == OK:
		c.found(Lost, "%q was acknowledged in %v at %d and never read; others were up to %d", s.Value, s.TopicPartition, s.Offset, high)
	case seen > 0:
		c.found(Torn, "%q in %v was never read, %d of the %d values sent with it were", s.Value, s.TopicPartition, seen, len(op.Sends))
	}
}

// reads: a value that was read was sent there, by an operation that took place, and not before its commit.
func (c *check) reads() {
	for _, op := range c.ops {
		for _, r := range op.Reads {
			w, ok := c.writers[r.Value]
			switch {
			case !ok || w.send.TopicPartition != r.TopicPartition:
				c.found(Unasked, "%q was read in %v at %d", r.Value, r.TopicPartition, r.Offset)
			case w.op.Outcome == Fail:
				c.found(AbortedRead, "%q was read in %v at %d, but its operation failed", r.Value, r.TopicPartition, r.Offset)
			case op != w.op && op.End < w.op.Commit:
				c.found(PrecommittedRead, "%q was read in %v at %d before its commit", r.Value, r.TopicPartition, r.Offset)
			case w.op.Outcome == OK && w.send.Offset >= 0 && w.send.Offset != r.Offset:
				c.found(Duplicate, "%q was acknowledged at %d and read at %d of %v", r.Value, w.send.Offset, r.Offset, r.TopicPartition)
			}
		}
	}
}

// reader is one process in one partition.
type reader struct {
	process int
	record.TopicPartition
}

// polls: what one consumer gets goes up and leaves out nothing that anybody read.
func (c *check) polls() {
	last := map[reader]record.Offset{}
	for _, op := range c.ops {
		if op.Assigned || op.Subscribed {
			for at := range last {
				if at.process == op.Process {
					delete(last, at)
				}
			}
		}
		for _, r := range op.Reads {
			at := reader{op.Process, r.TopicPartition}
			if before, ok := last[at]; ok {
				c.step(at, before, r.Offset)
			}
			last[at] = r.Offset
		}
	}
}

func (c *check) step(at reader, before, now record.Offset) {
	if now <= before {
		c.found(NonmonotonicPoll, "process %d goes from %d to %d in %v", at.process, before, now, at.TopicPartition)
		return
	}
	for _, p := range c.order[at.TopicPartition] {
		if p.offset <= before {
			continue
		}
		if p.offset >= now {
			return
		}
		if _, read := c.places[c.at[p]]; read {
			c.found(Skipped, "process %d goes from %d to %d in %v, over %q at %d", at.process, before, now, at.TopicPartition, c.at[p], p.offset)
			return
		}
	}
}

// sends: what one producer sent one after the other stands in that order.
func (c *check) sends() {
	last := map[reader]record.Offset{}
	for _, op := range c.ops {
		if op.Outcome != OK {
			continue
		}
		for i := range op.Sends {
			s := &op.Sends[i]
			if s.Offset < 0 {
				continue
			}
			at := reader{op.Process, s.TopicPartition}
			if before, ok := last[at]; ok && s.Offset <= before {
				c.found(NonmonotonicSend, "process %d sent %q to %d behind %d in %v", op.Process, s.Value, s.Offset, before, s.TopicPartition)
			}
			last[at] = s.Offset
		}
	}
}

// cycles: no two operations each depend on what the other wrote. Tarjan's strongly connected components over "was read by".
func (c *check) cycles() {
	t := &tarjan{c: c, index: map[*Op]int{}, low: map[*Op]int{}, on: map[*Op]bool{}}
	for _, op := range c.ops {
		if t.index[op] == 0 && len(op.Sends) > 0 && len(op.Reads) > 0 {
			t.visit(op)
		}
	}
}

type tarjan struct {
	c          *check
	next       int
	index, low map[*Op]int
	stack      []*Op
	on         map[*Op]bool
}

// visit goes from an operation to those whose values it read. Chains are as long as a history has read-and-write transactions that
// hang together, which tests keep short.
func (t *tarjan) visit(op *Op) {
	t.next++
	t.index[op], t.low[op] = t.next, t.next
	t.stack, t.on[op] = append(t.stack, op), true
	for _, r := range op.Reads {
		w, ok := t.c.writers[r.Value]
		if !ok || w.op == op {
			continue
		}
		if t.index[w.op] == 0 {
			t.visit(w.op)
			t.low[op] = min(t.low[op], t.low[w.op])
		} else if t.on[w.op] {
			t.low[op] = min(t.low[op], t.index[w.op])
		}
	}
	if t.low[op] != t.index[op] {
		return
	}
	n := 0
	for done := false; !done; n++ {
		top := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		t.on[top], done = false, top == op
	}
	if n > 1 {
		t.c.found(CyclicRead, "%d operations, one of process %d, each read what another of them wrote", n, op.Process)
	}
}
