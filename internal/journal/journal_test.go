package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/vfs"
)

var update = flag.Bool("update", false, "rewrite golden files")

const testDir = "/data/journal"

// open opens a small journal in fs, with salts that count up.
func open(t testing.TB, fs vfs.FS) *Journal {
	t.Helper()
	j, err := tryOpen(fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func tryOpen(fs vfs.FS) (*Journal, error) {
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		return nil, err
	}
	j, err := Open(Options{FS: fs, Dir: testDir, FileSize: minFileSize})
	if err != nil {
		return nil, err
	}
	j.minLent = 50 // of the test bodies most are larger
	salt := uint32(len(j.mu.files))
	for _, h := range j.mu.files {
		salt = max(salt, h.salt)
	}
	j.newSalt = func() uint32 { salt++; return salt }
	return j, nil
}

// body is the i-th test body, of a length that depends on i.
func body(i LSN) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("frame %d;", i)), int(i*7%40)+1)
}

// replayAll replays and checks that frames are exactly the LSNs after `after`, with the bodies of appendFrames.
func replayAll(t testing.TB, j *Journal, after LSN) Recovery {
	t.Helper()
	next := after + 1
	r, err := j.Replay(after, func(f Frame) error {
		if f.LSN != next {
			t.Fatalf("frame %d, expected %d", f.LSN, next)
		}
		if f.Kind != Kind(f.LSN%200+1) || !bytes.Equal(f.Body, body(f.LSN)) {
			t.Fatalf("frame %d has the wrong kind or body", f.LSN)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Last != next-1 {
		t.Fatalf("last is %d, %d were handed out", r.Last, next-1)
	}
	return r
}

func appendFrame(j *Journal, want LSN) error {
	b := body(want)
	lsn, err := j.Append(Kind(want%200+1), Part{Bytes: b[:3]}, Part{}, lend(b[3:]))
	if err == nil && lsn != want {
		return fmt.Errorf("append gave LSN %d, expected %d", lsn, want)
	}
	return err
}

func lend(b []byte) Part { return Part{Bytes: b, Lent: true, Sum: crc32.Checksum(b, castagnoli)} }

// appendFrames appends and flushes frames from..to, `each` frames a block.
func appendFrames(t testing.TB, j *Journal, from, to, each LSN) {
	t.Helper()
	for lsn := from; lsn <= to; lsn++ {
		if err := appendFrame(j, lsn); err != nil {
			t.Fatal(err)
		}
		if (lsn-from+1)%each == 0 || lsn == to {
			if durable, err := j.Flush(); err != nil || durable != lsn {
				t.Fatalf("flush: durable %d, expected %d: %v", durable, lsn, err)
			}
		}
	}
}

func TestFramesComeBackInOrder(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 50, 3)
	j = open(t, fs)
	if r := replayAll(t, j, 0); r.Last != 50 || r.DroppedBytes != 0 {
		t.Fatalf("%+v", r)
	}
	appendFrames(t, j, 51, 400, 4)
	if j.Files() < 3 {
		t.Fatalf("%d files: the test wants several", j.Files())
	}
	for _, after := range []LSN{0, 1, 49, 50, 200, 399, 400} {
		replayAll(t, open(t, fs), after)
	}
}

func TestLentBytesAreNeitherCopiedNorSummed(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	for _, part := range []Part{lend(make([]byte, j.minLent-1)), lend(make([]byte, j.minLent))} {
		if _, err := j.Append(1, part, Part{Bytes: []byte("behind")}); err != nil {
			t.Fatal(err)
		}
		part.Bytes[0]++ // which their owner must not do: the block cannot be whole if it has these bytes with the sum of those before
		if _, err := j.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := open(t, fs).Replay(0, func(Frame) error { return nil })
	if err != nil || r.Last != 1 || r.DroppedBytes == 0 {
		t.Fatalf("%+v, %v: of the two frames the smaller one is copied", r, err)
	}
}

func TestNothingIsWrittenAfterStop(t *testing.T) {
	var ops []string
	fs := vfs.OnOp(vfs.NewCrashable(), func(op, _ string) { ops = append(ops, op) })
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 1, 1)
	if err := appendFrame(j, 2); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	j.Stop(mine)
	j.Stop(errors.New("later"))
	ops = nil
	if durable, err := j.Flush(); err != mine || durable != 1 || len(ops) > 0 {
		t.Fatalf("durable %d, %v, %v", durable, err, ops)
	}
	if _, err := j.Append(1, lend(body(3))); !errors.Is(err, mine) {
		t.Fatal(err)
	}
}

func TestJoinedSumsAreThoseOfTheJoinedBytes(t *testing.T) {
	b := body(5)
	for len(b) < 200_000 {
		b = append(b, b...)
	}
	for _, n := range []int{0, 1, 2, 3, 7, 8, 100, 4096, 65_535, 65_536, 131_071, len(b)} {
		first, last := b[:len(b)-n], b[len(b)-n:]
		if got := joinSums(crc32.Checksum(first, castagnoli), crc32.Checksum(last, castagnoli), n); got != crc32.Checksum(b, castagnoli) {
			t.Errorf("with %d bytes behind: %08x", n, got)
		}
	}
}

func TestUnflushedFramesAreLost(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 3, 1)
	if err := appendFrame(j, 4); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(1, Copied([]byte("x"))...); !errors.Is(err, errClosed) {
		t.Fatalf("append after close: %v", err)
	}
	if r := replayAll(t, open(t, fs), 0); r.Last != 3 {
		t.Fatalf("last %d", r.Last)
	}
}

func TestManyFramesInOneFlushBecomeSeveralBlocks(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 500, 500)
	if j.Files() < 4 {
		t.Fatalf("%d files", j.Files())
	}
	replayAll(t, open(t, fs), 0)
}

