package commitlog

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// wantFirstAt is the answer by looking at every record.
func wantFirstAt(ts record.Timestamp, start, below record.Offset) (record.Offset, bool) {
	for o := start; o < below; o++ {
		if timeOf(o) >= ts {
			return o, true
		}
	}
	return 0, false
}

func wantLatest(start, below record.Offset) (best record.Offset, found bool) {
	for o := start; o < below; o++ {
		if !found || timeOf(o) > timeOf(best) {
			best, found = o, true
		}
	}
	return best, found
}

func TestTimesAreFoundAsByLookingAtEveryRecord(t *testing.T) {
	o := options(vfs.NewCrashable())
	l := create(t, o)
	fill(t, l, 1200)
	if len(l.mu.segments) < 3 {
		t.Fatal("the test wants several segments")
	}
	segment := l.mu.segments[1].base
	for _, start := range []record.Offset{0, 1, segment - 1, segment, segment + 100} {
		if err := l.AdvanceStart(start); err != nil {
			t.Fatal(err)
		}
		for _, below := range []record.Offset{start, start + 1, segment, segment + 1, 777, l.End(), l.End() + 5} {
			end := min(below, l.End())
			for ts := timeOf(0) - 200; ts < timeOf(l.End())+200; ts += 77 {
				want, ok := wantFirstAt(ts, start, end)
				got, at, found, err := l.OffsetForTime(ts, below)
				if err != nil || found != ok || got != want || (ok && at != timeOf(want)) {
					t.Fatalf("start %d, below %d, time %d: got %d at %d, %v, expected %d, %v: %v", start, below, ts, got, at, found, want, ok, err)
				}
			}
			want, ok := wantLatest(start, end)
			got, at, found, err := l.MaxTimestamp(below)
			if err != nil || found != ok || (ok && (at != timeOf(want) || got != want)) {
				t.Fatalf("start %d, below %d: latest is %d at %d, %v, expected %d, %v: %v", start, below, got, at, found, want, ok, err)
			}
		}
	}
}

func TestAnEmptyLogHasNoTimes(t *testing.T) {
	l := create(t, options(vfs.NewCrashable()))
	if _, _, found, err := l.OffsetForTime(0, 10); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	if _, _, found, err := l.MaxTimestamp(10); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
}

func TestABatchThatPromisesALaterTimeIsPassedOver(t *testing.T) {
	l := create(t, options(vfs.NewCrashable()))
	var b batch.Builder
	b.Append(5, nil, []byte("x"), nil)
	b.Append(99, nil, nil, nil)
	liar := batch.View(b.AppendTo(nil))
	// A producer may write any max timestamp: this one's records are at 5 and, by a wrong delta, not at 99.
	b.Append(5, nil, []byte("x"), nil)
	b.Append(6, nil, nil, nil)
	honest := batch.View(b.AppendTo(nil))
	copy(honest[35:43], liar[35:43]) // max timestamp
	next := batch.View(makeBatch(2, 1))
	for _, v := range []batch.View{renewCRC(honest), next} {
		if err := l.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	if o, at, found, err := l.OffsetForTime(50, 10); err != nil || !found || o != 2 || at != timeOf(2) {
		t.Fatalf("offset %d at %d, %v: %v", o, at, found, err)
	}
}
