package meter

import (
	"testing"
	"time"
)

func TestPercentilesAreOfTheNewest(t *testing.T) {
	var r Recent
	if p50, p99 := r.Percentiles(); p50 != 0 || p99 != 0 {
		t.Error("of nothing")
	}
	for i := range 2000 {
		r.Observe(time.Duration(2000 - i))
	}
	p50, p99 := r.Percentiles()
	again, _ := r.Percentiles()
	if p50 != 257 || p99 != 507 || again != p50 || r.Count() != 2000 {
		t.Errorf("%d, %d of %d, then %d", p50, p99, r.Count(), again)
	}
}
