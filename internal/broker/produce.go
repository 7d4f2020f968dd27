package broker

import (
	"cmp"
	"fmt"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/admit"
	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// MaxInflatedBytes bounds what the records of one compressed batch may take when inflated; a larger one is MESSAGE_TOO_LARGE.
const MaxInflatedBytes = admit.MaxInflatedBytes

// Produce is one request. TransactionalID is empty outside transactions. Implicit (Produce v12+, TV2) adds the partitions to the transaction.
type Produce struct {
	TransactionalID string
	Implicit        bool
	Items           []ProduceItem
}

// A ProduceItem is the record bytes for one partition: exactly one batch, as Kafka demands since v3. The broker owns Bytes from now on
// and patches offset, epoch and append time in it.
type ProduceItem struct {
	Ref       TopicRef
	Partition int32
	Bytes     []byte
	Refused   *kerr.Error // by the caller already: the item is not looked at
}

// ProduceResult answers one item.
type ProduceResult struct {
	Err        *kerr.Error
	Detail     string
	BaseOffset record.Offset
	AppendTime record.Timestamp // -1 unless message.timestamp.type=LogAppendTime
	LogStart   record.Offset
	Records    []admit.RecordError // which records Err is about, if it is about some
}

func refused(err *kerr.Error, detail string) ProduceResult {
	return ProduceResult{Err: err, Detail: detail, BaseOffset: -1, AppendTime: record.NoTimestamp, LogStart: -1}
}

// produceCommand is one request on its way. Items that were refused before have no partition.
type produceCommand struct {
	Future[[]ProduceResult]
	id       string
	implicit bool
	items    []producing
	bytes    int64
}

type producing struct {
	p *partition
	v batch.View
}

// Produce checks, orders and stores; the results come when the batches are durable. Validation of bytes happens in the caller's
// goroutine. Requests keep the order of the calls. When MaxInFlight bytes wait for the disk, Produce waits for room.
func (b *Broker) Produce(r Produce) *Future[[]ProduceResult] {
	c := &produceCommand{id: r.TransactionalID, implicit: r.Implicit, items: make([]producing, len(r.Items))}
	c.done = make(chan struct{})
	c.value = make([]ProduceResult, len(r.Items))
	now := record.Timestamp(b.o.Clock.Now().UnixMilli())
	view := b.view.Load()
	for i, it := range r.Items {
		p, err := view.partition(it.Ref, it.Partition)
		if err = cmp.Or(it.Refused, err); err != nil {
			c.value[i] = refused(err, "")
			continue
		}
		door := admit.Door{Partition: p.TopicPartition, Rules: p.rules.Load(), Now: now}
		v, err, detail := door.Batch(it.Bytes)
		if err != nil {
			c.value[i] = refused(err, detail)
			c.value[i].Records = door.Blame(it.Bytes, err)
			if look, err := p.look(); err == nil && len(c.value[i].Records) > 0 {
				c.value[i].LogStart = look.start
			}
			continue
		}
		c.items[i] = producing{p, v}
		c.bytes += int64(len(v))
	}
	b.push(c)
	return &c.Future
}

func (c *produceCommand) cost() int64 { return c.bytes + callCost }

func (c *produceCommand) fail(why *stop) {
	c.err = why.err
	for i := range c.value {
		if c.items[i].p != nil {
			c.value[i] = refused(why.partition, "")
		}
	}
	c.finish()
}

func (c *produceCommand) exec(s *sequencer) {
	for i, it := range c.items {
		if it.p != nil {
			c.value[i] = s.produce(c, it.p, it.v)
		}
	}
	s.round.outcomes = append(s.round.outcomes, c)
}

// produce decides about one batch against the pending state and appends it.
func (s *sequencer) produce(c *produceCommand, p *partition, v batch.View) ProduceResult {
	if err := p.refuses(); err != nil {
		return refused(err, "")
	}
	who := txn.Producer{ID: v.ProducerID(), Epoch: v.ProducerEpoch()}
	if v.Transactional() {
		if err, detail := s.checkTxnBatch(c.id, who); err != nil {
			return refused(err, detail)
		}
	}
	if who.ID >= 0 {
		dup, err := p.producers[who.ID].Check(v)
		if err != nil {
			return refused(err, fmt.Sprintf("producer %d epoch %d sequence %d in %v", who.ID, who.Epoch, v.BaseSequence(), p.TopicPartition))
		}
		if dup != nil {
			return ProduceResult{BaseOffset: dup.Base, AppendTime: dup.Appended, LogStart: p.start}
		}
	}
	if !s.space.Take(s.clock.Mono(), int64(len(v))) {
		return refused(kerr.KafkaStorageError, s.fullDetail())
	}
	if err, detail := s.joinTxn(c, p, v, who); err != nil {
		return refused(err, detail)
	}
	out := ProduceResult{BaseOffset: s.appendBatch(p, v), AppendTime: record.NoTimestamp, LogStart: p.start}
	if v.LogAppendTime() {
		out.AppendTime = v.MaxTimestamp()
	}
	return out
}

// checkTxnBatch tells whether who may write for the transactional id. A fenced producer learns INVALID_PRODUCER_EPOCH on Produce,
// as Kafka's verification answers it: it may abort and go on with a new epoch, while PRODUCER_FENCED would end it.
func (s *sequencer) checkTxnBatch(id string, who txn.Producer) (*kerr.Error, string) {
	if id == "" {
		return kerr.InvalidTxnState, "A transactional batch needs the request's transactional id."
	}
	err := s.st.txns.Check(id, who)
	if err == kerr.ProducerFenced {
		err = kerr.InvalidProducerEpoch
	}
	return err, ""
}

// joinTxn makes sure that the batch belongs to its producer's open transaction, or to none.
func (s *sequencer) joinTxn(c *produceCommand, p *partition, v batch.View, who txn.Producer) (*kerr.Error, string) {
	if !v.Transactional() {
		if st := p.producers[who.ID]; who.ID >= 0 && st != nil && st.TxnFirst >= 0 {
			return kerr.InvalidTxnState, "The producer has an open transaction in this partition, but the batch is not transactional."
		}
		return nil, ""
	}
	if s.st.txns.Open(c.id, who, p.TopicPartition) {
		return nil, ""
	}
	if !c.implicit {
		return kerr.InvalidTxnState, "The partition was not added to the producer's transaction."
	}
	records, err := s.st.txns.AddPartitions(s.clock.Mono(), s.st.now, c.id, who, []record.TopicPartition{p.TopicPartition})
	if err != nil {
		return err, ""
	}
	s.txnRecords(records)
	return nil, ""
}
