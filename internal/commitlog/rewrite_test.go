package commitlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// thin is a transformation: of every batch the records stay whose offset has a remainder of 0, and the batch's header stays when it
// is the last one. Batches of which nothing stays go.
func thin(n record.Offset, end record.Offset) func(dst []byte, v batch.View) ([]byte, error) {
	return func(dst []byte, v batch.View) ([]byte, error) {
		var r batch.Reader
		var w batch.Rewriter
		if err := r.Reset(v, math.MaxInt32); err != nil {
			return dst, err
		}
		w.Reset(v, record.NoTimestamp)
		kept := 0
		for r.Next() {
			if r.Offset%n == 0 {
				w.Append(&r)
				kept++
			}
		}
		switch {
		case int32(kept) == v.Count():
			return append(dst, v...), r.Err()
		case kept == 0 && v.LastOffset()+1 != end:
			return dst, r.Err()
		}
		return w.AppendTo(dst), r.Err()
	}
}

// offsetsOf lists the records of concatenated batches from an offset on, with their times.
func offsetsOf(t testing.TB, b []byte, from record.Offset) (os []record.Offset, times []record.Timestamp) {
	t.Helper()
	for len(b) > 0 {
		v, rest, err := batch.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		var r batch.Reader
		if err := errors.Join(v.CheckCRC(), r.Reset(v, math.MaxInt32)); err != nil {
			t.Fatal(err)
		}
		for r.Next() {
			if r.Offset >= from {
				os, times = append(os, r.Offset), append(times, r.Timestamp)
			}
		}
		b = rest
	}
	return os, times
}

// multiples of n in [from, end).
func multiples(n, from, end record.Offset) (os []record.Offset) {
	for o := from; o < end; o++ {
		if o%n == 0 {
			os = append(os, o)
		}
	}
	return os
}

// sealedLog is a synced log of several segments, and where the sealed ones end.
func sealedLog(t testing.TB, o Options, end record.Offset) (*Log, record.Offset) {
	t.Helper()
	l := create(t, o)
	fill(t, l, end)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	return l, l.Mark().Segment
}

func rewrite(t testing.TB, l *Log, base, end, n record.Offset) {
	t.Helper()
	if changed, err := l.Rewrite(base, end, thin(n, end)); err != nil || !changed {
		t.Fatalf("rewrite %d to %d: changed %v, %v", base, end, changed, err)
	}
}

func TestARewrittenSegmentIsReadWithItsGaps(t *testing.T) {
	for _, cache := range []int{-1, 1 << 20} {
		o := options(vfs.NewCrashable())
		o.CacheBytes = cache
		l, sealed := sealedLog(t, o, 1500)
		rewrite(t, l, 0, sealed, 7)
		m := l.Mark()
		for _, reader := range []*Log{l, reopen(t, o, m)} {
			if n := len(reader.mu.segments); n != 2 {
				t.Fatalf("%d segments", n)
			}
			for _, size := range []int{1, 700, 1 << 20} {
				all, err := readAll(reader, 0, size)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := offsetsOf(t, all, 0)
				want := multiples(7, 0, sealed)
				for o := sealed; o < reader.End(); o++ {
					want = append(want, o)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("cache %d, pieces of %d: %d records, expected %d", cache, size, len(got), len(want))
				}
			}
			// From every offset on, also one that is gone, the next records follow.
			for from := record.Offset(0); from < sealed; from += 3 {
				b, err := reader.Read(from, reader.End(), 1)
				if err != nil {
					t.Fatal(err)
				}
				v := batch.View(b)
				if v.LastOffset() < from || v.Count() == 0 && v.LastOffset()+1 != sealed {
					t.Fatalf("read at %d returns a batch up to %d with %d records", from, v.LastOffset(), v.Count())
				}
			}
		}
		names, err := o.FS.List(testDir)
		if err != nil || len(names) != 3 {
			t.Errorf("%v is left: %v", names, err)
		}
	}
}

