package store

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// smallKeys fills a table with n numbers under keys of size bytes, some rounds of them.
func smallKeys(t failer, n, size, rounds int) *Table[[]byte, int64] {
	tb := NewTable(Options[[]byte, int64]{Name: "t", Key: serde.Bytes, Value: serde.Int64})
	key := make([]byte, size)
	for round := range rounds {
		for i := range n {
			binary.BigEndian.PutUint64(key[size-8:], uint64(i)*0x9e3779b97f4a7c15)
			tb.Put(key, int64(i), record.Timestamp(1_790_000_000_000+int64(round*n+i)))
			if i%5000 == 4999 || i == n-1 {
				must(t, tb.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
				tb.Commit()
			}
		}
		tb.Dirty()
	}
	return tb
}

// A million small keys take three times their own bytes at most, also when they change.
func TestSmallKeysTakeThreeTimesTheirBytes(t *testing.T) {
	const n, valueBytes = 200_000, 8
	for _, size := range []int{8, 12, 16} {
		for _, rounds := range []int{1, 3} {
			before := heapBytes()
			tb := smallKeys(t, n, size, rounds)
			after := heapBytes()
			took, own := after-before, int64(n*(size+valueBytes))
			t.Logf("keys of %d bytes, written %d times: %.1f bytes each, %.2f times their own", size, rounds, float64(took)/n, float64(took)/float64(own))
			if took > 3*own {
				t.Errorf("keys of %d bytes, written %d times: %d bytes for %d", size, rounds, took, own)
			}
			if diff := tb.held() - took; diff > took/10 || diff < -took/10 {
				t.Errorf("the table says that it takes %d bytes, it is %d", tb.held(), took)
			}
			runtime.KeepAlive(tb)
		}
	}
}
