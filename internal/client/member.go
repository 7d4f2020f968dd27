package client

import (
	"context"
	"errors"
	"time"

	"github.com/mainstemio/mainstem/record"
)

// ErrExpelled: the group went on without this member (it paused for longer than its session, or the coordinator lost it). What it was
// granted belongs to others, and what it did not commit is undone.
var ErrExpelled = errors.New("the group went on without this worker")

// MaxMetadata bounds what a member tells the leader.
const MaxMetadata = 64 << 10

// A Membership asks for a place among the workers that share one application.
//
// The workers agree in rounds. In each round every worker tells the leader what it runs (Metadata), the leader decides (Assign), and every
// worker hears its Grant. Nobody stops for a round: a worker keeps what it runs, and commits it, until a grant takes it away. What keeps two
// workers from running one task is therefore a promise of theirs, and the fencing of those who cannot keep it:
//
//   - Metadata names everything whose outputs and positions the worker may still commit: all that was granted up to the last Next, less what
//     was given up after the Commit with its last epoch returned.
//   - Assign gives nothing away that another member names.
//   - Whoever misses a round is expelled, and its commits fail.
type Membership struct {
	App    string // the group
	Worker string // this worker's name, the same after a restart and no other process's; its transactional id is App-Worker
	// Topics are all that the application's tasks read; the same for every worker.
	Topics []string
	// Metadata returns what this worker tells the leader: opaque here, MaxMetadata bytes at most. It is called at any time from any
	// goroutine, waits for nothing and calls nothing of the Member.
	Metadata func() []byte
	// Assign is called when this worker leads: the workers' metadata by their names -> each one's grant; a worker left out is granted
	// nothing. It is pure and fast. The metadata of a worker whose process has just been replaced may be its predecessor's.
	Assign func(members map[string][]byte) (map[string]Grant, error)
	// Session is after how long the group goes on without a worker that is not heard of; default 45 s. Brokers allow 6 s to 30 min
	// unless told otherwise. Heartbeat is how often one is sent, and how long it may take to hear of a round; default Session/15.
	Session, Heartbeat time.Duration
}

// A Grant is what a worker is assigned: the partitions, which tools see, and what only the workers understand.
type Grant struct {
	Inputs []record.TopicPartition
	Data   []byte
}

// A Member is one worker's place. Next belongs to one goroutine, which should do nothing else for long; the rest may be called from anywhere.
type Member interface {
	// Next returns the grant of the next round, once each. It says at the same time that Metadata knows of the grant before, so that the
	// member takes part in another round only while Next waits: who stays away from it holds up the round for all, and is expelled after
	// about a session.
	//
	// A worker that is started again in time gets its predecessor's grant at once, and then one of a round of its own.
	//
	// Errors: ErrExpelled (drop everything without committing; the next call joins anew), ErrFenced (another process has this worker's
	// name) and others, which are final; ctx's.
	Next(ctx context.Context) (Grant, error)
	// Rejoin asks for another round: the worker has given up what it was to give up, or the work to share has changed. It does not wait.
	Rejoin()
	// OpenProducer starts committing under the worker's own transactional id, in the name of the member (KIP-447): after the first grant.
	// An older producer of this worker's name is fenced and its unfinished epoch discarded. Every epoch must come with a position, for that
	// is what the group checks; a Commit that meets a round waits for the member's new generation, milliseconds as a rule. It fails
	// with ErrExpelled when the group went on without the member, also after the member has joined anew: then a new one is opened.
	OpenProducer(ctx context.Context) (Producer, error)
	// Committed returns the application's positions in tps; partitions without one are absent. It waits while a transaction of a worker that
	// had them before may still move them, at most for that transaction's timeout, which is about a session. Ask for positions first, then Door.SettledEnds of
	// the changelogs, then restore: what is behind the positions is in the changelogs up to those ends.
	Committed(ctx context.Context, tps ...record.TopicPartition) (map[record.TopicPartition]record.Offset, error)
	// Close leaves the group, so that the others take over at once, and ends Next with an error. Producers are closed before.
	Close(ctx context.Context)
}
