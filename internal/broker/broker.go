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
// A third goroutine, the keeper, writes checkpoints; a fourth, the cleaner, carries out retention and compaction (package cleanup
// decides what may go); a fifth sends the logs' bytes to the disk before a checkpoint has to wait for them.
//
// Not here: sockets, the Kafka wire, authorisation, replication.
package broker

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/queue"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/cleanup"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/space"
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
	// JournalFileSize in bytes; default 64 MiB, less on a disk below 1 GiB.
	JournalFileSize int64
	// SegmentBytes bounds a segment file whatever the topic's segment.bytes says; default 128 MiB.
	SegmentBytes int64
	// MaxBatchBytes is the default of max.message.bytes; default 1 MiB + 12 as in Kafka (1048588).
	MaxBatchBytes int
	Group         group.Options
	Txn           txn.Options
	// TopicDefaults are what topics without a setting of their own follow, by the names of topic settings ("retention.ms"), as
	// Kafka's log.* settings of a broker. Default: Kafka's.
	TopicDefaults map[string]string
	// Cleanup is when and how retention and compaction work.
	Cleanup cleanup.CleanerOptions
	// Access bounds the topics that members of consumer groups find by an expression to those they may describe, by the broker's own
	// ACLs and the rest of these rules. Nil: nobody is bound.
	Access *auth.Rules
	// MaxInFlight bounds the bytes that were taken and are not durable yet; callers wait at the bound. Default 32 MiB.
	MaxInFlight int64
	// MinFree is how many bytes of the disk have to stay free: below, produce and epochs are refused with KAFKA_STORAGE_ERROR while
	// everything else goes on. Default 2 %, at least 256 MiB and at most 1 GiB, never more than an eighth of the disk; negative: none.
	MinFree int64
	// Events is called for what an operator should know (recovery, checkpoint, damage), from any goroutine; it must not call back.
	// Nil drops them.
	Events func(Event)
}

// An Event is something that happened in the broker: Kind is a stable word, Fields are slog-style pairs.
type Event struct {
	Kind   string
	Fields []any
}

// Serious tells whether an operator should look at it now.
func (e Event) Serious() bool {
	switch e.Kind {
	case eventDiskLow, eventStalled, eventPostponed, eventKept, "partition damaged":
		return true
	}
	return false
}

// The events of a disk that runs full, in the order of need.
const (
	eventDiskLow   = "disk-low"             // writing was refused, to keep room for the rest
	eventDiskOK    = "disk-has-room"        // writing goes on
	eventStalled   = "disk-full"            // something already taken waits for room
	eventPostponed = "checkpoint-postponed" // there was no room for one; it is tried again
	eventKept      = "removal-postponed"    // there was no room to note what is removed; it is tried again
)

// Sentinels of Open. Each is wrapped with the path and the next step.
var (
	// ErrLocked: another process holds the directory.
	ErrLocked = errors.New("data directory is in use")
	// ErrNewerFormat and ErrUnreadable: the data directory cannot be read; nothing in it was changed.
	ErrNewerFormat = errors.New("data directory has a newer format")
	ErrUnreadable  = errors.New("data directory cannot be read")
	// ErrDiskFull: there is no room for what a start has to write. Everything acknowledged is there.
	ErrDiskFull = errors.New("disk is full")
)

func (o Options) withDefaults() Options {
	if o.NodeID == 0 {
		o.NodeID = 1
	}
	if o.DefaultPartitions == 0 {
		o.DefaultPartitions = 1
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
	o.Cleanup = o.Cleanup.WithDefaults()
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	return o
}

// nodeDefaults are the settings that topics follow, where they are not Kafka's.
func (o Options) nodeDefaults() map[string]string {
	out := map[string]string{"max.message.bytes": strconv.Itoa(o.MaxBatchBytes)}
	maps.Copy(out, o.TopicDefaults)
	return out
}

func (o Options) validate() error {
	if err, detail := settings.Check(o.TopicDefaults); err != nil {
		return fmt.Errorf("broker: TopicDefaults: %s", detail)
	}
	if err := o.Group.Consumer.WithDefaults().Validate(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	switch {
	case o.FS == nil || o.Dir == "" || o.Clock == nil:
		return errors.New("broker: FS, Dir and Clock are required")
	case o.DefaultPartitions < 1 || o.JournalFileSize < 0 || o.SegmentBytes < 1 || o.MaxBatchBytes < 1 || o.MaxInFlight < 1:
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
	queue   *queue.Queue[command, stop]
	seq     *sequencer
	commits *committer
	keeper  *keeper
	cleaner *cleanup.Cleaner
	view    atomic.Pointer[snapshot]
	space   *space.Watch
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
	if o.JournalFileSize == 0 {
		o.JournalFileSize = journalFileSize(o.FS, o.Dir)
	}
	b, err := recoverBroker(o)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	b.lock = lock
	return b, nil
}

// journalFileSize is the default: a small disk holds a dozen files, too.
func journalFileSize(fs vfs.FS, dir string) int64 {
	size := int64(64 << 20)
	if _, total, ok := vfs.Usage(fs, dir); ok {
		size = min(size, max(total/16, 1<<20)&^(1<<20-1))
	}
	return size
}

func recoverBroker(o Options) (*Broker, error) {
	r := newRecovery(o)
	j, err := r.run()
	if err != nil {
		return nil, err
	}
	b := &Broker{o: o, cluster: r.st.clusterID, journal: j, queue: queue.New[command, stop](o.MaxInFlight)}
	b.assemble(r)
	if err := b.start(r); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Dir, err), r.closeLogs(), j.Close())
	}
	return b, nil
}

