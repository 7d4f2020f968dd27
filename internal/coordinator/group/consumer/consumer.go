// Package consumer is one consumer group of the new protocol (KIP-848) as a pure state machine: the node assigns, members report
// what they hold. Members of the classic protocol may be in it during a migration.
//
// Package group calls it and keeps names, offsets, timers and the journal's records; it calls the assignors (package assign) and the
// leaves of the coordinators (format). Topics are looked up through an interface of the caller's.
//
// A Group belongs to its caller; there is no lock, no clock and no I/O, and nothing depends on the order of a map. A Member is never
// changed: a changed one takes its place. Each call that changes something returns a Change, whose record brings the same about
// through Apply.
//
// The group epoch rises when members, subscriptions or subscribed topics change; a heartbeat that finds it above the target epoch
// makes a new target assignment. Each member goes towards its target by itself:
//
//	           what it has to give up ─▶ Unrevoked ──it reports without──┐
//	           │                                                        ▼
//	Stable ──target epoch rises─────────────────────────────▶ takes what is free
//	   ▲                                                      │         │
//	   └──────────────── everything is there ─────────────────┘         └─▶ Unreleased: others hold the rest still
//
// A partition is given to its new owner only when the old one does not hold it any more: owners has one member for each. The record
// format is on the page docs/format/coordinator.md and in record.go.
//
// Not here: timeouts, committed offsets, the way from a classic group and back (package group).
package consumer

import (
	"iter"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Topics is what a group sees of the node's topics. It is asked for in the middle of a call and must not change meanwhile.
type Topics interface {
	// Version changes whenever a topic comes, goes or gets partitions, or who may see which.
	Version() uint64
	Topic(name string) (assign.Topic, bool)
	TopicName(id assign.TopicID) (string, bool)
	// Names are all topics in any order.
	Names() iter.Seq[string]
	// Guarded tells whether there is anybody who may not see all topics, Visible whether a client may see one: expressions match
	// nothing else (KIP-848).
	Guarded() bool
	Visible(principal, host, name string) bool
}

// A Protocol is a classic member's way to split the work, with its subscription bytes.
type Protocol struct {
	Name     string
	Metadata []byte
}

// Epochs that a member sends instead of its own.
const (
	Joining       = 0
	Leaving       = -1
	StaticLeaving = -2 // a static member that will be back within its session
)

// A Heartbeat is a ConsumerGroupHeartbeat request. Nil and empty fields are those that did not change, unless noted.
type Heartbeat struct {
	Group            string
	MemberID         string
	Epoch            int32
	InstanceID       *string
	Rack             *string
	ClientID         string
	ClientHost       string
	Principal        string        // who the member is, for Topics.Visible; empty: unchanged
	RebalanceTimeout time.Duration // negative: unchanged
	Topics           []string      // nil: unchanged
	Regex            *string
	Assignor         *string
	Owned            assign.Partitions // nil: unchanged
}

// full reports whether the member told everything it has to tell: then it gets its whole assignment.
func (r *Heartbeat) full() bool {
	return r.RebalanceTimeout >= 0 && (r.Topics != nil || r.Regex != nil) && r.Owned != nil
}

// An Answer is what a member is told. Assignment nil means as before.
type Answer struct {
	MemberID   string
	Epoch      int32
	Assignment assign.Partitions
}

// A Refusal is why a request failed; Detail is a sentence for the client. Nil is no refusal.
type Refusal struct {
	Err    *kerr.Error
	Detail string
}

// A State is where a member is on its way to the target.
type State byte

// The states of a member.
const (
	Stable     State = iota
	Unrevoked        // it has to give partitions up first
	Unreleased       // partitions it is to get are still with others
)

// A Member of a group. It is immutable.
type Member struct {
	ID, InstanceID, Rack, ClientID, ClientHost string
	Principal                                  string // empty: not known
	RebalanceTimeout                           time.Duration
	Topics                                     []string // sorted, each once
	Regex                                      string   // empty: none
	Assignor                                   string   // empty: the group's choice
	Classic                                    *Classic // nil: it uses the consumer protocol

	Target assign.Partitions

	// Epoch is StaticLeaving while a static member is away.
	Epoch, Previous int32
	State           State
	Assigned        Claims
	Revoking        Claims
}

// Classic is what a group knows more of a member of the classic protocol. Protocols has one at least.
type Classic struct {
	Session   time.Duration
	Protocols []Protocol
}

// settled reports whether the member has reached the target of an epoch.
func (m *Member) settled(epoch int32) bool { return m.State == Stable && m.Epoch == epoch }
