package window

import (
	"math"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// Sessions folds the values of each key into sessions: two records are in one if their times differ by at most Gap, or if others
// stand between. All times are in ms; the Retention counts from a session's end.
//
// As in Kafka Streams a record takes up all sessions of its key that end at or behind its time less Gap and begin at or before its
// time and Gap: their aggregates are merged in order of time into the initial one, the record is added, and each of them is
// retracted (a delete with its end as time) before the result is handed on with the end of the new session as time. A session
// that is exactly [t, t] and stays so is not retracted. A record is late, dropped and counted, if the session that it would make
// ended more than Gap and Grace before the highest time of any record of its input. A session whose end is at or before the
// highest end so far less Retention is gone: it is not found any more.
//
// With Final a session is handed on when it is closed. A record that comes later than that, but not late, may merge it into another
// one, which is final again.
type Sessions[K, A any] struct {
	Aggregation[K, A]
	Gap record.Timestamp
	// Merge joins the aggregates of two sessions, the earlier first.
	Merge func(K, A, A) A
	// TellOld: a session that stays where it is has an old value, too. In Kafka Streams it has one only with a cache.
	TellOld bool
}

// ClosesAfter returns how long after their end sessions are closed.
func (c Sessions[K, A]) ClosesAfter() record.Timestamp { return c.Gap + c.Grace }

// Marks of the windows' stores. Behind them stands the stream time of each input.
const (
	markHighest = iota // time of any window stored so far: the store's own, see store.Options.Retention
	markEmitted        // Final: all that closed before it was handed on
	markStreamTimes
)

// sessions is what the inputs of an instance share.
type sessions[K, A any] struct {
	*aggregation[K, A]
	gap   record.Timestamp
	merge func(K, A, A) A
	tells bool         // see TellOld
	null  func(A) bool // nil: an aggregate is never null
	keys  serde.Serde[windowed.Key[K]]

	found    []session[A]     // by the row at hand, in order of time
	from, to []byte           // bounds of the search
	earliest record.Timestamp // no session that is not handed on yet ends before it
	day      record.Timestamp
}

// A session is one that a row takes up.
type session[A any] struct {
	key        []byte
	start, end record.Timestamp
	value      A
}

// Instance implements operator.Spec. With several inputs it is a Slots.
func (c Sessions[K, A]) Instance(s *operator.Site) (any, error) {
	keys, value := windowed.SessionSerde(c.Key), c.Value
	if c.Final {
		value = nil // what is read back was encoded long ago
	}
	s.Retention = operator.Retention{Time: windowed.SessionEnd, For: max(c.Retention, 1)}
	out, err := operator.NewGatheredChanges[windowed.Key[K], A](s, keys, value, true)
	if err != nil {
		return nil, err
	}
	if !c.Final {
		out.WithoutHeaders() // like Kafka Streams, unlike other windows
	}
	t := &sessions[K, A]{
		aggregation: &aggregation[K, A]{Aggregation: c.Aggregation, out: out, env: s.Env, node: s.Node, rowWise: s.RowWise, cached: s.Cached},
		gap:         c.Gap, merge: c.Merge, tells: c.TellOld || s.Cached, null: operator.NullTest[A](), keys: keys, earliest: unknownEnd, day: c.expiryDay(),
	}
	t.rows = operator.NewState(s, store.Options[windowed.Key[K], A]{
		Name: c.Store, Partition: s.Partition, Key: keys, Value: c.Value, Ordered: true,
		Time: windowed.SessionEnd, Day: t.day, Retention: max(c.Retention, 1), KeepBytes: s.KeepBytes(), Marks: markStreamTimes + len(c.Inputs),
	})
	s.Provide(t)
	s.Undoers = append(s.Undoers, t) // behind the rows: those are kept first
	return t.receivers(s, t), nil
}

// expiryDay is the grain in which sessions are found by their end: coarse, but where each is looked for when it closes.
func (c *Sessions[K, A]) expiryDay() record.Timestamp {
	const daysKept, daysOpen = 30, 1024
	day := c.Retention / daysKept
	if c.Final {
		day = min(day, (c.Gap+c.Grace)/daysOpen)
	}
	return max(day, 1)
}

// Read implements operator.Reader.
func (s *sessions[K, A]) Read(_ windowed.Key[K], encoded []byte) (v A, ts record.Timestamp, ok bool, err error) {
	end := windowed.SessionEnd(encoded)
	if end < s.since() {
		return v, record.NoTimestamp, false, nil
	}
	v, _, ok = s.rows.Table.Get(encoded)
	return v, end, ok, nil
}

// since is the lowest end of sessions that are found.
func (s *sessions[K, A]) since() record.Timestamp {
	if s.lasting() {
		return 0 // what a cache holds is found
	}
	return record.Timestamp(s.rows.Table.Marks()[markHighest]) - s.Retention + 1
}

// lasting tells whether sessions are found for as long as a cache of Kafka Streams, which forgets by size, would hold them.
func (s *sessions[K, A]) lasting() bool { return s.cached && !s.env.Caches.Consistent }

// take implements taker.
func (s *sessions[K, A]) take(r *row[K, A]) error {
	closed := r.now - s.Grace - s.gap
	s.find(r)
	s.rows.Row = r.i
	w, agg, had := s.merged(r)
	if w.End < closed {
		s.rows.Row = operator.NoRow
		s.env.Drops.Add(operator.DropLate)
	} else {
		agg, err := r.adder.add(agg, had)
		s.rows.Row = operator.NoRow
		if err != nil {
			return operator.Rejected(r.rows, r.i, s.node, err)
		}
		if err := s.replace(r, w, agg); err != nil {
			return err
		}
	}
	if s.Final {
		return s.handOn(r, closed)
	}
	return nil
}

// find sets found. It looks from the last session back, since most rows belong to that one: nothing but the place of a longer key, or
// of a session that grew since the epoch began, can stand between.
func (s *sessions[K, A]) find(r *row[K, A]) {
	clear(s.found)
	s.found = s.found[:0]
	s.from = windowed.AppendSession(s.from[:0], r.inner, 0, max(r.ts-s.gap, s.since(), 0))
	s.to = windowed.AppendSession(s.to[:0], r.inner, math.MaxInt64, math.MaxInt64)
	s.rows.Table.RangeBack(s.from, s.to, func(key []byte, v A, _ record.Timestamp) bool {
		start := windowed.Start(key)
		if !windowed.HasSessionKey(key, r.inner) || start-s.gap > r.ts {
			return true
		}
		s.found = append(s.found, session[A]{key: key, start: start, end: windowed.SessionEnd(key), value: v})
		return start > r.ts // all before end more than a gap before this one begins
	})
	slices.Reverse(s.found)
}

// merged returns the session that the row makes of those found, and their aggregate; had is false when there is nothing to add to.
func (s *sessions[K, A]) merged(r *row[K, A]) (w windowed.Key[K], agg A, had bool) {
	w = windowed.Key[K]{Key: r.key, Start: r.ts, End: r.ts}
	agg, had = s.Initial, !s.NoInitial
	for i := range s.found {
		f := &s.found[i]
		w.Start, w.End = min(w.Start, f.start), max(w.End, f.end)
		if had {
			agg = s.merge(r.key, agg, f.value)
		} else {
			agg = f.value
		}
		had = !s.NoInitial || s.null == nil || !s.null(agg)
	}
	return w, agg, had
}

// replace puts w in the place of the sessions found, and hands the changes on.
func (s *sessions[K, A]) replace(r *row[K, A], w windowed.Key[K], agg A) error {
	if w.Start != w.End || w.Start != r.ts {
		if err := s.retract(r); err != nil {
			return err
		}
	}
	key := s.env.Arena.WithTimes(r.inner, w.End, w.Start)
	encoded, err := s.store(r, key, agg)
	if err != nil || s.Final {
		return err
	}
	c := operator.Change[windowed.Key[K], A]{
		Key: w, KeyBytes: key, New: agg, NewAbsent: encoded == nil, NewBytes: encoded, OldAbsent: true, Timestamp: w.End,
	}
	if s.tells && len(s.found) > 0 && w.Start == w.End { // it was not retracted
		c.Old, c.OldAbsent = s.found[0].value, false
	}
	return s.out.Add(c, r.rows, r.i)
}

// retract removes the sessions found.
func (s *sessions[K, A]) retract(r *row[K, A]) error {
	for j := range s.found {
		f := &s.found[j]
		s.rows.Remove(f.key)
		if s.Final {
			continue
		}
		c := operator.Change[windowed.Key[K], A]{
			Key: windowed.Key[K]{Key: r.key, Start: f.start, End: f.end}, KeyBytes: f.key,
			NewAbsent: true, Old: f.value, Timestamp: f.end,
		}
		if err := s.out.Add(c, r.rows, r.i); err != nil {
			return err
		}
	}
	return nil
}

// store keeps a session and returns the bytes of its aggregate, nil for null, which deletes. It keeps nothing where Kafka Streams has
// given up the segment that the session belongs to, and counts that as it does: with inputs of different stream times a session can
// be in time for one of them and over for the store.
func (s *sessions[K, A]) store(r *row[K, A], key []byte, agg A) ([]byte, error) {
	end := windowed.SessionEnd(key)
	s.rows.Table.Saw(end)
	highest := record.Timestamp(s.rows.Table.Marks()[markHighest])
	segment := max(s.Retention/2, leastSegment)
	dead := end/segment < (highest-s.Retention)/segment
	if dead {
		s.env.Drops.Add(operator.DropExpired)
	}
	if dead || s.Retention == 0 && !s.Final {
		s.rows.Row = r.i
		encoded, err := operator.Encode(&s.env.Arena, s.Value, agg)
		s.rows.Row = operator.NoRow
		if err != nil {
			return nil, operator.Uncodable(r.rows.Origins[r.i], s.node, "the value cannot be encoded", err)
		}
		return encoded, nil
	}
	s.earliest = min(s.earliest, end)
	return s.rows.Set(key, agg, end, r.rows, r.i)
}

// leastSegment is the shortest segment of a Kafka Streams store, in ms.
const leastSegment = 60_000

// Keep implements operator.Undoer: it frees sessions whose time is over. Those that wait for being final stay.
func (s *sessions[K, A]) Keep() {
	if s.lasting() {
		s.rows.Table.ExpireGone()
		return
	}
	before := s.since()
	if s.Final {
		before = min(before, record.Timestamp(s.rows.Table.Marks()[markEmitted]))
	}
	s.rows.Table.ExpireBefore(before)
}

// Undo implements operator.Undoer, for what is not in the rows.
func (s *sessions[K, A]) Undo() { s.earliest = unknownEnd }

// unknownEnd is earlier than the end of any session.
const unknownEnd = record.Timestamp(math.MinInt64)
