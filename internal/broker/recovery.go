package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/mainstemio/mainstem/internal/broker/checkpointfile"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/commitlog"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

const (
	lockName    = "LOCK"
	journalName = "journal"
	logsName    = "partitions"
)

// A recovery brings the state of a data directory back: newest checkpoint, logs cut at its marks, journal applied behind it.
// Everything is read and checked before the first byte is changed.
type recovery struct {
	o       Options
	home    logHome
	journal string

	st       *state
	from     journal.LSN // of the checkpoint
	clean    bool        // the checkpoint was the last thing that a Close wrote
	last     journal.LSN
	frames   int
	doomed   map[uint32]bool // partitions that the journal deletes: their files may be gone
	fragment []byte
	torn     journal.Recovery
	rescue   rescue
}

func newRecovery(o Options) *recovery {
	// A checkpoint is due with each file of the journal: a small part of one goes to the disk at a time.
	home := logHome{o.FS, o.FS.PathJoin(o.Dir, logsName), o.SegmentBytes, commitlog.NewWriteBack(int(o.JournalFileSize / 64))}
	return &recovery{
		o: o, home: home, journal: o.FS.PathJoin(o.Dir, journalName),
		st: newState(home, o), doomed: map[uint32]bool{},
	}
}

// run returns the journal, ready to append behind the last frame.
func (r *recovery) run() (*journal.Journal, error) {
	if err := r.load(); err != nil {
		return nil, r.unreadable(err)
	}
	j, err := r.resume()
	if err != nil {
		return nil, r.unreadable(err)
	}
	if j == nil {
		if err := r.survey(); err != nil {
			return nil, r.unreadable(err)
		}
	}
	err = r.openLogs()
	if err == nil && j == nil {
		j, err = r.replay()
	}
	if err == nil {
		err = r.sweep()
	}
	if err != nil {
		err = errors.Join(r.unreadable(err), r.closeLogs())
		if j != nil {
			err = errors.Join(err, j.Close())
		}
		return nil, err
	}
	r.restored()
	return j, nil
}

// restored lets the coordinators' time begin.
func (r *recovery) restored() {
	now := r.o.Clock.Mono()
	r.st.groups.Restored(now)
	r.st.txns.Restored(now)
}

// unreadable names the directory, keeps the sentinel of a newer format and says what to do.
func (r *recovery) unreadable(err error) error {
	if errors.Is(err, ErrNewerFormat) || errors.Is(err, journal.ErrNewerFormat) || errors.Is(err, checkpointfile.ErrNewer) {
		return fmt.Errorf("open %s: %w: %w; use the version that wrote it, or a newer one", r.o.Dir, ErrNewerFormat, err)
	}
	if vfs.IsFull(err) {
		return fmt.Errorf("open %s: %w: %w; free space and start again, everything acknowledged is there", r.o.Dir, ErrDiskFull, err)
	}
	return fmt.Errorf("open %s: %w: %w; keep the directory as it is and restore it from a backup, or open another one", r.o.Dir, ErrUnreadable, err)
}

