// Package broker is the embedded Kafka node as Go methods: topics, partitions, producers, transactions, groups. It opens no
// socket and knows no wire format beyond the record batch.
//
// The Kafka server and the engine's local door call it; it calls the journal, the partitions' commit logs and the two coordinators,
// which are state machines without I/O.
//
// One goroutine, the sequencer, owns all mutable state. Methods queue commands; the sequencer takes them in rounds, checks each
// against the pending state, appends its frames to the journal and applies them with the code that recovery uses. Another goroutine
// syncs the journal; behind each sync the rounds it covers become visible and their futures complete, in order. Readers never meet
// the sequencer: they resolve topics in an atomic snapshot and offsets in each partition's shown part (one short lock). Lock order:
// sequencer.mu, committer.mu, then a partition's shown or the queue's mu; no lock is held across a file operation but
// sequencer.mu, for the write of a round to the logs.
//
// Durable formats: docs/format/broker.md. A frame is applied whole or not at all, so an epoch, a transaction's end or a topic is,
// too. Recovery: newest checkpoint, logs cut at its marks, journal repeated behind it.
//
// Not here: sockets, the Kafka wire, authorisation, replication, retention and compaction.
package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// Options of Open; zero fields take the defaults.
type Options struct {
	FS    vfs.FS
	Dir   string // the broker's own directory; locked while open
	Clock clock.Clock
	// NodeID of this single node; default 1.
	NodeID int32
	// DefaultPartitions of topics created without a count; default 1.
	DefaultPartitions int32
	// AutoCreateTopics lets Metadata create unknown topics, as Kafka's auto.create.topics.enable; default on, NoAutoCreate turns it off.
	NoAutoCreate bool
	// JournalFileSize in bytes; default 64 MiB.
	JournalFileSize int64
	// SegmentBytes bounds a segment file whatever the topic's segment.bytes says; default 128 MiB.
	SegmentBytes int64
	// MaxBatchBytes is the default of max.message.bytes; default 1 MiB + 12 as in Kafka (1048588).
	MaxBatchBytes int
	Group         group.Options
	Txn           txn.Options
	// MaxInFlight bounds the bytes that were taken and are not durable yet; callers wait at the bound. Default 32 MiB.
	MaxInFlight int64
	// Events is called for what an operator should know (recovery, checkpoint, damage), from any goroutine; it must not call back.
	// Nil drops them.
	Events func(Event)
}

// An Event is something that happened in the broker: Kind is a stable word, Fields are slog-style pairs.
type Event struct {
	Kind   string
	Fields []any
}

// Sentinels of Open. Each is wrapped with the path and the next step.
var (
	// ErrLocked: another process holds the directory.
	ErrLocked = errors.New("data directory is in use")
	// ErrNewerFormat and ErrUnreadable: the data directory cannot be read; nothing in it was changed.
	ErrNewerFormat = errors.New("data directory has a newer format")
	ErrUnreadable  = errors.New("data directory cannot be read")
)

func (o Options) withDefaults() Options {
	if o.NodeID == 0 {
		o.NodeID = 1
	}
	if o.DefaultPartitions == 0 {
		o.DefaultPartitions = 1
	}
	if o.JournalFileSize == 0 {
		o.JournalFileSize = 64 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 128 << 20
	}
	if o.MaxBatchBytes == 0 {
		o.MaxBatchBytes = 1048588
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 32 << 20
	}
	if o.Group.MaxMetadata == 0 {
		o.Group.MaxMetadata = 4096
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.FS == nil || o.Dir == "" || o.Clock == nil:
		return errors.New("broker: FS, Dir and Clock are required")
	case o.DefaultPartitions < 1 || o.JournalFileSize < 1 || o.SegmentBytes < 1 || o.MaxBatchBytes < 1 || o.MaxInFlight < 1:
		return errors.New("broker: sizes and counts must be positive")
	}
	return nil
}

// Broker is one node. Open it, Run it, use it, end Run's context, Close it. All methods are safe for concurrent use.
type Broker struct {
	o       Options
	cluster string
	lock    io.Closer
	journal *journal.Journal
	queue   *queue
	seq     *sequencer
	commits *committer
	keeper  *keeper
	view    atomic.Pointer[snapshot]
	figures figures

	mu struct {
		sync.Mutex
		phase phase
	}
}

// A phase is where a Broker is in its life: opened → running → ended → closed, or opened → closed.
type phase int

const (
	opened phase = iota
	running
	ended
	closed
)

// Open locks the directory, recovers the state and is ready to serve reads; writes wait for Run.
func Open(o Options) (*Broker, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := o.FS.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Dir, err)
	}
	if err := vfs.SyncDir(o.FS, o.FS.PathDir(o.Dir)); err != nil {
		return nil, fmt.Errorf("open %s: sync its parent: %w", o.Dir, err)
	}
	lock, err := o.FS.Lock(o.FS.PathJoin(o.Dir, lockName))
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, fmt.Errorf("open %s: %w", o.Dir, err) // the lock file itself cannot be made
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; stop the other process or choose another directory: %w", o.Dir, ErrLocked, err)
	}
	b, err := recoverBroker(o)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	b.lock = lock
	return b, nil
}

