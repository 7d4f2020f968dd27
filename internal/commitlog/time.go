package commitlog

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// maxInflated bounds the records of one batch when they are looked at, in bytes. What is stored was validated against a
// lower limit of the broker.
const maxInflated = 1 << 30

// A stamp is a record's offset and timestamp.
type stamp struct {
	offset record.Offset
	at     record.Timestamp
	found  bool
}

// OffsetForTime returns the first record at or after ts (offset and its timestamp), below `below`; found is false when there is none.
// A batch whose header promises a later timestamp than its records have is passed over.
func (l *Log) OffsetForTime(ts record.Timestamp, below record.Offset) (o record.Offset, at record.Timestamp, found bool, err error) {
	s, err := l.search(below, func(views []*view, in window) (stamp, error) {
		for _, v := range views {
			if s, err := l.firstAt(v, ts, in); err != nil || s.found {
				return s, err
			}
		}
		return stamp{}, nil
	})
	if err != nil {
		return 0, 0, false, fmt.Errorf("log %s: offset for time %d: %w", l.dir, ts, err)
	}
	return s.offset, s.at, s.found, nil
}

// MaxTimestamp returns the record with the highest timestamp below `below`, of several the first; found is false when the
// log is empty.
func (l *Log) MaxTimestamp(below record.Offset) (o record.Offset, at record.Timestamp, found bool, err error) {
	s, err := l.search(below, func(views []*view, in window) (best stamp, err error) {
		for _, v := range views {
			s, err := l.latest(v, in)
			if err != nil {
				return stamp{}, err
			}
			best = best.later(s)
		}
		return best, nil
	})
	if err != nil {
		return 0, 0, false, fmt.Errorf("log %s: max timestamp: %w", l.dir, err)
	}
	return s.offset, s.at, s.found, nil
}

// search runs look over the segments from Start to below, again when AdvanceStart or Rewrite removed one of them meanwhile.
func (l *Log) search(below record.Offset, look func([]*view, window) (stamp, error)) (stamp, error) {
	for {
		start, views, err := l.views(below)
		if err != nil {
			return stamp{}, err
		}
		s, err := look(views, window{from: start, below: below})
		if errors.Is(err, os.ErrNotExist) && slices.ContainsFunc(views, func(v *view) bool { return !l.has(v.segment) }) {
			continue
		}
		return s, err
	}
}

// window is the offsets that a search may return.
type window struct{ from, below record.Offset }

func (w window) holds(o record.Offset) bool { return o >= w.from && o < w.below }

// views returns the segments that have offsets from Start to below.
func (l *Log) views(below record.Offset) (start record.Offset, views []*view, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.closedLocked(); err != nil {
		return 0, nil, err
	}
	if l.mu.start >= min(below, l.mu.active.end) {
		return l.mu.start, nil, nil
	}
	for i := l.segmentOfLocked(l.mu.start); i < len(l.mu.segments) && l.mu.segments[i].base < below; i++ {
		views = append(views, l.viewLocked(i))
	}
	return l.mu.start, views, nil
}

// firstAt finds the first record of a segment at or after ts.
func (l *Log) firstAt(v *view, ts record.Timestamp, in window) (stamp, error) {
	w, v, err := l.walk(v, walkAll, func(x *index) place {
		p := x.beforeTime(ts)
		if first := x.before(max(in.from, x.base)); first.offset > p.offset {
			return first
		}
		return p
	})
	if err != nil {
		return stamp{}, err
	}
	defer w.close()
	if v.index.maxTime < ts {
		return stamp{}, nil
	}
	for w.position < v.size && w.offset < in.below {
		h, err := w.header()
		if err != nil {
			return stamp{}, err
		}
		if h.MaxTimestamp() >= ts && h.LastOffset() >= in.from {
			var first stamp
			err := w.records(v.index, func(s stamp) bool {
				if in.holds(s.offset) && s.at >= ts {
					first = s
				}
				return !first.found
			})
			if err != nil || first.found {
				return first, err
			}
		}
		w.skip(h)
	}
	return stamp{}, nil
}

// latest finds the record of a segment with the highest timestamp, by the headers of its batches.
func (l *Log) latest(v *view, in window) (stamp, error) {
	whole := func(x *index) bool { return in.from <= x.base && x.end <= in.below }
	w, v, err := l.walk(v, walkAll, func(x *index) place {
		if whole(x) {
			return x.before(x.maxBatch)
		}
		return x.before(max(in.from, x.base))
	})
	if err != nil {
		return stamp{}, err
	}
	defer w.close()
	if v.size == 0 {
		return stamp{}, nil
	}
	if !whole(v.index) {
		return w.latestIn(v.index, in)
	}
	if _, err := w.findOffset(v.index.maxBatch); err != nil {
		return stamp{}, err
	}
	return w.latestRecord(v.index, in)
}

// latestIn walks from the walker's position to the segment's end or the window's. Of the batches that lie in the window
// only the one with the highest timestamp is decoded, of those across its borders all are.
func (w *walker) latestIn(x *index, in window) (best stamp, err error) {
	highest, target := record.Timestamp(math.MinInt64), place{position: -1}
	for w.position < x.size && w.offset < in.below {
		h, err := w.header()
		if err != nil {
			return stamp{}, err
		}
		switch {
		case h.LastOffset() < in.from:
		case !in.holds(h.BaseOffset()) || !in.holds(h.LastOffset()):
			s, err := w.latestRecord(x, in)
			if err != nil {
				return stamp{}, err
			}
			best = best.later(s)
		case h.MaxTimestamp() > highest:
			highest, target = h.MaxTimestamp(), place{offset: w.offset, position: w.position}
		}
		w.skip(h)
	}
	if target.position < 0 {
		return best, nil
	}
	w.position, w.offset = target.position, target.offset
	s, err := w.latestRecord(x, in)
	return best.later(s), err
}

// later returns the stamp with the higher time, of equal ones the first.
func (s stamp) later(t stamp) stamp {
	if !s.found || t.found && (t.at > s.at || t.at == s.at && t.offset < s.offset) {
		return t
	}
	return s
}

// latestRecord is the record with the highest timestamp of the batch at the walker's position.
func (w *walker) latestRecord(x *index, in window) (best stamp, err error) {
	err = w.records(x, func(s stamp) bool {
		if in.holds(s.offset) {
			best = best.later(s)
		}
		return true
	})
	return best, err
}

// records checks the batch at the walker's position and hands its records to fn until it returns false.
func (w *walker) records(x *index, fn func(stamp) bool) error {
	h, err := w.header()
	if err != nil {
		return err
	}
	size, _ := batch.Size(h) // header checked it
	b := make([]byte, size)
	if err := w.readAt(b, w.position); err != nil {
		return err
	}
	v := batch.View(b)
	if err := w.checkBatch(v, x); err != nil {
		return err
	}
	var r batch.Reader
	if err := r.Reset(v, maxInflated); err != nil {
		return w.corrupt("%v", err)
	}
	for r.Next() {
		if !fn(stamp{offset: r.Offset, at: r.Timestamp, found: true}) {
			return nil
		}
	}
	if err := r.Err(); err != nil {
		return w.corrupt("%v", err)
	}
	return nil
}
