package kv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pvfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/mainstemio/mainstem/internal/vfs"
)

func TestPebbleKeepsWhatItAcknowledgedThroughACrash(t *testing.T) {
	for seed := range int64(50) {
		fs := vfs.NewCrashable()
		s, err := OpenPebble("db", PebbleOptions{FS: fs, MemTableBytes: 16 << 10})
		must(t, err)
		var clone *vfs.MemFS
		acked := 0
		for i := range 40 {
			put(t, s, "first", fmt.Sprint(i), fmt.Sprintf("k%02d", i), strings.Repeat("v", 1000), "last", fmt.Sprint(i))
			if i == int(seed)%40 {
				acked = i
				clone = fs.CrashClone(pvfs.CrashCloneCfg{UnsyncedDataPercent: int(seed % 101), RNG: rng(seed)})
			}
		}
		must(t, s.Close())
		s, err = OpenPebble("db", PebbleOptions{FS: clone})
		must(t, err)
		for _, k := range []string{"first", "last"} {
			if v, err := s.Get([]byte(k)); err != nil || string(v) != fmt.Sprint(acked) {
				t.Fatalf("seed %d: %s is %q, %v; acknowledged was %d", seed, k, v, err, acked)
			}
		}
		must(t, s.Close())
	}
}

func TestPebbleTellsWhenTheDiskHasNoRoomForACommit(t *testing.T) {
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 64<<20)
	s, err := OpenPebble("db", PebbleOptions{FS: disk, MemTableBytes: 64 << 10})
	must(t, err)
	must(t, s.Room())
	f, err := disk.Create("others", vfs.Category)
	must(t, err)
	must(t, f.Preallocate(0, 64<<20-disk.Used()-1000))
	if err := s.Room(); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "database db: 1000 bytes are free, 4194304 are needed") {
		t.Errorf("room on a full disk: %v", err)
	}
	must(t, errors.Join(f.Close(), disk.Remove("others")))
	must(t, s.Room())
	must(t, s.Close())
}

func TestPebbleCommitOnAFullDiskIsAnErrorAndStaysOne(t *testing.T) {
	full := errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
			return fmt.Errorf("injected: %w", syscall.ENOSPC)
		}
		return nil
	})}
	mem := vfs.NewCrashable()
	var told atomic.Int64 // Pebble also tells of slow disks, from wherever it is
	s, err := OpenPebble("db", PebbleOptions{FS: errorfs.Wrap(mem, &full), OnError: func(error) { told.Add(1) }})
	must(t, err)
	put(t, s, "a", "1")
	full.On()
	b := s.NewBatch()
	must(t, b.Put([]byte("a"), []byte("2")))
	if err := b.Commit(true); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "db") {
		t.Fatalf("commit on a full disk: %v", err)
	}
	if told.Load() == 0 {
		t.Error("OnError was not called")
	}
	must(t, b.Close())
	full.Off()
	b = s.NewBatch()
	must(t, b.Put([]byte("a"), []byte("3")))
	if err := b.Commit(true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a commit after a failed one: %v", err)
	}
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close after a failed commit: %v", err)
	}
	s, err = OpenPebble("db", PebbleOptions{FS: mem.CrashClone(pvfs.CrashCloneCfg{})})
	must(t, err)
	if v, err := s.Get([]byte("a")); err != nil || string(v) != "1" {
		t.Errorf("after the crash a is %q, %v", v, err)
	}
	must(t, s.Close())
}

func TestPebbleOpenedTwiceIsAnErrorThatNamesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenPebble(dir, PebbleOptions{})
	must(t, err)
	if _, err := OpenPebble(dir, PebbleOptions{}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("second open: %v", err)
	}
	must(t, s.Close())
	s, err = OpenPebble(dir, PebbleOptions{})
	must(t, err)
	must(t, s.Close())
}

func rng(seed int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

// What a killed process has left to merge waits until something is written; from then on nothing waits.
func TestPebbleMergesNothingBeforeTheFirstCommit(t *testing.T) {
	s, err := OpenPebble("db", PebbleOptions{FS: vfs.NewCrashable()})
	must(t, err)
	db := s.(*pebbleStore).db
	const tables = 8 // more than wait for each other
	fill := func() { // tables that lie above each other, without a commit
		for range tables {
			must(t, errors.Join(db.Set([]byte("a"), []byte("1"), nil), db.Set([]byte("z"), []byte("1"), nil), db.Flush()))
		}
	}
	fill()
	if m := db.Metrics(); m.Levels[0].Sublevels != tables || m.Compact.Count != 0 {
		t.Errorf("%d of %d tables lie above each other, after %d merges", m.Levels[0].Sublevels, tables, m.Compact.Count)
	}
	for range 3 {
		put(t, s, "k", "v")
		for late := time.Now().Add(3 * time.Minute); db.Metrics().Levels[0].Sublevels >= 4; runtime.Gosched() {
			if time.Now().After(late) {
				t.Fatalf("nothing is merged: %s", db.Metrics())
			}
		}
		fill()
	}
	if v, err := s.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("k is %q, %v", v, err)
	}
	must(t, s.Close())
}

// A database is closed while a merge waits, or is under way.
func TestPebbleClosesWhileItMerges(t *testing.T) {
	for _, committed := range []bool{false, true} {
		s, err := OpenPebble("db", PebbleOptions{FS: vfs.NewCrashable(), MemTableBytes: 64 << 10})
		must(t, err)
		db := s.(*pebbleStore).db
		for range 8 {
			must(t, errors.Join(db.Set([]byte("a"), make([]byte, 16<<10), nil), db.Set([]byte("z"), []byte("1"), nil), db.Flush()))
		}
		if committed {
			put(t, s, "k", "v")
		}
		must(t, s.Close())
	}
}

