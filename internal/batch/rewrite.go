package batch

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
)

// DeleteHorizon is the time in milliseconds from which on compaction may drop the tombstones or the marker of this batch; not
// ok when compaction did not set one (KIP-534). Its place is the base timestamp, which the records' deltas count from as ever.
func (v View) DeleteHorizon() (at record.Timestamp, ok bool) {
	return v.BaseTimestamp(), v.attributes()&attrDeleteHorizon != 0
}

// Recompress appends v with its records under codec c to dst: the header is the same but for codec, length and CRC. At most
// maxInflated bytes are inflated (ErrTooLarge beyond).
func (v View) Recompress(dst []byte, c Codec, maxInflated int) (View, error) {
	buffer := inflateBuffers.Get().(*[]byte)
	defer putInflateBuffer(buffer)
	records, err := inflateInto(buffer, v, maxInflated)
	if err != nil {
		return nil, err
	}
	start := len(dst)
	dst = append(dst, v[:HeaderSize]...)
	dst = deflate(dst, c, records)
	out := View(dst[start:len(dst):len(dst)])
	binary.BigEndian.PutUint16(out[posAttributes:], uint16(v.attributes())&^attrCodec|uint16(c))
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-sizeBeforeLength))
	out.setCRC()
	return out, nil
}

// A Rewriter makes a batch anew from some of its own records, as compaction does: base and last offset, leader epoch, producer
// and sequence stay, so that offsets have holes and retries are still told apart. It keeps its buffer between batches.
type Rewriter struct {
	of            View
	buf           []byte // header, still empty, and records
	count         int
	baseTimestamp record.Timestamp
	maxTimestamp  record.Timestamp
	horizon       bool
}

// Reset starts the new version of v with the delete horizon at, or with the one v has when at is NoTimestamp.
func (w *Rewriter) Reset(v View, at record.Timestamp) {
	var header [HeaderSize]byte
	w.of, w.buf, w.count = v, append(w.buf[:0], header[:]...), 0
	w.baseTimestamp, w.maxTimestamp, w.horizon = at, record.NoTimestamp, at != record.NoTimestamp
	if old, ok := v.DeleteHorizon(); ok && !w.horizon {
		w.baseTimestamp, w.horizon = old, true
	}
}

// Append copies the record that r stands at.
func (w *Rewriter) Append(r *Reader) {
	if w.count == 0 && !w.horizon {
		w.baseTimestamp = r.Timestamp
	}
	w.maxTimestamp = max(w.maxTimestamp, r.Timestamp)
	delta, f := int64(r.Timestamp-w.baseTimestamp), &r.frame
	size := 1 + varintSize(delta) + varintSize(int64(f.offsetDelta)) + nullableSize(f.key) + nullableSize(f.value) +
		varintSize(int64(f.headerCount)) + len(f.headers)
	buf := binary.AppendVarint(w.buf, int64(size))
	buf = append(buf, 0) // attributes
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(f.offsetDelta))
	buf = appendNullable(buf, f.key)
	buf = appendNullable(buf, f.value)
	buf = binary.AppendVarint(buf, int64(f.headerCount))
	w.buf = append(buf, f.headers...)
	w.count++
}

// AppendTo finishes the batch with the codec that it had and appends it to dst. Without records it is a header alone, which says
// where the offsets and sequences end; its maximum timestamp is NoTimestamp.
func (w *Rewriter) AppendTo(dst []byte) []byte {
	start, v := len(dst), w.of
	attributes := uint16(v.attributes()) &^ attrDeleteHorizon
	dst = append(dst, v[:HeaderSize]...)
	if w.count == 0 {
		attributes &^= attrCodec
		w.baseTimestamp, w.horizon = record.NoTimestamp, false
	} else {
		dst = deflate(dst, v.Codec(), w.buf[HeaderSize:])
	}
	if w.horizon {
		attributes |= attrDeleteHorizon
	}
	if v.LogAppendTime() && w.count > 0 {
		w.maxTimestamp = v.MaxTimestamp()
	}
	out := View(dst[start:])
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-sizeBeforeLength))
	binary.BigEndian.PutUint16(out[posAttributes:], attributes)
	binary.BigEndian.PutUint64(out[posBaseTimestamp:], uint64(w.baseTimestamp))
	binary.BigEndian.PutUint64(out[posMaxTimestamp:], uint64(w.maxTimestamp))
	binary.BigEndian.PutUint32(out[posCount:], uint32(w.count))
	out.setCRC()
	return dst
}
