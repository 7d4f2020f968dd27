package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/mainstemio/mainstem/record"
)

// replaced is v with its records swapped for already compressed ones.
func replaced(v View, c Codec, packed []byte) View {
	out := append(bytes.Clone(v[:HeaderSize]), packed...)
	put32(out, posLength, int32(len(out)-sizeBeforeLength))
	out[posAttributes+1] = byte(c)
	View(out).setCRC()
	return out
}

// large is a batch of about n bytes of records that do not fit any window.
func large(n int) View {
	var b Builder
	x := uint32(1)
	for b.Size() < n {
		value := make([]byte, 100+b.Count()%5000)
		for i := range value {
			x = x*1664525 + 1013904223
			value[i] = byte(x>>24) % 64
		}
		b.Append(record.Timestamp(b.Count()), nil, value, []record.Header{{Key: "h", Value: value[:10]}, {Key: "n"}})
	}
	return b.AppendTo(nil)
}

func TestLargeCompressedBatchesAreValidated(t *testing.T) {
	plain := large(5 << 20)
	for _, c := range codecs[1:] {
		good := replaced(plain, c, deflate(nil, c, plain.records()))
		if err := good.Validate(64 << 20); err != nil {
			t.Errorf("%s: %v", codecName(c), err)
		}
		exact := len(plain.records())
		if err := good.Validate(exact); err != nil {
			t.Errorf("%s, exactly the limit: %v", codecName(c), err)
		}
		if err := good.Validate(exact - 1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s, one byte less: %v", codecName(c), err)
		}
		for name, raw := range map[string][]byte{
			"a byte behind": append(bytes.Clone(plain.records()), 0),
			"cut":           plain.records()[:exact-1],
			"a record less": plain.records()[bytes.IndexByte(plain.records(), 'h'):],
			"delta changed": func() []byte { b := bytes.Clone(plain.records()); b[4] ^= 2; return b }(),
		} {
			if err := replaced(plain, c, deflate(nil, c, raw)).Validate(64 << 20); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, %s: %v", codecName(c), name, err)
			}
		}
	}
}

func TestAFrameCutShortIsNotValid(t *testing.T) {
	for _, plain := range []View{large(3 << 20), build(Params{ProducerID: -1}, sample())} {
		for _, c := range codecs[1:] {
			packed := deflate(nil, c, plain.records())
			for _, missing := range []int{1, 4, 8} {
				if err := replaced(plain, c, packed[:len(packed)-missing]).Validate(64 << 20); !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s, %d bytes missing: %v", codecName(c), missing, err)
				}
			}
		}
	}
}

