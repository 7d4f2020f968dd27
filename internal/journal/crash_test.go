package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// workload is a seeded run over fs: appends, flushes, releases and restarts. It keeps what it was promised.
type workload struct {
	fs       vfs.FS
	rng      *rand.Rand
	j        *Journal
	next     LSN // to append
	durable  LSN // acknowledged
	released LSN // a durable checkpoint covers it
	reserves bool
}

// makeDataDir makes the parent directory, which is the owner's and durable before the journal starts.
func makeDataDir(t *testing.T, fs vfs.FS) {
	t.Helper()
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.SyncDir(fs, "/"); err != nil {
		t.Fatal(err)
	}
}

func (w *workload) reopen() error {
	j, err := tryOpen(w.fs)
	if err != nil {
		return err
	}
	r, err := j.Replay(w.released, func(Frame) error { return nil })
	if err != nil {
		return err
	}
	w.j, w.next, w.durable = j, r.Last+1, r.Last
	return nil
}

func (w *workload) step() error {
	switch n := w.rng.IntN(100); {
	case n < 55:
		if err := appendFrame(w.j, w.next); err != nil {
			return err
		}
		w.next++
	case n < 93:
		durable, err := w.j.Flush()
		if err != nil {
			return err
		}
		w.durable = durable
	case n < 95 && w.reserves:
		return w.j.Reserve()
	case n < 98:
		w.released = w.durable
		return w.j.Release(w.durable)
	default:
		if err := w.j.Close(); err != nil {
			return err
		}
		return w.reopen()
	}
	return nil
}

func TestEveryCrashPointKeepsWhatWasFlushed(t *testing.T) {
	states := 0
	for seed := range uint64(6) {
		mem := vfs.NewCrashable()
		w := &workload{rng: rand.New(rand.NewPCG(seed, 1)), reserves: seed%2 == 0}
		crashRNG := rand.New(rand.NewPCG(seed, 2))
		ready := false
		w.fs = vfs.OnOp(mem, func(op, path string) {
			if !ready || !vfs.IsWriteOp(op) {
				return
			}
			for _, percent := range []int{0, 50, 100} {
				states++
				clone := mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: crashRNG})
				checkCrashState(t, clone, w, fmt.Sprintf("seed %d, state %d, %d%% before %s %s", seed, states, percent, op, path))
			}
		})
		makeDataDir(t, mem)
		ready = true
		if err := w.reopen(); err != nil {
			t.Fatal(err)
		}
		for range 400 {
			if err := w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if w.j.flush.active.header.sequence < 3 {
			t.Fatalf("seed %d rolled to file %d only", seed, w.j.flush.active.header.sequence)
		}
		if err := w.j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d crash states", states)
}

// checkCrashState recovers fs and checks that it holds everything acknowledged and nothing that was never appended, and
// that it goes on.
func checkCrashState(t *testing.T, fs vfs.FS, w *workload, where string) {
	t.Helper()
	j, err := tryOpen(fs)
	if err != nil {
		t.Fatalf("%s: open: %v", where, err)
	}
	defer j.Close()
	last := w.released
	check := func(f Frame) error {
		if f.LSN != last+1 || f.Kind != Kind(f.LSN%200+1) || string(f.Body) != string(body(f.LSN)) {
			return fmt.Errorf("frame %d after %d is not what was appended", f.LSN, last)
		}
		last++
		return nil
	}
	if _, err := j.Replay(w.released, check); err != nil {
		t.Fatalf("%s: replay after %d: %v", where, w.released, err)
	}
	if last < w.durable || last >= max(w.next, 1) {
		t.Fatalf("%s: last is %d, acknowledged %d, appended %d", where, last, w.durable, w.next-1)
	}
	appendFrames(t, j, last+1, last+3, 2)
	again := open(t, fs)
	want := last + 3
	last = w.released
	if _, err := again.Replay(w.released, check); err != nil || last != want {
		t.Fatalf("%s: second replay ends at %d, expected %d: %v", where, last, want, err)
	}
}

func TestAnErrorAtAnyOperationIsStickyAndLosesNothing(t *testing.T) {
	injected := errors.New("injected")
	for n := 1; ; n++ {
		mem := vfs.NewCrashable()
		makeDataDir(t, mem)
		w := &workload{rng: rand.New(rand.NewPCG(3, 1)), next: 1}
		count := 0
		w.fs = vfs.FailOp(mem, func(op, path string) error {
			if count++; count == n {
				return fmt.Errorf("%s %s: %w", op, path, injected)
			}
			return nil
		})
		err := w.reopen()
		for i := 0; i < 300 && err == nil; i++ {
			err = w.step()
		}
		if err == nil {
			if count >= n {
				t.Fatalf("error at operation %d was swallowed", n)
			}
			t.Logf("%d operations", n-1)
			return
		}
		if !errors.Is(err, injected) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if w.j != nil {
			checkSticky(t, w.j, n)
		}
		// Whatever state the failing operation left, acknowledged frames are in it.
		clone := mem.CrashClone(pebblevfs.CrashCloneCfg{})
		if w.durable > 0 {
			checkCrashState(t, clone, w, fmt.Sprintf("error at operation %d", n))
		}
	}
}

func checkSticky(t *testing.T, j *Journal, n int) {
	t.Helper()
	before := j.mu.durable
	for range 2 {
		if durable, err := j.Flush(); err == nil || durable != before {
			t.Fatalf("operation %d: flush after the error: durable %d, %v", n, durable, err)
		}
	}
	if _, err := j.Append(1, Copied([]byte("x"))...); err == nil {
		t.Fatalf("operation %d: append after the error succeeded", n)
	}
	if err := j.Release(before); err == nil {
		t.Fatalf("operation %d: release after the error succeeded", n)
	}
}
