package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/vfs"
)

func TestAFullDiskIsNoEndAndLosesNothing(t *testing.T) {
	mem := vfs.NewCrashable()
	makeDataDir(t, mem)
	disk := vfs.NewSmallDisk(mem, minFileSize+100)
	j := open(t, disk)
	replayAll(t, j, 0)
	next := LSN(1)
	var full error
	for ; full == nil; next++ {
		if err := appendFrame(j, next); err != nil {
			t.Fatal(err)
		}
		_, full = j.Flush()
	}
	if !errors.Is(full, ErrFull) || !errors.Is(full, syscall.ENOSPC) {
		t.Fatal(full)
	}
	for range 3 { // more comes meanwhile, and is tried in vain
		if err := appendFrame(j, next); err != nil {
			t.Fatal(err)
		}
		next++
		if durable, err := j.Flush(); !errors.Is(err, ErrFull) || durable >= next-2 {
			t.Fatalf("durable %d of %d: %v", durable, next-1, err)
		}
	}
	disk.Resize(10 * minFileSize)
	if durable, err := j.Flush(); err != nil || durable != next-1 {
		t.Fatalf("durable %d of %d: %v", durable, next-1, err)
	}
	crashed := mem.CrashClone(pebblevfs.CrashCloneCfg{})
	if r := replayAll(t, open(t, crashed), 0); r.Last != next-1 || r.DroppedBytes != 0 {
		t.Fatalf("%+v, %d frames were durable", r, next-1)
	}
}

// Whatever operation finds no room: the Flush fails and can be tried again, or it is an error for good; nothing is lost.
func TestNoSpaceAtAnyOperationLosesNothing(t *testing.T) {
	retried := 0
	for n := 1; ; n++ {
		mem := vfs.NewCrashable()
		makeDataDir(t, mem)
		w := &workload{rng: rand.New(rand.NewPCG(5, 1)), next: 1}
		count := 0
		w.fs = vfs.FailOp(mem, func(op, path string) error {
			if !vfs.IsWriteOp(op) {
				return nil
			}
			if count++; count == n {
				return fmt.Errorf("%s %s: %w", op, path, syscall.ENOSPC)
			}
			return nil
		})
		err := w.reopen()
		for i := 0; i < 300 && (err == nil || errors.Is(err, ErrFull) && w.j != nil); i++ {
			if errors.Is(err, ErrFull) {
				retried++
				if w.durable, err = w.j.Flush(); err != nil {
					t.Fatalf("operation %d, again: %v", n, err)
				}
			}
			err = w.step()
		}
		if count < n {
			break
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if w.durable > 0 {
			checkCrashState(t, mem.CrashClone(pebblevfs.CrashCloneCfg{}), w, fmt.Sprintf("no space at operation %d", n))
		}
	}
	if retried < 20 {
		t.Errorf("only %d flushes were tried again", retried)
	}
}

func TestAReservedFileServesWhenTheDiskIsFull(t *testing.T) {
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 2*minFileSize)
	j := open(t, disk)
	replayAll(t, j, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(j.Reserve())
	if room := j.Room(); room != minFileSize-fileHeaderSize {
		t.Fatalf("a file is reserved before it is needed: room for %d", room)
	}
	next := LSN(1)
	for ; j.Room() > minFileSize/3; next++ {
		appendFrames(t, j, next, next, 1)
	}
	must(j.Reserve())
	if room := j.Room(); room < minFileSize {
		t.Fatalf("room for %d bytes with a reserved file", room)
	}
	disk.Resize(0)
	for ; j.Room() > 2000; next++ {
		appendFrames(t, j, next, next, 1)
	}
	if err := j.Reserve(); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if names, err := disk.List(testDir); err != nil || slices.Contains(names, freshName) {
		t.Fatalf("half a file is left: %v, %v", names, err)
	}
	must(j.Release(next - 1)) // needs no space, and gives the journal room again
	if room := j.Room(); room < minFileSize-fileHeaderSize {
		t.Fatalf("room for %d bytes after a release", room)
	}
	for ; j.Files() == 1; next++ {
		appendFrames(t, j, next, next, 1)
	}
}

// A release may come while a roll is at work on a file: a released file must not get the name of that one. Its blocks would go into
// a file that nobody finds again.
func TestARollBesideAReleaseKeepsItsFile(t *testing.T) {
	for _, recycled := range []bool{false, true} {
		t.Run(fmt.Sprintf("recycled %t", recycled), func(t *testing.T) { rollBesideRelease(t, recycled) })
	}
}

func rollBesideRelease(t *testing.T, recycled bool) {
	mem := vfs.NewCrashable()
	var j *Journal
	var at func(op string)
	j = open(t, vfs.OnOp(mem, func(op, _ string) {
		if at != nil {
			at(op)
		}
	}))
	replayAll(t, j, 0)
	defer func() { _ = j.Close() }()
	next := LSN(1)
	for ; j.Files() == 1 || recycled && j.Files() == 2; next++ {
		appendFrames(t, j, next, next, 1)
	}
	if recycled { // the roll below takes this one
		if err := j.Release(j.mu.files[1].first - 1); err != nil || !j.mu.spare {
			t.Fatal(err)
		}
	}
	at = func(op string) { // the roll has made its file, and the release comes before it gets its name
		if op != "sync" {
			return
		}
		at = nil
		if err := j.Release(next - 2); err != nil {
			t.Error(err)
		}
	}
	for ; at != nil; next++ {
		appendFrames(t, j, next, next, 1)
	}
	for stop := next + 1500; next < stop; next++ { // some more rolls
		appendFrames(t, j, next, next, 1)
	}
	first := j.mu.files[0].first
	if r := replayAll(t, open(t, mem), first-1); r.Last != next-1 {
		t.Fatalf("replay ends at %d, %d was flushed", r.Last, next-1)
	}
}
