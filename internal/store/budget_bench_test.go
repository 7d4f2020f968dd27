package store

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/internal/kv"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A counter is a table of numbers with its checkpoints, and a stream of keys.
type counter struct {
	b     *testing.B
	ckpt  *Checkpoints
	share *Share
	table *Table[[]byte, int64]
	keys  [][]byte
	n     int
	most  int64 // bytes held
}

func newCounter(b *testing.B, db kv.Store, budget int64) *counter {
	ckpt, err := OpenCheckpoints(db, "app")
	must(b, err)
	c := &counter{b: b, share: NewBudget(budget).Share()}
	c.ckpt = ckpt.Within(c.share)
	c.table = NewTable(Options[[]byte, int64]{Name: "counts", Key: serde.Bytes, Value: serde.Int64})
	_, _, err = c.ckpt.Load(c.table)
	must(b, err)
	return c
}

// count is a record: look up, change, and every 5,000 an epoch, with a checkpoint where there is need of one. 500 keys at a time are known
// ahead, as in a batch.
func (c *counter) count(id uint64) {
	c.keys = append(c.keys, binary.BigEndian.AppendUint64(nil, id*0x9e3779b97f4a7c15))
	if c.n++; c.n%500 > 0 {
		return
	}
	c.table.Ahead(c.keys)
	for _, key := range c.keys {
		var value [8]byte
		v, _, _ := c.table.Get(key)
		binary.BigEndian.PutUint64(value[:], uint64(v+1))
		c.table.PutEncoded(key, v+1, 1_790_000_000_000, value[:])
	}
	c.keys = c.keys[:0]
	if c.n%5000 > 0 {
		return
	}
	must(c.b, c.table.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
	c.table.Commit()
	c.most = max(c.most, c.table.held())
	if c.share.Crowded() {
		c.checkpoint()
	}
}

func (c *counter) checkpoint() {
	must(c.b, c.ckpt.Write([]CheckpointPart{{Name: "counts", Next: 1, Rows: c.table.Dirty(), Done: c.table.Done()}}))
	c.table.Commit()
}

// BenchmarkBudget counts at random among keys that fit the budget, and that are four times as many; hot: nine of ten records are of a
// tenth of the keys.
func BenchmarkBudget(b *testing.B) {
	const budget = 8 << 20
	fit := uint64(budget / 48)
	for _, c := range []struct {
		name      string
		keys, hot uint64
	}{{"fits", fit * 3 / 4, 0}, {"4x", 4 * fit, 0}, {"4x-hot", 4 * fit, 10}} {
		b.Run(c.name, func(b *testing.B) {
			db, err := kv.OpenPebble(b.TempDir(), kv.PebbleOptions{})
			must(b, err)
			defer db.Close()
			t := newCounter(b, db, budget)
			for id := range c.keys {
				t.count(id)
			}
			t.checkpoint()
			step, before := uint64(0), used()
			b.ResetTimer()
			for range b.N {
				step = step*6364136223846793005 + 1442695040888963407
				id := (step >> 33) % c.keys
				if c.hot > 0 && id%c.hot > 0 {
					id /= c.hot
				}
				t.count(id)
			}
			b.ReportMetric(float64(t.most)/budget, "held/budget")
			b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkLoad reads a table from its checkpoint, all of it or as much as there is room for.
func BenchmarkLoad(b *testing.B) {
	const keys = 1_000_000
	db, err := kv.OpenPebble(b.TempDir(), kv.PebbleOptions{})
	must(b, err)
	defer db.Close()
	t := newCounter(b, db, 1<<30)
	for id := range uint64(keys) {
		t.count(id)
	}
	t.checkpoint()
	for _, mib := range []int64{1024, 8} {
		b.Run(fmt.Sprintf("%dMiB", mib), func(b *testing.B) {
			for range b.N {
				again := newCounter(b, db, mib<<20)
				b.ReportMetric(float64(again.table.Len()), "rows")
			}
		})
	}
}