func TestTimesAreFoundInARewrittenSegment(t *testing.T) {
	o := options(vfs.NewCrashable())
	l, sealed := sealedLog(t, o, 1000)
	rewrite(t, l, 0, sealed, 9)
	all, err := readAll(l, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	os, times := offsetsOf(t, all, 0)
	for _, below := range []record.Offset{sealed / 2, sealed, l.End()} {
		var best stamp
		for i := range os {
			if os[i] < below {
				best = best.later(stamp{os[i], times[i], true})
			}
		}
		if o, at, found, err := l.MaxTimestamp(below); err != nil || !found || o != best.offset || at != best.at {
			t.Errorf("latest below %d: %d at %d, expected %+v: %v", below, o, at, best, err)
		}
		for ts := timeOf(0) - 10; ts < timeOf(l.End())+10; ts += 333 {
			i := slices.IndexFunc(times, func(at record.Timestamp) bool { return at >= ts })
			o, at, found, err := l.OffsetForTime(ts, below)
			if want := i >= 0 && os[i] < below; err != nil || found != want || want && (o != os[i] || at != times[i]) {
				t.Errorf("time %d below %d: %d at %d, %v, %v", ts, below, o, at, found, err)
			}
		}
	}
}

func TestABatchThatOnlyEndsASegmentIsNeverAllThatIsRead(t *testing.T) {
	o := options(vfs.NewCrashable())
	l, sealed := sealedLog(t, o, 1000)
	rewrite(t, l, 0, sealed, 100_000) // nothing but offset 0 stays
	for from := record.Offset(1); from < sealed; from++ {
		b, err := l.Read(from, l.End(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := offsetsOf(t, b, from)
		if inFirst := batch.View(b).BaseOffset() == 0; !inFirst && (len(got) == 0 || got[0] != sealed) {
			t.Fatalf("read at %d has records %v", from, got)
		}
	}
	if b, err := l.Read(sealed-1, sealed, 1); err != nil || len(b) != batch.HeaderSize {
		t.Errorf("the end of the segment: %d bytes, %v", len(b), err)
	}
}

func TestRewriteMergesAgainAndLeavesWhatDoesNotChange(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.SegmentBytes = 4 << 10
	l, sealed := sealedLog(t, o, 1000)
	half := l.mu.segments[len(l.mu.segments)/2].base
	rewrite(t, l, 0, half, 2)
	rewrite(t, l, half, sealed, 2)
	before := slices.Sorted(maps.Keys(readFiles(t, o.FS)))
	for _, s := range l.Segments()[:2] {
		if changed, err := l.Rewrite(s.Base, s.End, thin(2, s.End)); changed || err != nil {
			t.Errorf("a rewrite that changes nothing: %v, %v", changed, err)
		}
	}
	if after := slices.Sorted(maps.Keys(readFiles(t, o.FS))); !slices.Equal(before, after) {
		t.Errorf("files %v became %v", before, after)
	}
	rewrite(t, l, 0, sealed, 4)
	if all, err := readAll(reopen(t, o, l.Mark()), 0, 5000); err != nil {
		t.Error(err)
	} else if got, _ := offsetsOf(t, all, 0); !slices.Equal(got[:len(multiples(4, 0, sealed))], multiples(4, 0, sealed)) {
		t.Errorf("%d records", len(got))
	}
}

func TestRewriteRefusesWhatIsNotSealedAndSynced(t *testing.T) {
	o := options(vfs.NewCrashable())
	l := create(t, o)
	fill(t, l, 1000)
	sealed := l.Mark().Segment
	keep := func(dst []byte, v batch.View) ([]byte, error) { return append(dst, v...), nil }
	for _, r := range [][2]record.Offset{{0, sealed}, {0, l.End()}, {1, sealed}, {sealed, 0}} {
		if _, err := l.Rewrite(r[0], r[1], keep); !errors.Is(err, ErrNotSealed) {
			t.Errorf("%v: %v", r, err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(dst []byte, v batch.View) ([]byte, error){
		"that loses the end":     func(dst []byte, v batch.View) ([]byte, error) { return dst, nil },
		"that makes two batches": func(dst []byte, v batch.View) ([]byte, error) { return append(append(dst, v...), v...), nil },
		"that moves batches": func(dst []byte, v batch.View) ([]byte, error) {
			v.SetBaseOffset(v.BaseOffset() + 1)
			return append(dst, v...), nil
		},
	} {
		if _, err := l.Rewrite(0, sealed, f); !errors.Is(err, ErrNotSealed) {
			t.Errorf("a transformation %s: %v", name, err)
		}
	}
	mustReadAll(t, l, 0, content(0, l.End()))
	if files, err := listFiles(o.FS, testDir); err != nil || len(files.temps) > 0 || files.generation() > 0 {
		t.Errorf("%+v is left: %v", files, err)
	}
}

func TestSegmentsThatGoWhileTheyAreReadAreNotSealedAnyMore(t *testing.T) {
	for name, read := range map[string]func(l *Log, end record.Offset, fn func(batch.View) error) error{
		"scan": func(l *Log, end record.Offset, fn func(batch.View) error) error { return l.Scan(0, end, fn) },
		"rewrite": func(l *Log, end record.Offset, fn func(batch.View) error) error {
			_, err := l.Rewrite(0, end, func(dst []byte, v batch.View) ([]byte, error) { return append(dst, v...), fn(v) })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(vfs.NewCrashable())
			l, sealed := sealedLog(t, o, 1000)
			segments := l.Segments()
			err := read(l, sealed, func(batch.View) error { return l.AdvanceStart(segments[2].Base) })
			if !errors.Is(err, ErrNotSealed) || l.Start() != segments[2].Base {
				t.Fatalf("start %d of %v: %v", l.Start(), segments[:3], err)
			}
			rewrite(t, l, segments[2].Base, sealed, 9)
		})
	}
}

func TestCleanedIsRememberedAndNeverAheadOfTheMark(t *testing.T) {
	o := options(vfs.NewCrashable())
	l, sealed := sealedLog(t, o, 1000)
	if err := l.SetCleaned(sealed); err != nil {
		t.Fatal(err)
	}
	m := l.Mark()
	if got := reopen(t, o, m).Cleaned(); got != sealed {
		t.Errorf("clean up to %d, expected %d", got, sealed)
	}
	files := readFiles(t, o.FS)
	files[cleanName][9] ^= 1
	o.FS = with(t, files)
	if got := reopen(t, o, m).Cleaned(); got != 0 {
		t.Errorf("a damaged note counts: %d", got)
	}
}

func TestNoFlippedByteOfARewrittenSegmentIsServed(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.SegmentBytes, o.CacheBytes = 3<<10, -1
	l, sealed := sealedLog(t, o, 110)
	rewrite(t, l, 0, sealed, 4)
	want, err := readAll(l, 0, 2000)
	if err != nil {
		t.Fatal(err)
	}
	m := l.Mark()
	data, err := o.FS.(*vfs.MemFS).UnsafeGetFileDataBuffer(l.pathOf(l.mu.segments[0], logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for pos := range data {
		for _, fresh := range []bool{false, true} {
			data[pos] ^= 1 << (pos % 8)
			reader := l
			if fresh {
				reader = reopen(t, o, m)
			}
			got, err := readAll(reader, 0, 2000)
			data[pos] ^= 1 << (pos % 8)
			if !errors.Is(err, ErrCorrupt) || !bytes.HasPrefix(want, got) {
				t.Fatalf("byte %d, fresh %v: %d bytes served: %v", pos, fresh, len(got), err)
			}
		}
	}
}

// A base offset that is wrong by a little still fits into the gap behind its batch; only the index knows better.
func TestABatchMovedIntoAGapIsNotServed(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.CacheBytes = -1
	l, sealed := sealedLog(t, o, 300)
	if _, err := l.Rewrite(0, sealed, func(dst []byte, v batch.View) ([]byte, error) {
		if v.BaseOffset() == 0 || v.LastOffset()+1 == sealed {
			dst = append(dst, v...)
		}
		return dst, nil
	}); err != nil {
		t.Fatal(err)
	}
	data, err := o.FS.(*vfs.MemFS).UnsafeGetFileDataBuffer(l.pathOf(l.mu.segments[0], logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	batch.View(data).SetBaseOffset(1)
	for _, reader := range []*Log{l, reopen(t, o, l.Mark())} {
		if b, err := reader.Read(0, reader.End(), 1); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes are served: %v", len(b), err)
		}
	}
}

func TestAReaderFindsTheNewSegmentWhenTheOldOneGoesUnderIt(t *testing.T) {
	var before func()
	o := options(nil)
	o.CacheBytes = -1
	o.FS = vfs.OnOp(vfs.NewCrashable(), func(op, path string) {
		if f := before; f != nil && op == "open" && strings.HasSuffix(path, segmentName(0, logSuffix)) {
			before = nil
			f()
		}
	})
	for name, read := range map[string]func(l *Log) error{
		"read": func(l *Log) error {
			b, err := l.Read(7, l.End(), 1)
			if got, _ := offsetsOf(t, b, 0); err == nil && !slices.Contains(got, 7) {
				return fmt.Errorf("records %v", got)
			}
			return err
		},
		"time":   func(l *Log) error { _, _, _, err := l.OffsetForTime(0, l.End()); return err },
		"latest": func(l *Log) error { _, _, _, err := l.MaxTimestamp(l.End()); return err },
	} {
		l, sealed := sealedLog(t, o, 600)
		before = func() { rewrite(t, l, 0, sealed, 7) }
		if err := read(l); err != nil || before != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOldFilesGoOnlyWhenTheNewOneIsDurable(t *testing.T) {
	var ops []string
	o := options(nil)
	o.FS = vfs.OnOp(vfs.NewCrashable(), func(op, path string) {
		if vfs.IsWriteOp(op) {
			ops = append(ops, op+" "+filepath.Base(path))
		}
	})
	l, sealed := sealedLog(t, o, 600)
	ops = nil
	rewrite(t, l, 0, sealed, 2)
	dir := filepath.Base(testDir)
	rename := slices.IndexFunc(ops, func(op string) bool { return strings.HasPrefix(op, "rename ") })
	removed := slices.IndexFunc(ops, func(op string) bool { return strings.HasPrefix(op, "remove ") })
	if rename < 2 || removed < rename || !slices.Contains(ops[rename:removed], "sync "+dir) || !slices.Contains(ops[:rename], "sync "+dir) {
		t.Errorf("%q", ops)
	}
}

func TestADamagedIndexOfARewrittenSegmentIsRebuilt(t *testing.T) {
	o := options(vfs.NewCrashable())
	l, sealed := sealedLog(t, o, 600)
	rewrite(t, l, 0, sealed, 5)
	want, err := readAll(l, 0, 2000)
	if err != nil {
		t.Fatal(err)
	}
	m, name, all := l.Mark(), l.mu.segments[0].fileName().String()+indexSuffix, readFiles(t, o.FS)
	good := all[name]
	for pos := -1; pos < len(good); pos++ {
		bad := bytes.Clone(good)
		if all[name] = bad; pos < 0 {
			delete(all, name)
		} else {
			bad[pos] ^= 0x10
		}
		o.FS = with(t, all)
		reader := reopen(t, o, m)
		if got, err := readAll(reader, 0, 3000); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("byte %d: %v", pos, err)
		}
		if x := reader.mu.indexes.get(reader.mu.segments[0]); x == nil || !x.rebuilt || !bytes.Equal(x.encode(x.end, x.size), good) {
			t.Fatalf("byte %d: the index was trusted, or rebuilt differently", pos)
		}
	}
}

func TestAMarkBehindARewrittenSegmentIsRefused(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.SegmentBytes = 4 << 10
	l := create(t, o)
	fill(t, l, 300)
	old := l.Mark()
	fill(t, l, 1000)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, l, 0, l.Mark().Segment, 2)
	if _, err := Open(o, old); !errors.Is(err, ErrCorrupt) {
		t.Errorf("opened at a mark whose segment was rewritten: %v", err)
	}
}

func TestGoldenIndexOfARewrittenSegment(t *testing.T) {
	o := options(vfs.NewCrashable())
	l, sealed := sealedLog(t, o, 600)
	rewrite(t, l, 0, sealed, 50)
	got := readFiles(t, o.FS)[fmt.Sprintf("%020d-%020d-00000001.index", 0, sealed)]
	path := filepath.Join("testdata", "index2.hex")
	if *update {
		if err := os.WriteFile(path, []byte(hex.Dump(got)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || hex.Dump(got) != string(want) {
		t.Errorf("the format changed: raise its version (%v)\n%s", err, hex.Dump(got))
	}
}
