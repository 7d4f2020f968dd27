// Package checker judges what clients saw of a log: it finds what no log may do, whatever happened to the node meanwhile.
//
// Tests record a history of operations, from any number of producers, transactions and consumers, and call Check. It calls nothing
// but package record.
//
// No state: a history is read only. An operation has one of three ends: it took place (OK), it did not and never will (Fail), or
// nobody knows (Info). An Info counts as one that took place once any of its values was read.
//
// The rules are those of Jepsen's Kafka workload (jepsen-io/jepsen, tests/kafka.clj). Its allow-list is kept: gaps between the
// offsets of one transaction's own sends, cycles of writes alone (G0), and going back or skipping while the group decides about
// partitions.
//
// Not here: running clients, breaking things.
package checker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/record"
)

// An Outcome is how an operation ended.
type Outcome int

// The three ends.
const (
	OK Outcome = iota
	Fail
	Info
)

// A Send is one record that an operation wrote. Values are unique in a history.
type Send struct {
	record.TopicPartition
	Value  string
	Offset record.Offset // -1: not known
}

// A Read is one record that an operation got.
type Read struct {
	record.TopicPartition
	Value  string
	Offset record.Offset
}

// An Op is one transaction, one send outside of transactions, or one poll. Begin and End are places in an order of time that all
// processes share; Commit is when the commit was asked for, or Begin outside of transactions.
type Op struct {
	Process            int
	Begin, Commit, End int64
	Outcome            Outcome
	Sends              []Send
	Reads              []Read // in the order they came
	// Assigned says that the consumer's positions were set anew before the reads; Subscribed, that a group decides about them.
	Assigned, Subscribed bool
	// ToEnd says that the consumer has now read everything, and that nothing was sent any more: what it did not get is lost.
	ToEnd bool
}

// A Kind names what is wrong.
type Kind string

// The findings.
const (
	InconsistentOffset Kind = "inconsistent-offset" // two values at one offset
	Duplicate          Kind = "duplicate"           // one value at two places
	AbortedRead        Kind = "aborted-read"        // G1a: a value of an operation that failed
	PrecommittedRead   Kind = "precommitted-read"   // a value was read before its commit was asked for
	Unasked            Kind = "unasked"             // a value that nobody sent, or not to that partition
	Lost               Kind = "lost"                // acknowledged, and others behind it were read, but it never was
	Torn               Kind = "torn"                // one part of an operation was read, another never
	NonmonotonicPoll   Kind = "nonmonotonic-poll"   // a consumer went back
	Skipped            Kind = "skipped"             // a consumer passed over a value that others read
	NonmonotonicSend   Kind = "nonmonotonic-send"   // a later send of one producer stands before an earlier one
	CyclicRead         Kind = "cyclic-read"         // G1c: operations that each read what another of them wrote
)

// A Finding is one thing that must not be.
type Finding struct {
	Kind   Kind
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Kind, f.Detail) }

type place struct {
	record.TopicPartition
	offset record.Offset
}

func (p place) String() string { return fmt.Sprintf("%v at %d", p.TopicPartition, p.offset) }

// writer is who sent a value, and where to.
type writer struct {
	op   *Op
	send *Send
}

// check is a history in the order of End, with what the rules look things up in.
type check struct {
	ops      []*Op
	writers  map[string]writer
	places   map[string]place                        // of values that were read
	at       map[place]string                        // of values that were read, or sent to a known offset and acknowledged
	order    map[record.TopicPartition][]place       // of everything in at, by offset
	high     map[record.TopicPartition]record.Offset // highest offset read
	complete bool                                    // somebody read to the end
	findings []Finding
}

// Check returns everything that is wrong with a history, in a fixed order of rules. A value that was acknowledged and stands above
// everything read of its partition counts as lost only when somebody read to the end.
func Check(history []Op) []Finding {
	c := &check{
		writers: map[string]writer{}, places: map[string]place{}, at: map[place]string{},
		order: map[record.TopicPartition][]place{}, high: map[record.TopicPartition]record.Offset{},
	}
	for i := range history {
		c.ops = append(c.ops, &history[i])
	}
	slices.SortStableFunc(c.ops, func(a, b *Op) int { return cmp.Compare(a.End, b.End) })
	c.indexSends()
	c.indexReads()
	c.writes()
	c.reads()
	c.polls()
	c.sends()
	c.cycles()
	return c.findings
}

func (c *check) found(k Kind, format string, args ...any) {
	c.findings = append(c.findings, Finding{k, fmt.Sprintf(format, args...)})
}

func (c *check) indexSends() {
	for _, op := range c.ops {
		for i := range op.Sends {
			s := &op.Sends[i]
			c.writers[s.Value] = writer{op, s}
			if op.Outcome == OK && s.Offset >= 0 {
				c.put(place{s.TopicPartition, s.Offset}, s.Value)
			}
		}
	}
}

func (c *check) indexReads() {
	for _, op := range c.ops {
		c.complete = c.complete || op.ToEnd
		for _, r := range op.Reads {
			p := place{r.TopicPartition, r.Offset}
			c.put(p, r.Value)
			if was, ok := c.places[r.Value]; ok && was != p {
				c.found(Duplicate, "%q stands in %v and in %v", r.Value, was, p)
			}
			c.places[r.Value] = p
			c.high[r.TopicPartition] = max(c.high[r.TopicPartition], r.Offset)
		}
	}
	for p := range c.at {
		c.order[p.TopicPartition] = append(c.order[p.TopicPartition], p)
	}
	for _, ps := range c.order {
		slices.SortFunc(ps, func(a, b place) int { return cmp.Compare(a.offset, b.offset) })
	}
}

// put notes that v stands at p.
func (c *check) put(p place, v string) {
	if was, ok := c.at[p]; ok && was != v {
		c.found(InconsistentOffset, "%v: %q and %q", p, was, v)
		return
	}
	c.at[p] = v
}