// A run is there through a crash from its Commit on, and not at all before; its files go with the next start.
func TestPebbleKeepsRunsThroughACrash(t *testing.T) {
	for seed := range int64(20) {
		fs := vfs.NewCrashable()
		s, err := OpenPebble("db", PebbleOptions{FS: fs, MemTableBytes: 16 << 10})
		must(t, err)
		put(t, s, "a", "old", "b", "old")
		var clone *vfs.MemFS
		acked := "old"
		for i := range 6 {
			r := s.NewRun()
			must(t, r.Put([]byte("a"), []byte(fmt.Sprint(i))))
			must(t, r.Put([]byte("b"), []byte(fmt.Sprint(i))))
			must(t, r.Put([]byte("c"), []byte(strings.Repeat("c", 10000))))
			if 2*i == int(seed)%12 {
				clone = fs.CrashClone(pvfs.CrashCloneCfg{UnsyncedDataPercent: int(seed % 101), RNG: rng(seed)})
			}
			if i%2 == 0 {
				must(t, r.Commit())
			} else {
				must(t, r.Replace([]byte("a"), []byte("d")))
			}
			must(t, r.Close())
			if clone == nil {
				acked = fmt.Sprint(i)
			}
			if 2*i+1 == int(seed)%12 {
				clone = fs.CrashClone(pvfs.CrashCloneCfg{UnsyncedDataPercent: int(seed % 101), RNG: rng(seed)})
			}
		}
		must(t, s.Close())
		s, err = OpenPebble("db", PebbleOptions{FS: clone})
		must(t, err)
		for _, k := range []string{"a", "b"} {
			if v, err := s.Get([]byte(k)); err != nil || string(v) != acked {
				t.Fatalf("seed %d: %s is %q, %v; acknowledged was %s", seed, k, v, err, acked)
			}
		}
		if left, err := clone.List("db/" + runsDir); err == nil && len(left) > 0 {
			t.Errorf("seed %d: %q are left", seed, left)
		}
		must(t, s.Close())
	}
}

// A disk without room fails a run, and nothing else.
func TestPebbleRunOnAFullDiskChangesNothing(t *testing.T) {
	disk := vfs.NewSmallDisk(vfs.NewCrashable(), 8<<20)
	s, err := OpenPebble("db", PebbleOptions{FS: disk, MemTableBytes: 64 << 10})
	must(t, err)
	put(t, s, "k000000", "old")
	r := s.NewRun()
	value := make([]byte, 1000)
	random := rng(1)
	for i := 0; err == nil && i < 20000; i++ {
		for j := range value {
			value[j] = byte(random.Uint32())
		}
		err = r.Put(fmt.Appendf(nil, "k%06d", i), value)
	}
	if err == nil {
		err = r.Commit()
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a run of 20 MB on a disk of 8 MB: %v", err)
	}
	_ = r.Close()
	if got := dump(t, s, nil, nil); len(got) != 1 || got[0] != "k000000=old" {
		t.Errorf("the database has %d keys", len(got))
	}
	put(t, s, "k000000", "new")
	must(t, s.Close())
}

func TestPebbleRemovesUnfinishedRunsWhenItOpens(t *testing.T) {
	fs := vfs.NewCrashable()
	dir := "db/" + runsDir
	must(t, fs.MkdirAll(dir, 0o755))
	f, err := fs.Create(dir+"/1-0.sst", vfs.Category)
	must(t, err)
	must(t, f.Close())
	s, err := OpenPebble("db", PebbleOptions{FS: fs})
	must(t, err)
	if left, err := fs.List(dir); err == nil && len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	must(t, s.Close())
}

// A merge of runs over the same keys takes all of them, so it waits until it is worth it.
func TestRunsWaitToBeMerged(t *testing.T) {
	fs := vfs.NewCrashable()
	s, err := OpenPebble("db", PebbleOptions{FS: fs})
	must(t, err)
	for range maxRuns { // the first one is below the others
		r := s.NewRun()
		for i := range 1000 {
			must(t, r.Put(fmt.Appendf(nil, "key %04d", i), []byte("value")))
		}
		must(t, r.Commit())
		must(t, r.Close())
	}
	must(t, s.Close()) // merges that have begun come to their end
	s, err = OpenPebble("db", PebbleOptions{FS: fs})
	must(t, err)
	if waiting := s.(*pebbleStore).db.Metrics().Levels[0].Sublevels; waiting != maxRuns-1 {
		t.Errorf("%d runs wait, want %d", waiting, maxRuns-1)
	}
	must(t, s.Close())
}

// The filters of the lowest level grow with the keys: reading them for each key cost more than the block where it is.
func TestRowsByKeyAskOnlyTheFiltersOfUpperLevels(t *testing.T) {
	s, err := OpenPebble("db", PebbleOptions{FS: vfs.NewCrashable()})
	must(t, err)
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	run := func(keys ...[]byte) {
		r := s.NewRun()
		for _, k := range keys {
			must(t, r.Put(k, []byte("v")))
		}
		must(t, r.Commit())
		must(t, r.Close())
	}
	asked := func() int64 {
		found := 0
		must(t, s.GetAll(keys, func(_ int, v []byte) error {
			if v != nil {
				found++
			}
			return nil
		}))
		if found != 2 {
			t.Errorf("%d of the keys are there", found)
		}
		m := s.(*pebbleStore).db.Metrics()
		return m.Filter.Hits + m.Filter.Misses
	}
	run(keys[0], keys[2])
	if n := asked(); n != 0 {
		t.Errorf("the filters of the lowest level were asked %d times", n)
	}
	run(keys[0], keys[2]) // above the other one
	if n := asked(); n != 3 {
		t.Errorf("the filters of the upper level were asked %d times for 3 keys", n)
	}
	must(t, s.Close())
}
