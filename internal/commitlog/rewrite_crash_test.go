package commitlog

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// A rewriting owner does what the broker does with a compacted log: it thins out what lies below the durable mark, more and more.
type rewritingOwner struct{ *owner }

// compact rewrites everything below the mark.
func (w *rewritingOwner) compact(n record.Offset) error {
	base := w.l.Segments()[0].Base
	if w.mark.Segment <= base {
		return nil
	}
	_, err := w.l.Rewrite(base, w.mark.Segment, thin(n, w.mark.Segment))
	return err
}

// check: every record that was not to go is there, nothing is there that was not appended, in order, up to the end.
func checkThinned(l *Log, w *owner, divisor, upTo record.Offset) error {
	all, err := readAll(l, l.Start(), 3000)
	if err != nil {
		return err
	}
	original := map[record.Offset]string{}
	for b := w.want(0); len(b) > 0; {
		v, rest, _ := batch.Next(b)
		var r batch.Reader
		_ = r.Reset(v, math.MaxInt32)
		for r.Next() {
			original[r.Offset] = fmt.Sprint(r.Timestamp, string(r.Key), string(r.Value))
		}
		b = rest
	}
	next := l.Start()
	must := func(o record.Offset) bool { return o >= upTo || o%divisor == 0 }
	for b := all; len(b) > 0; {
		v, rest, _ := batch.Next(b)
		var r batch.Reader
		_ = r.Reset(v, math.MaxInt32)
		for r.Next() {
			if r.Offset < l.Start() {
				continue
			}
			for ; next < r.Offset; next++ {
				if must(next) {
					return fmt.Errorf("record %d is lost", next)
				}
			}
			if fmt.Sprint(r.Timestamp, string(r.Key), string(r.Value)) != original[r.Offset] {
				return fmt.Errorf("record %d is another one", r.Offset)
			}
			next = r.Offset + 1
		}
		b = rest
	}
	for ; next < l.End(); next++ {
		if must(next) {
			return fmt.Errorf("record %d is lost", next)
		}
	}
	return nil
}

func TestEveryCrashPointOfARewriteLeavesOldOrNew(t *testing.T) {
	states := 0
	for seed := range uint64(3) {
		mem := vfs.NewCrashable()
		w := &rewritingOwner{owner: newOwner(t, mem, seed)}
		divisor, upTo := record.Offset(1), record.Offset(0)
		count := 0
		w.o.FS = vfs.OnOp(mem, func(op, path string) {
			if !w.exists || !vfs.IsWriteOp(op) {
				return
			}
			if count++; count%3 > 0 && !strings.Contains(path, "-") {
				return
			}
			states++
			where := fmt.Sprintf("seed %d, state %d before %s %s", seed, states, op, path)
			after := *w.owner
			o := w.o
			o.FS = mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (states % 3), RNG: after.rng})
			for range 1 + states%2 {
				if err := after.recover(o); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if err := checkThinned(after.l, &after, divisor, upTo); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				_ = after.l.Close()
			}
		})
		if err := w.begin(); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			err := w.step()
			if i%6 == 5 && err == nil {
				divisor, upTo = divisor*2, w.mark.Segment
				err = w.compact(divisor)
			}
			if err == nil {
				err = checkThinned(w.l, w.owner, divisor, upTo)
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
		_ = w.l.Close()
	}
	t.Logf("%d crash states", states)
}

func TestAnErrorInARewriteLeavesTheLogAsItWas(t *testing.T) {
	injected := errors.New("injected")
	for n := 1; ; n++ {
		count, armed := 0, false
		o := options(nil)
		mem := vfs.NewCrashable()
		o.FS = vfs.FailOp(mem, func(op, path string) error {
			if count++; armed && count == n {
				return fmt.Errorf("%s %s: %w", op, path, injected)
			}
			return nil
		})
		l, sealed := sealedLog(t, o, 600)
		m := l.Mark()
		count, armed = 0, true
		_, err := l.Rewrite(0, sealed, thin(3, sealed))
		armed = false
		if err == nil && count < n {
			t.Logf("%d operations", n-1)
			return
		}
		look := func(reader *Log) {
			all, err := readAll(reader, 0, 3000)
			if err != nil {
				t.Fatalf("operation %d: %v", n, err)
			}
			got, _ := offsetsOf(t, all, 0)
			if thinned := multiples(3, 0, sealed); len(got) != int(reader.End()) && !slices.Equal(got[:len(thinned)], thinned) {
				t.Fatalf("operation %d: %d records of both versions", n, len(got))
			}
		}
		look(l)
		look(reopen(t, o, m))
	}
}

func TestReadersRunBesideRewrites(t *testing.T) {
	o := Options{FS: vfs.Default, Dir: filepath.Join(t.TempDir(), "log"), SegmentBytes: 8 << 10, CacheBytes: 4 << 10}
	l := create(t, o)
	done := make(chan struct{})
	var wait sync.WaitGroup
	loop := func(f func() error) {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const divisor = 64
	for range 2 {
		loop(func() error {
			start := l.Start()
			all, err := readAll(l, start, 2000)
			if errors.Is(err, ErrOutOfRange) {
				return nil
			}
			if err != nil {
				return err
			}
			got, _ := offsetsOf(t, all, start)
			have := map[record.Offset]bool{}
			for _, o := range got {
				have[o] = true
			}
			if len(got) > 0 {
				for _, o := range multiples(divisor, start, got[len(got)-1]) {
					if !have[o] {
						return fmt.Errorf("record %d is lost", o)
					}
				}
			}
			return nil
		})
	}
	loop(func() error {
		_, _, _, err := l.OffsetForTime(timeOf(l.End()/2), l.End())
		return err
	})
	loop(func() error {
		if _, err := l.LastTime(l.Segments()[0].Base); err != nil && !errors.Is(err, ErrOutOfRange) {
			return err
		}
		return nil
	})
	loop(func() error { return l.AdvanceStart(max(0, l.End()-3000)) })
	n := record.Offset(1)
	loop(func() error {
		if err := l.Sync(); err != nil {
			return err
		}
		if n *= 2; n > divisor {
			n = 2
		}
		all := l.Segments()
		_, err := l.Rewrite(all[0].Base, all[len(all)-1].Base, thin(n, all[len(all)-1].Base))
		if errors.Is(err, ErrNotSealed) {
			return nil
		}
		return err
	})
	fill(t, l, 4000)
	close(done)
	wait.Wait()
}
