package epoch

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

// Positions in the batch header (KIP-98; the table is in package batch's doc).
const (
	posCRC           = 17
	posAttributes    = 21
	posProducerID    = 43
	posProducerEpoch = 51
	posBaseSequence  = 53

	attrTransactional = 0x10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Stamp marks b as written by a producer in a transaction, at its sequence. It is done when the batch is sent, for an epoch
// fills while the one before it may still change the producer's epoch (KIP-890). Stamping again replaces the stamp.
func (b Batch) Stamp(producerID int64, producerEpoch int16, sequence int32) {
	v := b.Bytes
	binary.BigEndian.PutUint16(v[posAttributes:], binary.BigEndian.Uint16(v[posAttributes:])|attrTransactional)
	binary.BigEndian.PutUint64(v[posProducerID:], uint64(producerID))
	binary.BigEndian.PutUint16(v[posProducerEpoch:], uint16(producerEpoch))
	binary.BigEndian.PutUint32(v[posBaseSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(v[posCRC:], crc32.Checksum(v[posAttributes:], castagnoli))
}

// Halve cuts b into two batches of about half its records, without a stamp. A batch of one record comes back alone.
func (b Batch) Halve() ([]Batch, error) {
	n := int(b.Bytes.Count())
	if n < 2 {
		return []Batch{b}, nil
	}
	var r batch.Reader
	if err := r.Reset(b.Bytes, math.MaxInt32); err != nil { // it was made here
		return nil, err
	}
	var builder batch.Builder
	var halves []Batch
	for i := 1; r.Next(); i++ {
		builder.Append(r.Timestamp, r.Key, r.Value, headersOf(&r))
		if i == n/2 || i == n {
			half, ok := builder.Compress(nil, b.Bytes.Codec(), 1)
			if !ok {
				half = builder.AppendTo(nil)
			}
			halves = append(halves, Batch{b.TopicPartition, half, b.Keyed})
		}
	}
	return halves, r.Err()
}

func headersOf(r *batch.Reader) []record.Header {
	if r.HeaderCount() == 0 {
		return nil
	}
	return r.Headers()
}
