package cleanup

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// A memLog is a log in memory: segments of batches, the last one active.
type memLog struct {
	t        testing.TB
	segments []*memSegment
	cleaned  record.Offset
	rewrites int
}

type memSegment struct {
	base    record.Offset
	batches []batch.View
}

func newMemLog(t testing.TB) *memLog { return &memLog{t: t, segments: []*memSegment{{}}} }

func (l *memLog) end() record.Offset {
	s := l.segments[len(l.segments)-1]
	if len(s.batches) == 0 {
		return s.base
	}
	return s.batches[len(s.batches)-1].LastOffset() + 1
}

func (l *memLog) roll() {
	if end := l.end(); end > l.segments[len(l.segments)-1].base {
		l.segments = append(l.segments, &memSegment{base: end})
	}
}

func (l *memLog) append(v batch.View) {
	v.SetBaseOffset(l.end())
	s := l.segments[len(l.segments)-1]
	s.batches = append(s.batches, v)
}

func (l *memLog) Segments() []Segment {
	var out []Segment
	for i, s := range l.segments {
		d := Segment{Base: s.base, End: l.end(), Active: i == len(l.segments)-1}
		if !d.Active {
			d.End = l.segments[i+1].base
		}
		for _, v := range s.batches {
			d.Size += int64(len(v))
		}
		out = append(out, d)
	}
	return out
}

func (l *memLog) between(base, end record.Offset) (from, to int) {
	from = slices.IndexFunc(l.segments, func(s *memSegment) bool { return s.base == base })
	to = slices.IndexFunc(l.segments, func(s *memSegment) bool { return s.base == end })
	if from < 0 || to <= from {
		l.t.Fatalf("there are no sealed segments from %d to %d", base, end)
	}
	return from, to
}

func (l *memLog) Scan(base, end record.Offset, fn func(batch.View) error) error {
	from, to := l.between(base, end)
	for _, s := range l.segments[from:to] {
		for _, v := range s.batches {
			if err := fn(slices.Clone(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *memLog) Rewrite(base, end record.Offset, transform func(dst []byte, v batch.View) ([]byte, error)) (bool, error) {
	from, to := l.between(base, end)
	made := &memSegment{base: base}
	changed := to-from > 1
	for _, s := range l.segments[from:to] {
		for _, v := range s.batches {
			b, err := transform(nil, slices.Clone(v))
			if err != nil {
				return false, err
			}
			changed = changed || !slices.Equal(b, v)
			if len(b) == 0 {
				continue
			}
			out, rest, err := batch.Next(b)
			if err = errors.Join(err, out.CheckCRC()); err != nil || len(rest) > 0 || out.BaseOffset() != v.BaseOffset() || out.LastOffset() != v.LastOffset() {
				l.t.Fatalf("batch %d to %d became %d to %d: %v", v.BaseOffset(), v.LastOffset(), out.BaseOffset(), out.LastOffset(), err)
			}
			made.batches = append(made.batches, out)
		}
	}
	if n := len(made.batches); n == 0 || made.batches[n-1].LastOffset()+1 != end {
		l.t.Fatalf("the segment from %d to %d lost its end", base, end)
	}
	if changed {
		l.rewrites++
		l.segments = slices.Replace(l.segments, from, to, made)
	}
	return changed, nil
}

func (l *memLog) SetCleaned(o record.Offset) error {
	l.cleaned = o
	return nil
}

// A rec is a record in words.
type rec struct {
	offset     record.Offset
	key, value string // "-" is null
	pid        int64
}

// batchText is a batch in one line.
func batchText(t testing.TB, v batch.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d-%d", v.BaseOffset(), v.LastOffset())
	if v.ProducerID() >= 0 {
		fmt.Fprintf(&b, " pid=%d seq=%d..%d", v.ProducerID(), v.BaseSequence(), v.LastSequence())
	}
	if at, ok := v.DeleteHorizon(); ok {
		fmt.Fprintf(&b, " horizon=%d", at)
	}
	if v.Codec() != batch.None {
		fmt.Fprintf(&b, " codec=%d", v.Codec())
	}
	if commit, ok := batch.ParseEndMarker(v); ok {
		fmt.Fprintf(&b, " %s", map[bool]string{true: "COMMIT", false: "ABORT"}[commit])
		return b.String()
	}
	for _, r := range recsOf(t, v) {
		fmt.Fprintf(&b, " %d:%s=%s", r.offset, r.key, r.value)
	}
	return b.String()
}

func recsOf(t testing.TB, v batch.View) (out []rec) {
	var r batch.Reader
	if err := r.Reset(v, math.MaxInt32); err != nil {
		t.Fatal(err)
	}
	null := func(b []byte) string {
		if b == nil {
			return "-"
		}
		return string(b)
	}
	for r.Next() {
		out = append(out, rec{r.Offset, null(r.Key), null(r.Value), v.ProducerID()})
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// consume reads as a read_committed consumer does that got the aborted transactions listed.
func (l *memLog) consume(aborted []AbortedTxn) (out []rec) {
	pending := slices.SortedFunc(slices.Values(aborted), func(a, b AbortedTxn) int { return int(a.First - b.First) })
	active := map[int64]bool{}
	for _, s := range l.segments {
		for _, v := range s.batches {
			for len(pending) > 0 && pending[0].First <= v.LastOffset() {
				active[pending[0].Producer] = true
				pending = pending[1:]
			}
			if commit, ok := batch.ParseEndMarker(v); ok {
				if !commit {
					delete(active, v.ProducerID())
				}
				continue
			}
			if !v.Transactional() || !active[v.ProducerID()] {
				out = append(out, recsOf(l.t, v)...)
			}
		}
	}
	return out
}

func toNull(s string) []byte {
	if s == "-" {
		return nil
	}
	return []byte(s)
}
