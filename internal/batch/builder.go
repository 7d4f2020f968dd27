package batch

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
)

// Params are the header fields that a Builder cannot know. ProducerID -1 means not idempotent: epoch and sequence are
// then written as -1 too.
type Params struct {
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Codec         Codec
}

// A Builder makes one batch, record by record, into one growing buffer that it keeps between batches. The zero Builder
// makes plain batches (not idempotent, not compressed).
type Builder struct {
	params        Params
	ready         bool   // Reset was called: params hold
	buf           []byte // header, still empty, and records
	count         int
	keyless       bool // a record has no key
	baseTimestamp record.Timestamp
	maxTimestamp  record.Timestamp
}

// Reset starts an empty batch.
func (b *Builder) Reset(p Params) {
	if p.ProducerID < 0 {
		p.ProducerID, p.ProducerEpoch, p.BaseSequence = -1, -1, -1
	}
	b.params, b.ready = p, true
	b.clear()
}

func (b *Builder) clear() {
	var header [HeaderSize]byte
	b.buf = append(b.buf[:0], header[:]...)
	b.count, b.keyless, b.baseTimestamp, b.maxTimestamp = 0, false, 0, 0
}

// Append copies one record in. Offsets count from 0. nil key, value and header value are null, empty ones are empty.
func (b *Builder) Append(ts record.Timestamp, key, value []byte, headers []record.Header) {
	if !b.ready {
		b.Reset(Params{ProducerID: -1})
	}
	if b.count == 0 {
		b.baseTimestamp, b.maxTimestamp = ts, ts
	}
	b.maxTimestamp = max(b.maxTimestamp, ts)
	b.keyless = b.keyless || key == nil
	delta := int64(ts - b.baseTimestamp)
	size := 1 + varintSize(delta) + varintSize(int64(b.count)) + nullableSize(key) + nullableSize(value) + headersSize(headers)

	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0) // attributes
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(b.count))
	buf = appendNullable(buf, key)
	buf = appendNullable(buf, value)
	buf = binary.AppendVarint(buf, int64(len(headers)))
	for i := range headers {
		buf = binary.AppendVarint(buf, int64(len(headers[i].Key)))
		buf = append(buf, headers[i].Key...)
		buf = appendNullable(buf, headers[i].Value)
	}
	b.buf = buf
	b.count++
}

// Count is the number of records so far.
func (b *Builder) Count() int { return b.count }

// Keyed tells whether every record so far has a key.
func (b *Builder) Keyed() bool { return !b.keyless }

// Size is the bytes so far, header included, before compression.
func (b *Builder) Size() int { return max(len(b.buf), HeaderSize) }

// AppendTo finishes the batch (lengths, count, timestamps, compression, CRC) and appends it to dst; base offset 0, leader
// epoch -1. Without records it appends nothing. The Builder is empty afterwards and keeps its Params; the next batch of an
// idempotent producer needs a Reset with its own sequence.
func (b *Builder) AppendTo(dst []byte) []byte {
	if b.count == 0 {
		return dst
	}
	start := len(dst)
	dst = append(dst, b.buf[:HeaderSize]...)
	dst = deflate(dst, b.params.Codec, b.buf[HeaderSize:])
	b.writeHeader(View(dst[start:]), b.params.Codec)
	b.clear()
	return dst
}

// Compress is AppendTo with codec c in place of that of the Params, for records that it makes so many times smaller. For others it appends
// nothing, is not ok, and the Builder is as it was.
func (b *Builder) Compress(dst []byte, c Codec, times int) (_ []byte, ok bool) {
	if b.count == 0 {
		return dst, false
	}
	start, records := len(dst), b.buf[HeaderSize:]
	dst = append(dst, b.buf[:HeaderSize]...)
	dst = deflate(dst, c, records)
	if len(dst)-start-HeaderSize > len(records)/times {
		return dst[:start], false
	}
	b.writeHeader(View(dst[start:]), c)
	b.clear()
	return dst, true
}

// Cut takes the batch so far out, as a Builder of its own, and goes on in spare, which may be nil.
func (b *Builder) Cut(spare []byte) Builder {
	full := *b
	b.buf = spare
	b.clear()
	return full
}

// Release gives up the memory of an empty Builder, for another one's.
func (b *Builder) Release() []byte {
	buf := b.buf
	*b = Builder{}
	return buf
}

// Take is AppendTo without copying: the batch is the buffer it was made in, and the Builder goes on in spare, which may be nil.
// It returns nil without records.
func (b *Builder) Take(spare []byte) View {
	if b.count == 0 {
		return nil
	}
	if b.params.Codec != None {
		return b.AppendTo(spare[:0])
	}
	v := View(b.buf)
	b.writeHeader(v, None)
	b.buf = spare
	b.clear()
	return v
}

// writeHeader fills the header of v, whose records are in place under codec c.
func (b *Builder) writeHeader(v View, c Codec) {
	attributes := uint16(c)
	if b.params.Transactional {
		attributes |= attrTransactional
	}
	fields{
		attributes:    attributes,
		count:         b.count,
		baseTimestamp: b.baseTimestamp,
		maxTimestamp:  b.maxTimestamp,
		producerID:    b.params.ProducerID,
		producerEpoch: b.params.ProducerEpoch,
		baseSequence:  b.params.BaseSequence,
	}.put(v)
}

// fields are the header of a new batch.
type fields struct {
	attributes    uint16
	count         int
	baseTimestamp record.Timestamp
	maxTimestamp  record.Timestamp
	producerID    int64
	producerEpoch int16
	baseSequence  int32
}

// put writes the whole header of v, base offset 0 and leader epoch -1, and the CRC.
func (f fields) put(v View) {
	v.SetBaseOffset(0)
	binary.BigEndian.PutUint32(v[posLength:], uint32(len(v)-sizeBeforeLength))
	v.SetLeaderEpoch(-1)
	v[posMagic] = magic
	binary.BigEndian.PutUint16(v[posAttributes:], f.attributes)
	binary.BigEndian.PutUint32(v[posLastOffsetDelta:], uint32(f.count-1))
	binary.BigEndian.PutUint64(v[posBaseTimestamp:], uint64(f.baseTimestamp))
	binary.BigEndian.PutUint64(v[posMaxTimestamp:], uint64(f.maxTimestamp))
	binary.BigEndian.PutUint64(v[posProducerID:], uint64(f.producerID))
	binary.BigEndian.PutUint16(v[posProducerEpoch:], uint16(f.producerEpoch))
	binary.BigEndian.PutUint32(v[posBaseSequence:], uint32(f.baseSequence))
	binary.BigEndian.PutUint32(v[posCount:], uint32(f.count))
	v.setCRC()
}

func appendNullable(buf, data []byte) []byte {
	if data == nil {
		return binary.AppendVarint(buf, -1)
	}
	buf = binary.AppendVarint(buf, int64(len(data)))
	return append(buf, data...)
}

func nullableSize(data []byte) int {
	if data == nil {
		return 1
	}
	return varintSize(int64(len(data))) + len(data)
}

func headersSize(headers []record.Header) int {
	size := varintSize(int64(len(headers)))
	for i := range headers {
		size += varintSize(int64(len(headers[i].Key))) + len(headers[i].Key) + nullableSize(headers[i].Value)
	}
	return size
}

// varintSize is the number of bytes of x as a zigzag varint.
func varintSize(x int64) int {
	size := 1
	for u := uint64(x<<1) ^ uint64(x>>63); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}
