package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
)

// batches returns n batches of 100 records each, offsets from 0.
func batches(n int, p batch.Params) []byte {
	var b batch.Builder
	var out []byte
	for i := range n {
		b.Reset(p)
		for range 100 {
			b.Append(7, []byte("key"), []byte("value"), nil)
		}
		one := batch.View(b.AppendTo(nil))
		one.SetBaseOffset(record.Offset(100 * i))
		out = append(out, one...)
	}
	return out
}

func TestDecodeAllocatesByChunkAndNotByRecord(t *testing.T) {
	f := broker.FetchResult{Batches: batches(20, batch.Params{ProducerID: -1}), LastStable: 2000}
	allocs := testing.AllocsPerRun(20, func() {
		c, _, err := decode(record.TopicPartition{Topic: "t"}, 0, f)
		if err != nil || len(c.Values) != 2000 || c.Next != 2000 {
			t.Fatalf("%d records, next %d, %v", len(c.Values), c.Next, err)
		}
	})
	if allocs > 5 {
		t.Errorf("%v allocations for 2,000 records", allocs)
	}
}

func TestDecodeRefusesDamagedBatches(t *testing.T) {
	good := batches(1, batch.Params{ProducerID: -1})
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit in a record": func(b []byte) []byte { b[len(b)-3] ^= 1; return b },
		"a record count of 2^31-1":  func(b []byte) []byte { b[57], b[58], b[59], b[60] = 0x7f, 0xff, 0xff, 0xff; return b },
		"a cut end":                 func(b []byte) []byte { return b[:len(b)-1] },
	} {
		_, _, err := decode(record.TopicPartition{Topic: "t"}, 0, broker.FetchResult{Batches: damage(append([]byte(nil), good...))})
		if !errors.Is(err, batch.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := decode(record.TopicPartition{Topic: "t"}, 100, broker.FetchResult{Batches: good}); !errors.Is(err, batch.ErrCorrupt) {
		t.Errorf("batches before the position: %v", err)
	}
}

func withCRCs(b []byte) []byte {
	for rest := b; ; {
		v, r, err := batch.Next(rest)
		if err != nil {
			return b
		}
		binary.BigEndian.PutUint32(v[17:], crc32.Checksum(v[21:], crc32.MakeTable(crc32.Castagnoli)))
		rest = r
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(batches(2, batch.Params{ProducerID: -1}), int64(3), int64(0))
	f.Add(batches(2, batch.Params{ProducerID: 4, Transactional: true}), int64(150), int64(4))
	f.Add(batches(1, batch.Params{ProducerID: -1, Codec: batch.Zstd}), int64(0), int64(0))
	f.Add([]byte(batch.EndMarker(4, 0, false, 0, 1)), int64(0), int64(4))
	f.Fuzz(func(t *testing.T, b []byte, next, aborted int64) {
		b = withCRCs(bytes.Clone(b)) // so that damage gets further than the checksum
		c, _, err := decode(record.TopicPartition{Topic: "t"}, record.Offset(next), broker.FetchResult{
			Batches: b, Aborted: []broker.Aborted{{ProducerID: aborted, First: 0}},
		})
		if err != nil {
			return
		}
		n := len(c.Offsets)
		if len(c.Keys) != n || len(c.Values) != n || len(c.Timestamps) != n || c.Headers != nil && len(c.Headers) != n {
			t.Fatalf("columns of %d, %d, %d, %d, %d", n, len(c.Keys), len(c.Values), len(c.Timestamps), len(c.Headers))
		}
		if c.Next <= record.Offset(next) {
			t.Fatalf("next stays at %d", c.Next)
		}
	})
}