// load reads the newest checkpoint, or makes the first one of an empty directory.
func (r *recovery) load() error {
	c, found, err := checkpointfile.Read(r.o.FS, r.o.Dir)
	switch {
	case err != nil:
		return err
	case !found:
		return r.found()
	}
	r.from, r.clean, err = r.st.restore(currentBody(c.Body, c.Version))
	if err == nil && uint64(r.from) != c.LSN {
		err = fmt.Errorf("it describes LSN %d", r.from)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if c.Damaged != nil {
		r.o.Events(Event{CheckpointDamaged, []any{"error", c.Damaged.Error(), "copy", c.Path}})
	}
	return nil
}

// found begins a new data directory: its first checkpoint holds the cluster id. It comes before any journal file, so a journal
// without a checkpoint means that the checkpoint was lost.
func (r *recovery) found() error {
	for _, n := range []string{journalName, logsName} {
		inside, err := r.o.FS.List(r.o.FS.PathJoin(r.o.Dir, n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		} else if len(inside) > 0 {
			return fmt.Errorf("%s holds data, but there is no checkpoint", r.o.FS.PathJoin(r.o.Dir, n))
		}
	}
	id, err := newClusterID()
	if err != nil {
		return err
	}
	r.st.clusterID, r.clean = id, true
	return checkpointfile.Write(r.o.FS, r.o.Dir, 0, r.st.checkpoint(0, true).body)
}

// errFrames says that a journal goes on behind a clean checkpoint.
var errFrames = errors.New("frames follow the checkpoint")

// resume opens the journal behind a clean checkpoint, where there is nothing to replay; nil when there is, or may be.
func (r *recovery) resume() (*journal.Journal, error) {
	if !r.clean {
		return nil, nil
	}
	if err := r.makeDirs(); err != nil {
		return nil, err
	}
	j, err := r.openJournal()
	if err != nil {
		return nil, err
	}
	found, err := j.Replay(r.from, func(journal.Frame) error { return errFrames })
	if err != nil {
		if err = errors.Join(err, j.Close()); errors.Is(err, errFrames) {
			err = nil
		}
		return nil, err
	}
	r.last, r.torn = found.Last, found
	return j, nil
}

func (r *recovery) makeDirs() error {
	for _, dir := range []string{r.journal, r.home.dir} {
		if err := r.o.FS.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return vfs.SyncDir(r.o.FS, r.o.Dir)
}

// survey walks through the journal without changing anything but a torn tail: a damaged one must be found before logs are cut.
func (r *recovery) survey() error {
	if err := r.makeDirs(); err != nil {
		return err
	}
	ids := map[TopicID][]uint32{}
	for _, t := range r.st.topics {
		for _, p := range t.parts {
			ids[t.ID] = append(ids[t.ID], p.number)
		}
	}
	j, err := r.openJournal()
	if err != nil {
		return err
	}
	torn, err := j.Replay(r.from, func(f journal.Frame) error {
		r.frames++
		return r.look(f, ids)
	})
	r.torn = torn
	return errors.Join(err, j.Close())
}

func (r *recovery) openJournal() (*journal.Journal, error) {
	return journal.Open(journal.Options{FS: r.o.FS, Dir: r.journal, FileSize: r.o.JournalFileSize})
}

// look notes what opening the logs needs to know of a frame.
func (r *recovery) look(f journal.Frame, ids map[TopicID][]uint32) error {
	switch kind := frame.Kind(f.Kind); {
	case kind == 0 || kind > frame.KindLast:
		return fmt.Errorf("journal frame %d has kind %d: %w", f.LSN, f.Kind, ErrNewerFormat)
	case kind == frame.KindTopicCreated:
		f, err := frame.DecodeTopicCreated(f.Body)
		if err != nil {
			return err
		}
		ids[f.ID] = numbers(nil, f.First, f.Count)
	case kind == frame.KindPartitionsAdded:
		f, err := frame.DecodePartitionsAdded(f.Body)
		if err != nil {
			return err
		}
		ids[f.ID] = numbers(ids[f.ID], f.First, f.Count)
	case kind == frame.KindTopicDeleted:
		id, err := frame.DecodeTopicDeleted(f.Body)
		for _, n := range ids[id] {
			r.doomed[n] = true
		}
		return err
	}
	return nil
}

func numbers(dst []uint32, first, count uint32) []uint32 {
	for i := range count {
		dst = append(dst, first+i)
	}
	return dst
}

// doom keeps replay off those of a topic's partitions that the journal deletes: their files would only take the room of others.
func (r *recovery) doom(t *topicState) {
	for _, p := range t.parts {
		if r.doomed[p.number] {
			p.damage.Store(&errDoomed)
		}
	}
}

// removeDoomed makes the room of doomed partitions free before replay needs some: a disk that held everything holds it again.
func (r *recovery) removeDoomed() error {
	for number := range r.doomed {
		if err := r.o.FS.RemoveAll(r.home.path(number)); err != nil {
			return err
		}
	}
	return nil
}

// openLogs opens every log at its mark, or marks the partition as damaged. If all of them are missing, this is not their disk: that
// stops the start before anything is cut.
func (r *recovery) openLogs() error {
	var present, missing []*partition
	for _, p := range r.partitions() {
		switch {
		case r.doomed[p.number]:
			p.damage.Store(&errDoomed)
			continue
		case p.mark == commitlog.Mark{}:
			continue
		}
		names, err := r.o.FS.List(r.home.path(p.number))
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case len(names) > 0:
			present = append(present, p)
		default:
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 && len(present) == 0 {
		return fmt.Errorf("no log is there, the first of %v in %s", missing[0].TopicPartition, r.home.path(missing[0].number))
	}
	for _, p := range missing {
		r.damaged(p, errLost)
	}
	if err := r.removeDoomed(); err != nil {
		return err
	}
	for _, p := range present {
		if err := r.openLog(p); err != nil {
			return err
		}
	}
	return nil
}

// errLost is the damage of a partition that has no files.
var errLost = errors.New("the log is missing")

// damaged has a partition refuse everything but its deletion.
func (r *recovery) damaged(p *partition, err error) {
	p.damage.Store(&err)
	r.o.Events(Event{PartitionDamaged, []any{
		"topic", p.Topic, "partition", p.Partition, "path", r.home.path(p.number), "error", err.Error(),
	}})
}

// errDoomed keeps replay off a partition that a later frame deletes.
var errDoomed = errors.New("partition is about to be deleted")

func (r *recovery) openLog(p *partition) error {
	log, err := commitlog.Open(r.home.options(p), p.mark)
	switch {
	case err == nil:
		p.log.Store(log)
		if p.start > log.Start() {
			err = log.AdvanceStart(p.start)
		}
		if vfs.IsFull(err) {
			return nil // a later checkpoint comes back to it
		}
		return err
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, commitlog.ErrCorrupt):
		return fmt.Errorf("open the log of %v: %w", p.TopicPartition, err)
	}
	r.damaged(p, err)
	return nil
}

// partitions are all of the checkpoint, in the order of their numbers.
func (r *recovery) partitions() []*partition {
	var ps []*partition
	for _, t := range r.st.topics {
		ps = append(ps, t.parts...)
	}
	slices.SortFunc(ps, func(a, b *partition) int { return int(int64(a.number) - int64(b.number)) })
	return ps
}

func (r *recovery) closeLogs() error {
	var errs []error
	for _, p := range r.st.parts {
		if log := p.log.Load(); log != nil {
			errs = append(errs, log.Close())
		}
	}
	return errors.Join(errs...)
}

// sweep removes the files of deleted partitions that a crash left behind: numbers given out once and not in use any more.
func (r *recovery) sweep() error {
	for _, p := range r.st.removed {
		if log := p.log.Load(); log != nil {
			if err := log.Close(); err != nil {
				return err
			}
		}
	}
	names, err := r.o.FS.List(r.home.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		number, err := strconv.ParseUint(n, 10, 32)
		if err != nil || n != partitionDir(uint32(number)) || uint32(number) >= r.st.nextPart || r.st.parts[uint32(number)] != nil {
			continue
		}
		if err := r.o.FS.RemoveAll(r.home.path(uint32(number))); err != nil {
			return err
		}
	}
	r.st.removed = nil
	return nil
}

// A Layout is what the newest checkpoint of a data directory says about the files beside it.
type Layout struct {
	LSN        journal.LSN // the journal counts from behind this frame
	Clean      bool        // an orderly end wrote it
	NextNumber uint32      // partition numbers below were given out
	Partitions []LogLayout // by number
}

// LogLayout is one partition. Its log is in LogDir(Number); Mark is zero as long as it has none.
type LogLayout struct {
	record.TopicPartition
	ID     TopicID
	Number uint32
	Mark   commitlog.Mark
	epochs []epochStart
}

// EpochAt is the leader epoch that wrote offset o.
func (l LogLayout) EpochAt(o record.Offset) int32 { return epochAt(l.epochs, o) }

// PartitionDamaged is the kind of the event of a partition whose log could not be opened: topic, partition, path, error.
// CheckpointDamaged is that of a checkpoint that was read from its copy: error, copy.
const (
	PartitionDamaged  = "partition damaged"
	CheckpointDamaged = "checkpoint damaged, its copy was read"
)

// Names of a broker's directory, for those who look at one from outside.
const LockName, JournalName, LogsName = lockName, journalName, logsName

// LogDir is the name of a partition's directory below LogsName.
func LogDir(number uint32) string { return partitionDir(number) }

// ReadLayout decodes the checkpoint file at path and changes nothing.
func ReadLayout(fs vfs.FS, path string) (Layout, error) {
	body, version, err := checkpointfile.ReadFile(fs, path)
	if err != nil {
		return Layout{}, err
	}
	r, out := newRecovery(Options{FS: fs}.withDefaults()), Layout{}
	if out.LSN, out.Clean, err = r.st.restore(currentBody(body, version)); err != nil {
		return Layout{}, err
	}
	out.NextNumber = r.st.nextPart
	for _, p := range r.partitions() {
		out.Partitions = append(out.Partitions, LogLayout{p.TopicPartition, p.topic, p.number, p.mark, p.epochs})
	}
	return out, nil
}
