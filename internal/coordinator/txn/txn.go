// Package txn is the transaction coordinator as a pure state machine: producer ids, epochs and transactional ids.
//
// As in package group, the caller is the broker's sequencer: it appends the records to the journal, hands out results once
// they are durable, and repeats records through Apply after a restart. The machine calls nothing but its leaves (format, deadline).
//
// Txns belongs to its caller; there is no lock, no goroutine, no I/O and no clock, and nothing depends on the order of a map.
//
// A transactional id moves along
//
//	  ┌────────── Init ──────────┐
//	  ▼                          │
//	Empty ──add──▶ Ongoing ──end──▶ CompleteCommit, CompleteAbort
//	                  ▲                  │
//	                  └───────add────────┘
//
// Preparing states do not exist: an end is one durable frame (End). Which epoch the markers of an end carry, and who the producer
// is afterwards (p is the producer before, e its epoch):
//
//	cause                               markers   producer afterwards
//	EndTxn, TV1 (no bump)               e         p
//	EndTxn, TV2 (bump)                  e+1       e+1
//	transaction timeout                 e+1       e+1, given to nobody: the producer is fenced
//	Init while a transaction is open    e+1       e+1, given to the caller of Init
//
// So the markers of every end but TV1's are strictly newer than the data (KIP-1228), and whatever the old producer still sends is
// fenced. Epoch 32766 is the last one given out: where e+1 would be 32767 the markers still carry it, and the producer afterwards
// is a new id with epoch 0. The record format is on the page docs/format/coordinator.md and in record.go.
//
// Not here: the data side (which batches a transaction wrote, sequences, last stable offsets) belongs to the broker's partitions,
// offsets to package group. Old epochs are answered PRODUCER_FENCED; that old versions of a request call this
// INVALID_PRODUCER_EPOCH is the wire's business.
package txn

import (
	"time"

	"github.com/mainstemio/mainstem/record"
)

// A Producer is a producer id with its epoch. Ids begin at 1, epochs run from 0 to 32766 (markers also carry 32767).
type Producer struct {
	ID    int64
	Epoch int16
}

// None is the absent producer.
var None = Producer{-1, -1}

// End says that a transaction ends: the caller writes a marker to every partition, applies the pending offsets of Producer.ID in
// every group and appends everything as one journal frame together with Record, which Apply takes on replay. Partitions and Groups
// are sorted and may be empty: then Record alone has to be made durable.
type End struct {
	Record     []byte
	ID         string
	Producer   Producer // whose transaction it was, with the epoch that the markers carry: see the package's table
	Commit     bool
	Partitions []record.TopicPartition
	Groups     []string
}

// Init is an InitProducerId request. An empty ID asks for an idempotent producer. Current is None (or zero), or (KIP-360) who the
// caller was.
type Init struct {
	ID      string
	Timeout time.Duration
	Current Producer
}

// Options; zero fields take Kafka's defaults: max timeout 15 min, ids forgotten after 7 days without use.
type Options struct {
	MaxTimeout time.Duration
	Expiry     time.Duration
}

// Description of a transactional id. State is Kafka's word: Empty, Ongoing, CompleteCommit, CompleteAbort.
type Description struct {
	ID         string
	State      string
	Producer   Producer
	Timeout    time.Duration
	Started    record.Timestamp // -1 when no transaction is open
	Partitions []record.TopicPartition
}
