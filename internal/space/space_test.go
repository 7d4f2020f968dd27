package space

import (
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/vfs"
)

func TestReserveFitsTheDisk(t *testing.T) {
	const mib, gib = int64(1 << 20), int64(1 << 30)
	for _, c := range []struct{ total, want int64 }{
		{0, 0},
		{64 * mib, 8 * mib},
		{gib, 128 * mib},
		{8 * gib, 256 * mib},
		{20 * gib, 20 * gib / 50},
		{100 * gib, gib},
		{1000 * gib, gib},
	} {
		if got := Reserve(c.total); got != c.want {
			t.Errorf("reserve of %d MiB is %d MiB, expected %d", c.total/mib, got/mib, c.want/mib)
		}
	}
}

// fill writes a file of n bytes.
func fill(t *testing.T, fs vfs.FS, name string, n int) {
	t.Helper()
	f, err := fs.Create(name, vfs.Category)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTakeEndsAtTheMinimumAndHealsAboveIt(t *testing.T) {
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 10_000)
	var changes []Status
	w := New(Options{FS: disk, Dir: "/", MinFree: 1000, Changed: func(s Status) { changes = append(changes, s) }})
	now := time.Duration(0)
	want := func(n int64, ok bool) {
		t.Helper()
		if got := w.Take(now, n); got != ok {
			t.Fatalf("take %d of %+v: %t", n, w.Status(), got)
		}
	}
	want(9000, true)
	want(9001, false)
	if len(changes) != 1 || !changes[0].Low || changes[0].Free != 10_000 || changes[0].MinFree != 1000 {
		t.Fatalf("%+v", changes)
	}
	if at, ok := w.Next(); !ok || at != interval {
		t.Fatalf("next look at %s, %t", at, ok)
	}
	want(1, false) // the disk is not asked anew for every request
	now += interval
	w.Tick(now)
	want(1, true)
	if _, ok := w.Next(); ok || len(changes) != 2 || changes[1].Low {
		t.Fatalf("%+v", changes)
	}
	fill(t, disk, "others", 8900)
	want(4000, true) // half of what was free may be taken before the next look
	want(600, false)
	if err := disk.Remove("others"); err != nil {
		t.Fatal(err)
	}
	fill(t, disk, "others", 8800) // 1,200 are free: not enough above the minimum to begin again
	now += interval
	want(1, false)
	if err := disk.Remove("others"); err != nil {
		t.Fatal(err)
	}
	now += interval
	want(1, true)
}

func TestADiskThatDoesNotTellIsNotWatched(t *testing.T) {
	w := New(Options{FS: vfs.NewCrashable(), Dir: "/"})
	off := New(Options{FS: vfs.NewSmallDisk(vfs.NewCrashable(), 10), Dir: "/", MinFree: -1})
	for range 3 {
		if !w.Take(0, 1<<40) || !off.Take(0, 1<<40) {
			t.Fatal("refused")
		}
	}
}
