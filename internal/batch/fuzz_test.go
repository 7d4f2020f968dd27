package batch

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// fuzzLimit is the inflate limit under fuzzing in bytes: small, so that a breach shows.
const fuzzLimit = 64 << 10

func seed(f *testing.F) {
	for _, c := range codecs {
		f.Add([]byte(build(Params{ProducerID: -1, Codec: c}, sample())))
	}
	f.Add([]byte(EndMarker(1, 2, true, 3, 4)))
	f.Add([]byte{})
}

func FuzzNext(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := b
		var joined []byte
		for len(b) > 0 {
			v, rest, err := Next(b)
			if err != nil {
				break
			}
			joined = append(joined, v...)
			_, _, _ = v.LastOffset(), v.LastSequence(), v.Count()
			b = rest
		}
		if !bytes.Equal(append(joined, b...), whole) {
			t.Fatal("batches and rest are not the input")
		}
	})
}

// renewed takes arbitrary bytes as a batch with a right length, magic and CRC, so that the fuzzer reaches the records.
func renewed(b []byte) (View, bool) {
	if len(b) < HeaderSize {
		return nil, false
	}
	v := View(bytes.Clone(b))
	put32(v, posLength, int32(len(v)-sizeBeforeLength))
	v[posMagic] = magic
	v.setCRC()
	return v, true
}

func FuzzValidate(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := renewed(b)
		if !ok {
			return
		}
		err := v.Validate(fuzzLimit)
		if v.Codec() != None && v.Count() > 0 && v.lastOffsetDelta() == v.Count()-1 {
			if whole := v.validateWhole(fuzzLimit); (whole == nil) != (err == nil) {
				t.Fatalf("as a whole: %v; as a stream: %v", whole, err)
			}
			// Zstd streams only what is larger: here all of it.
			if v.Codec() == Zstd {
				checkZstdStream(t, v, err)
			}
		}
		if err != nil {
			return
		}
		var r Reader
		if err := r.Reset(v, fuzzLimit); err != nil {
			t.Fatalf("a valid batch does not read: %v", err)
		}
		n := int32(0)
		for r.Next() {
			if got := len(r.Headers()); got != r.HeaderCount() {
				t.Fatalf("%d headers, count says %d", got, r.HeaderCount())
			}
			n++
		}
		if r.Err() != nil || n != v.Count() || r.Offset != v.LastOffset() {
			t.Fatalf("read %d of %d records, last offset %d: %v", n, v.Count(), r.Offset, r.Err())
		}
	})
}

func checkZstdStream(t *testing.T, v View, whole error) {
	d := zstdStreams.Get().(*zstd.Decoder)
	defer zstdStreams.Put(d)
	if d.Reset(bytes.NewReader(v.records())) != nil {
		return
	}
	err := v.validateStream(d, fuzzLimit)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return
	}
	if (whole == nil) != (err == nil) {
		t.Fatalf("as a whole: %v; as a zstd stream: %v", whole, err)
	}
}

func FuzzReader(f *testing.F) {
	seed(f)
	var r Reader // reused: no batch may leave anything behind
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := renewed(b)
		if !ok {
			return
		}
		_ = r.Reset(v, fuzzLimit)
		for r.Next() {
			_ = r.Headers()
		}
		if cap(r.buffer) > fuzzLimit {
			t.Fatalf("buffer of %d bytes", cap(r.buffer))
		}
		_, _ = ParseEndMarker(v)
	})
}
