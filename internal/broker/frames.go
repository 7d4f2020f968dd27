package broker

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/internal/coordinator/txn"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/record"
)

// The frame kinds of docs/format/broker.md. A layout never changes: a new layout is a new kind, and a kind that is not here comes
// from a newer version.
const (
	kindBatch           journal.Kind = 1
	kindTopicCreated    journal.Kind = 2
	kindTopicDeleted    journal.Kind = 3
	kindPartitionsAdded journal.Kind = 4
	kindConfigChanged   journal.Kind = 5
	kindGroup           journal.Kind = 6
	kindTxn             journal.Kind = 7
	kindTxnEnded        journal.Kind = 8
	kindEpoch           journal.Kind = 9
	kindRecordsDeleted  journal.Kind = 10
	kindUncleanStart    journal.Kind = 11
	kindFragment        journal.Kind = 12
	kindLast            journal.Kind = kindFragment
)

// appendBatchHead is what stands before the raw bytes of a batch.
func appendBatchHead(dst []byte, number uint32, base record.Offset) []byte {
	dst = binary.AppendUvarint(dst, uint64(number))
	return binary.AppendUvarint(dst, uint64(base))
}

func (d *decoder) batchHead() (number uint32, base record.Offset) {
	return uint32(d.uvarint()), record.Offset(d.uvarint())
}

func (d *decoder) topicID() (id TopicID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

func appendConfigs(dst []byte, c map[string]string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c)))
	for k, v := range c {
		dst = appendString(appendString(dst, k), v)
	}
	return dst
}

func (d *decoder) configs() map[string]string {
	n := d.count()
	c := make(map[string]string, n)
	for range n {
		k := d.string()
		c[k] = d.string()
	}
	return c
}

// topicCreated gives a topic the partition numbers first, first+1, ….
type topicCreated struct {
	name     string
	id       TopicID
	internal bool
	first    uint32
	count    uint32
	configs  map[string]string
}

func (f topicCreated) topic() *Topic {
	return &Topic{Name: f.name, ID: f.id, Partitions: int32(f.count), Internal: f.internal, Configs: f.configs}
}

func (f topicCreated) append(dst []byte) []byte {
	dst = append(appendString(dst, f.name), f.id[:]...)
	dst = appendBool(dst, f.internal)
	dst = binary.AppendUvarint(dst, uint64(f.first))
	dst = binary.AppendUvarint(dst, uint64(f.count))
	return appendConfigs(dst, f.configs)
}

func decodeTopicCreated(b []byte) (topicCreated, error) {
	d := decoder{b: b}
	f := topicCreated{name: d.string(), id: d.topicID(), internal: d.bool(), first: uint32(d.uvarint()), count: uint32(d.uvarint())}
	f.configs = d.configs()
	return f, d.end("created topic")
}

func decodeTopicDeleted(b []byte) (TopicID, error) {
	d := decoder{b: b}
	id := d.topicID()
	return id, d.end("deleted topic")
}

// partitionsAdded adds count partitions with the numbers first, first+1, ….
type partitionsAdded struct {
	id    TopicID
	first uint32
	count uint32
}

func (f partitionsAdded) append(dst []byte) []byte {
	dst = append(dst, f.id[:]...)
	dst = binary.AppendUvarint(dst, uint64(f.first))
	return binary.AppendUvarint(dst, uint64(f.count))
}

func decodePartitionsAdded(b []byte) (partitionsAdded, error) {
	d := decoder{b: b}
	f := partitionsAdded{id: d.topicID(), first: uint32(d.uvarint()), count: uint32(d.uvarint())}
	return f, d.end("added partitions")
}

// configChanged holds all settings of the topic after the change.
type configChanged struct {
	id      TopicID
	configs map[string]string
}

func (f configChanged) append(dst []byte) []byte {
	return appendConfigs(append(dst, f.id[:]...), f.configs)
}

func decodeConfigChanged(b []byte) (configChanged, error) {
	d := decoder{b: b}
	f := configChanged{id: d.topicID()}
	f.configs = d.configs()
	return f, d.end("changed settings")
}

// txnEnded is a whole EndTxn: the coordinator's record, and a marker for every partition of the transaction.
type txnEnded struct {
	record   []byte
	producer txn.Producer
	commit   bool
	at       record.Timestamp
	markers  []marker
}

// A marker ends the transaction in one partition at offset base.
type marker struct {
	number uint32
	base   record.Offset
}

func (f txnEnded) append(dst []byte) []byte {
	dst = appendBytes(dst, f.record)
	dst = binary.AppendVarint(dst, f.producer.ID)
	dst = binary.AppendVarint(dst, int64(f.producer.Epoch))
	dst = appendBool(dst, f.commit)
	dst = binary.AppendVarint(dst, int64(f.at))
	dst = binary.AppendUvarint(dst, uint64(len(f.markers)))
	for _, m := range f.markers {
		dst = appendBatchHead(dst, m.number, m.base)
	}
	return dst
}

func decodeTxnEnded(b []byte) (txnEnded, error) {
	d := decoder{b: b}
	f := txnEnded{record: d.bytes()}
	f.producer = txn.Producer{ID: d.varint(), Epoch: int16(d.varint())}
	f.commit, f.at = d.bool(), record.Timestamp(d.varint())
	f.markers = make([]marker, d.count())
	for i := range f.markers {
		f.markers[i].number, f.markers[i].base = d.batchHead()
	}
	return f, d.end("ended transaction")
}

func appendRecordsDeleted(dst []byte, number uint32, start record.Offset) []byte {
	return appendBatchHead(dst, number, start)
}
