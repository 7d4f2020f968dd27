package window

import (
	"bytes"
	"math"
	"slices"

	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/internal/windowed"
	"github.com/mainstemio/mainstem/record"
)

// handOn emits, on behalf of a row, the sessions that ended before closed and were not emitted yet, in order of end, start and key.
//
// What is stored from here on ends at closed or behind it, since it would be late otherwise: so each session that stays is emitted
// once.
func (s *sessions[K, A]) handOn(r *row[K, A], closed record.Timestamp) error {
	mark := &s.rows.Table.Marks()[markEmitted]
	from := max(record.Timestamp(*mark), 0)
	if closed <= from {
		return nil
	}
	*mark = int64(closed)
	if s.earliest >= closed {
		return nil
	}
	s.closing = s.closing[:0]
	s.rows.Table.Timed(from, closed-1, func(key []byte) bool {
		s.closing = append(s.closing, key)
		return true
	})
	slices.SortFunc(s.closing, byEnd)
	for i, key := range s.closing {
		if i > 0 && bytes.Equal(key, s.closing[i-1]) {
			continue // the calendar may name a session twice
		}
		if err := s.final(r, key); err != nil {
			return err
		}
	}
	s.earliest = s.nextEnd(closed)
	return nil
}

func (s *sessions[K, A]) final(r *row[K, A], key []byte) error {
	v, _, ok := s.rows.Table.Get(key)
	if !ok {
		return nil
	}
	s.rows.Row = r.i
	k, err := s.keys.Decode(key)
	s.rows.Row = operator.NoRow
	if err != nil {
		return operator.Uncodable(r.rows.Origins[r.i], s.node, "the key of a stored session cannot be read", err)
	}
	return s.out.Add(operator.Change[windowed.Key[K], A]{Key: k, KeyBytes: key, New: v, OldAbsent: true, Timestamp: k.End}, r.rows, r.i)
}

// nextEnd returns the earliest end of a session at or behind from. It looks at one day only: nothing ends before that.
func (s *sessions[K, A]) nextEnd(from record.Timestamp) record.Timestamp {
	next := record.Timestamp(math.MaxInt64)
	s.rows.Table.Timed(from, math.MaxInt64, func(key []byte) bool {
		end := windowed.SessionEnd(key)
		if end/s.day > next/s.day {
			return false
		}
		next = min(next, end)
		return true
	})
	return next
}

// byEnd orders sessions by end, start and key.
func byEnd(a, b []byte) int {
	an, bn := len(windowed.SessionInner(a)), len(windowed.SessionInner(b))
	if c := bytes.Compare(a[an:], b[bn:]); c != 0 {
		return c // the end stands before the start
	}
	return bytes.Compare(a[:an], b[:bn])
}
