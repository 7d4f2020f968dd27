package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// owner does what the broker does: it keeps every batch and every advance in a journal that survives, and stores the mark
// of a sync after it.
type owner struct {
	o       Options
	rng     *rand.Rand
	l       *Log
	journal []change // since the beginning
	mark    Mark     // durable
	marked  int      // changes that the mark covers
	exists  bool     // the mark is stored
}

// A change is a batch or, when batch is nil, an advance of the start.
type change struct {
	batch []byte
	start record.Offset
}

func (w *owner) step() error {
	switch n := w.rng.IntN(100); {
	case n < 70:
		base := w.l.End()
		var b []byte
		for range w.rng.IntN(3) + 1 {
			n := w.rng.IntN(12) + 1
			b = append(b, makeBatch(base, n)...)
			base += record.Offset(n)
		}
		w.journal = append(w.journal, change{batch: b})
		return w.l.Append(b)
	case n < 85:
		return w.checkpoint()
	case n < 93:
		start := w.l.Start() + record.Offset(w.rng.Int64N(int64(w.l.End()-w.l.Start())+1))
		w.journal = append(w.journal, change{start: start})
		return w.l.AdvanceStart(start)
	default:
		if err := w.l.Close(); err != nil {
			return err
		}
		return w.recover(w.o)
	}
}

func (w *owner) checkpoint() error {
	m, n := w.l.Mark(), len(w.journal)
	if err := w.l.Sync(); err != nil {
		return err
	}
	w.mark, w.marked, w.exists = m, n, true
	return nil
}

// recover opens the log at the mark and brings back what the journal has.
func (w *owner) recover(o Options) error {
	l, err := Open(o, w.mark)
	if err != nil {
		return err
	}
	for _, c := range w.journal[w.marked:] {
		if c.batch != nil {
			err = l.Append(c.batch)
		} else {
			err = l.AdvanceStart(c.start)
		}
		if err != nil {
			_ = l.Close()
			return err
		}
	}
	w.l = l
	return nil
}

// want is the readable content.
func (w *owner) want(from record.Offset) []byte {
	var all []byte
	for _, c := range w.journal {
		for b := c.batch; len(b) > 0; {
			v, rest, err := batch.Next(b)
			if err != nil {
				panic(err)
			}
			if v.LastOffset() >= from {
				all = append(all, v...)
			}
			b = rest
		}
	}
	return all
}

func (w *owner) check(l *Log, where string) error {
	start := record.Offset(0)
	for _, c := range w.journal {
		start = max(start, c.start)
	}
	if l.Start() != start {
		return fmt.Errorf("%s: start is %d, expected %d", where, l.Start(), start)
	}
	got, err := readAll(l, start, 3000)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if !bytes.Equal(got, w.want(start)) {
		return fmt.Errorf("%s: %d bytes from %d to %d, expected %d", where, len(got), start, l.End(), len(w.want(start)))
	}
	return nil
}

func newOwner(t *testing.T, mem *vfs.MemFS, seed uint64) *owner {
	t.Helper()
	if err := mem.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.SyncDir(mem, "/"); err != nil {
		t.Fatal(err)
	}
	return &owner{rng: rand.New(rand.NewPCG(seed, 1)), o: Options{
		Dir: testDir, SegmentBytes: []int64{1500, 4000, 30_000}[seed%3], CacheBytes: []int{-1, 4000}[seed%2],
	}}
}

func (w *owner) begin() error {
	l, err := Create(w.o)
	if err != nil {
		return err
	}
	w.l = l
	return w.checkpoint()
}

func TestEveryCrashPointKeepsWhatWasSynced(t *testing.T) {
	states := 0
	for seed := range uint64(6) {
		mem := vfs.NewCrashable()
		w := newOwner(t, mem, seed)
		crashRNG := rand.New(rand.NewPCG(seed, 2))
		w.o.FS = vfs.OnOp(mem, func(op, path string) {
			if !w.exists || !vfs.IsWriteOp(op) {
				return
			}
			for _, percent := range []int{0, 50, 100} {
				states++
				where := fmt.Sprintf("seed %d, state %d, %d%% before %s %s", seed, states, percent, op, path)
				after := *w
				o := w.o
				o.FS = mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: crashRNG})
				for range 2 { // a second crash before anything was synced changes nothing
					if err := after.recover(o); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					if err := after.check(after.l, where); err != nil {
						t.Fatal(err)
					}
					_ = after.l.Close()
				}
			}
		})
		if err := w.begin(); err != nil {
			t.Fatal(err)
		}
		for range 80 {
			if err := w.step(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if err := w.check(w.l, "at the end"); err != nil {
			t.Fatal(err)
		}
		_ = w.l.Close()
	}
	t.Logf("%d crash states", states)
}

func TestAnErrorAtAnyOperationIsNoSuccess(t *testing.T) {
	injected := errors.New("injected")
	for n := 1; ; n++ {
		mem := vfs.NewCrashable()
		w := newOwner(t, mem, 1)
		count := 0
		w.o.FS = vfs.FailOp(mem, func(op, path string) error {
			if count++; count == n {
				return fmt.Errorf("%s %s: %w", op, path, injected)
			}
			return nil
		})
		err := w.begin()
		for i := 0; i < 90 && err == nil; i++ {
			err = w.step()
			if err == nil && i%10 == 0 {
				err = w.check(w.l, "on the way")
			}
		}
		if err == nil {
			if count >= n {
				t.Fatalf("the error at operation %d was swallowed", n)
			}
			t.Logf("%d operations", n-1)
			return
		}
		if !errors.Is(err, injected) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if !w.exists {
			continue
		}
		after := *w
		after.o.FS = mem.CrashClone(pebblevfs.CrashCloneCfg{})
		if err := after.recover(after.o); err != nil {
			t.Fatalf("operation %d: recover: %v", n, err)
		}
		if err := after.check(after.l, fmt.Sprintf("operation %d", n)); err != nil {
			t.Fatal(err)
		}
		_ = after.l.Close()
	}
}

func TestAWriteErrorIsSticky(t *testing.T) {
	for _, failing := range []string{"write-at", "sync-data"} {
		broken := false
		fs := vfs.FailOp(vfs.NewCrashable(), func(op, _ string) error {
			if broken && op == failing {
				broken = false // once only: a second try would succeed
				return errors.New("no")
			}
			return nil
		})
		l := create(t, options(fs))
		want := fill(t, l, 50)
		broken = true
		if failing == "write-at" {
			if err := l.Append(makeBatch(l.End(), 1)); err == nil {
				t.Fatal("append succeeded")
			}
		} else if err := l.Sync(); err == nil {
			t.Fatal("sync succeeded")
		}
		if err := l.Append(makeBatch(l.End(), 1)); err == nil {
			t.Fatalf("append after a failed %s succeeded", failing)
		}
		if err := l.Sync(); err == nil {
			t.Fatalf("sync after a failed %s succeeded", failing)
		}
		mustReadAll(t, l, 0, want)
	}
}
