package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// BenchmarkEpoch is the task's share per record: look up, change, and its part of sealing and committing an epoch of 5,000.
func BenchmarkEpoch(b *testing.B) {
	for _, keys := range []int{100, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			tb := NewTable(Options[string, *int]{Name: "t", Key: text{}, Value: pointer{}})
			var key [8]byte
			value := []byte("an encoded value of about forty bytes, ...")
			v := new(int)
			step := uint64(0)
			op := func() {
				step = step*6364136223846793005 + 1442695040888963407
				binary.BigEndian.PutUint64(key[:], (step>>33)%uint64(keys))
				tb.Get(key[:])
				tb.PutEncoded(key[:], v, 1, value)
			}
			discard := func(_, _ []byte, _ record.Timestamp) error { return nil }
			for range 3 * keys {
				op()
			}
			must(b, tb.Seal(discard))
			tb.Commit()
			tb.Dirty()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				op()
				if i%5000 == 4999 {
					must(b, tb.Seal(discard))
					tb.Commit()
				}
			}
		})
	}
}

type pointer struct{}

func (pointer) Append(dst []byte, _ *int) ([]byte, error) { return append(dst, 'v'), nil }
func (pointer) Decode([]byte) (*int, error)               { return nil, nil }
func (pointer) HoldsNull() bool                           { return false }

// BenchmarkRestore replays changes of keys in random order, as many as there are keys.
func BenchmarkRestore(b *testing.B) {
	for _, keys := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			changed, value := make([][]byte, keys), make([]byte, 8)
			step := uint64(0)
			for i := range changed {
				step = step*6364136223846793005 + 1442695040888963407
				changed[i] = fmt.Append(nil, (step>>33)%uint64(keys))
			}
			before := used()
			for b.Loop() {
				tb := NewTable(Options[string, int64]{Name: "t", Key: serde.String, Value: serde.Int64})
				for i, key := range changed {
					if i%256 == 0 {
						tb.Touch(changed[i:min(i+256, keys)])
					}
					must(b, tb.Restore(key, value, 1_790_000_000_000))
				}
			}
			b.ReportMetric(float64(used()-before)/float64(b.N*keys), "cpu-ns/record")
		})
	}
}

// A payment and its lists are of the kind that an aggregate keeps for each customer.
type payment struct {
	ID, Amount int64
	Time       record.Timestamp
	Merchant   string
	Reference  string
}

type payments struct {
	Customer int64
	Last     []payment
}

// BenchmarkLists is the task's share per payment: each replaces the oldest of the five that a customer has. held/live is what the rows' memory
// comes to.
func BenchmarkLists(b *testing.B) {
	const keys = 100_000
	tb := NewTable(Options[int64, payments]{Name: "t", Key: serde.Int64, Value: serde.JSON[payments]()})
	r := rand.New(rand.NewPCG(1, 2))
	encoded := make([]byte, 700)
	discard := func(_, _ []byte, _ record.Timestamp) error { return nil }
	n := 0
	op := func() {
		var key [8]byte
		customer := r.Uint64N(keys)
		binary.BigEndian.PutUint64(key[:], customer)
		v, _, _ := tb.Get(key[:])
		next := payments{Customer: int64(customer), Last: make([]payment, 0, 5)}
		next.Last = append(next.Last, v.Last[max(len(v.Last)-4, 0):]...)
		next.Last = append(next.Last, payment{
			ID: int64(n), Amount: r.Int64N(1e6), Time: 1_790_000_000_000 + record.Timestamp(n),
			Merchant: fmt.Sprint("merchant of goods ", r.IntN(5000)), Reference: fmt.Sprint("reference ", r.Uint32()),
		})
		tb.PutEncoded(key[:], next, 1_790_000_000_000+record.Timestamp(n), encoded)
		if n++; n%1000 == 0 {
			must(b, tb.Seal(discard))
			tb.Commit()
		}
	}
	for range 10 * keys {
		op()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(tb.held())/float64(tb.Bytes()), "held/live")
}

// BenchmarkAhead looks up and changes batches of a thousand known keys that the table was told of.
func BenchmarkAhead(b *testing.B) {
	const batch = 1000
	discard := func(_, _ []byte, _ record.Timestamp) error { return nil }
	for _, keys := range []uint64{100_000, 4_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			tb := smallKeys(b, int(keys), 8, 1)
			r := rand.New(rand.NewPCG(1, 2))
			var bytes [8 * batch]byte
			var next [batch][]byte
			var cpu int64
			n := 0
			for b.Loop() {
				for i := range next {
					next[i] = bytes[8*i : 8*i+8 : 8*i+8]
					binary.BigEndian.PutUint64(next[i], r.Uint64N(keys)*0x9e3779b97f4a7c15)
				}
				before := used()
				tb.Ahead(next[:])
				for _, key := range next {
					v, _, _ := tb.Get(key)
					tb.Put(key, v+1, 1_790_000_000_000)
				}
				cpu += used() - before
				if n++; n%5 == 0 {
					must(b, tb.Seal(discard))
					tb.Commit()
				}
			}
			b.ReportMetric(float64(cpu)/float64(n*batch), "cpu-ns/record")
		})
	}
}
