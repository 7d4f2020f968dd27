package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/mainstemio/mainstem/record"
)

// sampleBatch is a batch of n records at offset 100 whose timestamps fall.
func sampleBatch(n int, c Codec) View {
	var b Builder
	b.Reset(Params{ProducerID: 7, ProducerEpoch: 3, BaseSequence: 40, Transactional: true, Codec: c})
	for i := range n {
		b.Append(record.Timestamp(5000-10*i), fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte("value"), i), []record.Header{{Key: "h", Value: []byte{byte(i)}}})
	}
	v := View(b.AppendTo(nil))
	v.SetBaseOffset(100)
	v.SetLeaderEpoch(9)
	return v
}

func recordsOf(t *testing.T, v View) []string {
	t.Helper()
	if err := v.CheckCRC(); err != nil {
		t.Fatal(err)
	}
	var r Reader
	if err := r.Reset(v, math.MaxInt32); err != nil {
		t.Fatal(err)
	}
	var out []string
	for r.Next() {
		out = append(out, fmt.Sprintf("%d@%d %s=%s %v", r.Offset, r.Timestamp, r.Key, r.Value, r.Headers()))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// keep rewrites v with every n-th record.
func keep(t *testing.T, v View, n int, horizon record.Timestamp) View {
	t.Helper()
	var r Reader
	var w Rewriter
	if err := r.Reset(v, math.MaxInt32); err != nil {
		t.Fatal(err)
	}
	w.Reset(v, horizon)
	for i := 1; r.Next(); i++ {
		if i%n == 0 {
			w.Append(&r)
		}
	}
	return w.AppendTo(nil)
}

func TestARewrittenBatchKeepsOffsetsSequencesAndItsRecords(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		v := sampleBatch(10, codec)
		all := recordsOf(t, v)
		for _, horizon := range []record.Timestamp{record.NoTimestamp, 9_000_000} {
			got := keep(t, v, 3, horizon)
			if fmt.Sprint(recordsOf(t, got)) != fmt.Sprint([]string{all[2], all[5], all[8]}) {
				t.Errorf("codec %d: %v", codec, recordsOf(t, got))
			}
			if got.BaseOffset() != 100 || got.LastOffset() != 109 || got.LeaderEpoch() != 9 || got.ProducerID() != 7 || got.ProducerEpoch() != 3 ||
				got.BaseSequence() != 40 || got.LastSequence() != 49 || !got.Transactional() || got.Codec() != codec || got.Count() != 3 || got.MaxTimestamp() != 4980 {
				t.Errorf("codec %d: header % x", codec, got[:HeaderSize])
			}
			at, ok := got.DeleteHorizon()
			if ok != (horizon > 0) || ok && at != horizon {
				t.Errorf("horizon %d, %v", at, ok)
			}
			if again := keep(t, got, 1, record.NoTimestamp); !bytes.Equal(again, got) {
				t.Errorf("codec %d: rewriting all of it changes it", codec)
			}
		}
	}
}

func TestABatchWithoutRecordsIsAHeader(t *testing.T) {
	got := keep(t, sampleBatch(4, Zstd), 5, record.NoTimestamp)
	if len(got) != HeaderSize || got.Count() != 0 || got.LastOffset() != 103 || got.MaxTimestamp() != record.NoTimestamp || len(recordsOf(t, got)) != 0 {
		t.Errorf("% x", got)
	}
}

func TestRewritingKeepsTheAppendTime(t *testing.T) {
	v := sampleBatch(4, None)
	v.SetLogAppendTime(77)
	got := keep(t, v, 2, record.NoTimestamp)
	if got.MaxTimestamp() != 77 || fmt.Sprint(recordsOf(t, got)) != fmt.Sprint([]string{recordsOf(t, v)[1], recordsOf(t, v)[3]}) {
		t.Errorf("%v", recordsOf(t, got))
	}
}

func TestRecompressChangesTheCodecAndNothingElse(t *testing.T) {
	for from := None; from <= Zstd; from++ {
		for to := None; to <= Zstd; to++ {
			v := sampleBatch(20, from)
			got, err := v.Recompress(nil, to, math.MaxInt32)
			if err != nil || got.Codec() != to || fmt.Sprint(recordsOf(t, got)) != fmt.Sprint(recordsOf(t, v)) {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
			back, err := got.Recompress(nil, None, math.MaxInt32)
			if plain := sampleBatch(20, None); err != nil || !bytes.Equal(back, plain) {
				t.Errorf("%d to %d and back: %v", from, to, err)
			}
		}
	}
	if _, err := sampleBatch(20, Zstd).Recompress(nil, LZ4, 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than allowed was inflated: %v", err)
	}
}