func TestAFrameMayTakeHalfAFile(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	largest := minFileSize/2 - blockHeaderSize - frameHeaderSize
	if _, err := j.Append(1, Copied(make([]byte, largest+1))...); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("one byte too many: %v", err)
	}
	for range 3 {
		if _, err := j.Append(1, Copied(make([]byte, largest))...); err != nil {
			t.Fatal(err)
		}
	}
	if durable, err := j.Flush(); err != nil || durable != 3 {
		t.Fatalf("durable %d: %v", durable, err)
	}
	n := 0
	if _, err := open(t, fs).Replay(0, func(f Frame) error { n += len(f.Body); return nil }); err != nil || n != 3*largest {
		t.Fatalf("%d bytes: %v", n, err)
	}
}

func TestReleasedFilesAreRecycled(t *testing.T) {
	mem := vfs.NewCrashable()
	creates := 0
	fs := vfs.OnOp(mem, func(op, _ string) {
		if op == "create" {
			creates++
		}
	})
	j := open(t, fs)
	replayAll(t, j, 0)
	const total = 3000
	for lsn := LSN(1); lsn <= total; lsn += 10 {
		appendFrames(t, j, lsn, lsn+9, 5)
		if j.Files() > 1 {
			if err := j.Release(lsn + 9); err != nil {
				t.Fatal(err)
			}
			if j.Files() != 1 {
				t.Fatalf("%d files after release", j.Files())
			}
		}
	}
	if creates != 2 {
		t.Errorf("%d files were created, expected 2", creates)
	}
	first := j.mu.files[0].first
	replayAll(t, open(t, mem), first-1)
	if _, err := open(t, mem).Replay(first-2, func(Frame) error { return nil }); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("frames that were released: %v", err)
	}
	replayAll(t, open(t, mem), total)
	if _, err := open(t, mem).Replay(total+1, func(Frame) error { return nil }); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a checkpoint beyond the end: %v", err)
	}
}

func TestReleaseKeepsWhatIsNotCovered(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 400, 1)
	files := j.mu.files
	second := files[1].first
	for _, tc := range []struct {
		upTo LSN
		want int
	}{{0, len(files)}, {second - 2, len(files)}, {second - 1, len(files) - 1}, {400, 1}} {
		if err := j.Release(tc.upTo); err != nil || j.Files() != tc.want {
			t.Fatalf("release up to %d: %d files, expected %d: %v", tc.upTo, j.Files(), tc.want, err)
		}
	}
}

func TestAnErrorOfTheReceiverStopsReplay(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 10, 2)
	mine := errors.New("mine")
	if _, err := open(t, fs).Replay(0, func(f Frame) error {
		if f.LSN == 4 {
			return mine
		}
		return nil
	}); err != mine {
		t.Fatal(err)
	}
}

