package broker

import (
	"slices"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/producer"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
)

// producerExpiry is how long a producer is remembered after its last batch: 7 days by the wall clock.
const producerExpiry = 7 * 24 * time.Hour

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

// noteProducer records that v was appended.
func (p *partition) noteProducer(v batch.View, now record.Timestamp) {
	s := p.producer(v.ProducerID(), v.ProducerEpoch())
	s.Note(v, now)
	if v.Transactional() && s.TxnFirst < 0 {
		s.TxnFirst = v.BaseOffset()
		p.open = append(p.open, openTxn{v.ProducerID(), s.TxnFirst})
	}
}

// producer returns pid's state at epoch; a higher epoch forgets the batches of the one before.
func (p *partition) producer(pid int64, epoch int16) *producer.Past {
	s := p.producers[pid]
	if s == nil {
		if p.producers == nil {
			p.producers = map[int64]*producer.Past{}
		}
		s = producer.New(epoch)
		p.producers[pid] = s
	}
	s.Raise(epoch)
	return s
}

// noteEnd records the end of pid's transaction by a marker at offset at; p.next is already behind it.
func (p *partition) noteEnd(pid int64, epoch int16, commit bool, at record.Offset, now record.Timestamp) {
	s := p.producer(pid, epoch)
	s.Used = now
	first := s.TxnFirst
	if first < 0 {
		return // added to the transaction, never written
	}
	s.TxnFirst = -1
	p.open = slices.DeleteFunc(p.open, func(o openTxn) bool { return o.pid == pid })
	if !commit && !planted.Is(planted.AbortedForgotten) {
		p.aborted = append(p.aborted, abortedTxn{pid: pid, first: first, last: at, stable: p.lastStable()})
	}
}

// lastStable is the pending last stable offset: the first offset of the oldest open transaction, or the log's start when retention
// went past it, else the end.
func (p *partition) lastStable() record.Offset {
	if len(p.open) > 0 {
		return max(p.open[0].first, p.start)
	}
	return p.next
}

// expireProducers forgets producers without a batch since before; never one with an open transaction.
func (p *partition) expireProducers(before record.Timestamp) {
	for pid, s := range p.producers {
		if s.TxnFirst < 0 && s.Used < before {
			delete(p.producers, pid)
		}
	}
}
