package broker

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/admit"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// An EpochWriter appends epochs for one application; opening it again fences the older one. It is the engine's door (DESIGN §2):
// outputs, changelog and input offsets in one journal frame.
type EpochWriter struct {
	b     *Broker
	group string
}

// OpenEpochs returns the writer of group's epochs. Offsets are committed under that group's name. Epochs of an older writer that the
// sequencer has not taken yet fail with PRODUCER_FENCED; offsets fetched from now on hold all that succeeded.
func (b *Broker) OpenEpochs(groupID string) *EpochWriter {
	w := &EpochWriter{b: b, group: groupID}
	b.seq.mu.Lock()
	defer b.seq.mu.Unlock()
	b.seq.writers[groupID] = w
	return w
}

// An Epoch is one atomic append. Each batch has base offset 0 and no producer; the writer owns the bytes from now on.
type Epoch struct {
	Batches []EpochBatch
	Offsets []group.OffsetCommit
}

// EpochBatch is one batch of records for a partition. Keyed tells that each record has a key, which needs no look at them then.
type EpochBatch struct {
	record.TopicPartition
	Bytes batch.View
	Keyed bool
}

// EpochResult tells the base offset of each batch. Err is whole: an unknown topic, a fenced writer (PRODUCER_FENCED), a batch over its topic's limit.
type EpochResult struct {
	Bases  []record.Offset
	Err    *kerr.Error
	Detail string
}

// epochCommand is an epoch on its way, checked and resolved.
type epochCommand struct {
	Future[EpochResult]
	w       *EpochWriter
	items   []producing
	offsets []group.OffsetCommit
	bytes   int64
}

// Append stores the epoch: all of it becomes visible at once after one sync, or nothing ever does. Epochs keep the order of the
// calls.
func (w *EpochWriter) Append(e Epoch) *Future[EpochResult] {
	c := &epochCommand{w: w, items: make([]producing, len(e.Batches)), offsets: e.Offsets}
	now := record.Timestamp(w.b.o.Clock.Now().UnixMilli())
	view := w.b.view.Load()
	for i := range e.Batches {
		it := &e.Batches[i]
		p, err := view.partition(TopicRef{Name: it.Topic}, it.Partition)
		if err != nil {
			return done(EpochResult{Err: err, Detail: fmt.Sprintf("%v does not exist.", it.TopicPartition)})
		}
		v, err, detail := admit.Door{Partition: p.TopicPartition, Rules: p.rules.Load(), Now: now, Trusted: true, Keyed: it.Keyed}.Batch(it.Bytes)
		if err == nil && v.ProducerID() >= 0 {
			err, detail = kerr.InvalidRecord, "An epoch's batch must have no producer."
		}
		if err != nil {
			return done(EpochResult{Err: err, Detail: fmt.Sprintf("%v: %s", it.TopicPartition, detail)})
		}
		c.items[i] = producing{p, v}
		c.bytes += int64(len(v))
	}
	for i := range e.Offsets {
		if o := &e.Offsets[i]; len(o.Metadata) > w.b.o.Group.MaxMetadata {
			return done(EpochResult{Err: kerr.OffsetMetadataTooLarge, Detail: fmt.Sprintf("metadata of %v", o.TopicPartition)})
		}
	}
	c.done = make(chan struct{})
	w.b.push(c)
	return &c.Future
}

func (c *epochCommand) cost() int64 { return c.bytes + callCost }

func (c *epochCommand) fail(why *stop) {
	c.value, c.err = EpochResult{Err: why.partition}, why.err
	c.finish()
}

func (c *epochCommand) exec(s *sequencer) {
	c.value = s.appendEpoch(c)
	s.round.outcomes = append(s.round.outcomes, c)
}

// appendEpoch checks everything before it changes anything; the group's commit comes last, since it decides and changes in one.
func (s *sequencer) appendEpoch(c *epochCommand) EpochResult {
	if s.writers[c.w.group] != c.w && !planted.Is(planted.WriterUnfenced) {
		return EpochResult{Err: kerr.ProducerFenced, Detail: fmt.Sprintf("A newer writer of %s was opened.", c.w.group)}
	}
	for i := range c.items {
		if err := c.items[i].p.refuses(); err != nil {
			return EpochResult{Err: err, Detail: c.items[i].p.String()}
		}
	}
	for i := range c.offsets {
		if s.st.partition(c.offsets[i].TopicPartition) == nil {
			return EpochResult{Err: kerr.UnknownTopicOrPartition, Detail: c.offsets[i].TopicPartition.String()}
		}
	}
	if !s.space.Take(s.clock.Mono(), c.bytes) && c.bytes > 0 {
		return EpochResult{Err: kerr.KafkaStorageError, Detail: s.fullDetail()}
	}
	var effects group.Effects
	if len(c.offsets) > 0 && !planted.Is(planted.PositionsLost) {
		errs, err, e := s.st.groups.Commit(s.clock.Mono(), s.st.now, c.w.group, group.Member{Generation: -1}, c.offsets)
		if err = cmp.Or(err, cmp.Or(errs...)); err != nil {
			s.effects(e)
			return EpochResult{Err: err, Detail: fmt.Sprintf("The offsets of group %s were refused.", c.w.group)}
		}
		effects = e
	}
	return EpochResult{Bases: s.placeEpoch(c.items, effects.Records)}
}

// placeEpoch gives the batches their offsets, appends the frame and applies it.
func (s *sequencer) placeEpoch(items []producing, records [][]byte) []record.Offset {
	bases := make([]record.Offset, len(items))
	head, from := binary.AppendUvarint(s.scratch[:0], uint64(len(items))), 0
	s.parts = s.parts[:0]
	for i, it := range items {
		bases[i] = it.p.next
		it.v.SetBaseOffset(bases[i])
		it.v.SetLeaderEpoch(it.p.epoch())
		head = frame.AppendBatchHead(head, it.p.number, bases[i])
		head = binary.AppendUvarint(head, uint64(len(it.v)))
		s.parts = lend(append(s.parts, journal.Part{Bytes: head[from:]}), it.v)
		from = len(head)
		s.st.applyBatch(it.p, it.v)
		s.figures.add(it.p, it.v)
	}
	head = binary.AppendUvarint(head, uint64(len(records)))
	for _, r := range records {
		head = frame.AppendBytes(head, r)
	}
	s.scratch = head
	s.parts = append(s.parts, journal.Part{Bytes: head[from:]})
	s.put(frame.KindEpoch, s.parts)
	return bases
}

// applyEpoch repeats an epoch's frame.
func (r *recovery) applyEpoch(body []byte) error {
	d := frame.Decoder{B: body}
	for range d.Count() {
		number, base := d.BatchHead()
		b := d.Bytes()
		if err := r.applyBatch(number, base, b, d.Err); err != nil {
			return err
		}
	}
	for range d.Count() {
		b := d.Bytes()
		if d.Err != nil {
			break
		}
		if err := r.st.groups.Apply(b); err != nil {
			return err
		}
	}
	return d.End("epoch")
}
