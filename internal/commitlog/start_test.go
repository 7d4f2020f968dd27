package commitlog

import (
	"errors"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func TestAdvanceStartRemovesWholeSegmentsOnly(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 1000)
	old := l.Mark()
	second, third := l.mu.segments[1].base, l.mu.segments[2].base
	count := func() int { return len(l.mu.segments) }
	all := count()
	for _, tc := range []struct {
		o    record.Offset
		want int
	}{{1, all}, {second - 1, all}, {second, all - 1}, {0, all - 1}, {third + 1, all - 2}, {l.End(), 1}} {
		start := max(l.Start(), tc.o)
		if err := l.AdvanceStart(tc.o); err != nil || count() != tc.want || l.Start() != start {
			t.Fatalf("start to %d: %d segments, expected %d; start %d: %v", tc.o, count(), tc.want, l.Start(), err)
		}
	}
	if err := l.AdvanceStart(l.End() + 1); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("beyond the end: %v", err)
	}
	if _, err := l.Read(l.End()-1, l.End(), 1); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("below the start: %v", err)
	}
	fill(t, l, l.End()+50)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m := l.Mark()
	l = reopen(t, options(fs), m)
	if l.Mark() != m {
		t.Fatalf("mark %+v, expected %+v", l.Mark(), m)
	}
	// A mark of before the removal opens too: the start file tells that nothing is missing.
	l = reopen(t, options(fs), old)
	if l.End() != old.End || l.Start() < third {
		t.Fatalf("%+v", l.Mark())
	}
}

func TestAMarkWhoseSegmentWasRemovedOpensEmpty(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 50)
	m := l.Mark()
	fill(t, l, 1500)
	if err := l.AdvanceStart(l.Mark().Segment); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l = reopen(t, options(fs), m)
		if l.End() != m.End || l.Start() != m.End {
			t.Fatalf("%+v", l.Mark())
		}
		mustReadAll(t, l, m.End, fill(t, l, 1500))
	}
}
