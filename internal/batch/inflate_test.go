package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/mainstemio/mainstem/record"
)

func TestInflatingStopsAtTheLimit(t *testing.T) {
	zeros := []record.Record{{Value: make([]byte, 4<<20)}}
	for _, c := range codecs[1:] {
		t.Run(codecName(c), func(t *testing.T) {
			v := build(Params{ProducerID: -1, Codec: c}, zeros)
			for _, limit := range []int{0, 1, 100, 64 << 10, 4 << 20} {
				if err := v.Validate(limit); !errors.Is(err, ErrTooLarge) {
					t.Errorf("limit %d: %v", limit, err)
				}
				var r Reader
				if err := r.Reset(v, limit); !errors.Is(err, ErrTooLarge) || r.Next() || !errors.Is(r.Err(), ErrTooLarge) {
					t.Errorf("reader, limit %d: %v", limit, err)
				}
			}
			exact := HeaderSize + 4<<20 // more than the records need
			if err := v.Validate(exact); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInflatingExactlyTheLimitIsAllowed(t *testing.T) {
	for _, c := range codecs[1:] {
		src := bytes.Repeat([]byte("0123456789"), 20_000)
		packed := deflate(nil, c, src)
		out, err := inflate(nil, c, packed, len(src))
		if err != nil || !bytes.Equal(out, src) {
			t.Errorf("%s: %v", codecName(c), err)
		}
		if _, err := inflate(nil, c, packed, len(src)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s, one byte less: %v", codecName(c), err)
		}
	}
}

func TestABombCostsNoMoreThanTheLimit(t *testing.T) {
	const limit = 256 << 10
	bomb := make([]byte, 64<<20)
	for _, c := range codecs[1:] {
		packed := deflate(nil, c, bomb)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := inflate(nil, c, packed, limit)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", codecName(c), err)
		}
		// Doubling allocates twice the limit in all; a cold codec brings its own tables.
		if got := after.TotalAlloc - before.TotalAlloc; got > 2*limit+512<<10 {
			t.Errorf("%s: %d bytes allocated", codecName(c), got)
		}
	}
}

func TestAnAnnouncedSnappyLengthIsNotBelieved(t *testing.T) {
	lie := binary.AppendUvarint(nil, 1<<20)
	if out, err := inflate(nil, Snappy, append(lie, 0, 'a'), 1<<24); err == nil || cap(out) > 1<<10 {
		t.Fatalf("err %v, %d bytes allocated", err, cap(out))
	}
}

func TestBareSnappyBlocksAreRead(t *testing.T) {
	src := []byte("one block, as librdkafka and Sarama write it")
	framed := deflate(nil, Snappy, src)
	bare := framed[len(xerialMagic)+8+4:]
	out, err := inflate(nil, Snappy, bare, testLimit)
	if err != nil || !bytes.Equal(out, src) {
		t.Fatal(err)
	}
}

func TestCutFramesAreErrors(t *testing.T) {
	src := bytes.Repeat([]byte("some text to compress "), 5000)
	for _, c := range codecs[1:] {
		packed := deflate(nil, c, src)
		for _, cut := range []int{1, 2, 5, len(packed) / 2, len(packed) - 1} {
			out, err := inflate(nil, c, packed[:cut], testLimit)
			if err == nil && bytes.Equal(out, src) {
				t.Errorf("%s cut to %d: whole text", codecName(c), cut)
			}
		}
	}
}
