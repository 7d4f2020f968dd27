package meter

import (
	"sync"
	"testing"
	"time"
)

func TestADurationCountsInTheFirstBucketThatHoldsIt(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{0, 50 * time.Microsecond, 51 * time.Microsecond, time.Second, time.Minute} {
		h.Observe(d)
	}
	s := h.Snapshot()
	if s.Counts[0] != 2 || s.Counts[1] != 1 || s.Counts[13] != 1 || s.Counts[len(Bounds)] != 1 {
		t.Errorf("counts %v", s.Counts)
	}
	if s.Count != 5 || s.Sum != time.Minute+time.Second+101*time.Microsecond {
		t.Errorf("count %d, sum %v", s.Count, s.Sum)
	}
}

func TestBoundsRise(t *testing.T) {
	for i := 1; i < len(Bounds); i++ {
		if Bounds[i] <= Bounds[i-1] {
			t.Errorf("bound %d is %v after %v", i, Bounds[i], Bounds[i-1])
		}
	}
}

func TestRequestsAreCountedByKeyAndStrangeKeysNotAtAll(t *testing.T) {
	var r Requests
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				r.Observe(3, time.Millisecond)
			}
		})
	}
	wg.Wait()
	r.Observe(0, time.Second)
	r.Observe(-1, time.Second)
	r.Observe(maxKey, time.Second)
	var keys []int16
	r.Each(func(key int16, s Snapshot) {
		keys = append(keys, key)
		if want := map[int16]uint64{0: 1, 3: 800}[key]; s.Count != want {
			t.Errorf("key %d: %d, want %d", key, s.Count, want)
		}
	})
	if len(keys) != 2 {
		t.Errorf("keys %v", keys)
	}
	(*Requests)(nil).Observe(0, time.Second)
}

func TestAnObservationAllocatesNothing(t *testing.T) {
	var r Requests
	r.Observe(1, time.Second)
	if n := testing.AllocsPerRun(100, func() { r.Observe(1, time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
