package broker

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/producer"
	"github.com/mainstemio/mainstem/internal/broker/security"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/commitlog"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/record"
)

// A checkpoint is the whole state at an LSN, as bytes, with the logs that must be synced before it is true on disk.
// File format: docs/format/broker.md.
type checkpoint struct {
	lsn    journal.LSN
	body   []byte
	dirty  []*partition
	starts []startMark // first offsets that the checkpoint knows: the files below may go once it is durable
	cuts   []startMark // where the marks' segments begin: what is below may be compacted then
}

// A startMark is an offset of a partition.
type startMark struct {
	p     *partition
	start record.Offset
}

// checkpoint encodes the state behind frame lsn. All logs hold exactly what the frames up to lsn gave them.
func (st *state) checkpoint(lsn journal.LSN, clean bool) *checkpoint {
	c := &checkpoint{lsn: lsn}
	before := st.now - record.Timestamp(producerExpiry.Milliseconds())
	b := frame.AppendBool(nil, clean)
	b = binary.AppendUvarint(b, uint64(lsn))
	b = frame.AppendString(b, st.clusterID)
	b = binary.AppendUvarint(b, uint64(st.nextPart))
	b = binary.AppendUvarint(b, uint64(len(st.topics)))
	for _, name := range slices.Sorted(maps.Keys(st.topics)) {
		t := st.topics[name]
		b = append(frame.AppendString(b, t.Name), t.ID[:]...)
		b = frame.AppendConfigs(frame.AppendBool(b, t.Internal), t.Configs)
		b = binary.AppendUvarint(b, uint64(len(t.parts)))
		for _, p := range t.parts {
			p.expireProducers(before)
			b = p.appendTo(b)
			c.note(p)
		}
	}
	b = frame.AppendBytes(b, st.groups.AppendSnapshot(nil))
	b = frame.AppendBytes(b, st.txns.AppendSnapshot(nil))
	b = frame.AppendBytes(b, st.security.Append(nil))
	c.body = frame.AppendBytes(b, frame.AppendNodeSettings(nil, st.node.Own, st.node.All))
	return c
}

func (c *checkpoint) note(p *partition) {
	if p.unsynced {
		c.dirty = append(c.dirty, p)
		p.unsynced = false
	}
	log := p.log.Load()
	if log == nil {
		return
	}
	c.cuts = append(c.cuts, startMark{p, log.Mark().Segment})
	if p.start > log.Start() {
		c.starts = append(c.starts, startMark{p, p.start})
	}
}

// appendTo encodes one partition with the mark of its log.
func (p *partition) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.number))
	b = binary.AppendUvarint(b, uint64(p.start))
	b = binary.AppendUvarint(b, uint64(p.next))
	b = binary.AppendUvarint(b, uint64(len(p.epochs)))
	for _, e := range p.epochs {
		b = binary.AppendUvarint(b, uint64(e.epoch))
		b = binary.AppendUvarint(b, uint64(e.start))
	}
	mark, has := p.logMark()
	b = frame.AppendBool(b, has)
	if has {
		for _, v := range []int64{int64(mark.Start), int64(mark.End), int64(mark.Segment), mark.Size} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.producers)))
	for pid, s := range p.producers {
		b = s.Append(binary.AppendUvarint(b, uint64(pid)))
	}
	b = binary.AppendUvarint(b, uint64(len(p.open)))
	for _, o := range p.open {
		b = binary.AppendUvarint(b, uint64(o.pid))
		b = binary.AppendUvarint(b, uint64(o.first))
	}
	b = binary.AppendUvarint(b, uint64(len(p.aborted)))
	for _, a := range p.aborted {
		for _, v := range []int64{a.pid, int64(a.first), int64(a.last), int64(a.stable)} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return b
}

// logMark is the log's durable description; a damaged log keeps the one it could not be opened at.
func (p *partition) logMark() (m commitlog.Mark, has bool) {
	if log := p.log.Load(); log != nil {
		m = log.Mark()
		m.Start = max(m.Start, p.start)
		return m, true
	}
	return p.mark, p.mark != commitlog.Mark{}
}

