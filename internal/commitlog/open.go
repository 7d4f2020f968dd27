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
	l.mu.start = min(max(m.Start, removedBelow), m.End)
	keep := all.upTo(m.Segment)
	if len(keep) == 0 || keep[len(keep)-1] != m.Segment {
		// Everything up to the mark was removed after it was taken: only what the journal has again is to follow.
		if removedBelow < m.End {
			return fmt.Errorf("segment %s is missing: %w", segmentName(m.Segment, logSuffix), ErrCorrupt)
		}
		return l.openEmpty(all, m.End)
	}
	return l.openAt(all, keep, m)
}

// upTo is the segments with bases up to o.
func (f files) upTo(o record.Offset) []record.Offset {
	n := 0
	for n < len(f.logs) && f.logs[n] <= o {
		n++
	}
	return f.logs[:n]
}

// openEmpty starts the log again without a segment of before.
func (l *Log) openEmpty(all files, end record.Offset) error {
	if err := l.removeExcept(all, nil); err != nil {
		return err
	}
	return l.addSegment(end)
}

// openAt opens the log with the segments keep, the last of which is the mark's.
func (l *Log) openAt(all files, keep []record.Offset, m Mark) error {
	x, err := l.scanActive(m)
	if err != nil {
		return err
	}
	for len(keep) > 1 && keep[1] <= l.mu.start {
		keep = keep[1:]
	}
	if keep[0] > l.mu.start {
		return fmt.Errorf("the first segment is %s, the log starts at %d: %w", segmentName(keep[0], logSuffix), l.mu.start, ErrCorrupt)
	}
	for i, base := range keep {
		s := &segment{base: base}
		if i < len(keep)-1 {
			info, err := l.fs.Stat(l.path(base, logSuffix))
			if err != nil {
				return fmt.Errorf("segment %s: %w", l.path(base, logSuffix), err)
			}
			s.end, s.size = keep[i+1], info.Size()
		}
		l.mu.segments = append(l.mu.segments, s)
	}
	l.mu.active = active{base: m.Segment, end: m.End, size: m.Size, index: x}
	return l.removeExcept(all, keep)
}

// scanActive walks the headers of the mark's segment and checks that they lead to the mark.
func (l *Log) scanActive(m Mark) (*index, error) {
	w, err := l.openWalker(m.Segment, walkAll)
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

// removeExcept removes all segments but keep, and the index of every segment that is not sealed. An index of the active
// segment is from before a crash, when it was sealed already.
func (l *Log) removeExcept(all files, keep []record.Offset) error {
	kept := map[record.Offset]bool{}
	for _, base := range keep {
		kept[base] = true
	}
	for _, base := range all.indexes {
		if !kept[base] || base == keep[len(keep)-1] {
			if err := l.removeIndex(base); err != nil {
				return err
			}
		}
	}
	for _, base := range all.logs {
		if !kept[base] {
			if err := l.removeSegment(base); err != nil {
				return err
			}
		}
	}
	l.mu.dirty.dir = true
	return nil
}
