// Package producer is one producer's past in one partition: what a retry is recognised by, and what may come next.
//
// Callers: package broker, which keeps a Past for each producer of a partition in its state and its checkpoints. It calls batch and
// frame.
//
// Owner and locks: pure; a Past belongs to whoever keeps it.
//
// Rules are Kafka's: the last five batches of the newest epoch are remembered, sequences wrap to 0, a new epoch begins at 0, and of
// a producer that is not remembered any sequence is taken (KAFKA-5793). The bytes of a Past are a part of the checkpoint
// (docs/format/broker.md).
//
// Not here: which producers there are, transactions (broker, coordinator/txn).
package producer

import (
	"encoding/binary"
	"math"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Kept is how many batches of a producer are remembered, as in Kafka: a client has at most five in flight.
const Kept = 5

// A Sent batch is what a retry of a batch is recognised by, and answered with.
type Sent struct {
	First, Last int32
	Base        record.Offset
	Appended    record.Timestamp // -1 unless the topic stamps with LogAppendTime
}

// A Past is one producer's past in one partition.
type Past struct {
	Epoch    int16
	Batches  []Sent           // of this epoch, oldest first, at most Kept
	Last     record.Timestamp // highest record time
	Used     record.Timestamp // wall clock of the last append (of the last start, if that was later): what expiry goes by
	TxnFirst record.Offset    // first offset of its open transaction here, -1 when there is none
}

// New returns the past of a producer that has none.
func New(epoch int16) *Past { return &Past{Epoch: epoch, TxnFirst: -1} }

// Raise forgets the batches when the producer has another epoch now.
func (s *Past) Raise(epoch int16) {
	if epoch != s.Epoch {
		s.Epoch, s.Batches = epoch, nil
	}
}

func next(last int32) int32 {
	if last == math.MaxInt32 {
		return 0
	}
	return last + 1
}

// Check tells whether v may be appended: ok with a nil dup, ok as a repetition of dup, or an error. A nil Past takes all.
func (s *Past) Check(v batch.View) (dup *Sent, err *kerr.Error) {
	if s == nil {
		return nil, nil
	}
	epoch, first := v.ProducerEpoch(), v.BaseSequence()
	switch {
	case epoch < s.Epoch && !planted.Is(planted.EpochUnchecked):
		return nil, kerr.InvalidProducerEpoch
	case epoch > s.Epoch:
		if first != 0 {
			return nil, kerr.OutOfOrderSequenceNumber
		}
		return nil, nil
	}
	last := v.LastSequence()
	for i := range s.Batches {
		if s.Batches[i].First == first && s.Batches[i].Last == last {
			return &s.Batches[i], nil
		}
	}
	want := int32(0)
	if n := len(s.Batches); n > 0 {
		want = next(s.Batches[n-1].Last)
	}
	if first != want && !planted.Is(planted.SequenceUnchecked) {
		return nil, kerr.OutOfOrderSequenceNumber
	}
	return nil, nil
}

// Note records that v, of this epoch, was appended at wall clock now.
func (s *Past) Note(v batch.View, now record.Timestamp) {
	if len(s.Batches) == Kept {
		copy(s.Batches, s.Batches[1:])
		s.Batches = s.Batches[:Kept-1]
	}
	sent := Sent{First: v.BaseSequence(), Last: v.LastSequence(), Base: v.BaseOffset(), Appended: record.NoTimestamp}
	if v.LogAppendTime() {
		sent.Appended = v.MaxTimestamp()
	}
	s.Batches = append(s.Batches, sent)
	s.Last, s.Used = max(s.Last, v.MaxTimestamp()), now
}

// Append appends the form of a checkpoint.
func (s *Past) Append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(s.Epoch))
	b = binary.AppendVarint(b, int64(s.Last))
	b = binary.AppendVarint(b, int64(s.Used))
	b = binary.AppendVarint(b, int64(s.TxnFirst))
	b = binary.AppendUvarint(b, uint64(len(s.Batches)))
	for _, e := range s.Batches {
		for _, v := range []int64{int64(e.First), int64(e.Last), int64(e.Base), int64(e.Appended)} {
			b = binary.AppendVarint(b, v)
		}
	}
	return b
}

// Decode reads what Append wrote; d holds the error.
func Decode(d *frame.Decoder) *Past {
	s := &Past{
		Epoch: int16(d.Varint()), Last: record.Timestamp(d.Varint()), Used: record.Timestamp(d.Varint()),
		TxnFirst: record.Offset(d.Varint()),
	}
	for range d.Count() {
		s.Batches = append(s.Batches, Sent{
			int32(d.Varint()), int32(d.Varint()), record.Offset(d.Varint()), record.Timestamp(d.Varint()),
		})
	}
	return s
}
