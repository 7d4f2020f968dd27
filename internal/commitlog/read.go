package commitlog

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
)

// Read returns whole batches from the one that holds `from`, all with base offsets below `below`, up to maxBytes but at least
// one; nil when from >= below or at End. The result may alias the tail cache: read-only. CRCs of bytes read from disk were checked.
// It may be less than maxBytes though more follows: it never crosses a segment.
//
// Where Rewrite removed offsets, the next batch there is answers. Of one without records, which only marks the end of its
// segment, some clients cannot tell how to go on: more is read behind it.
func (l *Log) Read(from, below record.Offset, maxBytes int) ([]byte, error) {
	return l.ReadTo(newBytes, from, below, maxBytes)
}

func newBytes(n int) []byte { return make([]byte, n) }

// ReadTo is Read with memory of the caller's for what has to come from disk: memory returns n bytes with anything in them, which are the
// caller's again when what was read is not needed any more.
func (l *Log) ReadTo(memory func(n int) []byte, from, below record.Offset, maxBytes int) ([]byte, error) {
	b, err := l.read(memory, from, below, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read log %s at %d: %w", l.dir, from, err)
	}
	for n := 0; n < len(b) && batch.View(b[n:]).Count() == 0; {
		size, _ := batch.Size(b[n:]) // read checked it
		if n += size; n < len(b) {
			continue
		}
		more, err := l.read(memory, batch.View(b[n-size:]).LastOffset()+1, below, maxBytes)
		if err != nil || len(more) == 0 {
			break // the next read reports it
		}
		b = append(b[:n:n], more...)
	}
	return b, nil
}

func (l *Log) read(memory func(n int) []byte, from, below record.Offset, maxBytes int) ([]byte, error) {
	for {
		v, cached, err := l.locate(from, below, maxBytes)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return cached.join(), nil
		}
		b, err := l.readSegment(v, memory, from, limits{below: below, bytes: maxBytes})
		if errors.Is(err, os.ErrNotExist) && !l.has(v.segment) {
			continue // AdvanceStart or Rewrite took it away meanwhile
		}
		return b, err
	}
}

// has tells whether s is still a segment of the log.
func (l *Log) has(s *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Contains(l.mu.segments, s)
}

// A view is one segment as a reader sees it: for the active one a copy of its index at this moment.
type view struct {
	segment *segment
	size    int64
	index   *index // nil when sealed: to be loaded
}

// locate finds where `from` is: a segment's view for a read from disk, otherwise the answer from memory.
func (l *Log) locate(from, below record.Offset, maxBytes int) (*view, cachedBatches, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.closedLocked(); err != nil {
		return nil, cachedBatches{}, err
	}
	switch end := l.mu.active.end; {
	case from < l.mu.start || from > end:
		return nil, cachedBatches{}, fmt.Errorf("offsets are %d to %d: %w", l.mu.start, end, ErrOutOfRange)
	case from >= below || from == end:
		return nil, cachedBatches{}, nil
	}
	if cached, ok := l.mu.cache.read(from, below, maxBytes); ok {
		return nil, cached, nil
	}
	return l.viewLocked(l.segmentOfLocked(from)), cachedBatches{}, nil
}

// segmentOfLocked is the number of the segment that holds o, which is at or above Start.
func (l *Log) segmentOfLocked(o record.Offset) int {
	return max(0, sort.Search(len(l.mu.segments), func(i int) bool { return l.mu.segments[i].base > o })-1)
}

func (l *Log) viewLocked(i int) *view {
	s := l.mu.segments[i]
	if i < len(l.mu.segments)-1 {
		return &view{segment: s}
	}
	x := *l.mu.active.index
	x.end, x.size = l.mu.active.end, l.mu.active.size
	return &view{segment: s, size: x.size, index: &x}
}

// walk opens a walker at a place of the view's index, and completes the view of a sealed segment with its index. When an
// index file points anywhere but at its batch, the index is rebuilt once, and find is asked again for the place.
func (l *Log) walk(v *view, window int, find func(*index) place) (*walker, *view, error) {
	w, err := l.openWalker(v.segment, window)
	if err != nil {
		return nil, nil, err
	}
	x := v.index
	if x == nil {
		x, err = l.fittingIndex(v.segment, w, find)
	}
	if err == nil {
		err = w.goTo(x, find(x))
	}
	if err != nil {
		w.close()
		return nil, nil, err
	}
	return w, &view{segment: v.segment, size: x.size, index: x}, nil
}

