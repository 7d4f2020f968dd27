package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
)

func TestOpenCutsWhatIsBehindTheMark(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 300)
	m := l.Mark()
	fill(t, l, 1500)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, options(fs), m)
	if l.Mark() != m {
		t.Fatalf("mark %+v, expected %+v", l.Mark(), m)
	}
	mustReadAll(t, l, 0, content(0, m.End))
	names, err := fs.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if n, ok := parseName(name, logSuffix); ok && n.base > m.Segment {
			t.Errorf("%s is still there", name)
		}
	}
	// Other batches than before follow; the stale bytes behind them never show.
	other := makeBatch(m.End, 2)
	if err := l.Append(other); err != nil {
		t.Fatal(err)
	}
	mustReadAll(t, l, m.End, other)
	m = l.Mark()
	l = reopen(t, options(fs), m)
	mustReadAll(t, l, m.End-2, other)
}

func TestStaleBytesBehindASealedSegmentNeverShow(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 100)
	m := l.Mark()
	for l.Mark().Segment == 0 {
		fill(t, l, l.End()+1)
	}
	l = reopen(t, options(fs), m)
	if _, err := fs.Stat(testDir + "/" + segmentName(0, indexSuffix)); err == nil {
		t.Fatal("the index of a segment that is active again is still there")
	}
	// The segment is sealed earlier than the first time: a large batch follows.
	short := makeBatch(m.End, 3)
	large := makeBatch(m.End+3, 2000)
	for _, b := range [][]byte{short, large} {
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	if l.Mark().Segment != m.End+3 {
		t.Fatalf("mark %+v: the test wants a roll before the large batch", l.Mark())
	}
	want := append(content(0, m.End), append(short, large...)...)
	m = l.Mark()
	for _, removeIndex := range []bool{false, true} {
		if removeIndex {
			if err := fs.Remove(testDir + "/" + segmentName(0, indexSuffix)); err != nil {
				t.Fatal(err)
			}
		}
		mustReadAll(t, reopen(t, options(fs), m), 0, want)
	}
}

func TestOpenRefusesMissingBytes(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 1000)
	m := l.Mark()
	second := l.mu.segments[1].base
	all := readFiles(t, fs)
	for name, tc := range map[string]struct {
		change func(map[string][]byte)
		mark   func(Mark) Mark
	}{
		"the newest segment missing": {change: func(f map[string][]byte) { delete(f, segmentName(m.Segment, logSuffix)) }},
		"the first segment missing":  {change: func(f map[string][]byte) { delete(f, segmentName(0, logSuffix)) }},
		"the newest segment cut":     {change: func(f map[string][]byte) { n := segmentName(m.Segment, logSuffix); f[n] = f[n][:m.Size-1] }},
		"all missing":                {change: func(f map[string][]byte) { clear(f) }},
		"a mark of a longer log":     {mark: func(m Mark) Mark { m.Size++; return m }},
		"a mark in a batch":          {mark: func(m Mark) Mark { m.Size--; return m }},
		"a mark with another end":    {mark: func(m Mark) Mark { m.End++; return m }},
		"a mark that contradicts":    {mark: func(m Mark) Mark { m.Start = m.End + 1; return m }},
		"a damaged header":           {change: func(f map[string][]byte) { f[segmentName(m.Segment, logSuffix)][7] ^= 1 }},
		"a damaged start file":       {change: func(f map[string][]byte) { f[startName] = make([]byte, startSize) }},
	} {
		t.Run(name, func(t *testing.T) {
			changed := map[string][]byte{}
			for n, b := range all {
				changed[n] = bytes.Clone(b)
			}
			mark := m
			if tc.change != nil {
				tc.change(changed)
			}
			if tc.mark != nil {
				mark = tc.mark(m)
			}
			fs := with(t, changed)
			if _, err := Open(options(fs), mark); !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			if fmt.Sprint(readFiles(t, fs)) != fmt.Sprint(changed) {
				t.Fatal("files were touched")
			}
		})
	}
	// A sealed segment is only listed at open; a missing one shows when it is read.
	delete(all, segmentName(second, logSuffix))
	l = reopen(t, options(with(t, all)), m)
	if _, err := readAll(l, 0, 1<<20); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func readFiles(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		f, err := fs.Open(testDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return out
}

func with(t testing.TB, files map[string][]byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashable()
	if err := fs.MkdirAll(testDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		f, err := fs.Create(testDir+"/"+name, vfs.Category)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return fs
}
