package window

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
)

// Sliding folds the values of each key into sliding windows: for each record the one that ends with it, and the one that begins
// behind it, if another record falls into that. Both ends are included. All times are in ms.
//
// As in Kafka Streams a record is added to the windows of its key that it falls into, from the last to the first, and then makes
// those that are missing: the one behind the record before it, the one that ends with it, the one behind it. Records earlier
// than Difference share the window that begins at 0, which is then updated last, and they close no windows. Null values are
// dropped and counted. A window is closed, and its record late, if its end and Grace are before the highest time of any record. With a
// Difference of 0 every record is a bad one.
type Sliding[K, A any] struct {
	Aggregation[K, A]
	Difference record.Timestamp
}

// errNoWindow: as in Kafka Streams, where it is found at the first record.
var errNoWindow = rejection("sliding windows of a time difference of 0 have no time in them")

// A rejection is an error that says nothing from the record.
type rejection string

func (r rejection) Error() string  { return string(r) }
func (r rejection) Reason() string { return string(r) }

// ClosesAfter says how long after their end the windows close.
func (c Sliding[K, A]) ClosesAfter() record.Timestamp { return c.Grace }

type slidingWindows[K, A any] struct {
	*aggregation[K, A]
	seen     []found[A] // by the row at hand, in the order in which they are updated
	from, to []byte     // bounds of the search
}

// Instance implements operator.Spec. With several inputs it is a Slots.
func (c Sliding[K, A]) Instance(s *operator.Site) (any, error) {
	a, err := c.open(s, cut{size: c.Difference, step: 1, sliding: true})
	if err != nil {
		return nil, err
	}
	return a.receivers(s, &slidingWindows[K, A]{aggregation: a}), nil
}

func (s *slidingWindows[K, A]) take(r *row[K, A]) error {
	if s.size == 0 {
		return operator.Rejected(r.rows, r.i, s.node, errNoWindow)
	}
	closed := r.now - s.Grace
	if windowed.End(r.ts, s.size) < closed {
		s.env.Drops.Add(operator.DropLate)
		return nil
	}
	if r.ts < s.size {
		return s.early(r, closed)
	}
	if err := s.slide(r, closed); err != nil || !s.Final {
		return err
	}
	return s.close(r, closed)
}

// A neighbourhood is what the windows seen tell about a row.
type neighbourhood[A any] struct {
	before    record.Timestamp // the time of the record before it, NoTimestamp if none is known
	left      *found[A]        // the last window that ends before it
	right     *found[A]        // the first one updated that goes on behind it
	leftMade  bool             // the window that ends with it is there
	rightMade bool             // the one that begins behind it is there
}

// slide updates the windows of a row that does not lie before the first whole window.
func (s *slidingWindows[K, A]) slide(r *row[K, A], closed record.Timestamp) error {
	n := neighbourhood[A]{before: record.NoTimestamp}
	s.search(r, true)
	for i := range s.seen {
		f := &s.seen[i]
		end := f.start + s.size
		switch {
		case f.start == r.ts+1:
			n.rightMade = true
			continue
		case end < r.ts:
			n.left, n.before = f, f.ts
			continue
		case end > r.ts && n.right == nil:
			n.right = f
		case end == r.ts:
			n.leftMade = true
		}
		if err := s.update(r, f, *f, closed); err != nil {
			return err
		}
		if end > r.ts {
			continue
		}
		if f.ts >= r.ts {
			return nil // a record of the same time has made them all
		}
		n.before = f.ts
	}
	return s.complete(r, n, closed)
}

// search sets seen: backwards those behind which no other can matter, or all up to the row.
func (s *slidingWindows[K, A]) search(r *row[K, A], back bool) {
	clear(s.seen)
	s.seen = s.seen[:0]
	first := max(0, s.rows.Table.Since())
	if back {
		first = max(first, r.ts-2*s.size)
	}
	s.from = windowed.AppendTime(s.from[:0], r.inner, first)
	s.to = windowed.AppendTime(s.to[:0], r.inner, r.ts+2)
	see := func(key []byte, v A, ts record.Timestamp) bool {
		if !windowed.HasKey(key, r.inner) {
			return true
		}
		start := windowed.Start(key)
		s.seen = append(s.seen, found[A]{key: key, start: start, value: v, ts: ts, had: true})
		return !back || start+s.size >= r.ts
	}
	if back {
		s.rows.Table.RangeBack(s.from, s.to, see)
	} else {
		s.rows.Table.Range(s.from, s.to, see)
	}
}

