// Package group is the group coordinator as a pure state machine: classic groups (Kafka 4's rules), the timers of consumer groups
// (KIP-848; their states are in package consumer), the way from one to the other and back, and committed offsets.
//
// The broker's sequencer calls it, one call at a time, appends the records it returns to the journal and hands out its replies
// once they are durable. It calls nothing but its own leaves (consumer, format, deadline). After a restart the same records go
// through Apply in the same order, together with the caller's own EndTxn and ForgetTopic, and give the same state.
//
// Groups belongs to its caller; there is no lock, no goroutine, no I/O and no clock, and nothing depends on the order of a map.
// Byte slices given in are copied when kept; slices handed out (records, replies, descriptions) are read-only.
//
// A group is of one type at a time: consumer while modern is set, else classic. A classic group moves along
//
//	Empty ──join──▶ PreparingRebalance ──all joined, or time──▶ CompletingRebalance ──leader's sync──▶ Stable
//	  ▲                   │    ▲                                      │                                   │
//	  └──nobody is left───┘    └──────────── join, leave, expiry, missing sync ───────────────────────────┘
//
// and is Dead when nobody knows it. Durable are: the group at each completed generation (when the leader has synced or the
// group has become empty), committed offsets, pending transactional offsets, deletions, and what was set of single groups. Members,
// votes and parked requests in between are soft: after a restart a group stands where its last completed generation stood. The
// record format is on the page docs/format/coordinator.md and in record.go.
//
// Not here: which producer may commit in a transaction (package txn), when a transaction ends (the caller's journal),
// and who assigns what in a consumer group (packages consumer and assign).
package group

import (
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/group/consumer"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Token names a parked request; the caller chooses it and finds it again in a Reply.
type Token uint64

// A Reply answers a parked request. Value is a JoinReply, SyncReply, …
type Reply struct {
	To    Token
	Value any
}

// Effects is what a call asks of the caller: records to make durable, then replies to hand out.
type Effects struct {
	Records [][]byte
	Replies []Reply
}

// A Protocol is a member's way to split the work, with its subscription bytes.
type Protocol = consumer.Protocol

// Join is a JoinGroup request. SkipAssignment support and reasons ride along for the reply's shape.
type Join struct {
	Group            string
	MemberID         string // empty: a new member
	InstanceID       string // empty: a dynamic member
	ClientID         string
	ClientHost       string
	ProtocolType     string
	Protocols        []Protocol
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	RequireMemberID  bool   // v4+: a new member first gets MEMBER_ID_REQUIRED with its id
	NewMemberID      string // the id to give to a new member; the caller's randomness
	CanSkip          bool   // v9+: a static leader that returns may be told to skip the assignment
}

// JoinMember is a member as the leader sees it.
type JoinMember struct {
	ID         string
	InstanceID string
	Metadata   []byte
}

// JoinReply answers Join. Err nil is success. Members is set for the leader only.
type JoinReply struct {
	Err            *kerr.Error
	Generation     int32
	ProtocolType   string
	Protocol       string
	Leader         string
	SkipAssignment bool
	MemberID       string
	Members        []JoinMember
}

// Sync is a SyncGroup request; Assignments comes from the leader, by member id.
type Sync struct {
	Group        string
	Generation   int32
	MemberID     string
	InstanceID   string
	ProtocolType string // empty: not checked
	Protocol     string // empty: not checked
	Assignments  map[string][]byte
}

// SyncReply answers Sync.
type SyncReply struct {
	Err          *kerr.Error
	ProtocolType string
	Protocol     string
	Assignment   []byte
}

// Member identifies who calls: in Heartbeat, Leave and commits. Generation is the member epoch in a consumer group; -1 with an empty
// ID is a simple consumer. Modern is for versions of OffsetCommit that know member epochs (9 and above).
type Member struct {
	Generation int32
	ID         string
	InstanceID string
	Modern     bool
}

// OffsetCommit is one partition's new committed offset.
type OffsetCommit struct {
	record.TopicPartition
	Offset      record.Offset
	LeaderEpoch int32
	Metadata    string
}

// Committed is a committed offset as fetched; Offset -1 means none. Pending means an open transaction holds a newer one.
type Committed struct {
	Offset      record.Offset
	LeaderEpoch int32
	Metadata    string
	Pending     bool
}

// The types of groups, as ListGroups names them.
const (
	ClassicType  = "classic"
	ConsumerType = "consumer"
)

// Description of a group for DescribeGroups and ListGroups. State is Kafka's word: Empty, PreparingRebalance,
// CompletingRebalance, Stable, Dead; Assigning and Reconciling of consumer groups.
type Description struct {
	Group        string
	Type         string
	State        string
	ProtocolType string
	Protocol     string
	Members      []DescribedMember
}

// DescribedMember is one member of a Description.
type DescribedMember struct {
	ID, InstanceID, ClientID, ClientHost string
	Metadata, Assignment                 []byte
}

// Options bound what members may ask for; zero fields take Kafka's defaults (min session 6 s, max session 30 min, initial
// rebalance delay 0: one node starts at once; max size unlimited; offset metadata 4096 bytes; retention of offsets 7 days).
type Options struct {
	MinSession, MaxSession time.Duration
	InitialDelay           time.Duration
	MaxSize                int
	MaxMetadata            int
	Retention              time.Duration // of offsets that nobody needs: see Expire

	Consumer ConsumerOptions
	// Topics is what consumer groups assign; nil: no topic exists.
	Topics consumer.Topics
}

// ConsumerOptions are the settings of consumer groups (group.consumer.*); zero fields take Kafka's defaults: session timeout 45 s,
// heartbeat interval 5 s, unlimited size, migration both ways. The others bound what a group's own settings may ask for.
type ConsumerOptions struct {
	Session                    time.Duration
	MinSession, MaxSession     time.Duration
	Heartbeat                  time.Duration // how often members are asked to report
	MinHeartbeat, MaxHeartbeat time.Duration
	MaxSize                    int
	Migration                  Migration
}

// Migration is which way a group with members may change its type (group.consumer.migration.policy). Empty groups always may.
type Migration string

// The policies; the empty one is MigrateBoth.
const (
	MigrateBoth      Migration = "bidirectional"
	MigrateUpgrade   Migration = "upgrade"   // classic to consumer
	MigrateDowngrade Migration = "downgrade" // consumer to classic
	MigrateNever     Migration = "disabled"
)
