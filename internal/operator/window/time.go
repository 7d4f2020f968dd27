package window

import (
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
)

// Time folds the values of each key into tumbling or hopping windows: those of a Size that begin at multiples of Advance, or, if the
// Size is windowed.Forever, the one that begins at Start; with Starts those that it gives. All times are in ms.
//
// As in Kafka Streams a row is added to all its windows in order of time, and each result has the later of the times of the record and
// of the aggregate so far. A window is closed, and its record late, dropped and counted once for each, if its end and Grace are
// at or before the highest time of any record of its input that has a key.
type Time[K, A any] struct {
	Aggregation[K, A]
	Size    record.Timestamp
	Advance record.Timestamp
	Start   record.Timestamp
	// Starts returns, in order, the starts of the windows that hold a time. The Advance is 1 then.
	Starts func(record.Timestamp) []record.Timestamp
}

// ClosesAfter says how long after their end the windows close.
func (c Time[K, A]) ClosesAfter() record.Timestamp { return c.Grace }

type timeWindows[K, A any] struct {
	*aggregation[K, A]
	first  record.Timestamp // the start of the only window, if there is one
	starts func(record.Timestamp) []record.Timestamp
}

// Instance implements operator.Spec. With several inputs it is a Slots.
func (c Time[K, A]) Instance(s *operator.Site) (any, error) {
	a, err := c.open(s, cut{size: c.Size, step: c.Advance})
	if err != nil {
		return nil, err
	}
	return a.receivers(s, &timeWindows[K, A]{aggregation: a, first: c.Start, starts: c.Starts}), nil
}

// windows implements foreteller.
func (t *timeWindows[K, A]) windows(dst [][]byte, inner []byte, ts record.Timestamp) [][]byte {
	const few = 16
	switch {
	case t.size == windowed.Forever:
		return append(dst, t.env.Arena.WithTimes(inner, t.first))
	case t.starts != nil || t.size/t.step > few:
		return dst
	}
	for start := t.earliest(ts); start <= ts && start >= 0; start += t.step {
		dst = append(dst, t.env.Arena.WithTimes(inner, start))
	}
	return dst
}

// earliest returns the start of the first window that holds a time.
func (t *timeWindows[K, A]) earliest(ts record.Timestamp) record.Timestamp {
	return max(0, ts-t.size+t.step) / t.step * t.step
}

func (t *timeWindows[K, A]) take(r *row[K, A]) error {
	closed := r.now - t.Grace
	if err := t.takeOpen(r, closed); err != nil || !t.Final {
		return err
	}
	return t.close(r, closed)
}

// takeOpen adds a row to its windows that are not closed.
func (t *timeWindows[K, A]) takeOpen(r *row[K, A], closed record.Timestamp) error {
	switch {
	case t.size == windowed.Forever:
		if r.ts < t.first {
			return nil
		}
		return t.update(r, t.first, closed)
	case t.starts != nil:
		return t.takeCustom(r, closed)
	}
	for start := t.earliest(r.ts); start <= r.ts && start >= 0; start += t.step { // below 0: beyond the end of time
		if err := t.update(r, start, closed); err != nil {
			return err
		}
	}
	return nil
}

func (t *timeWindows[K, A]) takeCustom(r *row[K, A], closed record.Timestamp) error {
	t.rows.Row = r.i
	starts := t.starts(r.ts)
	t.rows.Row = operator.NoRow
	for _, start := range starts {
		if start < 0 || start > r.ts || windowed.End(start, t.size) <= r.ts {
			return operator.Rejected(r.rows, r.i, t.node, errNotHeld)
		}
		if err := t.update(r, start, closed); err != nil {
			return err
		}
	}
	return nil
}

var errNotHeld = rejection("the start given for a window is negative, or the window does not hold the record")

// update adds a row to a window, unless that is closed.
func (t *timeWindows[K, A]) update(r *row[K, A], start, closed record.Timestamp) error {
	if windowed.End(start, t.size) <= closed {
		t.env.Drops.Add(operator.DropLate)
		return nil
	}
	old := t.find(r.inner, start)
	base := old
	if base.had && t.gone(start) {
		base.had = false
	}
	return t.add(r, &old, base)
}

// close emits the windows that end at or before closed and were not emitted yet.
func (t *timeWindows[K, A]) close(r *row[K, A], closed record.Timestamp) error {
	mark := &t.rows.Table.Marks()[markEmitted]
	emitted, to := record.Timestamp(*mark), closed-t.size
	if emitted >= closed || to < 0 {
		return nil
	}
	from := record.Timestamp(0)
	if emitted != record.NoTimestamp {
		last := max(0, emitted-t.size)
		if to/t.step == last/t.step {
			return nil // no window begins between
		}
		from = last + 1
	}
	*mark = int64(closed)
	return t.final(r, from, to)
}
