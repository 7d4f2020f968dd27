package commitlog

import (
	"errors"
	"strings"
	"syscall"
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

// What makes room needs some itself: the indexes of what goes give it. Where that is not enough the log stays whole, and a later call
// finds the same work to do.
func TestAdvanceStartOnADiskWithoutRoom(t *testing.T) {
	need, freed := 0, 0 // index files that have to go before anything can be written
	fs := vfs.FailOp(vfs.NewCrashable(), func(op, path string) error {
		switch {
		case op == "remove" && strings.HasSuffix(path, indexSuffix):
			freed++
		case op == "write" && strings.HasSuffix(path, startTmpName) && freed < need:
			return syscall.ENOSPC
		}
		return nil
	})
	l := create(t, options(fs))
	fill(t, l, 2000)
	first, third, fifth := l.Mark(), l.mu.segments[2].base, l.mu.segments[4].base
	need = 3
	if err := l.AdvanceStart(third); !vfs.IsFull(err) || l.Start() != 0 || freed != 2 {
		t.Fatalf("without room: start %d, %d indexes freed: %v", l.Start(), freed, err)
	}
	mustReadAll(t, l, 0, content(0, l.End())) // an index that is missing is made anew
	need, freed = 2, 0                        // two are left
	if err := l.AdvanceStart(fifth); err != nil || l.Start() != fifth || l.mu.segments[0].base != fifth {
		t.Fatalf("with the room of the indexes: start %d: %v", l.Start(), err)
	}
	fill(t, l, 1200)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if l = reopen(t, options(fs), first); l.Start() != fifth {
		t.Errorf("start %d", l.Start())
	}
}
