package batch

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestABatchThatDoesNotHalveStaysPlain(t *testing.T) {
	text, noise := bytes.Repeat([]byte(`{"customerId":17}`), 9_000), make([]byte, 150_000)
	for i, random := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(random.Uint32())
	}
	for _, c := range codecs[1:] {
		var b Builder
		if _, ok := b.Compress(nil, c, 2); ok {
			t.Errorf("%s: a batch of nothing", codecName(c))
		}
		b.Append(7, []byte("k"), text, nil)
		plain := b.Size()
		packed, ok := b.Compress([]byte("before"), c, 2)
		v := View(bytes.TrimPrefix(packed, []byte("before")))
		if !ok || len(v) > plain/2 || v.Codec() != c || v.Validate(testLimit) != nil || b.Count() != 0 {
			t.Errorf("%s: %v, %d of %d bytes, codec %d, %v", codecName(c), ok, len(v), plain, v.Codec(), v.Validate(testLimit))
		} else if r := readAll(t, v); len(r) != 1 || !bytes.Equal(r[0].Value, text) {
			t.Errorf("%s: %d records", codecName(c), len(r))
		}
		b.Append(7, []byte("k"), noise, nil)
		rest, ok := b.Compress([]byte("before"), c, 2)
		if ok || string(rest) != "before" || b.Count() != 1 {
			t.Errorf("%s: noise gave %v, %d bytes, and left %d records", codecName(c), ok, len(rest), b.Count())
		}
		v = b.Take(nil)
		if r := readAll(t, v); v.Codec() != None || v.CheckCRC() != nil || len(r) != 1 || !bytes.Equal(r[0].Value, noise) {
			t.Errorf("%s: noise is %d records of codec %d", codecName(c), len(r), v.Codec())
		}
	}
}

func TestACutBatchIsWholeAndTheNextBeginsAnew(t *testing.T) {
	var b Builder
	b.Append(7, []byte("a"), []byte("1"), nil)
	b.Append(8, nil, []byte("2"), nil)
	full := b.Cut(nil)
	if b.Count() != 0 || full.Keyed() || !b.Keyed() {
		t.Errorf("%d records are left; keyed: %v, then %v", b.Count(), full.Keyed(), b.Keyed())
	}
	b.Append(9, []byte("c"), []byte("3"), nil)
	if r := readAll(t, full.Take(nil)); len(r) != 2 || string(r[1].Value) != "2" {
		t.Errorf("the cut batch has %v", r)
	}
	if r := readAll(t, b.AppendTo(nil)); len(r) != 1 || string(r[0].Value) != "3" || r[0].Offset != 0 {
		t.Errorf("the next batch has %v", r)
	}
}

func TestSnappyIsInflatedInOneAllocation(t *testing.T) {
	packed := deflate(nil, Snappy, bytes.Repeat([]byte(`{"customerId":17}`), 20_000))
	allocs := testing.AllocsPerRun(10, func() {
		if _, err := inflate(nil, Snappy, packed, testLimit); err != nil {
			t.Error(err)
		}
	})
	if allocs != 1 {
		t.Errorf("%v allocations", allocs)
	}
}
