package meter

import (
	"slices"
	"time"
)

// Recent keeps the last durations for percentiles that follow what happens now. The zero value is empty; it is not safe for
// concurrent use, but may be copied.
type Recent struct {
	count int64
	ring  [512]time.Duration
}

// Observe adds one.
func (r *Recent) Observe(d time.Duration) {
	r.ring[r.count%int64(len(r.ring))] = d
	r.count++
}

// Count is how many there were in all.
func (r *Recent) Count() int64 { return r.count }

// Percentiles returns the median and the 99th percentile of those that are kept, 0 when there are none.
func (r Recent) Percentiles() (p50, p99 time.Duration) {
	kept := r.ring[:min(r.count, int64(len(r.ring)))]
	if len(kept) == 0 {
		return 0, 0
	}
	slices.Sort(kept)
	return kept[len(kept)/2], kept[len(kept)*99/100]
}