func TestSteadyStateIsOneWriteAndOneDataSync(t *testing.T) {
	mem := vfs.NewCrashable()
	var ops []string
	fs := vfs.OnOp(mem, func(op, _ string) { ops = append(ops, op) })
	j := open(t, fs)
	j.minLent = minLent
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 1, 1)
	ops = nil
	appendFrames(t, j, 2, 3, 1)
	if got := strings.Join(ops, " "); got != "write-at sync-data write-at sync-data" {
		t.Fatal(got)
	}
}

func TestReplayMakesDurableWhatItHandsOut(t *testing.T) {
	mem := vfs.NewCrashable()
	if err := mem.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.SyncDir(mem, "/"); err != nil {
		t.Fatal(err)
	}
	killed := false
	j := open(t, vfs.FailOp(mem, func(op, _ string) error {
		if killed && op == "sync-data" {
			return errors.New("the process was killed")
		}
		return nil
	}))
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 4, 2)
	killed = true
	if err := appendFrame(j, 5); err != nil {
		t.Fatal(err)
	}
	if durable, err := j.Flush(); err == nil || durable != 4 {
		t.Fatalf("durable %d: %v", durable, err)
	}
	// The block is there, in the page cache: clean after a sync that failed, so syncing alone would not bring it to the disk.
	var ops []string
	if r := replayAll(t, open(t, vfs.OnOp(mem, func(op, _ string) {
		if vfs.IsWriteOp(op) {
			ops = append(ops, op)
		}
	})), 0); r.Last != 5 {
		t.Fatalf("last %d", r.Last)
	}
	if got := strings.Join(ops, " "); got != "mkdir-all write-at sync-data sync" {
		t.Fatal(got)
	}
	if r := replayAll(t, open(t, mem.CrashClone(pebblevfs.CrashCloneCfg{})), 0); r.Last != 5 {
		t.Fatalf("last %d after a power loss", r.Last)
	}
}

func TestRunMakesEveryFrameDurableUntilItsContextEnds(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	ctx, cancel := context.WithCancel(t.Context())
	const frames = 501
	durable := make(chan LSN, frames+1) // a call a frame and the last one: none of them waits
	done := make(chan error, 1)
	var last LSN
	go func() {
		done <- j.Run(ctx, func(lsn LSN) {
			last = lsn
			durable <- lsn
		})
	}()
	for lsn := LSN(1); lsn < frames; lsn++ {
		if err := appendFrame(j, lsn); err != nil {
			t.Fatal(err)
		}
		for lsn%50 == 0 {
			if got := <-durable; got == lsn {
				break
			}
		}
	}
	if err := appendFrame(j, frames); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil || last != frames {
		t.Fatalf("durable %d: %v", last, err)
	}
	replayAll(t, open(t, fs), 0)
}

func TestAppendFlushAndReleaseRunSideBySide(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	const total = 3000
	flushed := make(chan LSN, total)
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(flushed)
		for durable := LSN(0); durable < total; {
			var err error
			if durable, err = j.Flush(); err != nil {
				t.Error(err)
				return
			}
			flushed <- durable
		}
	})
	wait.Go(func() {
		for durable := range flushed {
			if j.Files() > 2 {
				if err := j.Release(durable - durable%64); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for lsn := LSN(1); lsn <= total; lsn++ {
		if err := appendFrame(j, lsn); err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	j2 := open(t, fs)
	replayAll(t, j2, j2.mu.files[0].first-1)
}

// dumpNonZero is hex.Dump without the lines that are zeros.
func dumpNonZero(b []byte) string {
	var out strings.Builder
	for line := range strings.Lines(hex.Dump(b)) {
		if strings.Trim(line[8:59], " 0") != "" {
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestGoldenBytes(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 3, 2)
	data, err := fs.UnsafeGetFileDataBuffer(testDir + "/journal-0000000001")
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != minFileSize {
		t.Fatalf("file has %d bytes", len(data))
	}
	path := filepath.Join("testdata", "journal-0000000001.hex")
	if *update {
		if err := os.WriteFile(path, []byte(dumpNonZero(data)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := dumpNonZero(data); got != string(want) {
		t.Fatalf("the format changed: raise its version and keep reading the old one\n%s", got)
	}
}

func TestTheMachinesFileSystem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	for i := range LSN(3) {
		j, err := Open(Options{FS: vfs.Default, Dir: dir, FileSize: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if r := replayAll(t, j, 0); r.Last != i*300 {
			t.Fatalf("last %d", r.Last)
		}
		appendFrames(t, j, i*300+1, i*300+300, 50)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
