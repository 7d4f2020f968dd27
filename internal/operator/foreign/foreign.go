// Package foreign joins two tables by a foreign key: a row of the left table with the row of the right one whose key a function finds in
// the left row. The result has the keys of the left table.
//
// The DSL makes the Specs and puts exchanges between them, package task makes the instances: Subscribe and Resolve stand in the left
// table's tasks, Join in the right one's. It calls packages operator and store.
//
// Ownership and order are as in package operator. Join owns the store of subscriptions, the tables are read where they are kept.
//
// Protocol, that of Kafka Streams (KIP-213, KIP-962, KIP-1104):
//
//	left update ──Subscribe──► Subscription, by the foreign key ──► Join: remembers who reads which row of the right table
//	right update ────────────────────────────────────────────────► Join: answers all who read the row, in order of their keys' bytes
//	                           Response, to the left row's partition ◄── Join
//	result ◄──Resolve: joins with the left row as it is now; an answer for an earlier value of it is dropped
//
// A subscription carries the hash of the left value, and every answer repeats it: so an answer that was overtaken is known without
// keeping the value twice. The hash is Kafka's 128-bit murmur3 of the value's bytes, hence the left value's serde must write equal
// values as equal bytes. Subscriptions are stored under the length of the foreign key's bytes (4 bytes, big endian), these, and the
// bytes of the left key, so that all who read one row stand together; subscriber says what is stored.
//
// Left rows must be answered before the next one is taken (topology.Loops): an answer that says "no right row any more" could be overtaken
// by an AskIfThere that nobody answers, and the result's row would stay. The same holds for updates of the right table that overtake
// subscriptions. Whoever puts topics in place of the exchanges must see to that.
//
// Not here: what is done where the serdes are not known, and names (package stream); joins by equal keys.
package foreign

import (
	"encoding/binary"
	"errors"

	"github.com/mainstemio/mainstem/serde"
)

// An Instruction says what becomes of a subscription, and what is answered.
type Instruction uint8

// The instructions.
const (
	Leave      Instruction = iota // forget it; another subscription of the same row answers
	Retract                       // forget it, and answer that there is no right row
	Ask                           // keep it, and answer also when there is no right row
	AskIfThere                    // keep it, and answer if there is a right row
)

// A Subscription of a row of the left table to a row of the right one. Its key is the foreign key; a row without one subscribes to
// nothing and is only answered.
type Subscription[K any] struct {
	Key         K      // of the left row
	KeyBytes    []byte // encoded; they live until the unit ends
	Hash        Hash   // of the left value
	Instruction Instruction
	Nowhere     bool // there is no foreign key
	From        int32
}

// A Response is the right row for a subscription. Its key is that of the left row.
type Response[W any] struct {
	Value   W
	Present bool
	Hash    Hash
	To      int32 // the partition that the subscription came from
}

// A Hash stands for a left value; the zero Hash for a deleted one.
type Hash struct {
	High, Low uint64
	Some      bool
}

// hashOf returns the Hash of an encoded value, nil: deleted.
func hashOf(value []byte) Hash {
	if value == nil {
		return Hash{}
	}
	high, low := murmur3(value)
	return Hash{High: high, Low: low, Some: true}
}

// A subscriber is what the store keeps of a subscription.
type subscriber struct {
	High, Low uint64 // the hash
	From      int32
}

// subscriberSerde writes a version byte, the hash and the partition, big endian.
type subscriberSerde struct{}

const (
	subscriberVersion = 1
	subscriberBytes   = 1 + 8 + 8 + 4
)

var errSubscriber = errors.New("not a subscription of a foreign-key join")

func (subscriberSerde) Append(dst []byte, s subscriber) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(append(dst, subscriberVersion), s.High)
	dst = binary.BigEndian.AppendUint64(dst, s.Low)
	return binary.BigEndian.AppendUint32(dst, uint32(s.From)), nil
}

func (subscriberSerde) Decode(b []byte) (s subscriber, err error) {
	if len(b) != subscriberBytes || b[0] != subscriberVersion {
		return s, errSubscriber
	}
	s.High, s.Low = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	s.From = int32(binary.BigEndian.Uint32(b[17:]))
	return s, nil
}

func (subscriberSerde) HoldsNull() bool { return false }

var _ serde.Serde[subscriber] = subscriberSerde{}

// prefixOf appends what the keys of all subscriptions to a foreign key begin with.
func prefixOf(dst, foreignKey []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(foreignKey))), foreignKey...)
}

// behind appends the lowest bytes that are behind everything that begins with prefix. A prefix begins with a length below 2^31, so
// there always are such.
func behind(dst, prefix []byte) []byte {
	from := len(dst)
	dst = append(dst, prefix...)
	for i := len(dst) - 1; i >= from; i-- {
		dst[i]++
		if dst[i] != 0 {
			return dst[:i+1]
		}
	}
	return dst
}
