// Package batch reads and writes Kafka's RecordBatch v2 (KIP-98), the unit of wire and disk: the same bytes stand in a
// produce request, in the journal, in a segment and in a fetch response.
//
// Callers are the broker, the commit log, both client doors and the engine. The package calls the codec libraries and
// nothing of the project but the words in record.
//
// A View is the bytes of somebody else: whoever made them owns them, and only the Set methods write. A Reader and a Builder
// belong to one goroutine; codec states are pooled and safe for any number of goroutines.
//
// The format, big endian:
//
//	 0 base offset     int64   not covered by the CRC
//	 8 length          int32   of all that follows this field; not covered
//	12 leader epoch    int32   not covered
//	16 magic           int8    2; not covered
//	17 CRC-32C         uint32  of all that follows this field
//	21 attributes      int16   0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//	23 last offset delta int32
//	27 base timestamp  int64   milliseconds
//	35 max timestamp   int64   milliseconds
//	43 producer id     int64   -1: none
//	51 producer epoch  int16
//	53 base sequence   int32
//	57 record count    int32
//	61 records, compressed as a whole when a codec is set
//
// A record: length, attributes int8, timestamp delta, offset delta, key, value, headers. Lengths, deltas and counts are
// zigzag varints; a length of -1 is null.
//
// Not here: message sets of before Kafka 0.11, the policy of what a client may send, offsets assignment.
package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mainstemio/mainstem/record"
)

// HeaderSize is the length in bytes of a batch's fixed header (KIP-98): records follow it.
const HeaderSize = 61

// Sentinels of this package; errors wrap them with the position.
var (
	// ErrCorrupt marks bytes that are no whole, valid batch: length, magic, CRC, counts or records disagree.
	ErrCorrupt = errors.New("corrupt record batch")
	// ErrUnsupportedMagic marks a message set of before Kafka 0.11.
	ErrUnsupportedMagic = errors.New("record batch has an unsupported magic")
	// ErrTooLarge marks a batch whose records, inflated, exceed the limit.
	ErrTooLarge = errors.New("record batch is too large")
)

// A Codec is the compression of a batch's records.
type Codec int8

// Codecs by their number in the attributes.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// Positions in the header and bits of the attributes.
const (
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57

	magic = 2

	// sizeBeforeLength is what the length field does not count: the base offset and itself.
	sizeBeforeLength = posLength + 4

	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A View is the bytes of exactly one batch. Accessors do not check anything: Next made the View and did. Those of the header
// need its HeaderSize bytes only.
type View []byte

// Next splits the first batch off b; it checks length and magic, not the CRC. rest follows it. Too few bytes for a whole
// batch are ErrCorrupt.
func Next(b []byte) (v View, rest []byte, err error) {
	size, err := Size(b)
	if err != nil {
		return nil, nil, err
	}
	if size > len(b) {
		return nil, nil, fmt.Errorf("batch of %d bytes with %d left: %w", size, len(b), ErrCorrupt)
	}
	return View(b[:size:size]), b[size:], nil
}

// Size tells how many bytes the batch takes whose header stands at the start of b, header included, without needing all of
// it: 17 bytes are enough. It checks magic and the least length; a scanner of files knows from it what to read or skip.
func Size(b []byte) (int, error) {
	if len(b) <= posMagic {
		return 0, fmt.Errorf("%d bytes are no batch header: %w", len(b), ErrCorrupt)
	}
	switch m := b[posMagic]; {
	case m < magic:
		return 0, fmt.Errorf("magic %d: %w", m, ErrUnsupportedMagic)
	case m > magic:
		return 0, fmt.Errorf("magic %d is unknown: %w", m, ErrCorrupt)
	}
	length := int(int32(binary.BigEndian.Uint32(b[posLength:])))
	if length < HeaderSize-sizeBeforeLength {
		return 0, fmt.Errorf("length %d has no room for a header: %w", length, ErrCorrupt)
	}
	return length + sizeBeforeLength, nil
}

// BaseOffset is the offset of the first record.
func (v View) BaseOffset() record.Offset { return record.Offset(binary.BigEndian.Uint64(v)) }

// LastOffset is the offset of the last record, also of one that compaction removed.
func (v View) LastOffset() record.Offset { return v.BaseOffset() + record.Offset(v.lastOffsetDelta()) }

// LeaderEpoch is the epoch of the leader that stored the batch; -1 from a producer.
func (v View) LeaderEpoch() int32 { return v.int32At(posLeaderEpoch) }

// Codec is the compression of the records; values above Zstd are unknown and fail in Validate and Reset.
func (v View) Codec() Codec { return Codec(v.attributes() & attrCodec) }

// Transactional tells whether the batch belongs to a transaction.
func (v View) Transactional() bool { return v.attributes()&attrTransactional != 0 }

// Control tells whether the batch carries a control record, which applications never see.
func (v View) Control() bool { return v.attributes()&attrControl != 0 }

// LogAppendTime tells that MaxTimestamp, stamped by the broker, is the time of every record.
func (v View) LogAppendTime() bool { return v.attributes()&attrLogAppendTime != 0 }

// BaseTimestamp is what the records' timestamp deltas count from.
func (v View) BaseTimestamp() record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(v[posBaseTimestamp:]))
}

