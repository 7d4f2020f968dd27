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
// In one process left rows are answered before the next one is taken (topology.Loops). Where the repartitions are topics (message.go has the
// formats) the left table goes on meanwhile, and an answer that says "no right row any more" comes back to a later value of its row. The
// hash drops it, and an inner join's next subscription, an AskIfThere, may have no answer of its own: then nobody would delete the result,
// as happens in Kafka Streams. So Resolve does not drop all of them:
//
//   - An answer for the foreign key that the row has now is true whatever value it was for: all answers for a foreign key come from one
//     task through one partition, in order.
//   - A Retract is remembered in a store until an answer for a later value is taken, or its own comes, which then deletes the result.
//
// A left join needs neither, since each of its changes is answered for its own value. So whatever is overtaken, the last result of a row
// is that of both tables; of what was there for a moment only, some may be left out.
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

	Foreign    Hash // of the foreign key's bytes, only known over topics
	Retraction bool // it answers a Retract
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