func recoverBroker(o Options) (*Broker, error) {
	r := newRecovery(o)
	j, err := r.run()
	if err != nil {
		return nil, err
	}
	b := &Broker{o: o, cluster: r.st.clusterID, journal: j, queue: newQueue(o.MaxInFlight)}
	b.assemble(r)
	if err := b.start(r); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Dir, err), r.closeLogs(), j.Close())
	}
	return b, nil
}

// assemble joins the parts; each gets what it needs of the others.
func (b *Broker) assemble(r *recovery) {
	b.keeper = newKeeper(r.home, b.o.Dir, b.journal, b.o.Events)
	b.keeper.done = func() { b.queue.push(kept{}) }
	b.commits = newCommitter(b.o.Clock, b.journal, r.last)
	b.commits.show = b.view.Store
	b.commits.release = b.queue.release
	b.commits.keeper = b.keeper
	b.seq = &sequencer{
		clock: b.o.Clock, journal: b.journal, frame: int(b.o.JournalFileSize / 4), queue: b.queue, commits: b.commits,
		figures: &b.figures, st: r.st, last: r.last, writers: map[string]*EpochWriter{}, parked: map[group.Token]parked{},
		limits: limits{b.o.NodeID, b.o.DefaultPartitions, !b.o.NoAutoCreate, b.o.Group.MaxMetadata},
	}
}

// start makes an unclean start durable, before anybody can see the raised leader epochs, and shows the state to readers.
func (b *Broker) start(r *recovery) error {
	clean := r.clean && r.frames == 0
	if !clean && len(r.st.parts) > 0 {
		lsn, err := b.journal.Append(journal.Kind(frame.KindUncleanStart))
		if err != nil {
			return err
		}
		if _, err := b.journal.Flush(); err != nil {
			return err
		}
		r.st.applyUncleanStart()
		b.seq.last, b.commits.mu.durable = lsn, lsn
	}
	b.commits.handOut(r.st.firstRound())
	b.o.Events(Event{"recovered", []any{
		"clean", clean, "checkpoint", uint64(r.from), "frames", r.frames, "dropped_bytes", r.torn.DroppedBytes,
		"dropped_file", r.torn.File, "dropped_at", r.torn.Offset, "topics", len(r.st.topics), "partitions", len(r.st.parts),
	}})
	return nil
}

// firstRound shows everything.
func (st *state) firstRound() *round {
	r := &round{}
	for _, p := range st.parts {
		st.touch(p)
	}
	st.topicsMoved = true
	st.publish(r)
	return r
}

// Run is the sequencer and the committer. It returns nil after ctx ends and everything taken is durable, or the storage error
// after which nothing was acknowledged any more: the process must exit.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.enter(opened, running); err != nil {
		return err
	}
	quitCommits, quitKeeper := make(chan struct{}), make(chan struct{})
	var commits, keeper sync.WaitGroup
	commits.Go(func() { b.commits.run(quitCommits) })
	keeper.Go(func() {
		if err := b.keeper.run(quitKeeper); err != nil {
			b.commits.fail(err, nil)
		}
	})
	err := b.seq.run(ctx)
	why := cleanStop()
	if err != nil {
		why = storageStop(err)
	}
	b.queue.stop(why)
	if err == nil {
		err = b.seq.finish(why)
	}
	close(quitCommits)
	commits.Wait()
	close(quitKeeper)
	keeper.Wait()
	if err == nil {
		err = b.commits.failure()
	}
	if err != nil {
		why = storageStop(err)
	}
	b.seq.abandon(why)
	if err := b.enter(running, ended); err != nil {
		return err
	}
	return err
}

func (b *Broker) enter(from, to phase) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.phase != from {
		return fmt.Errorf("broker: Run needs a broker that was opened and not run yet (phase %d)", b.mu.phase)
	}
	b.mu.phase = to
	return nil
}

// Close releases files and the lock. After a clean Run it leaves a checkpoint, so that the next Open has nothing to replay. It must
// not be called while Run runs.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.mu.phase {
	case running:
		return errors.New("broker: Close while Run is running")
	case closed:
		return nil
	}
	b.mu.phase = closed
	b.queue.stop(cleanStop())
	b.seq.abandon(cleanStop())
	var errs []error
	if b.commits.failure() == nil {
		errs = append(errs, b.leaveCheckpoint())
	}
	for _, p := range b.seq.st.parts {
		if log := p.log.Load(); log != nil {
			errs = append(errs, log.Close())
		}
	}
	errs = append(errs, b.journal.Close(), b.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", b.o.Dir, err)
	}
	return nil
}

// leaveCheckpoint writes the checkpoint of a clean end.
func (b *Broker) leaveCheckpoint() error {
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	st := b.seq.st
	st.now = record.Timestamp(b.o.Clock.Now().UnixMilli())
	return b.keeper.write(st.checkpoint(b.seq.last, true))
}

// ClusterID is made once per data directory (22 characters, base64url as in Kafka). NodeID is the node's number.
func (b *Broker) ClusterID() string { return b.cluster }

// NodeID is the node's number.
func (b *Broker) NodeID() int32 { return b.o.NodeID }

func newClusterID() (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("make a cluster id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}