// MaxTimestamp is the highest timestamp of the records, as the producer or the broker wrote it.
func (v View) MaxTimestamp() record.Timestamp {
	return record.Timestamp(binary.BigEndian.Uint64(v[posMaxTimestamp:]))
}

// ProducerID is the id of an idempotent producer, -1 for none.
func (v View) ProducerID() int64 { return int64(binary.BigEndian.Uint64(v[posProducerID:])) }

// ProducerEpoch is the epoch of the producer id.
func (v View) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(v[posProducerEpoch:])) }

// BaseSequence is the sequence of the first record, -1 for none.
func (v View) BaseSequence() int32 { return v.int32At(posBaseSequence) }

// LastSequence is the sequence of the last record. It wraps to 0 after 2^31-1; -1 when the batch has no sequence.
func (v View) LastSequence() int32 {
	base := v.BaseSequence()
	if base < 0 {
		return base
	}
	return int32((int64(base) + int64(v.lastOffsetDelta())) & 0x7fffffff)
}

// Count is the number of records as the header says it.
func (v View) Count() int32 { return v.int32At(posCount) }

// SetBaseOffset patches in place; the CRC does not cover it.
func (v View) SetBaseOffset(o record.Offset) { binary.BigEndian.PutUint64(v, uint64(o)) }

// SetLeaderEpoch patches in place; the CRC does not cover it.
func (v View) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(v[posLeaderEpoch:], uint32(e)) }

// SetLogAppendTime marks the batch as stamped by the broker at ts and renews the CRC.
func (v View) SetLogAppendTime(ts record.Timestamp) {
	binary.BigEndian.PutUint16(v[posAttributes:], uint16(v.attributes()|attrLogAppendTime))
	binary.BigEndian.PutUint64(v[posMaxTimestamp:], uint64(ts))
	v.setCRC()
}

// CheckCRC compares the stored CRC-32C with the bytes.
func (v View) CheckCRC() error {
	stored := binary.BigEndian.Uint32(v[posCRC:])
	if sum := v.sum(); sum != stored {
		return fmt.Errorf("batch at offset %d: CRC is %08x, bytes have %08x: %w", v.BaseOffset(), stored, sum, ErrCorrupt)
	}
	return nil
}

// Summed cuts v where its CRC begins to count.
func (v View) Summed() (before, counted []byte, crc uint32) {
	return v[:posAttributes], v[posAttributes:], binary.BigEndian.Uint32(v[posCRC:])
}

func (v View) sum() uint32 { return crc32.Checksum(v[posAttributes:], castagnoli) }

func (v View) setCRC() { binary.BigEndian.PutUint32(v[posCRC:], v.sum()) }

func (v View) attributes() int16 { return int16(binary.BigEndian.Uint16(v[posAttributes:])) }

func (v View) lastOffsetDelta() int32 { return v.int32At(posLastOffsetDelta) }

func (v View) int32At(pos int) int32 { return int32(binary.BigEndian.Uint32(v[pos:])) }

// records is what follows the header, still compressed.
func (v View) records() []byte { return v[HeaderSize:] }