// assemble joins the parts; each gets what it needs of the others.
func (b *Broker) assemble(r *recovery) {
	b.keeper = newKeeper(r.home, b.o.Dir, b.journal, b.o.Events)
	b.figures.checkpoint.Store(int64(b.o.Clock.Mono()))
	b.keeper.done = func(failed *checkpoint) {
		if failed == nil {
			b.figures.checkpoint.Store(int64(b.o.Clock.Mono()))
		}
		b.push(kept{failed})
	}
	b.cleaner = cleanup.New(b.o.Cleanup, cleanup.Env{Clock: b.o.Clock, Node: cleaning{b}, Event: b.cleanupEvent, Backoff: b.cleanerBackoff})
	b.commits = newCommitter(b.o.Clock, b.journal, r.last)
	b.commits.events = b.o.Events
	b.commits.show = b.view.Store
	b.commits.release = b.queue.Release
	b.commits.keeper = b.keeper
	b.space = space.New(space.Options{FS: b.o.FS, Dir: b.o.Dir, MinFree: b.o.MinFree, Changed: b.diskChanged})
	b.seq = &sequencer{
		space: b.space, reserve: b.o.JournalFileSize / 4, events: b.o.Events,
		clock: b.o.Clock, journal: b.journal, frame: int(b.o.JournalFileSize / 4), queue: b.queue, commits: b.commits,
		figures: &b.figures, st: r.st, last: r.last, writers: map[string]*EpochWriter{}, parked: map[group.Token]parked{},
		limits: limits{b.o.NodeID, b.o.DefaultPartitions, !b.o.NoAutoCreate, b.o.Group.MaxMetadata},
	}
}

// cleanupEvent passes on what the cleaner tells of a partition.
func (b *Broker) cleanupEvent(kind string, tp record.TopicPartition, fields ...any) {
	b.o.Events(Event{kind, append([]any{"topic", tp.Topic, "partition", tp.Partition}, fields...)})
}

// cleanerBackoff is the changed setting.
func (b *Broker) cleanerBackoff() (d time.Duration, ok bool) {
	v, _, ok := b.view.Load().node.Value(settings.CleanerBackoff)
	ms, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	return time.Duration(ms) * time.Millisecond, ok && err == nil && ms <= math.MaxInt64/int64(time.Millisecond)
}

// diskChanged reports that the disk became low, or has room again.
func (b *Broker) diskChanged(s space.Status) {
	kind := eventDiskOK
	if s.Low {
		kind = eventDiskLow
	} else {
		b.seq.keepAt = 0 // a checkpoint that found no room need not wait: the sequencer calls
	}
	b.o.Events(Event{kind, []any{"dir", s.Dir, "free_bytes", s.Free, "min_free_bytes", s.MinFree, "size_bytes", s.Total}})
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
	var commits, keeper, cleaner sync.WaitGroup
	commits.Go(func() { b.commits.run(quitCommits) })
	for _, run := range []func(quit <-chan struct{}) error{b.keeper.run, b.seq.st.home.back.Run} {
		keeper.Go(func() {
			if err := run(quitKeeper); err != nil {
				b.commits.fail(err, nil)
			}
		})
	}
	cleaner.Go(b.cleaner.Run)
	err := b.seq.run(ctx)
	b.cleaner.Stop()
	why := cleanStop()
	if err != nil {
		why = storageStop(err)
	}
	b.queue.Stop(why)
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
	cleaner.Wait()
	return cmp.Or(b.enter(running, ended), err)
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
	b.queue.Stop(cleanStop())
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
	err := b.keeper.write(st.checkpoint(b.seq.last, true))
	if vfs.IsFull(err) && b.commits.failure() == nil {
		b.o.Events(Event{eventPostponed, []any{"dir", b.o.Dir, "error", err.Error()}})
		return nil // the next start replays the journal
	}
	return err
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
