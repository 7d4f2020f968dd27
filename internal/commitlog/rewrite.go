package commitlog

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// ErrNotSealed: Scan or Rewrite was asked for segments that are active, not synced yet, or not there any more.
var ErrNotSealed = errors.New("segments cannot be rewritten")

const (
	// scanBytes is how much Scan reads at a time, unless a batch is larger.
	scanBytes = 256 << 10
	// writeBytes is how much Rewrite gathers before it writes.
	writeBytes = 256 << 10
)

// Scan hands every batch of the sealed segments from base up to end (segments' borders) to fn, in order and checked as Read does.
// A batch is valid during the call only, and may be changed.
func (l *Log) Scan(base, end record.Offset, fn func(batch.View) error) error {
	sources, err := l.sealedBetween(base, end)
	if err == nil {
		err = l.scanAll(sources, fn)
	}
	if err != nil {
		return fmt.Errorf("scan log %s from %d to %d: %w", l.dir, base, end, err)
	}
	return nil
}

// scanAll goes over segments, of which AdvanceStart may take some away meanwhile: that is ErrNotSealed.
func (l *Log) scanAll(sources []*segment, fn func(batch.View) error) error {
	for _, s := range sources {
		err := l.scan(s, fn)
		if isMissing(err) && !l.has(s) {
			return fmt.Errorf("the segment at %d was removed meanwhile: %w", s.base, ErrNotSealed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) scan(s *segment, fn func(batch.View) error) error {
	w, v, err := l.walk(&view{segment: s}, walkFromEntry, func(x *index) place { return x.place(-1) })
	if err != nil {
		return err
	}
	defer w.close()
	var buf []byte
	for w.position < v.size {
		h, err := w.header()
		if err != nil {
			return err
		}
		size, _ := batch.Size(h) // header checked it
		n := int(min(int64(max(size, scanBytes)), v.size-w.position))
		buf = slices.Grow(buf[:0], n)[:n]
		if err := w.readAt(buf, w.position); err != nil {
			return err
		}
		whole, err := w.check(buf, v.index, limits{below: math.MaxInt64, bytes: n})
		for len(whole) > 0 && err == nil {
			var one batch.View
			if one, whole, err = batch.Next(whole); err == nil {
				err = fn(one)
			}
			if l.closing.Load() {
				err = errors.Join(err, errClosed)
			}
		}
		if err != nil {
			return err
		}
	}
	if w.offset != s.end {
		return w.corrupt("batches end at offset %d, the next segment starts at %d", w.offset, s.end)
	}
	return nil
}

// sealedBetween is the segments that make up base to end.
func (l *Log) sealedBetween(base, end record.Offset) ([]*segment, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.err != nil {
		return nil, l.mu.err
	}
	all := l.mu.segments[:len(l.mu.segments)-1]
	from := slices.IndexFunc(all, func(s *segment) bool { return s.base == base })
	to := slices.IndexFunc(all, func(s *segment) bool { return s.end == end })
	if from < 0 || to < from {
		return nil, ErrNotSealed
	}
	if slices.ContainsFunc(l.mu.dirty.sealed, func(d sealed) bool { return d.base >= base && d.base < end }) {
		return nil, ErrNotSealed
	}
	return slices.Clone(all[from : to+1]), nil
}

// Rewrite puts one segment in the place of the sealed ones from base up to end, with what transform makes of their batches: asked
// for every batch in order, it appends to dst what is to stand in place of v, which is nothing, v itself, or a batch whose offsets
// lie within v's. The last batch must keep its last offset, so that the segment's end can be told from its bytes. v is valid during
// the call only.
//
// The segments must be synced and lie before every Mark that may still be opened. With a single one in which nothing changes,
// nothing is done. Readers see all of the old or all of the new; so does a start after a crash. Rewrite may run beside everything
// else; an error before the exchange leaves the log as it was and usable.
func (l *Log) Rewrite(base, end record.Offset, transform func(dst []byte, v batch.View) ([]byte, error)) (changed bool, err error) {
	l.rewriting.Lock()
	defer l.rewriting.Unlock()
	sources, err := l.sealedBetween(base, end)
	if err != nil {
		return false, fmt.Errorf("rewrite log %s from %d to %d: %w", l.dir, base, end, err)
	}
	l.generation++
	w := &rewriter{log: l, made: &segment{base: base, end: end, generation: l.generation}, changed: len(sources) > 1}
	if err := w.write(sources, transform); err != nil {
		return false, errors.Join(fmt.Errorf("rewrite log %s from %d to %d: %w", l.dir, base, end, err), w.discard())
	}
	if !w.changed {
		return false, w.discard()
	}
	if err := l.exchange(sources, w); err != nil {
		return false, fmt.Errorf("rewrite log %s from %d to %d: %w", l.dir, base, end, err)
	}
	return true, nil
}

type transformation = func(dst []byte, v batch.View) ([]byte, error)

// A rewriter writes one new segment beside the old ones.
type rewriter struct {
	log     *Log
	made    *segment
	index   *index
	file    vfs.File
	buf     []byte
	written int64
	changed bool
}

func (w *rewriter) temp() string { return w.log.pathOf(w.made, logSuffix) + tempSuffix }

// write makes the new segment's files, durable but for the name of the first.
func (w *rewriter) write(sources []*segment, transform transformation) error {
	if w.made.end-w.made.base > math.MaxInt32 {
		return fmt.Errorf("%d offsets are too many for a segment: %w", w.made.end-w.made.base, ErrNotSealed)
	}
	file, err := w.log.fs.Create(w.temp(), vfs.Category)
	if err != nil {
		return err
	}
	w.file, w.index = vfs.Gradually(file), newIndex(w.made.base)
	w.index.rewritten = true
	if err := w.log.scanAll(sources, func(v batch.View) error { return w.add(v, transform) }); err != nil {
		return err
	}
	if w.index.next != w.made.end {
		return fmt.Errorf("the new segment would end at %d: %w", w.index.next, ErrNotSealed)
	}
	if err := w.flush(); err != nil {
		return err
	}
	if !w.changed {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	return w.writeIndex()
}

func (w *rewriter) add(v batch.View, transform transformation) error {
	from := len(w.buf)
	var err error
	if w.buf, err = transform(w.buf, v); err != nil {
		return err
	}
	out := w.buf[from:]
	if len(out) == 0 {
		w.changed = true
		return nil
	}
	made, rest, err := batch.Next(out)
	if err != nil || len(rest) > 0 || made.BaseOffset() < v.BaseOffset() || made.LastOffset() > v.LastOffset() {
		return fmt.Errorf("batch at %d became something else: %w", v.BaseOffset(), errors.Join(err, ErrNotSealed))
	}
	w.changed = w.changed || !slices.Equal(made, v)
	w.index.add(made, w.written+int64(from))
	if len(w.buf) >= writeBytes {
		return w.flush()
	}
	return nil
}

func (w *rewriter) flush() error {
	if _, err := w.file.Write(w.buf); err != nil {
		return err
	}
	w.written += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

func (w *rewriter) writeIndex() error {
	w.made.size = w.written
	w.made.timed, w.made.time = w.index.maxTime >= 0, w.index.maxTime
	w.index.end, w.index.size = w.made.end, w.written
	f, err := w.log.fs.Create(w.log.pathOf(w.made, indexSuffix), vfs.Category)
	if err != nil {
		return err
	}
	_, err = f.Write(w.index.encode(w.made.end, w.written))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), w.file.Close()); err != nil {
		w.file = nil
		return err
	}
	w.file = nil
	return vfs.SyncDir(w.log.fs, w.log.dir)
}

// discard removes what was written. A log that is being closed may be removed already.
func (w *rewriter) discard() error {
	if w.file != nil {
		_ = w.file.Close() // nobody needs its bytes
	}
	for _, path := range []string{w.temp(), w.log.pathOf(w.made, indexSuffix)} {
		if err := w.log.fs.Remove(path); err != nil && !isMissing(err) {
			return fmt.Errorf("discard the new segment %s: %w", path, err)
		}
	}
	return nil
}

// exchange makes the new segment take the place of its sources: in the directory by one rename, from which on a start takes it, then
// in memory; then the old files may go. Sources that were removed meanwhile make it all void.
func (l *Log) exchange(sources []*segment, w *rewriter) error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	now, err := l.sealedBetween(w.made.base, w.made.end)
	if err == nil && !slices.Equal(now, sources) {
		err = ErrNotSealed
	}
	if err != nil {
		return errors.Join(err, w.discard())
	}
	if err := l.fs.Rename(w.temp(), l.pathOf(w.made, logSuffix)); err != nil {
		return l.fail(err)
	}
	if err := vfs.SyncDir(l.fs, l.dir); err != nil {
		return l.fail(err)
	}
	l.swap(sources, w.made)
	for _, s := range sources {
		if err := l.removeSegment(s.fileName()); err != nil {
			return l.fail(err)
		}
	}
	return nil
}

func (l *Log) swap(sources []*segment, made *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.mu.segments, sources[0])
	l.mu.segments = slices.Concat(l.mu.segments[:at], []*segment{made}, l.mu.segments[at+len(sources):])
	for _, s := range sources {
		l.mu.indexes.drop(s)
	}
	l.mu.cache.forget(made.end) // what compaction took away must not come back from memory
}