// knows tells whether a window was seen.
func (s *slidingWindows[K, A]) knows(start record.Timestamp) bool {
	for i := range s.seen {
		if s.seen[i].start == start {
			return true
		}
	}
	return false
}

// complete makes the windows that are missing.
func (s *slidingWindows[K, A]) complete(r *row[K, A], n neighbourhood[A], closed record.Timestamp) error {
	if n.before != record.NoTimestamp && !s.knows(n.before+1) && n.before+1+s.size >= r.ts {
		if err := s.make(r, n.before+1, found[A]{}, closed); err != nil {
			return err
		}
	}
	if !n.leftMade {
		base := found[A]{}
		if n.before != record.NoTimestamp && r.ts-s.size <= n.before {
			base = found[A]{value: n.left.value, ts: r.ts, had: true}
		}
		if err := s.make(r, r.ts-s.size, base, closed); err != nil {
			return err
		}
	}
	return s.behind(r, n)
}

// make adds the row to base and puts the result in place of whatever the window has.
func (s *slidingWindows[K, A]) make(r *row[K, A], start record.Timestamp, base found[A], closed record.Timestamp) error {
	old := s.find(r.inner, start)
	return s.update(r, &old, base, closed)
}

// update adds the row to base and puts the result in place of old, unless the window is closed.
func (s *slidingWindows[K, A]) update(r *row[K, A], old *found[A], base found[A], closed record.Timestamp) error {
	if windowed.End(old.start, s.size) < closed {
		s.env.Drops.Add(operator.DropLate)
		return nil
	}
	return s.add(r, old, base)
}

// behind makes the window behind the row, if other records fall into it: what they made together without the row is known.
func (s *slidingWindows[K, A]) behind(r *row[K, A], n neighbourhood[A]) error {
	if n.rightMade || n.right == nil || n.right.ts <= r.ts {
		return nil
	}
	old := s.find(r.inner, r.ts+1)
	return s.put(r, &old, operator.Change[windowed.Key[K], A]{New: n.right.value, OldAbsent: true, Timestamp: n.right.ts})
}

// early updates the windows of a row that lies before the end of the first whole window.
func (s *slidingWindows[K, A]) early(r *row[K, A], closed record.Timestamp) error {
	n := neighbourhood[A]{before: record.NoTimestamp}
	var shared *found[A] // the window that begins at 0
	s.search(r, false)
	for i := range s.seen {
		f := &s.seen[i]
		switch {
		case f.start == 0:
			shared = f
			if f.ts < r.ts {
				n.before = f.ts
			}
		case f.start == r.ts+1:
			n.rightMade = true
		default:
			n.right = f
			if err := s.update(r, f, *f, closed); err != nil {
				return err
			}
		}
	}
	if n.right == nil && shared != nil && shared.ts > r.ts {
		n.right = shared
	}
	if err := s.behind(r, n); err != nil {
		return err
	}
	if n.before != record.NoTimestamp && !s.knows(n.before+1) {
		if err := s.make(r, n.before+1, found[A]{}, closed); err != nil {
			return err
		}
	}
	if shared == nil {
		return s.make(r, 0, found[A]{}, closed)
	}
	return s.update(r, shared, *shared, closed)
}

// close emits the windows that end before closed and were not emitted yet.
func (s *slidingWindows[K, A]) close(r *row[K, A], closed record.Timestamp) error {
	mark := &s.rows.Table.Marks()[markEmitted]
	emitted, to := record.Timestamp(*mark), closed-s.size-1
	if emitted >= closed || to < 0 {
		return nil
	}
	from := record.Timestamp(0)
	if emitted != record.NoTimestamp {
		from = max(0, emitted-s.size)
	}
	*mark = int64(closed)
	return s.final(r, from, to)
}
