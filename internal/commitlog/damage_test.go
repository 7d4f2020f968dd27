package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func renewCRC(v batch.View) batch.View {
	binary.BigEndian.PutUint32(v[17:], crc32.Checksum(v[21:], castagnoli))
	return v
}

// TestNoFlippedByteIsEverServed flips every byte of a sealed and of the active segment: what is served is a prefix of the
// right bytes, and then comes ErrCorrupt.
func TestNoFlippedByteIsEverServed(t *testing.T) {
	o := options(vfs.NewCrashable())
	o.SegmentBytes, o.CacheBytes = 7<<10, -1
	l := create(t, o)
	want := fill(t, l, 110)
	m := l.Mark()
	if len(l.mu.segments) != 2 || m.Size < 500 {
		t.Fatalf("%d segments, %+v", len(l.mu.segments), m)
	}
	mem := o.FS.(*vfs.MemFS)
	for _, base := range []record.Offset{0, m.Segment} {
		data, err := mem.UnsafeGetFileDataBuffer(testDir + "/" + segmentName(base, logSuffix))
		if err != nil {
			t.Fatal(err)
		}
		for pos := range data {
			for _, fresh := range []bool{false, true} {
				reader := l
				data[pos] ^= 1 << (pos % 8)
				if fresh {
					if reader, err = Open(o, m); err != nil {
						if base == 0 || !errors.Is(err, ErrCorrupt) {
							t.Fatalf("segment %d byte %d: open: %v", base, pos, err)
						}
						data[pos] ^= 1 << (pos % 8)
						continue
					}
				}
				got, err := readAll(reader, 0, 2000)
				data[pos] ^= 1 << (pos % 8)
				// After a start the leader epochs of the active segment are known from the bytes only.
				if fresh && base != 0 && err == nil && isEpoch(want, len(want)-len(data)+pos) {
					continue
				}
				if !errors.Is(err, ErrCorrupt) || !bytes.HasPrefix(want, got) {
					t.Fatalf("segment %d byte %d, fresh %v: %d bytes served: %v", base, pos, fresh, len(got), err)
				}
			}
		}
	}
	mustReadAll(t, l, 0, want)
}

// isEpoch tells whether a position in concatenated batches is one of the leader epoch's bytes.
func isEpoch(all []byte, pos int) bool {
	for {
		v, rest, err := batch.Next(all)
		if err != nil {
			return false
		}
		if pos < len(v) {
			return pos >= 12 && pos < 16
		}
		pos -= len(v)
		all = rest
	}
}

func FuzzOpenAndRead(f *testing.F) {
	good := content(0, 60)
	f.Add(good, int64(len(good)), int64(60), []byte{})
	f.Add(good[:len(good)-30], int64(len(good)-30), int64(60), []byte("MSTSIDX1"))
	f.Add(content(0, 10), int64(10), int64(3), newIndex(0).encode(3, 10))
	f.Fuzz(func(t *testing.T, data []byte, size, end int64, indexFile []byte) {
		// The same bytes once as the active and once as a sealed segment.
		fs := with(t, map[string][]byte{segmentName(0, logSuffix): data})
		l, err := Open(options(fs), Mark{End: record.Offset(end), Size: size})
		if err == nil {
			readFuzzed(t, l)
		} else if !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if end <= 0 {
			return
		}
		fs = with(t, map[string][]byte{
			segmentName(0, logSuffix): data, segmentName(0, indexSuffix): indexFile,
			segmentName(record.Offset(end), logSuffix): nil,
		})
		l, err = Open(options(fs), Mark{End: record.Offset(end), Segment: record.Offset(end)})
		if err != nil {
			t.Fatal(err)
		}
		readFuzzed(t, l)
	})
}

func readFuzzed(t *testing.T, l *Log) {
	t.Helper()
	defer l.Close()
	got, err := readAll(l, 0, 1000)
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	for next := record.Offset(0); len(got) > 0; {
		v, rest, err := batch.Next(got)
		if err != nil || v.CheckCRC() != nil || v.BaseOffset() != next {
			t.Fatalf("served a damaged batch at %d", next)
		}
		next, got = v.LastOffset()+1, rest
	}
	for _, ts := range []record.Timestamp{0, timeOf(30)} {
		if _, _, _, err := l.OffsetForTime(ts, l.End()); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	}
	if _, _, _, err := l.MaxTimestamp(l.End()); err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func FuzzDecodeIndex(f *testing.F) {
	x := newIndex(0)
	x.addAll(content(0, 60), 0)
	f.Add(x.encode(60, 1000))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		b = bytes.Clone(b)
		body := b[:len(b)-4]
		binary.BigEndian.PutUint32(b[len(body):], crc32.Checksum(body, castagnoli))
		x, ok := decodeIndex(b)
		if !ok {
			return
		}
		_, _, _ = x.before(7), x.beforeTime(7), x.epochAt(7)
		if again, ok := decodeIndex(x.encode(x.end, x.size)); !ok || again.base != x.base || len(again.entries) != len(x.entries) {
			t.Fatal("an index does not survive a second encoding")
		}
	})
}
