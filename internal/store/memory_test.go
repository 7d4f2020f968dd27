package store

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
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
	const others = 64 << 10 // what the rest of the process may have allocated meanwhile: threads, timers
	for _, size := range []int{8, 12, 16} {
		for _, rounds := range []int{1, 3} {
			before := heapBytes()
			tb := smallKeys(t, n, size, rounds)
			after := heapBytes()
			took, own := after-before, int64(n*(size+valueBytes))
			t.Logf("keys of %d bytes, written %d times: %.1f bytes each, %.2f times their own", size, rounds, float64(took)/n, float64(took)/float64(own))
			if took > 3*own+others {
				t.Errorf("keys of %d bytes, written %d times: %d bytes for %d", size, rounds, took, own)
			}
			if diff := tb.held() - took; diff > took/10 || diff < -took/10 {
				t.Errorf("the table says that it takes %d bytes, it is %d", tb.held(), took)
			}
			runtime.KeepAlive(tb)
		}
	}
}

// Programs have hundreds of small tables: what a table holds follows its rows, however often they change and whatever they were.
func TestASmallTableIsSmall(t *testing.T) {
	const each = 200 // bytes of a row's entry at most, and of its places in the index
	for _, rows := range []int{1, 10, 100, 1000} {
		tb := NewTable(Options[string, string]{Name: "t", Key: serde.String, Value: serde.String})
		before := int64(0)
		for round := range 300 {
			for i := range rows {
				tb.Put(fmt.Append(nil, "key ", i), strings.Repeat("v", (i+round)%100), record.Timestamp(round))
			}
			must(t, tb.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
			tb.Commit()
			if round == 0 {
				before = tb.held()
			}
		}
		if limit := int64(1<<10 + each*rows); before > limit {
			t.Errorf("%d rows take %d bytes when they are new, more than %d", rows, before, limit)
		}
		if limit := int64(4*leastDead + 2*each*rows); tb.held() > limit {
			t.Errorf("%d rows take %d bytes after many changes, more than %d", rows, tb.held(), limit)
		}
		for i := range rows {
			if v, _, ok := tb.Get(fmt.Append(nil, "key ", i)); !ok || len(v) != (i+299)%100 {
				t.Fatalf("row %d of %d: %d bytes", i, rows, len(v))
			}
		}
	}
}

// A view may read while the first page moves.
func TestAViewReadsWhileASmallTableGrows(t *testing.T) {
	tb := NewTable(Options[string, string]{Name: "t", Key: serde.String, Value: serde.String})
	view := NewView(tb)
	put := func(i int) {
		tb.Put(fmt.Append(nil, "key ", i), "v", 1)
		must(t, tb.Seal(func(_, _ []byte, _ record.Timestamp) error { return nil }))
		tb.Commit()
	}
	put(0)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			if _, ok, err := view.Get("key 0"); err != nil || !ok {
				done <- fmt.Errorf("the row is there: %v: %w", ok, err)
				return
			}
			n := 0
			if err := view.Scan(func(string, string) bool { n++; return true }); err != nil || n == 0 {
				done <- fmt.Errorf("%d rows: %w", n, err)
				return
			}
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	for i := 1; i < 3*pageRows; i++ {
		put(i)
	}
	close(stop)
	must(t, <-done)
}
