package broker

import (
	"cmp"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// InitResult is a producer, or why there is none.
type InitResult struct {
	Producer txn.Producer
	Err      *kerr.Error
}

func lostInit(why *stop) InitResult { return InitResult{Producer: txn.None, Err: why.coordinator} }

// InitProducer gives out a producer id; an open transaction of the same transactional id is aborted first.
func (b *Broker) InitProducer(r txn.Init) *Future[InitResult] {
	return submit(b, lostInit, func(s *sequencer) InitResult {
		p, ends, records, err := s.st.txns.Init(s.clock.Mono(), r)
		for _, e := range ends {
			s.endTxn(e)
		}
		s.txnRecords(records)
		if err != nil {
			return InitResult{txn.None, err}
		}
		return InitResult{p, nil}
	})
}

// txnRecords makes the coordinator's records durable. They are in its state already.
func (s *sequencer) txnRecords(records [][]byte) {
	for _, r := range records {
		s.append(frame.KindTxn, r)
	}
}

// endTxn turns e into one frame and applies it. Partitions deleted in between have no marker.
func (s *sequencer) endTxn(e txn.End) {
	f := frame.TxnEnded{Record: e.Record, Producer: e.Producer.ID, Epoch: e.Producer.Epoch, Commit: e.Commit, At: s.st.now}
	for _, tp := range e.Partitions {
		if p := s.st.partition(tp); p != nil && p.damage.Load() == nil {
			f.Markers = append(f.Markers, frame.Marker{Number: p.number, Base: p.next})
		}
	}
	s.append(frame.KindTxnEnded, f.Append(nil))
	if err := s.st.applyTxnEnd(f); err != nil && s.err == nil {
		s.err = err
	}
}

// each gives every one of n the same error.
func each(n int, err *kerr.Error) []*kerr.Error {
	return slices.Repeat([]*kerr.Error{err}, n)
}

// AddPartitions adds partitions to the transaction (TV1); one error for all, or per partition for unknown ones: then none is added
// and the others answer OPERATION_NOT_ATTEMPTED, as in Kafka.
func (b *Broker) AddPartitions(id string, p txn.Producer, tps []record.TopicPartition) *Future[[]*kerr.Error] {
	lost := func(why *stop) []*kerr.Error { return each(len(tps), why.coordinator) }
	return submit(b, lost, func(s *sequencer) []*kerr.Error {
		out := make([]*kerr.Error, len(tps))
		if s.unknown(tps, out) {
			for i := range out {
				out[i] = cmp.Or(out[i], kerr.OperationNotAttempted)
			}
			return out
		}
		records, err := s.st.txns.AddPartitions(s.clock.Mono(), s.st.now, id, p, tps)
		if err != nil {
			return each(len(tps), err)
		}
		s.txnRecords(records)
		return out
	})
}

// unknown marks partitions that do not exist and reports whether there are any.
func (s *sequencer) unknown(tps []record.TopicPartition, out []*kerr.Error) (any bool) {
	for i, tp := range tps {
		if s.st.partition(tp) == nil {
			out[i], any = kerr.UnknownTopicOrPartition, true
		}
	}
	return any
}

// AddGroup adds a group to the transaction.
func (b *Broker) AddGroup(id string, p txn.Producer, groupID string) *Future[*kerr.Error] {
	return submit(b, lostCoordinator, func(s *sequencer) *kerr.Error {
		return s.addGroup(id, p, groupID)
	})
}

func lostCoordinator(why *stop) *kerr.Error { return why.coordinator }

func (s *sequencer) addGroup(id string, p txn.Producer, groupID string) *kerr.Error {
	records, err := s.st.txns.AddGroup(s.clock.Mono(), s.st.now, id, p, groupID)
	if err == nil {
		s.txnRecords(records)
	}
	return err
}

// CommitTxnOffsets is TxnOffsetCommit: offsets that become visible with the commit. implicit (v5+) adds the group.
func (b *Broker) CommitTxnOffsets(id string, p txn.Producer, groupID string, m group.Member, os []group.OffsetCommit, implicit bool) *Future[[]*kerr.Error] {
	lost := func(why *stop) []*kerr.Error { return each(len(os), why.coordinator) }
	return submit(b, lost, func(s *sequencer) []*kerr.Error {
		if err := s.st.txns.Check(id, p); err != nil {
			return each(len(os), err)
		}
		if implicit {
			if err := s.addGroup(id, p, groupID); err != nil {
				return each(len(os), err)
			}
		} else if d, ok := s.st.txns.Describe(id); !ok || d.State != "Ongoing" {
			return each(len(os), kerr.InvalidTxnState)
		}
		return s.commitOffsets(os, func(known []group.OffsetCommit) ([]*kerr.Error, *kerr.Error, group.Effects) {
			return s.st.groups.CommitTxn(s.clock.Mono(), s.st.now, groupID, p.ID, m, known)
		}).all(len(os))
	})
}

// EndTxn commits or aborts; with bump (TV2) the result is the next epoch.
func (b *Broker) EndTxn(id string, p txn.Producer, commit, bump bool) *Future[InitResult] {
	return submitFreeing(b, lostInit, func(s *sequencer) InitResult {
		next, end, repeated, err := s.st.txns.End(s.clock.Mono(), id, p, commit, bump)
		if err != nil {
			return InitResult{txn.None, err}
		}
		if !repeated {
			s.endTxn(end)
		}
		return InitResult{next, nil}
	})
}

// VerifyPartitions tells for each partition whether it belongs to the producer's open transaction: nil, or TRANSACTION_ABORTABLE
// (KIP-890); one error for all when the producer is not the transactional id's.
func (b *Broker) VerifyPartitions(id string, p txn.Producer, tps []record.TopicPartition) []*kerr.Error {
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	if err := b.seq.st.txns.Check(id, p); err != nil {
		return each(len(tps), err)
	}
	out := make([]*kerr.Error, len(tps))
	for i, tp := range tps {
		if !b.seq.st.txns.Open(id, p, tp) {
			out[i] = kerr.TransactionAbortable
		}
	}
	return out
}

// AbortOpen aborts the transaction that who has open in a partition, as an administrator asks for (WriteTxnMarkers): in all its
// partitions and with a bumped epoch, so that its producer is fenced. One that no transactional id accounts for is ended in this
// partition. Nothing happens when none is open; an epoch older than the last one is INVALID_PRODUCER_EPOCH.
func (b *Broker) AbortOpen(tp record.TopicPartition, who txn.Producer) *Future[*kerr.Error] {
	lost := func(why *stop) *kerr.Error { return why.partition }
	return submitFreeing(b, lost, func(s *sequencer) *kerr.Error {
		p := s.st.partition(tp)
		if p == nil {
			return kerr.UnknownTopicOrPartition
		}
		if err := p.refuses(); err != nil {
			return err
		}
		past := p.producers[who.ID]
		switch {
		case past == nil:
			return nil
		case who.Epoch < past.Epoch:
			return kerr.InvalidProducerEpoch
		case past.TxnFirst < 0:
			return nil
		}
		end := s.st.txns.Abort(s.clock.Mono(), who)
		if !slices.Contains(end.Partitions, tp) {
			end.Partitions = append(end.Partitions, tp)
		}
		s.endTxn(end)
		return nil
	})
}

// ListTransactions and DescribeTransaction serve the admin APIs; they show the pending state.
func (b *Broker) ListTransactions() []txn.Description {
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	return b.seq.st.txns.List()
}

// DescribeTransaction describes one transactional id.
func (b *Broker) DescribeTransaction(id string) (txn.Description, bool) {
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	return b.seq.st.txns.Describe(id)
}

// An ActiveProducer has written to a partition. TxnStart is -1 when it has no open transaction there.
type ActiveProducer struct {
	Producer     txn.Producer
	LastSequence int32
	LastTime     record.Timestamp
	TxnStart     record.Offset
}

// ActiveProducers serves DescribeProducers, ordered by producer id; nil for an unknown partition.
func (b *Broker) ActiveProducers(tp record.TopicPartition) []ActiveProducer {
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	p := b.seq.st.partition(tp)
	if p == nil {
		return nil
	}
	out := make([]ActiveProducer, 0, len(p.producers))
	for pid, s := range p.producers {
		a := ActiveProducer{Producer: txn.Producer{ID: pid, Epoch: s.Epoch}, LastSequence: -1, LastTime: s.Last, TxnStart: s.TxnFirst}
		if n := len(s.Batches); n > 0 {
			a.LastSequence = s.Batches[n-1].Last
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b ActiveProducer) int { return cmp.Compare(a.Producer.ID, b.Producer.ID) })
	return out
}
