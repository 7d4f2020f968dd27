package cleanup

import (
	"fmt"
	"math"

	"github.com/mainstemio/mainstem/record"
)

// A Policy is what a topic says about its compaction.
type Policy struct {
	DirtyRatio float64 // min.cleanable.dirty.ratio
	MinLag     int64   // min.compaction.lag.ms
	MaxLag     int64   // max.compaction.lag.ms
}

// A Plan is what a compaction may touch: segments from Base up to End. Offsets below Dirty were cleaned before.
type Plan struct {
	Base, Dirty, End record.Offset
	Ratio            float64 // bytes of the dirty section in all
	Due              bool    // enough is dirty, or something is so for too long
}

// Progress is how far compaction got (Clean) and may go (Bound), and the time.
type Progress struct {
	Clean, Bound record.Offset
	Now          record.Timestamp
}

// Ages tell timestamps of a segment that begins at base; they are asked only when a lag is set.
type Ages interface {
	LastTime(base record.Offset) (record.Timestamp, error)  // the highest of its batches
	FirstTime(base record.Offset) (record.Timestamp, error) // of its first batch
}

// Compactable plans a compaction of the sealed segments that end at or below the bound.
func Compactable(segments []Segment, p Policy, at Progress, ages Ages) (Plan, error) {
	plan := Plan{Base: segments[0].Base, End: segments[0].Base}
	var size, dirty int64
	oldest := record.Offset(-1)
	for _, s := range segments {
		if s.Active || s.End > at.Bound {
			break
		}
		if s.End > at.Clean {
			recent, err := isRecent(p.MinLag, s.Base, at.Now, ages)
			if err != nil {
				return Plan{}, err
			}
			if recent {
				break
			}
			if oldest < 0 {
				oldest = s.Base
			}
			dirty += s.Size
		}
		size += s.Size
		plan.End = s.End
	}
	plan.Dirty = min(max(at.Clean, plan.Base), plan.End)
	if dirty == 0 {
		return plan, nil
	}
	plan.Ratio = float64(dirty) / float64(size)
	plan.Due = plan.Ratio > p.DirtyRatio
	if !plan.Due && p.MaxLag < math.MaxInt64 {
		first, err := ages.FirstTime(oldest)
		if err != nil {
			return Plan{}, fmt.Errorf("age of the dirty section: %w", err)
		}
		plan.Due = first >= 0 && int64(at.Now)-int64(first) > p.MaxLag
	}
	return plan, nil
}

// isRecent tells whether a segment has records younger than lag.
func isRecent(lag int64, base record.Offset, now record.Timestamp, ages Ages) (bool, error) {
	if lag <= 0 {
		return false, nil
	}
	last, err := ages.LastTime(base)
	if err != nil {
		return false, fmt.Errorf("age of a segment: %w", err)
	}
	return int64(now)-int64(last) < lag, nil
}

// A Group is segments that become one.
type Group struct{ Base, End record.Offset }

// Groups splits the segments that begin below end into runs that are rewritten as one: as many as have maxBytes together. Small
// segments are merged this way, once they have shrunk.
func Groups(segments []Segment, end record.Offset, maxBytes int64) []Group {
	var out []Group
	size := int64(0)
	for _, s := range segments {
		if s.Active || s.Base >= end {
			break
		}
		n := len(out) - 1
		if n >= 0 && size+s.Size <= maxBytes && s.End-out[n].Base <= math.MaxInt32 {
			out[n].End = s.End
			size += s.Size
			continue
		}
		out = append(out, Group{s.Base, s.End})
		size = s.Size
	}
	return out
}

// Roll tells whether an active segment that got its first record with timestamp first, its latest with last, and exists since born,
// is to be sealed: its records span more than maxAge milliseconds, or it is older than that.
func Roll(first, last, born, now record.Timestamp, maxAge int64) bool {
	return first >= 0 && int64(last)-int64(first) > maxAge || int64(now)-int64(born) > maxAge
}
