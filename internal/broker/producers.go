package broker

import (
	"math"
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// keptBatches is how many batches of a producer are remembered per partition, as in Kafka: a client has at most five in flight.
const keptBatches = 5

// producerExpiry is how long a producer is remembered after its last batch: 7 days by the wall clock.
const producerExpiry = 7 * 24 * time.Hour

// A sentBatch is what a retry of a batch is recognised by, and answered with.
type sentBatch struct {
	first, last int32
	base        record.Offset
	appended    record.Timestamp // -1 unless the topic stamps with LogAppendTime
}

// A producerState is one producer's past in one partition.
type producerState struct {
	epoch    int16
	batches  []sentBatch      // of this epoch, oldest first, at most keptBatches
	last     record.Timestamp // highest record time
	used     record.Timestamp // wall clock of the last append (of the last start, if that was later): what expiry goes by
	txnFirst record.Offset    // first offset of its open transaction here, -1 when there is none
}

// An openTxn is a transaction that has written to the partition and has not ended.
type openTxn struct {
	pid   int64
	first record.Offset
}

// An abortedTxn spans an aborted transaction; stable is the last stable offset just behind its marker: no later entry begins
// before it.
type abortedTxn struct {
	pid                 int64
	first, last, stable record.Offset
}

func nextSequence(last int32) int32 {
	if last == math.MaxInt32 {
		return 0
	}
	return last + 1
}

// checkProducer tells whether v may be appended, by Kafka's rules: ok with a nil dup, ok as a repetition of dup, or an error.
func (p *partition) checkProducer(v batch.View) (dup *sentBatch, err *kerr.Error) {
	s := p.producers[v.ProducerID()]
	if s == nil {
		return nil, nil // forgotten or new: any sequence is taken (KAFKA-5793)
	}
	epoch, first := v.ProducerEpoch(), v.BaseSequence()
	switch {
	case epoch < s.epoch:
		return nil, kerr.InvalidProducerEpoch
	case epoch > s.epoch:
		if first != 0 {
			return nil, kerr.OutOfOrderSequenceNumber
		}
		return nil, nil
	}
	last := v.LastSequence()
	for i := range s.batches {
		if s.batches[i].first == first && s.batches[i].last == last {
			return &s.batches[i], nil
		}
	}
	want := int32(0)
	if n := len(s.batches); n > 0 {
		want = nextSequence(s.batches[n-1].last)
	}
	if first != want {
		return nil, kerr.OutOfOrderSequenceNumber
	}
	return nil, nil
}

// noteProducer records that v was appended.
func (p *partition) noteProducer(v batch.View, now record.Timestamp) {
	s := p.producer(v.ProducerID(), v.ProducerEpoch())
	if len(s.batches) == keptBatches {
		copy(s.batches, s.batches[1:])
		s.batches = s.batches[:keptBatches-1]
	}
	sent := sentBatch{first: v.BaseSequence(), last: v.LastSequence(), base: v.BaseOffset(), appended: record.NoTimestamp}
	if v.LogAppendTime() {
		sent.appended = v.MaxTimestamp()
	}
	s.batches = append(s.batches, sent)
	s.last, s.used = max(s.last, v.MaxTimestamp()), now
	if v.Transactional() && s.txnFirst < 0 {
		s.txnFirst = v.BaseOffset()
		p.open = append(p.open, openTxn{v.ProducerID(), s.txnFirst})
	}
}

// producer returns pid's state at epoch; a higher epoch forgets the batches of the one before.
func (p *partition) producer(pid int64, epoch int16) *producerState {
	s := p.producers[pid]
	if s == nil {
		if p.producers == nil {
			p.producers = map[int64]*producerState{}
		}
		s = &producerState{epoch: epoch, txnFirst: -1}
		p.producers[pid] = s
	}
	if epoch != s.epoch {
		s.epoch, s.batches = epoch, nil
	}
	return s
}

// noteEnd records the end of pid's transaction by a marker at offset at; p.next is already behind it.
func (p *partition) noteEnd(pid int64, epoch int16, commit bool, at record.Offset, now record.Timestamp) {
	s := p.producer(pid, epoch)
	s.used = now
	first := s.txnFirst
	if first < 0 {
		return // added to the transaction, never written
	}
	s.txnFirst = -1
	p.open = slices.DeleteFunc(p.open, func(o openTxn) bool { return o.pid == pid })
	if !commit {
		p.aborted = append(p.aborted, abortedTxn{pid: pid, first: first, last: at, stable: p.lastStable()})
	}
}

// lastStable is the pending last stable offset: the first offset of the oldest open transaction, else the end.
func (p *partition) lastStable() record.Offset {
	if len(p.open) > 0 {
		return p.open[0].first
	}
	return p.next
}

// expireProducers forgets producers without a batch since before; never one with an open transaction.
func (p *partition) expireProducers(before record.Timestamp) {
	for pid, s := range p.producers {
		if s.txnFirst < 0 && s.used < before {
			delete(p.producers, pid)
		}
	}
}