func TestABombCostsValidateLittleMemory(t *testing.T) {
	const limit = 64 << 20
	var b Builder
	b.Append(1, nil, make([]byte, limit), nil)
	plain := View(b.AppendTo(nil))
	for _, c := range codecs {
		if c == None || c == Snappy { // Snappy's ratio bounds it
			continue
		}
		bomb := replaced(plain, c, deflate(nil, c, plain.records()))
		if err := bomb.Validate(limit); !errors.Is(err, ErrTooLarge) { // also fills the pools
			t.Fatalf("%s: %v", codecName(c), err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = bomb.Validate(limit)
		runtime.ReadMemStats(&after)
		got := after.TotalAlloc - before.TotalAlloc
		if t.Logf("%s: %d bytes allocated", codecName(c), got); got > 1<<20 {
			t.Errorf("%s: %d bytes allocated", codecName(c), got)
		}
	}
}

func TestZstdFramesWithWideWindowsAreValidated(t *testing.T) {
	plain := large(3 << 20)
	e, err := zstd.NewWriter(nil, zstd.WithWindowSize(32<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	e.Reset(&packed) // as a stream: the window stands in the frame, the size does not
	for i := 0; i < len(plain.records()); i += 1000 {
		if _, err := e.Write(plain.records()[i:min(i+1000, len(plain.records()))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	v := replaced(plain, Zstd, packed.Bytes())
	if err := v.Validate(64 << 20); err != nil {
		t.Fatal(err)
	}
	if err := v.Validate(2 << 20); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestLZ4FramesOfOtherWritersAreRead(t *testing.T) {
	src := large(6 << 20).records()
	for name, options := range map[string][]lz4.Option{
		"4 MiB blocks and checksums": {lz4.BlockSizeOption(lz4.Block4Mb), lz4.BlockChecksumOption(true), lz4.ChecksumOption(true)},
		"content size":               {lz4.SizeOption(uint64(len(src))), lz4.BlockSizeOption(lz4.Block256Kb)},
		"high compression":           {lz4.CompressionLevelOption(lz4.Level9)},
	} {
		var packed bytes.Buffer
		w := lz4.NewWriter(&packed)
		if err := w.Apply(options...); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(src); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		skippable := append([]byte{0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}, packed.Bytes()...)
		for _, frame := range [][]byte{packed.Bytes(), skippable} {
			if out, err := inflate(nil, LZ4, frame, 8<<20); err != nil || !bytes.Equal(out, src) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestLinkedLZ4BlocksReferToTheOnesBefore(t *testing.T) {
	frame := []byte{0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00}
	block := func(raw bool, b ...byte) {
		size := uint32(len(b))
		if raw {
			size |= lz4RawBlock
		}
		frame = append(binary.LittleEndian.AppendUint32(frame, size), b...)
	}
	block(true, []byte("abcdefgh")...)
	block(false, 0x04, 8, 0, 0x50, 'V', 'W', 'X', 'Y', 'Z') // copy 8 bytes from 8 before, then 5 literals
	frame = append(frame, 0, 0, 0, 0)
	const want = "abcdefghabcdefghVWXYZ"
	if out, err := inflate(nil, LZ4, frame, 100); err != nil || string(out) != want {
		t.Fatalf("%q: %v", out, err)
	}
	s := new(lz4Stream)
	s.reset(frame)
	out, err := readCapped(nil, s, 100)
	if err != nil || string(out) != want {
		t.Fatalf("stream: %q: %v", out, err)
	}
}

func TestRecordsThatDoNotFillTheirLengthAreRefused(t *testing.T) {
	records := []record.Record{{Key: []byte("a"), Headers: []record.Header{{Key: "h", Value: []byte("v")}}}, {Value: []byte("b")}}
	good := build(Params{ProducerID: -1}, records)
	raw := good.records()
	first := int(raw[0] >> 1) // a length below 64 takes one byte
	patch := func(pos int, x byte) []byte {
		b := bytes.Clone(raw)
		b[pos] = x
		return b
	}
	for name, tc := range map[string][]byte{
		"a length over the next record": patch(0, byte(len(raw)-1)<<1),
		"a length too short":            patch(0, byte(first-1)<<1),
		"a negative length":             patch(0, 1),
		"a key over the record's end":   patch(4, byte(first)<<1),
		"two headers announced":         patch(first-4, 4),
		"no header announced":           patch(first-4, 0),
		"a negative header count":       patch(first-4, 1),
		"a null header key":             patch(first-3, 1),
		"a header value over the end":   patch(first-1, 4),
	} {
		for _, c := range codecs {
			if err := replaced(good, c, deflate(nil, c, tc)).Validate(testLimit); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, %s: %v", name, codecName(c), err)
			}
			var r Reader
			err := r.Reset(replaced(good, c, deflate(nil, c, tc)), testLimit)
			for r.Next() {
			}
			if err != nil || !errors.Is(r.Err(), ErrCorrupt) {
				t.Errorf("%s, %s: reader: %v, %v", name, codecName(c), err, r.Err())
			}
		}
	}
	if err := replaced(good, Gzip, deflate(nil, Gzip, raw)).Validate(testLimit); err != nil {
		t.Fatal(err)
	}
}