// fittingIndex returns the index of a sealed segment, rebuilt if no batch stands where it says. That of a rewritten one is right
// when it is whole: it was durable before the segment was, and only it knows the gaps.
func (l *Log) fittingIndex(s *segment, w *walker, find func(*index) place) (*index, error) {
	x, err := l.sealedIndex(s)
	if err != nil || x.rebuilt || x.rewritten {
		return x, err
	}
	switch err := w.probe(x, find(x)); {
	case errors.Is(err, ErrCorrupt):
		return l.rebuildIndex(s)
	default:
		return x, err
	}
}

// probe looks for a batch at a place of the index.
func (w *walker) probe(x *index, p place) error {
	limit := w.limit
	defer func() { w.limit, w.index = limit, nil }()
	if err := w.goTo(x, p); err != nil {
		return err
	}
	_, err := w.header()
	return err
}

// goTo continues at a place of the index, within the bytes that the index knows.
func (w *walker) goTo(x *index, p place) error {
	if w.limit < x.size {
		w.position = w.limit
		return w.corrupt("the file has %d bytes, expected %d", w.limit, x.size)
	}
	w.limit, w.position, w.offset, w.index = x.size, p.position, p.offset, x
	return nil
}

// readSegment reads from disk and checks every batch that it returns.
func (l *Log) readSegment(v *view, memory func(n int) []byte, from record.Offset, lim limits) ([]byte, error) {
	w, v, err := l.walk(v, walkFromEntry, func(x *index) place { return x.before(from) })
	if err != nil {
		return nil, err
	}
	defer w.close()
	size, err := w.findOffset(from)
	if err != nil {
		return nil, err
	}
	b := memory(int(max(int64(size), min(int64(lim.bytes), v.size-w.position))))
	if err := w.readAt(b, w.position); err != nil {
		return nil, err
	}
	return w.check(b, v.index, lim)
}

// findOffset walks to the batch that holds o and returns its size.
func (w *walker) findOffset(o record.Offset) (size int, err error) {
	for {
		v, err := w.header()
		if err != nil {
			return 0, err
		}
		if v.LastOffset() >= o {
			return batch.Size(v)
		}
		w.skip(v)
	}
}

type limits struct {
	below record.Offset
	bytes int
}

// check returns the whole batches at the start of b, which was read at the walker's position: at least the first one, all
// with a right CRC, in sequence and with the epoch that the index knows.
func (w *walker) check(b []byte, x *index, lim limits) ([]byte, error) {
	rest, taken := b, 0
	for len(rest) >= batch.HeaderSize {
		size, err := batch.Size(rest)
		if err != nil && taken > 0 {
			break // the next read reports it
		}
		if err != nil {
			return nil, w.corrupt("%v", err)
		}
		if size > len(rest) || (taken > 0 && taken+size > lim.bytes) {
			break
		}
		v := batch.View(rest[:size])
		if taken > 0 && v.BaseOffset() >= lim.below {
			break
		}
		if err := w.checkBatch(v, x); err != nil && taken > 0 {
			break
		} else if err != nil {
			return nil, err
		}
		w.skip(v)
		taken += size
		rest = rest[size:]
	}
	if taken == 0 {
		return nil, w.corrupt("batch with offset %d is not whole", w.offset)
	}
	return b[:taken:taken], nil
}

func (w *walker) checkBatch(v batch.View, x *index) error {
	switch err := v.CheckCRC(); {
	case err != nil && !planted.Is(planted.ChecksumUnchecked):
		return w.corrupt("%v", err)
	case v.BaseOffset() != w.offset || v.LastOffset() < w.offset:
		return w.corrupt("batch has offsets %d to %d, expected %d", v.BaseOffset(), v.LastOffset(), w.offset)
	case v.LeaderEpoch() != x.epochAt(w.offset):
		return w.corrupt("batch has leader epoch %d, its index %d", v.LeaderEpoch(), x.epochAt(w.offset))
	default:
		return nil
	}
}
