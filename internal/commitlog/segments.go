package commitlog

import (
	"fmt"

	"github.com/mainstemio/mainstem/record"
)

// A Segment is one as those see it who decide what may go.
type Segment struct {
	Base, End record.Offset
	Size      int64 // bytes
	Active    bool
}

// Segments lists the segments from Start on, without I/O. There is always an active one, the last.
func (l *Log) Segments() []Segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]Segment, 0, len(l.mu.segments))
	for _, s := range l.mu.segments[:len(l.mu.segments)-1] {
		out = append(out, Segment{Base: s.base, End: s.end, Size: s.size})
	}
	a := &l.mu.active
	return append(out, Segment{Base: a.base, End: a.end, Size: a.size, Active: true})
}

// LastTime is the highest timestamp of the batches of the segment that begins at base, in milliseconds; when they have none, the
// time of the last write to its file. ErrOutOfRange when there is no such segment (any more).
func (l *Log) LastTime(base record.Offset) (record.Timestamp, error) {
	s, at, known := l.knownTime(base)
	if s == nil {
		return 0, fmt.Errorf("segment at %d of log %s: %w", base, l.dir, ErrOutOfRange)
	}
	if known {
		return at, nil
	}
	at, err := l.findTime(s)
	if isMissing(err) && !l.has(s) {
		err = ErrOutOfRange
	}
	if err != nil {
		return 0, fmt.Errorf("times of the segment at %d of log %s: %w", base, l.dir, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.size > 0 && s != l.mu.segments[len(l.mu.segments)-1] {
		s.timed, s.time = true, at
	}
	return at, nil
}

// knownTime finds the segment and, if it can be told without I/O, its time.
func (l *Log) knownTime(base record.Offset) (s *segment, at record.Timestamp, known bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := l.segmentOfLocked(base)
	if s = l.mu.segments[i]; s.base != base {
		return nil, 0, false
	}
	if i == len(l.mu.segments)-1 {
		at = l.mu.active.index.maxTime
		return s, at, at >= 0
	}
	return s, s.time, s.timed
}

// findTime looks into the index, which is not kept: those who read the log are to have theirs at hand.
func (l *Log) findTime(s *segment) (record.Timestamp, error) {
	if !l.isActive(s) {
		x, err := l.loadIndex(s)
		if err == nil && x == nil {
			x, err = l.rebuildIndex(s)
		}
		if err != nil || x.maxTime >= 0 {
			return atOrNone(x), err
		}
	}
	info, err := l.fs.Stat(l.pathOf(s, logSuffix))
	if err != nil {
		return 0, err
	}
	return record.Timestamp(info.ModTime().UnixMilli()), nil
}

func atOrNone(x *index) record.Timestamp {
	if x == nil {
		return record.NoTimestamp
	}
	return x.maxTime
}

func (l *Log) isActive(s *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return s == l.mu.segments[len(l.mu.segments)-1]
}

// FirstTime is the highest timestamp of the first batch of the segment that begins at base, NoTimestamp when it is empty.
func (l *Log) FirstTime(base record.Offset) (record.Timestamp, error) {
	l.mu.RLock()
	s := l.mu.segments[l.segmentOfLocked(base)]
	active, at := s == l.mu.segments[len(l.mu.segments)-1], l.mu.active.index.firstTime
	l.mu.RUnlock()
	switch {
	case s.base != base:
		return 0, fmt.Errorf("segment at %d of log %s: %w", base, l.dir, ErrOutOfRange)
	case active:
		return at, nil
	}
	w, _, err := l.walk(&view{segment: s}, walkFromEntry, func(x *index) place { return x.place(-1) })
	if isMissing(err) && !l.has(s) {
		err = ErrOutOfRange
	}
	if err != nil {
		return 0, fmt.Errorf("first batch of the segment at %d of log %s: %w", base, l.dir, err)
	}
	defer w.close()
	h, err := w.header()
	if err != nil {
		return 0, fmt.Errorf("first batch of the segment at %d of log %s: %w", base, l.dir, err)
	}
	return h.MaxTimestamp(), nil
}
