package kv

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// A power failure at any operation, with any part of what was not synced lost, leaves a database that opens and holds what was
// committed with sync.
func TestCrashesLeaveADatabaseThatOpens(t *testing.T) {
	mem := vfs.NewCrashable()
	var mu sync.Mutex // Pebble removes files in the background
	committed, ops := 0, 0
	fs := vfs.OnOp(mem, func(op, path string) {
		if !vfs.IsWriteOp(op) || t.Failed() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		ops++
		for seed := range uint64(4) {
			clone := mem.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, uint64(ops)))})
			if err := holds(clone, committed); err != nil {
				t.Errorf("operation %d before %s %s, seed %d: %v", ops, op, path, seed, err)
			}
		}
	})
	for round := range 4 {
		s, err := OpenPebble("db", PebbleOptions{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		b := s.NewBatch()
		if err := b.Put(fmt.Appendf(nil, "key-%d", round), []byte("value")); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		committed = round + 1
		mu.Unlock()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ops < 40 {
		t.Errorf("only %d operations", ops)
	}
}

func holds(fs vfs.FS, committed int) error {
	s, err := OpenPebble("db", PebbleOptions{FS: fs})
	if err != nil {
		return err
	}
	for i := range committed {
		if _, err := s.Get(fmt.Appendf(nil, "key-%d", i)); err != nil {
			_ = s.Close()
			return fmt.Errorf("key %d: %w", i, err)
		}
	}
	return s.Close()
}
