// Package frame lays out the bodies of the broker's journal frames, and the primitives that they and the checkpoint are made of.
//
// Package broker writes frames as it decides and reads them back in recovery. Nothing here holds state or takes a lock. The format is
// docs/format/broker.md; what a frame means is the broker's state. Not here: the bodies of group and transaction records, which belong
// to their coordinators, and the journal's own framing.
package frame

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/record"
)

// A Kind tells what a journal frame holds.
type Kind uint8

// The kinds. A layout never changes: a new layout is a new kind, and a kind that is not here comes from a newer version.
const (
	KindBatch           Kind = 1
	KindTopicCreated    Kind = 2
	KindTopicDeleted    Kind = 3
	KindPartitionsAdded Kind = 4
	KindConfigChanged   Kind = 5
	KindGroup           Kind = 6
	KindTxn             Kind = 7
	KindTxnEnded        Kind = 8
	KindEpoch           Kind = 9
	KindRecordsDeleted  Kind = 10
	KindUncleanStart    Kind = 11
	KindFragment        Kind = 12
	KindCredentials     Kind = 13
	KindACLs            Kind = 14
	KindAbortsForgotten Kind = 15
	KindNodeSettings    Kind = 16
	KindLast            Kind = KindNodeSettings
)

// An ID is a topic's id, a UUID.
type ID = [16]byte

// AppendBatchHead is what stands before the raw bytes of a batch.
func AppendBatchHead(dst []byte, number uint32, base record.Offset) []byte {
	dst = binary.AppendUvarint(dst, uint64(number))
	return binary.AppendUvarint(dst, uint64(base))
}

// BatchHead reads a partition number and an offset; what follows stays in B.
func (d *Decoder) BatchHead() (number uint32, base record.Offset) {
	return uint32(d.Uvarint()), record.Offset(d.Uvarint())
}

// ID reads a topic's id.
func (d *Decoder) ID() (id ID) {
	copy(id[:], d.Take(uint64(len(id))))
	return id
}

// AppendConfigs appends topic settings, in any order.
func AppendConfigs(dst []byte, c map[string]string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c)))
	for k, v := range c {
		dst = AppendString(AppendString(dst, k), v)
	}
	return dst
}

// Configs reads topic settings; never nil.
func (d *Decoder) Configs() map[string]string {
	n := d.Count()
	c := make(map[string]string, n)
	for range n {
		k := d.String()
		c[k] = d.String()
	}
	return c
}

// AppendNodeSettings appends the settings that were changed while the node ran: its own, then those of all nodes.
func AppendNodeSettings(dst []byte, own, all map[string]string) []byte {
	return AppendConfigs(AppendConfigs(dst, own), all)
}

// DecodeNodeSettings reads them; the maps are never nil.
func DecodeNodeSettings(b []byte) (own, all map[string]string, err error) {
	d := Decoder{B: b}
	own, all = d.Configs(), d.Configs()
	return own, all, d.End("node settings")
}

// TopicCreated gives a topic the partition numbers First, First+1, ….
type TopicCreated struct {
	Name     string
	ID       ID
	Internal bool
	First    uint32
	Count    uint32
	Configs  map[string]string
}

// Append encodes f.
func (f TopicCreated) Append(dst []byte) []byte {
	dst = append(AppendString(dst, f.Name), f.ID[:]...)
	dst = AppendBool(dst, f.Internal)
	dst = binary.AppendUvarint(dst, uint64(f.First))
	dst = binary.AppendUvarint(dst, uint64(f.Count))
	return AppendConfigs(dst, f.Configs)
}

// DecodeTopicCreated reads what Append wrote.
func DecodeTopicCreated(b []byte) (TopicCreated, error) {
	d := Decoder{B: b}
	f := TopicCreated{Name: d.String(), ID: d.ID(), Internal: d.Bool(), First: uint32(d.Uvarint()), Count: uint32(d.Uvarint())}
	f.Configs = d.Configs()
	return f, d.End("created topic")
}

// DecodeTopicDeleted reads the topic's id, which is the whole body.
func DecodeTopicDeleted(b []byte) (ID, error) {
	d := Decoder{B: b}
	id := d.ID()
	return id, d.End("deleted topic")
}

