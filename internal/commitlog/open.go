package commitlog

import (
	"errors"
	"fmt"
	"os"

	"github.com/mainstemio/mainstem/record"
)

// Open opens a log at mark: bytes behind the mark are cut. Missing bytes before it are ErrCorrupt; nothing is touched then.
//
// Sealed segments are only listed; the active one's headers are walked. Cut means: later segments are removed, and bytes
// behind the mark in its segment are overwritten by the next Append and not read before. Segments below a start that
// AdvanceStart made durable may be missing, also when the mark is older than that.
func Open(o Options, m Mark) (*Log, error) {
	l, err := newLog(o)
	if err != nil {
		return nil, err
	}
	if err := l.open(m); err != nil {
		return nil, fmt.Errorf("open log %s: %w", l.dir, err)
	}
	return l, nil
}

func (l *Log) open(m Mark) error {
	if m.Start < 0 || m.Start > m.End || m.Segment > m.End || m.Size < 0 {
		return fmt.Errorf("mark %+v contradicts itself: %w", m, ErrCorrupt)
	}
	all, err := listFiles(l.fs, l.dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("directory is missing: %w", ErrCorrupt)
	}
	if err != nil {
		return err
	}
	removedBelow, err := l.readStart()
	if err != nil {
		return err
	}
	if l.mu.cleaned, err = l.readOffset(cleanName, cleanMagic); err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	l.mu.cleaned = min(l.mu.cleaned, m.Segment)
	l.mu.start = min(max(m.Start, removedBelow), m.End)
	l.generation = all.generation()
	keep, err := upTo(m.Segment, all.current())
	if err != nil {
		return err
	}
	if len(keep) == 0 || keep[len(keep)-1] != (fileName{base: m.Segment}) {
		// Everything up to the mark was removed after it was taken: only what the journal has again is to follow.
		if removedBelow < m.End {
			return fmt.Errorf("segment %s is missing: %w", segmentName(m.Segment, logSuffix), ErrCorrupt)
		}
		return l.openEmpty(all, m.End)
	}
	return l.openAt(all, keep, m)
}

// upTo is the segments with bases up to o, the mark's. Rewrite touches none at or behind a mark: one there says that the mark is
// older than the files.
func upTo(o record.Offset, all []fileName) ([]fileName, error) {
	n := 0
	for n < len(all) && all[n].base <= o {
		n++
	}
	for _, s := range all {
		if s.generation > 0 && s.end > o {
			return nil, fmt.Errorf("segment %s reaches behind the mark at %d: %w", s.String()+logSuffix, o, ErrCorrupt)
		}
	}
	return all[:n], nil
}

// openEmpty starts the log again without a segment of before.
func (l *Log) openEmpty(all files, end record.Offset) error {
	if err := l.removeExcept(all, nil); err != nil {
		return err
	}
	return l.addSegment(end)
}

// openAt opens the log with the segments keep, the last of which is the mark's.
func (l *Log) openAt(all files, keep []fileName, m Mark) error {
	x, err := l.scanActive(m)
	if err != nil {
		return err
	}
	for len(keep) > 1 && keep[1].base <= l.mu.start {
		keep = keep[1:]
	}
	if keep[0].base > l.mu.start {
		return fmt.Errorf("the first segment is %s, the log starts at %d: %w", keep[0].String()+logSuffix, l.mu.start, ErrCorrupt)
	}
	for i, n := range keep[:len(keep)-1] {
		s := &segment{base: n.base, end: keep[i+1].base, generation: n.generation}
		if s.rewritten() && s.end != n.end {
			return fmt.Errorf("segment %s is missing: %w", segmentName(n.end, logSuffix), ErrCorrupt)
		}
		info, err := l.fs.Stat(l.pathOf(s, logSuffix))
		if err != nil {
			return fmt.Errorf("segment %s: %w", l.pathOf(s, logSuffix), err)
		}
		s.size = info.Size()
		l.mu.segments = append(l.mu.segments, s)
	}
	l.mu.segments = append(l.mu.segments, &segment{base: m.Segment})
	l.mu.active = active{base: m.Segment, end: m.End, size: m.Size, index: x}
	return l.removeExcept(all, keep)
}

// scanActive walks the headers of the mark's segment and checks that they lead to the mark.
func (l *Log) scanActive(m Mark) (*index, error) {
	w, err := l.openWalker(&segment{base: m.Segment}, walkAll)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if w.limit < m.Size {
		w.position = w.limit
		return nil, w.corrupt("the file has %d bytes, the mark says %d", w.limit, m.Size)
	}
	w.limit = m.Size
	x := newIndex(m.Segment)
	for w.position < m.Size {
		v, err := w.header()
		if err != nil {
			return nil, err
		}
		x.add(v, w.position)
		w.skip(v)
	}
	if w.offset != m.End {
		return nil, w.corrupt("batches end at offset %d, the mark says %d", w.offset, m.End)
	}
	return x, nil
}

// removeExcept removes all segments but keep, what Rewrite did not finish, and the index of every segment that is not sealed. An
// index of the active segment is from before a crash, when it was sealed already.
func (l *Log) removeExcept(all files, keep []fileName) error {
	kept := map[fileName]bool{}
	for _, n := range keep {
		kept[n] = true
	}
	for _, n := range all.indexes {
		if !kept[n] || n == keep[len(keep)-1] {
			if err := l.removeIndex(n); err != nil {
				return err
			}
		}
	}
	for _, n := range all.logs {
		if !kept[n] {
			if err := l.removeSegment(n); err != nil {
				return err
			}
		}
	}
	for _, name := range all.temps {
		if err := l.fs.Remove(l.fs.PathJoin(l.dir, name)); err != nil {
			return fmt.Errorf("unfinished segment %s: remove: %w", name, err)
		}
	}
	l.mu.dirty.dir = true
	return nil
}
