// Package commitlog keeps one partition's record batches in segment files behind the journal.
//
// The broker is its caller: what the journal made durable it appends here without a sync, and now and then, in the
// background, it calls Sync and stores a Mark; after a crash it opens the log at that mark and appends again what the
// journal has behind it. The package calls vfs and batch.
//
// One goroutine appends and rolls; any number read; Sync, AdvanceStart, Rewrite, Close and Remove may come from other goroutines,
// Close and Remove not beside Append. Locks: rewriting (one Rewrite at a time, held while it reads and writes), then upkeep (held
// across I/O; one Sync, write-back, AdvanceStart or exchange of files at a time), then mu (never held across I/O; guards the list of
// segments, the active one's length and index, and the tail cache), then the mu of the WriteBack, which logs share. Readers take mu
// shared, copy what they need, and use file handles of their own, so that a file may go while they read it; the only handle an idle
// log may keep open is the active segment's.
//
// The format is in docs/format/segment.md: NNN.log holds raw batches, NNN.index of a sealed segment where they are, and
// NNN-NNN-GGG.log and .index what Rewrite made of sealed segments. The active segment may have stale bytes behind its length, from
// before a crash: they are overwritten, never read.
//
// Not here: which batches are valid, offset assignment, high watermark and isolation, what retention removes and what compaction
// keeps (package cleanup).
package commitlog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// ErrOutOfRange: the offset is below Start or above End.
var ErrOutOfRange = errors.New("offset out of range")

// ErrCorrupt: stored bytes fail their CRC or framing; the error names file and position. Nothing damaged is ever served.
var ErrCorrupt = errors.New("segment is corrupt")

var errClosed = errors.New("log is closed")

const (
	defaultSegmentBytes = 128 << 20
	defaultCacheBytes   = 256 << 10
	// maxSegmentBytes keeps every position in 32 bits, whatever the last batch takes.
	maxSegmentBytes = 1 << 31
)

// Options of Create and Open.
type Options struct {
	FS           vfs.FS
	Dir          string
	SegmentBytes int64      // roll after this many bytes; default 128 MiB, at most 2 GiB
	CacheBytes   int        // newest batches kept in memory for readers at the tail; default 256 KiB, 0 means default, -1 none
	WriteBack    *WriteBack // of all logs of a disk; nil: what was appended reaches it by Sync
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	o.CacheBytes = max(o.CacheBytes, 0)
	return o
}

func (o Options) validate() error {
	if o.SegmentBytes < 1 || o.SegmentBytes > maxSegmentBytes {
		return fmt.Errorf("segment size of %d bytes is not between 1 and %d", o.SegmentBytes, int64(maxSegmentBytes))
	}
	return nil
}

// A Mark is the durable description of a log: what Open needs to cut off everything written after it. Take it before the
// Sync that makes it true, and store it after.
type Mark struct {
	Start   record.Offset // first readable offset
	End     record.Offset // next offset
	Segment record.Offset // base offset of the newest segment
	Size    int64         // bytes of the newest segment
}

// Log is one partition's log. One goroutine appends; any number read at the same time.
type Log struct {
	fs           vfs.FS
	dir          string
	segmentBytes int64
	back         *WriteBack // may be nil

	rewriting  sync.Mutex
	generation uint32      // newest one given out; rewriting guards it
	closing    atomic.Bool // Rewrite gives up

	upkeep sync.Mutex

	mu struct {
		sync.RWMutex
		start    record.Offset
		cleaned  record.Offset
		segments []*segment // by base, at least one; the last one is active
		active   active
		cache    tailCache
		indexes  indexCache
		dirty    dirty
		behind   bool  // back has been told of bytes to write
		err      error // sticky: writing ended with it; reading goes on unless it is errClosed
	}
}

// dirty is what Sync has to do.
type dirty struct {
	active bool     // the active segment has unsynced bytes
	sealed []sealed // sealed since the last Sync
	dir    bool     // files were created
	parent bool     // dir was created
}

// Create makes an empty log in dir (which may exist, empty). The directory entries are durable after Sync; the directories
// above dir's parent are the caller's.
func Create(o Options) (*Log, error) {
	l, err := newLog(o)
	if err != nil {
		return nil, err
	}
	if err := l.fs.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create log %s: %w", l.dir, err)
	}
	files, err := listFiles(l.fs, l.dir)
	if err != nil {
		return nil, fmt.Errorf("create log %s: %w", l.dir, err)
	}
	if !files.empty() {
		return nil, fmt.Errorf("create log %s: the directory has segments already", l.dir)
	}
	l.mu.dirty.parent = true
	if err := l.addSegment(0); err != nil {
		return nil, fmt.Errorf("create log %s: %w", l.dir, err)
	}
	return l, nil
}

func newLog(o Options) (*Log, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := &Log{fs: o.FS, dir: o.Dir, segmentBytes: o.SegmentBytes, back: o.WriteBack}
	l.mu.cache.limit = o.CacheBytes
	return l, nil
}

// Start is the first readable offset.
func (l *Log) Start() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.start
}

// End is the offset that the next batch gets.
func (l *Log) End() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.active.end
}

// Mark describes the log now.
func (l *Log) Mark() Mark {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := &l.mu.active
	return Mark{Start: l.mu.start, End: a.end, Segment: a.base, Size: a.size}
}

// Size is the bytes of all segments.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	size := l.mu.active.size
	for _, s := range l.mu.segments[:len(l.mu.segments)-1] {
		size += s.size
	}
	return size
}

// fail makes err sticky and returns it: after a failed write or sync nobody knows what the disk has.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil {
		l.mu.err = err
	}
	return err
}

// writable returns the sticky error.
func (l *Log) writable() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.err
}

// closedLocked returns the error of a closed log.
func (l *Log) closedLocked() error {
	if errors.Is(l.mu.err, errClosed) {
		return errClosed
	}
	return nil
}

// Close closes the files, without a sync; readers get an error from now on.
func (l *Log) Close() error {
	l.closing.Store(true)
	l.rewriting.Lock()
	defer l.rewriting.Unlock()
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.mu.err, errClosed) {
		return nil
	}
	l.mu.err = errClosed
	var errs []error
	if f := l.mu.active.file; f != nil {
		errs = append(errs, f.Close())
	}
	for _, s := range l.mu.dirty.sealed {
		errs = append(errs, s.close())
	}
	l.mu.active.file, l.mu.dirty = nil, dirty{}
	l.mu.cache, l.mu.indexes = tailCache{}, indexCache{}
	return errors.Join(errs...)
}

// Remove closes the log and deletes its directory, durably.
func (l *Log) Remove() error {
	closed := l.Close()
	if err := l.fs.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("remove log %s: %w", l.dir, err)
	}
	if err := vfs.SyncDir(l.fs, l.fs.PathDir(l.dir)); err != nil {
		return fmt.Errorf("remove log %s: sync parent: %w", l.dir, err)
	}
	return closed
}
