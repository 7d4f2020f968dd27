package cleanup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// ErrStopped: Job.Stop was closed. What was done until then stands.
var ErrStopped = errors.New("compaction was stopped")

// A Log is what is compacted: commitlog.Log, with its segments in this package's words.
type Log interface {
	Segments() []Segment
	Scan(base, end record.Offset, fn func(batch.View) error) error
	Rewrite(base, end record.Offset, transform func(dst []byte, v batch.View) ([]byte, error)) (changed bool, err error)
	SetCleaned(o record.Offset) error
}

// A Job is one compaction of a log.
type Job struct {
	Options                      // of the first pass; the plan of later ones follows
	SegmentBytes int64           // most bytes that segments may have to be merged
	Stop         <-chan struct{} // closed: give up soon
}

// A Result tells what a compaction did, also one that failed half-way.
type Result struct {
	Passes, Rewritten int
	EmptyAborts       []record.Offset // see Pass
}

// Compact compacts l as j.Plan says, in as many passes as the offset map needs.
func Compact(l Log, j Job) (Result, error) {
	var r Result
	for {
		until, err := j.pass(l, &r)
		if err != nil {
			return r, err
		}
		if until >= j.Plan.End {
			return r, nil
		}
		j.Plan.Dirty = until
	}
}

// pass runs one and returns where the next one begins.
func (j *Job) pass(l Log, r *Result) (record.Offset, error) {
	p := NewPass(j.Options)
	segments := l.Segments()
	from := j.Plan.Base
	for _, s := range segments {
		if s.Base <= j.Plan.Dirty && s.Base >= from {
			from = s.Base
		}
	}
	err := l.Scan(from, j.Plan.End, func(v batch.View) error { return errors.Join(j.stopped(), p.Learn(v)) })
	if err != nil && !errors.Is(err, ErrFull) {
		return 0, fmt.Errorf("learn keys: %w", err)
	}
	if err == nil && p.Until() < j.Plan.End {
		return 0, fmt.Errorf("learn keys: the log ends at %d instead of %d", p.Until(), j.Plan.End)
	}
	for _, g := range Groups(segments, p.Until(), j.SegmentBytes) {
		if g.Base < j.Plan.Base {
			continue
		}
		transform := p.Transform(g.End)
		changed, err := l.Rewrite(g.Base, g.End, func(dst []byte, v batch.View) ([]byte, error) {
			if err := j.stopped(); err != nil {
				return dst, err
			}
			return transform(dst, v)
		})
		if err != nil {
			return 0, err
		}
		if changed {
			r.Rewritten++
		}
	}
	r.Passes++
	r.EmptyAborts = slices.Compact(slices.Sorted(slices.Values(append(r.EmptyAborts, p.EmptyAborts()...))))
	return p.Until(), l.SetCleaned(p.Until())
}

func (j *Job) stopped() error {
	select {
	case <-j.Stop:
		return ErrStopped
	default:
		return nil
	}
}
