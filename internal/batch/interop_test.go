package batch

import (
	"bytes"
	"hash/crc32"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/mainstemio/mainstem/record"
)

// kgoBatch encodes records with kmsg's generated code and kgo's compressor: a second opinion on every byte.
func kgoBatch(t *testing.T, c Codec, records []record.Record) []byte {
	t.Helper()
	var raw []byte
	for i, r := range records {
		k := kmsg.Record{TimestampDelta64: int64(r.Timestamp - records[0].Timestamp), OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		k.Length = int32(len(k.AppendTo(nil)) - 1) // length 0 takes one byte
		raw = k.AppendTo(raw)
	}
	if c != None {
		comp, err := kgo.DefaultCompressor(map[Codec]kgo.CompressionCodec{
			Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression(),
		}[c])
		if err != nil {
			t.Fatal(err)
		}
		packed, used := comp.Compress(new(bytes.Buffer), raw)
		if Codec(used) != c {
			t.Fatalf("kgo used codec %d", used)
		}
		raw = bytes.Clone(packed)
	}
	kb := kmsg.RecordBatch{
		Length: int32(HeaderSize - sizeBeforeLength + len(raw)), PartitionLeaderEpoch: -1, Magic: magic, Attributes: int16(c),
		LastOffsetDelta: int32(len(records) - 1), FirstTimestamp: int64(records[0].Timestamp), MaxTimestamp: 1_700_000_100_000,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(records)), Records: raw,
	}
	kb.CRC = int32(crc32.Checksum(kb.AppendTo(nil)[posAttributes:], castagnoli))
	return kb.AppendTo(nil)
}

func TestBatchesOfKgoAreRead(t *testing.T) {
	for _, c := range codecs {
		t.Run(codecName(c), func(t *testing.T) {
			v, rest, err := Next(kgoBatch(t, c, sample()))
			if err != nil || len(rest) != 0 {
				t.Fatalf("%v, %d bytes left", err, len(rest))
			}
			if err := v.Validate(testLimit); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample(), readAll(t, v)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestUncompressedBytesEqualThoseOfKmsg(t *testing.T) {
	ours := build(Params{ProducerID: -1}, sample())
	if theirs := kgoBatch(t, None, sample()); !bytes.Equal(ours, theirs) {
		t.Fatalf("ours   %x\ntheirs %x", []byte(ours), theirs)
	}
}

func TestKgoReadsOurBatches(t *testing.T) {
	for _, c := range codecs {
		t.Run(codecName(c), func(t *testing.T) {
			var kb kmsg.RecordBatch
			if err := kb.ReadFrom(build(Params{ProducerID: 5, ProducerEpoch: 1, BaseSequence: 2, Codec: c}, sample())); err != nil {
				t.Fatal(err)
			}
			raw, err := kgo.DefaultDecompressor().Decompress(kb.Records, kgo.CompressionCodecType(c))
			if err != nil {
				t.Fatal(err)
			}
			var got []record.Record
			for i := range kb.NumRecords {
				var k kmsg.Record
				if err := k.ReadFrom(raw); err != nil {
					t.Fatal(err)
				}
				raw = raw[len(k.AppendTo(nil)):]
				r := record.Record{Offset: record.Offset(i), Timestamp: record.Timestamp(kb.FirstTimestamp + k.TimestampDelta64), Key: k.Key, Value: k.Value}
				for _, h := range k.Headers {
					r.Headers = append(r.Headers, record.Header{Key: h.Key, Value: h.Value})
				}
				got = append(got, r)
			}
			if diff := cmp.Diff(sample(), got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestRoundTripOfAnyRecords(t *testing.T) {
	nullable := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")...)
	})
	header := rapid.Custom(func(t *rapid.T) record.Header {
		return record.Header{Key: rapid.StringN(0, 20, 80).Draw(t, "key"), Value: nullable.Draw(t, "value")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(rt, "records")
		var want []record.Record
		for i := range n {
			r := record.Record{
				Offset: record.Offset(i), Timestamp: record.Timestamp(rapid.Int64Range(-1, math.MaxInt64/2).Draw(rt, "timestamp")),
				Key: nullable.Draw(rt, "key"), Value: nullable.Draw(rt, "value"),
			}
			if hs := rapid.SliceOfN(header, 0, 3).Draw(rt, "headers"); len(hs) > 0 {
				r.Headers = hs
			}
			want = append(want, r)
		}
		c := rapid.SampledFrom(codecs).Draw(rt, "codec")
		v := build(Params{ProducerID: -1, Codec: c}, want)
		if err := v.Validate(testLimit); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, readAll(t, v)); diff != "" {
			rt.Fatal(diff)
		}
	})
}
