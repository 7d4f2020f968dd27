package store

import (
	"encoding/binary"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/serde"
)

// BenchmarkCheckpoint writes checkpoints of a quarter of a million random changes to a table of a million rows. cpu-ns/row is the processor time of
// everything that it sets off, compactions in the background included as far as they run meanwhile.
func BenchmarkCheckpoint(b *testing.B) {
	db, err := kv.OpenPebble(b.TempDir(), kv.PebbleOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ckpt, err := OpenCheckpoints(db, "bench")
	if err != nil {
		b.Fatal(err)
	}
	ckpt = ckpt.Within(NewBudget(4 << 30).Share())
	const keys, changes = 1_000_000, 250_000
	t := NewTable(Options[string, int64]{Name: "COUNTS", Key: serde.String, Value: serde.Int64})
	if _, _, err := ckpt.Load(t); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var key [8]byte
	value := make([]byte, 8)
	round := func(n int) int {
		for range n {
			binary.BigEndian.PutUint64(key[:], 0x9e3779b97f4a7c15*uint64(r.IntN(keys)))
			binary.BigEndian.PutUint64(value, r.Uint64())
			if err := t.Restore(key[:], value, 1); err != nil {
				b.Fatal(err)
			}
		}
		return n
	}
	write := func() {
		if err := ckpt.Write([]CheckpointPart{{Name: "COUNTS", Rows: t.Dirty(), Done: t.Done()}}); err != nil {
			b.Fatal(err)
		}
	}
	round(4 * keys)
	write()
	b.ResetTimer()
	var cpu int64
	n := 0
	for b.Loop() {
		n += round(changes)
		before := used()
		write()
		cpu += used() - before
	}
	b.ReportMetric(float64(cpu)/float64(n), "cpu-ns/row")
}

// used is the processor time of the process in ns.
func used() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
