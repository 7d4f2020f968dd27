package commitlog

import (
	"errors"
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// Append writes whole batches whose offsets follow End without a sync, all in one write. Readers may see them at once: the
// caller bounds them by the high watermark. b is copied or written before Append returns. Batches that do not follow are
// refused and change nothing; after a failed write every Append fails, unless the disk was full: that changes nothing either, and
// the same Append may be tried again.
func (l *Log) Append(b []byte) error {
	if err := l.writable(); err != nil {
		return fmt.Errorf("append to log %s: %w", l.dir, err)
	}
	// Only the appender changes these, so it may read them without the lock.
	a := &l.mu.active
	end, err := checkFollows(b, a.end)
	if err != nil {
		return fmt.Errorf("append to log %s: %w", l.dir, err)
	}
	if len(b) == 0 {
		return nil
	}
	if a.size > 0 && (a.size+int64(len(b)) > l.segmentBytes || end-a.base > math.MaxInt32) {
		if err := l.roll(); err != nil {
			return l.failUnlessFull(err)
		}
	}
	if err := l.openActive(); err != nil {
		return l.fail(err)
	}
	if _, err := a.file.WriteAt(b, a.size); err != nil {
		return l.failUnlessFull(fmt.Errorf("segment %s: write at %d: %w", l.path(a.base, logSuffix), a.size, err))
	}
	l.publish(b, end)
	return nil
}

// failUnlessFull makes err sticky but for a full disk: then nothing changed that another try would not write again.
func (l *Log) failUnlessFull(err error) error {
	if vfs.IsFull(err) {
		return err
	}
	return l.fail(err)
}

// checkFollows checks that b is whole batches with the offsets from `at` on, and returns the offset behind them.
func checkFollows(b []byte, at record.Offset) (record.Offset, error) {
	for len(b) > 0 {
		v, rest, err := batch.Next(b)
		if err != nil {
			return 0, fmt.Errorf("batch at offset %d: %w", at, err)
		}
		if v.BaseOffset() != at || v.LastOffset() < at {
			return 0, fmt.Errorf("batch has offsets %d to %d, expected %d: %w", v.BaseOffset(), v.LastOffset(), at, batch.ErrCorrupt)
		}
		at, b = v.LastOffset()+1, rest
	}
	return at, nil
}

// openActive opens the file of an active segment that Open found.
func (l *Log) openActive() error {
	a := &l.mu.active
	if a.file != nil {
		return nil
	}
	path := l.path(a.base, logSuffix)
	f, err := l.fs.OpenReadWrite(path, vfs.Category)
	if err != nil {
		return fmt.Errorf("segment %s: %w", path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a.file = f
	return nil
}

// publish shows written batches to readers.
func (l *Log) publish(b []byte, end record.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.mu.active
	l.mu.cache.add(b, a.end, end)
	a.index.addAll(b, a.size)
	a.size += int64(len(b))
	a.end = end
	l.mu.dirty.active = true
	if l.back != nil {
		l.back.note(l, len(b), !l.mu.behind)
		l.mu.behind = true
	}
}

// roll seals the active segment and starts the next one. The index is written but, like all, only synced by Sync.
func (l *Log) roll() error {
	if err := l.openActive(); err != nil {
		return err
	}
	a := &l.mu.active
	path := l.path(a.base, indexSuffix)
	f, err := l.fs.Create(path, vfs.Category)
	if err != nil {
		return fmt.Errorf("index %s: create: %w", path, err)
	}
	if _, err := f.Write(a.index.encode(a.end, a.size)); err != nil {
		_ = f.Close() // the first error tells more
		return fmt.Errorf("index %s: write: %w", path, err)
	}
	next, err := l.createSegment(a.end)
	if err != nil {
		_ = f.Close() // the first error tells more
		return err
	}
	l.seal(f)
	return l.useSegment(a.end, next)
}

// SetSegmentBytes changes the size at which segments end, for those to come. It must not run beside Append.
func (l *Log) SetSegmentBytes(n int64) { l.segmentBytes = min(max(n, 1), maxSegmentBytes) }

// Roll seals the active segment unless it is empty, as Append does when it is full. It must not run beside Append.
func (l *Log) Roll() error {
	if err := l.writable(); err != nil {
		return fmt.Errorf("roll log %s: %w", l.dir, err)
	}
	if l.mu.active.size == 0 {
		return nil
	}
	if err := l.roll(); err != nil {
		return l.failUnlessFull(err)
	}
	return nil
}

// seal hands the active segment's handles to Sync.
func (l *Log) seal(indexFile vfs.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.mu.active
	s := l.mu.segments[len(l.mu.segments)-1]
	s.end, s.size = a.end, a.size
	a.index.end, a.index.size = a.end, a.size
	l.mu.indexes.put(s, a.index)
	l.mu.dirty.sealed = append(l.mu.dirty.sealed, sealed{base: a.base, data: a.file, index: indexFile})
	l.mu.dirty.active, l.mu.dirty.dir = false, true
	a.file = nil
}

// addSegment creates an empty segment and makes it the active one.
func (l *Log) addSegment(base record.Offset) error {
	f, err := l.createSegment(base)
	if err != nil {
		return err
	}
	return l.useSegment(base, f)
}

func (l *Log) createSegment(base record.Offset) (vfs.File, error) {
	path := l.path(base, logSuffix)
	f, err := l.fs.Create(path, vfs.Category)
	if err != nil {
		return nil, fmt.Errorf("segment %s: create: %w", path, err)
	}
	return f, nil
}

// useSegment makes the new file the active segment's.
func (l *Log) useSegment(base record.Offset, f vfs.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.mu.err, errClosed) {
		return errors.Join(errClosed, f.Close())
	}
	l.mu.segments = append(l.mu.segments, &segment{base: base})
	l.mu.active = active{base: base, end: base, index: newIndex(base), file: f}
	l.mu.dirty.dir = true
	return nil
}