// restore decodes a checkpoint's body into an empty state. Logs are opened later, at the marks left in their partitions.
func (st *state) restore(body []byte) (lsn journal.LSN, clean bool, err error) {
	d := &frame.Decoder{B: body}
	clean, lsn = d.Bool(), journal.LSN(d.Uvarint())
	st.clusterID = d.String()
	nextPart := uint32(d.Uvarint())
	for range d.Count() {
		st.restoreTopic(d)
	}
	groups, txns, users, node := d.Bytes(), d.Bytes(), d.Bytes(), d.Bytes()
	if err := d.End("checkpoint"); err != nil {
		return 0, false, err
	}
	st.nextPart = max(st.nextPart, nextPart)
	if err := st.groups.LoadSnapshot(groups); err != nil {
		return 0, false, fmt.Errorf("load groups: %w", err)
	}
	if err := st.txns.LoadSnapshot(txns); err != nil {
		return 0, false, fmt.Errorf("load transactions: %w", err)
	}
	if err := st.security.Restore(users); err != nil {
		return 0, false, err
	}
	own, all, err := frame.DecodeNodeSettings(node)
	if err != nil {
		return 0, false, err
	}
	st.applyNodeSettings(settings.Node{Own: own, All: all})
	return lsn, clean, nil
}

func (st *state) restoreTopic(d *frame.Decoder) {
	desc := &Topic{Name: d.String(), ID: d.ID(), Internal: d.Bool(), Configs: d.Configs()}
	t := &topicState{Topic: desc, rules: new(atomic.Pointer[settings.Rules])}
	r := st.defaults.With(desc.Configs)
	t.rules.Store(&r)
	for i := range d.Count() {
		number := uint32(d.Uvarint())
		p := st.newPartition(desc, t.rules, int32(i), number)
		p.restore(d)
		t.parts = append(t.parts, p)
	}
	desc.Partitions = int32(len(t.parts))
	st.putTopic(t)
}

func (p *partition) restore(d *frame.Decoder) {
	p.start, p.next = record.Offset(d.Uvarint()), record.Offset(d.Uvarint())
	epochs := make([]epochStart, d.Count())
	for i := range epochs {
		epochs[i] = epochStart{int32(d.Uvarint()), record.Offset(d.Uvarint())}
	}
	if len(epochs) == 0 {
		d.Fail()
		return
	}
	p.epochs = epochs
	if d.Bool() {
		p.mark = commitlog.Mark{
			Start: record.Offset(d.Uvarint()), End: record.Offset(d.Uvarint()),
			Segment: record.Offset(d.Uvarint()), Size: int64(d.Uvarint()),
		}
		p.cut.Store(int64(p.mark.Segment))
	}
	if n := d.Count(); n > 0 {
		p.producers = make(map[int64]*producer.Past, n)
		for range n {
			pid := int64(d.Uvarint())
			p.producers[pid] = producer.Decode(d)
			if planted.Is(planted.ProducersForgotten) {
				delete(p.producers, pid)
			}
		}
	}
	for range d.Count() {
		p.open = append(p.open, openTxn{int64(d.Uvarint()), record.Offset(d.Uvarint())})
	}
	for range d.Count() {
		p.aborted = append(p.aborted, abortedTxn{
			int64(d.Uvarint()), record.Offset(d.Uvarint()), record.Offset(d.Uvarint()), record.Offset(d.Uvarint()),
		})
	}
}

// currentBody is the body of a checkpoint file in today's version.
func currentBody(body []byte, version uint16) []byte {
	if version == 1 { // it had no users, ACLs and node settings: none
		body = frame.AppendBytes(body[:len(body):len(body)], new(security.State).Append(nil))
		body = frame.AppendBytes(body, frame.AppendNodeSettings(nil, nil, nil))
	}
	return body
}
