package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdWithoutSize compresses as libzstd's streaming interface does: the frame does not say its size.
func zstdWithoutSize(t *testing.T, records []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(records, 4000) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The decoder reports a buffer that is too small for a block as corruption, so only a buffer that is large enough can tell.
func TestZstdFramesWithoutASizeInflateWhateverBufferComesFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{100, 17 << 10, 100 << 10, 131072, 180494, 300 << 10, 1 << 20, 3 << 20} {
		records := make([]byte, 0, size)
		for len(records) < size {
			records = fmt.Appendf(records, "value %d of many ", r.IntN(100000))
		}
		records = records[:size]
		frame := zstdWithoutSize(t, records)
		for _, room := range []int{0, 1 << 10, 16 << 10, 64 << 10, 130000, 1 << 20} {
			got, err := inflate(make([]byte, 0, room), Zstd, frame, 64<<20)
			if err != nil || !bytes.Equal(got, records) {
				t.Errorf("%d bytes into a buffer of %d: %d bytes, error %v", size, room, len(got), err)
			}
		}
	}
}

func TestZstdBatchesWithoutASizeAreValid(t *testing.T) {
	for _, n := range []int{200 << 10, 900 << 10, 3 << 20} {
		v := large(n)
		v = replaced(v, Zstd, zstdWithoutSize(t, v.records()))
		if err := v.Validate(64 << 20); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		var r Reader
		if err := r.Reset(v, 64<<20); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		last := v[len(v)-8 : len(v)-4]
		for i := range last {
			last[i] ^= 0xff
		}
		if v = replaced(v, Zstd, v.records()); v.Validate(64<<20) == nil {
			t.Errorf("%d bytes, damaged inside: valid", n)
		}
	}
}
