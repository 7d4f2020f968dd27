package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/record"
)

var update = flag.Bool("update", false, "rewrite golden files")

// testLimit is the inflate limit of tests in bytes.
const testLimit = 1 << 20

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

func codecName(c Codec) string {
	return [...]string{"none", "gzip", "snappy", "lz4", "zstd"}[c]
}

// sample has every shape of null and empty, headers, and timestamps that go backwards.
func sample() []record.Record {
	return []record.Record{
		{Offset: 0, Timestamp: 1_700_000_000_000, Key: []byte("k"), Value: []byte("value")},
		{Offset: 1, Timestamp: 1_699_999_999_000, Key: nil, Value: []byte{}},
		{Offset: 2, Timestamp: 1_700_000_100_000, Key: []byte{}, Value: nil},
		{Offset: 3, Timestamp: 1_700_000_000_001, Key: []byte("k4"), Value: bytes.Repeat([]byte("abc"), 100), Headers: []record.Header{
			{Key: "h", Value: []byte("1")}, {Key: "", Value: nil}, {Key: "e", Value: []byte{}},
		}},
	}
}

func build(p Params, records []record.Record) View {
	var b Builder
	b.Reset(p)
	for _, r := range records {
		b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	return View(b.AppendTo(nil))
}

func readAll(t *testing.T, v View) []record.Record {
	t.Helper()
	var r Reader
	if err := r.Reset(v, testLimit); err != nil {
		t.Fatal(err)
	}
	var out []record.Record
	for r.Next() {
		out = append(out, record.Record{Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers()})
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBuilderAndReaderKeepEveryField(t *testing.T) {
	for _, c := range codecs {
		t.Run(codecName(c), func(t *testing.T) {
			v := build(Params{ProducerID: 7, ProducerEpoch: 3, BaseSequence: 11, Transactional: true, Codec: c}, sample())
			if err := v.Validate(testLimit); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample(), readAll(t, v)); diff != "" {
				t.Fatal(diff)
			}
			got := []any{
				v.BaseOffset(), v.LastOffset(), v.LeaderEpoch(), v.Codec(), v.Transactional(), v.Control(), v.LogAppendTime(),
				v.BaseTimestamp(), v.MaxTimestamp(), v.ProducerID(), v.ProducerEpoch(), v.BaseSequence(), v.LastSequence(), v.Count(),
			}
			want := []any{
				record.Offset(0), record.Offset(3), int32(-1), c, true, false, false,
				record.Timestamp(1_700_000_000_000), record.Timestamp(1_700_000_100_000), int64(7), int16(3), int32(11), int32(14), int32(4),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestGoldenBytesStayReadable(t *testing.T) {
	for _, c := range codecs {
		t.Run(codecName(c), func(t *testing.T) {
			v := build(Params{ProducerID: -1, Codec: c}, sample())
			path := filepath.Join("testdata", codecName(c)+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(hex.Dump(v)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden := readHexDump(t, path)
			if err := View(golden).Validate(testLimit); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample(), readAll(t, golden)); diff != "" {
				t.Fatal(diff)
			}
			// A library may compress differently in its next version; uncompressed bytes are ours alone.
			if c == None && !bytes.Equal(v, golden) {
				t.Fatalf("the builder's bytes changed:\n%s", hex.Dump(v))
			}
		})
	}
}

func readHexDump(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		digits, _, _ := strings.Cut(strings.TrimSpace(line), "|")
		if len(digits) < 8 {
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(digits[8:], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func TestNextSplitsConcatenatedBatches(t *testing.T) {
	one := build(Params{ProducerID: -1}, sample()[:1])
	two := build(Params{ProducerID: -1, Codec: LZ4}, sample())
	v, rest, err := Next(append(bytes.Clone(one), two...))
	if err != nil || !bytes.Equal(v, one) {
		t.Fatalf("first batch: %v", err)
	}
	v, rest, err = Next(rest)
	if err != nil || !bytes.Equal(v, two) || len(rest) != 0 {
		t.Fatalf("second batch: %v, %d bytes left", err, len(rest))
	}
}

func TestNextRefuses(t *testing.T) {
	good := build(Params{ProducerID: -1}, sample())
	patch := func(pos int, b ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[pos:], b)
		return out
	}
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
	}{
		"nothing":            {nil, ErrCorrupt},
		"a header cut short": {good[:40], ErrCorrupt},
		"a batch cut short":  {good[:len(good)-1], ErrCorrupt},
		"magic 0":            {patch(posMagic, 0), ErrUnsupportedMagic},
		"magic 1":            {patch(posMagic, 1), ErrUnsupportedMagic},
		"magic 3":            {patch(posMagic, 3), ErrCorrupt},
		"negative length":    {patch(posLength, 0xff, 0xff, 0xff, 0xff), ErrCorrupt},
		"length of 2 GB":     {patch(posLength, 0x7f, 0xff, 0xff, 0xff), ErrCorrupt},
		"no room for header": {patch(posLength, 0, 0, 0, 48), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Next(tc.bytes); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestPatchingOffsetAndEpochKeepsTheCRC(t *testing.T) {
	v := build(Params{ProducerID: -1}, sample())
	v.SetBaseOffset(1 << 40)
	v.SetLeaderEpoch(9)
	if err := v.Validate(testLimit); err != nil {
		t.Fatal(err)
	}
	if v.LastOffset() != 1<<40+3 || v.LeaderEpoch() != 9 {
		t.Fatalf("last offset %d, leader epoch %d", v.LastOffset(), v.LeaderEpoch())
	}
	if got := readAll(t, v)[3].Offset; got != 1<<40+3 {
		t.Fatalf("offset %d", got)
	}
}

func TestLogAppendTimeIsTheTimeOfEveryRecord(t *testing.T) {
	v := build(Params{ProducerID: -1}, sample())
	v.SetLogAppendTime(42)
	if err := v.Validate(testLimit); err != nil {
		t.Fatal(err)
	}
	for _, r := range readAll(t, v) {
		if r.Timestamp != 42 {
			t.Fatalf("timestamp %d", r.Timestamp)
		}
	}
	if !v.LogAppendTime() || v.MaxTimestamp() != 42 {
		t.Fatal("attribute or max timestamp missing")
	}
}

func TestLastSequenceWrapsToZero(t *testing.T) {
	for _, tc := range []struct{ base, want int32 }{{0, 3}, {math.MaxInt32 - 3, math.MaxInt32}, {math.MaxInt32 - 2, 0}, {math.MaxInt32, 2}, {-1, -1}} {
		v := build(Params{ProducerID: 1, BaseSequence: tc.base}, sample())
		if got := v.LastSequence(); got != tc.want {
			t.Errorf("base %d: got %d, want %d", tc.base, got, tc.want)
		}
	}
}

func TestEveryFlippedBitUnderTheCRCIsFound(t *testing.T) {
	good := build(Params{ProducerID: -1, Codec: Zstd}, sample())
	for pos := posCRC; pos < len(good); pos++ {
		for bit := range 8 {
			v := View(bytes.Clone(good))
			v[pos] ^= 1 << bit
			if err := v.Validate(testLimit); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d bit %d: %v", pos, bit, err)
			}
		}
	}
}

func TestValidateRefusesCountsThatDisagree(t *testing.T) {
	for name, tamper := range map[string]func(View){
		"no records":             func(v View) { put32(v, posCount, 0); put32(v, posLastOffsetDelta, -1) },
		"negative count":         func(v View) { put32(v, posCount, -5) },
		"last delta beyond":      func(v View) { put32(v, posLastOffsetDelta, 4) },
		"more records announced": func(v View) { put32(v, posCount, 5); put32(v, posLastOffsetDelta, 4) },
		"fewer announced":        func(v View) { put32(v, posCount, 3); put32(v, posLastOffsetDelta, 2) },
		"10^9 records":           func(v View) { put32(v, posCount, 1e9); put32(v, posLastOffsetDelta, 1e9-1) },
		"unknown codec":          func(v View) { v[posAttributes+1] |= 7 },
		"codec without frame":    func(v View) { v[posAttributes+1] |= byte(Gzip) },
		"hole in offset deltas":  func(v View) { v[HeaderSize+4] = 8 },
	} {
		t.Run(name, func(t *testing.T) {
			v := build(Params{ProducerID: -1}, sample())
			tamper(v)
			v.setCRC()
			if err := v.Validate(testLimit); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func put32(v View, pos int, x int32) { binary.BigEndian.PutUint32(v[pos:], uint32(x)) }

func TestEndMarkerTellsCommitFromAbort(t *testing.T) {
	for _, commit := range []bool{true, false} {
		v := EndMarker(77, 4, commit, 12, 99)
		got, ok := ParseEndMarker(v)
		if !ok || got != commit {
			t.Fatalf("commit %v: got %v, %v", commit, got, ok)
		}
		if !v.Control() || !v.Transactional() || v.ProducerID() != 77 || v.ProducerEpoch() != 4 || v.BaseSequence() != -1 || v.MaxTimestamp() != 99 {
			t.Fatal("header of the marker is wrong")
		}
		if err := v.Validate(testLimit); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := ParseEndMarker(build(Params{ProducerID: -1}, sample())); ok {
		t.Fatal("a data batch is no marker")
	}
}

func TestBuilderIsReusedAndCountsBytes(t *testing.T) {
	var b Builder
	if b.Size() != HeaderSize || len(b.AppendTo(nil)) != 0 {
		t.Fatal("an empty builder has a header's size and appends nothing")
	}
	var out []byte
	for i := range 3 {
		b.Append(record.Timestamp(i), nil, []byte("v"), nil)
		b.Append(record.Timestamp(i), nil, []byte("v"), nil)
		size := b.Size()
		before := len(out)
		out = b.AppendTo(out)
		if len(out)-before != size || b.Count() != 0 {
			t.Fatalf("size %d, appended %d, count %d", size, len(out)-before, b.Count())
		}
	}
	for i := range 3 {
		v, rest, err := Next(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Validate(testLimit); err != nil || v.ProducerID() != -1 || v.BaseTimestamp() != record.Timestamp(i) {
			t.Fatalf("batch %d: %v", i, err)
		}
		out = rest
	}
}

func TestNothingIsAllocatedPerRecord(t *testing.T) {
	var records []record.Record
	for i := range 1000 {
		records = append(records, record.Record{Timestamp: record.Timestamp(i), Key: []byte(fmt.Sprint(i)), Value: make([]byte, 50), Headers: []record.Header{{Key: "a"}}})
	}
	for _, c := range codecs {
		v := build(Params{ProducerID: -1, Codec: c}, records)
		var r Reader
		var b Builder
		var dst []byte
		walk := func() {
			if err := r.Reset(v, testLimit); err != nil {
				t.Fatal(err)
			}
			for r.Next() {
			}
		}
		check := func() {
			if err := v.Validate(testLimit); err != nil {
				t.Fatal(err)
			}
		}
		fill := func() {
			b.Reset(Params{ProducerID: -1, Codec: c})
			for i := range records {
				b.Append(records[i].Timestamp, records[i].Key, records[i].Value, records[i].Headers)
			}
			dst = b.AppendTo(dst[:0])
		}
		for name, f := range map[string]func(){"Reader": walk, "Validate": check, "Builder": fill} {
			if got := testing.AllocsPerRun(20, f); got > 20 {
				t.Errorf("%s, %s: %.0f allocations for 1000 records", name, codecName(c), got)
			}
		}
	}
}
