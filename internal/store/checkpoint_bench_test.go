package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/serde"
)

// BenchmarkCheckpoint writes checkpoints of a quarter of a million random changes to a table of a million rows. cpu-ns/row is the processor time of
// everything that it sets off, compactions in the background included as far as they run meanwhile.
func BenchmarkCheckpoint(b *testing.B) {
	const keys, changes = 1_000_000, 250_000
	r := rand.New(rand.NewPCG(1, 2))
	var key [8]byte
	value := make([]byte, 8)
	benchmarkCheckpoint(b, serde.Int64, func(first bool, change func(key, value []byte)) {
		n := changes
		if first {
			n = 4 * keys
		}
		for range n {
			binary.BigEndian.PutUint64(key[:], 0x9e3779b97f4a7c15*uint64(r.IntN(keys)))
			binary.BigEndian.PutUint64(value, r.Uint64())
			change(key[:], value)
		}
	})
}

// BenchmarkCheckpointOfLists changes all of a hundred thousand rows of 1 kB between two checkpoints.
func BenchmarkCheckpointOfLists(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var key [8]byte
	var value []byte
	benchmarkCheckpoint(b, serde.String, func(_ bool, change func(key, value []byte)) {
		for i := range uint64(100_000) {
			binary.BigEndian.PutUint64(key[:], i)
			value = value[:0]
			for range 5 {
				value = fmt.Appendf(value, `{"trxId":%d,"trxAmount":%d,"customerId":%d,"trxDate":"2026-11-23","paymentType":"CREDIT","accountNo":"%d","accountName":"account name","bankName":"bank name","referenceNo":"%d","currency":"EUR"}`,
					r.Uint32(), r.IntN(10000), i, r.Uint32(), r.Uint32())
			}
			change(key[:], value)
		}
	})
}

func benchmarkCheckpoint[V any](b *testing.B, values serde.Serde[V], round func(first bool, change func(key, value []byte))) {
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
	t := NewTable(Options[string, V]{Name: "COUNTS", Key: serde.String, Value: values})
	if _, _, err := ckpt.Load(t); err != nil {
		b.Fatal(err)
	}
	n := 0
	change := func(key, value []byte) {
		n++
		must(b, t.Restore(key, value, 1))
	}
	write := func() {
		must(b, ckpt.Write([]CheckpointPart{{Name: "COUNTS", Rows: t.Dirty(), Done: t.Done()}}))
	}
	round(true, change)
	write()
	n = 0
	b.ResetTimer()
	var cpu int64
	for b.Loop() {
		round(false, change)
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