// PartitionsAdded adds Count partitions with the numbers First, First+1, ….
type PartitionsAdded struct {
	ID    ID
	First uint32
	Count uint32
}

// Append encodes f.
func (f PartitionsAdded) Append(dst []byte) []byte {
	dst = append(dst, f.ID[:]...)
	dst = binary.AppendUvarint(dst, uint64(f.First))
	return binary.AppendUvarint(dst, uint64(f.Count))
}

// DecodePartitionsAdded reads what Append wrote.
func DecodePartitionsAdded(b []byte) (PartitionsAdded, error) {
	d := Decoder{B: b}
	f := PartitionsAdded{ID: d.ID(), First: uint32(d.Uvarint()), Count: uint32(d.Uvarint())}
	return f, d.End("added partitions")
}

// ConfigChanged holds all settings of the topic after the change.
type ConfigChanged struct {
	ID      ID
	Configs map[string]string
}

// Append encodes f.
func (f ConfigChanged) Append(dst []byte) []byte {
	return AppendConfigs(append(dst, f.ID[:]...), f.Configs)
}

// DecodeConfigChanged reads what Append wrote.
func DecodeConfigChanged(b []byte) (ConfigChanged, error) {
	d := Decoder{B: b}
	f := ConfigChanged{ID: d.ID()}
	f.Configs = d.Configs()
	return f, d.End("changed settings")
}

// TxnEnded is a whole EndTxn: the coordinator's record, and a marker for every partition of the transaction.
type TxnEnded struct {
	Record   []byte
	Producer int64
	Epoch    int16
	Commit   bool
	At       record.Timestamp
	Markers  []Marker
}

// A Marker ends the transaction in one partition at offset Base.
type Marker struct {
	Number uint32
	Base   record.Offset
}

// Append encodes f.
func (f TxnEnded) Append(dst []byte) []byte {
	dst = AppendBytes(dst, f.Record)
	dst = binary.AppendVarint(dst, f.Producer)
	dst = binary.AppendVarint(dst, int64(f.Epoch))
	dst = AppendBool(dst, f.Commit)
	dst = binary.AppendVarint(dst, int64(f.At))
	dst = binary.AppendUvarint(dst, uint64(len(f.Markers)))
	for _, m := range f.Markers {
		dst = AppendBatchHead(dst, m.Number, m.Base)
	}
	return dst
}

// DecodeTxnEnded reads what Append wrote.
func DecodeTxnEnded(b []byte) (TxnEnded, error) {
	d := Decoder{B: b}
	f := TxnEnded{Record: d.Bytes()}
	f.Producer, f.Epoch = d.Varint(), int16(d.Varint())
	f.Commit, f.At = d.Bool(), record.Timestamp(d.Varint())
	f.Markers = make([]Marker, d.Count())
	for i := range f.Markers {
		f.Markers[i].Number, f.Markers[i].Base = d.BatchHead()
	}
	return f, d.End("ended transaction")
}

// AppendRecordsDeleted encodes a partition's new first offset.
func AppendRecordsDeleted(dst []byte, number uint32, start record.Offset) []byte {
	return AppendBatchHead(dst, number, start)
}

// AbortsForgotten takes aborted transactions off the list of a partition, each named by the offset of its marker.
type AbortsForgotten struct {
	Number  uint32
	Markers []record.Offset
}

// Append encodes f.
func (f AbortsForgotten) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.Number))
	dst = binary.AppendUvarint(dst, uint64(len(f.Markers)))
	for _, o := range f.Markers {
		dst = binary.AppendUvarint(dst, uint64(o))
	}
	return dst
}

// DecodeAbortsForgotten reads what Append wrote.
func DecodeAbortsForgotten(b []byte) (AbortsForgotten, error) {
	d := &Decoder{B: b}
	f := AbortsForgotten{Number: uint32(d.Uvarint())}
	for range d.Count() {
		f.Markers = append(f.Markers, record.Offset(d.Uvarint()))
	}
	return f, d.End("forgotten aborts")
}
