package journal

import (
	"bytes"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// burst appends a frame of n bytes and flushes it.
func burst(t *testing.T, j *Journal, n int) {
	t.Helper()
	if _, err := j.Append(1, Copied(bytes.Repeat([]byte{'b'}, n))...); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Flush(); err != nil {
		t.Fatal(err)
	}
}

// openLarge opens a journal whose blocks may be larger than what is kept for good.
func openLarge(t *testing.T, fs vfs.FS) *Journal {
	t.Helper()
	j, err := Open(Options{FS: fs, Dir: testDir, FileSize: 16 * maxKept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func (j *Journal) buffers() [2]int { return [2]int{cap(j.flush.taken.buf), cap(j.mu.forming.buf)} }

func newLarge(t *testing.T) (*Journal, vfs.FS) {
	t.Helper()
	fs := vfs.NewCrashable()
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	j := openLarge(t, fs)
	if _, err := j.Replay(0, func(Frame) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return j, fs
}

func TestAnIdleJournalGivesBackTheBuffersOfABurst(t *testing.T) {
	j, _ := newLarge(t)
	burst(t, j, 3*maxKept)
	burst(t, j, 3*maxKept)
	full := j.buffers()
	if full[0] <= maxKept || full[1] <= maxKept {
		t.Fatalf("buffers of %d bytes: the test wants large ones", full)
	}
	if j.Rest(); j.buffers() != full {
		t.Errorf("buffers of %d bytes after the first rest, they were needed since", j.buffers())
	}
	burst(t, j, 100) // needs one of them, but not as large
	if j.Rest(); j.buffers() != [2]int{} {
		t.Errorf("an idle journal holds buffers of %d bytes", j.buffers())
	}
	burst(t, j, 3*maxKept)
}

func TestBuffersThatAreNeededNowAndThenStay(t *testing.T) {
	for _, size := range []int{maxKept / 2, 3 * maxKept} {
		j, _ := newLarge(t)
		burst(t, j, size)
		burst(t, j, size)
		before := j.buffers()
		for range 5 {
			for range 3 { // a buffer is needed from one rest to the next, and small blocks come between
				burst(t, j, 10)
				burst(t, j, 10)
			}
			burst(t, j, size)
			burst(t, j, size)
			j.Rest()
		}
		if j.buffers() != before {
			t.Errorf("bursts of %d bytes: buffers of %d bytes became %d", size, before, j.buffers())
		}
		if size > maxKept {
			continue
		}
		if j.Rest(); j.buffers() != before {
			t.Errorf("small buffers do not stay: %d bytes became %d", before, j.buffers())
		}
	}
}

func TestARestLosesNoFrames(t *testing.T) {
	j, fs := newLarge(t)
	for i := range 4 {
		if _, err := j.Append(1, Copied(bytes.Repeat([]byte{byte('0' + i)}, maxKept))...); err != nil {
			t.Fatal(err)
		}
		j.Rest()
	}
	if _, err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	next := byte('0')
	_, err := openLarge(t, fs).Replay(0, func(f Frame) error {
		if !bytes.Equal(f.Body, bytes.Repeat([]byte{next}, maxKept)) {
			t.Errorf("frame %d is not what was appended", f.LSN)
		}
		next++
		return nil
	})
	if err != nil || next != '4' {
		t.Errorf("%d frames come back: %v", next-'0', err)
	}
}
