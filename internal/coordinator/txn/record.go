package txn

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/mainstemio/mainstem/internal/coordinator/format"
	"github.com/mainstemio/mainstem/record"
)

// recordVersion is the first byte of every record; a reader refuses versions it does not know.
const recordVersion = 1

// The second byte of a record is its kind.
const (
	kindNextID    = 1 // producer ids below are taken
	kindProducer  = 2 // a transactional id without an open transaction: after an Init or an End
	kindAdded     = 3 // what joined a transaction, which it opens if none is open
	kindForgotten = 4
)

const (
	maxTimeoutMillis = math.MaxInt64 / int64(time.Millisecond)
	// maxProducerID leaves room to count on from any record.
	maxProducerID = 1 << 62
)

func appendNextID(dst []byte, next int64) []byte {
	return binary.AppendVarint(append(dst, recordVersion, kindNextID), next)
}

// appendProducer writes an id whose transaction, if it has one, is told by an added record.
func appendProducer(dst []byte, o *owner) []byte {
	dst = format.AppendString(append(dst, recordVersion, kindProducer), o.id)
	for _, p := range []Producer{o.producer, o.initFrom, o.ended} {
		dst = binary.AppendVarint(dst, p.ID)
		dst = binary.AppendVarint(dst, int64(p.Epoch))
	}
	dst = binary.AppendVarint(dst, o.timeout.Milliseconds())
	s := o.state
	if s == ongoing {
		s = empty
	}
	return append(dst, byte(s))
}

func appendAdded(dst []byte, o *owner, tps []record.TopicPartition, groups []string) []byte {
	dst = format.AppendString(append(dst, recordVersion, kindAdded), o.id)
	dst = binary.AppendVarint(dst, int64(o.started))
	dst = binary.AppendUvarint(dst, uint64(len(tps)))
	var topics format.TopicWriter
	for _, tp := range tps {
		dst = binary.AppendVarint(topics.Append(dst, tp.Topic), int64(tp.Partition))
	}
	dst = binary.AppendUvarint(dst, uint64(len(groups)))
	for _, g := range groups {
		dst = format.AppendString(dst, g)
	}
	return dst
}

func appendForgotten(dst []byte, id string) []byte {
	return format.AppendString(append(dst, recordVersion, kindForgotten), id)
}

// An entry is a decoded record; which fields count depends on kind.
type entry struct {
	kind       byte
	id         string
	nextID     int64
	producer   *owner
	started    record.Timestamp
	partitions []record.TopicPartition
	groups     []string
}

func decode(rec []byte) (entry, error) {
	r := format.NewReader(rec)
	if r.Byte() != recordVersion {
		r.Fail("unknown version")
	}
	e := entry{kind: r.Byte()}
	switch e.kind {
	case kindNextID:
		e.nextID = r.Int(1, maxProducerID)
		return e, r.End()
	case kindProducer, kindAdded, kindForgotten:
	default:
		r.Fail("unknown kind")
	}
	if e.id = r.String(); e.id == "" {
		r.Fail("no transactional id")
	}
	switch e.kind {
	case kindProducer:
		e.producer = readProducer(r, e.id)
	case kindAdded:
		e.started = record.Timestamp(r.Varint())
		e.partitions = make([]record.TopicPartition, r.Count(2))
		var topics format.TopicReader
		for i := range e.partitions {
			e.partitions[i] = record.TopicPartition{Topic: topics.Read(r), Partition: r.Int32()}
		}
		e.groups = make([]string, r.Count(1))
		for i := range e.groups {
			e.groups[i] = r.String()
		}
		if len(e.partitions)+len(e.groups) == 0 {
			r.Fail("nothing added")
		}
	}
	return e, r.End()
}

func readProducer(r *format.Reader, id string) *owner {
	o := newOwner(id)
	for i, p := range []*Producer{&o.producer, &o.initFrom, &o.ended} {
		low := int64(-1) // None, but the producer itself is somebody
		if i == 0 {
			low = 0
		}
		p.ID = r.Int(low, maxProducerID-1)
		p.Epoch = int16(r.Int(low, lastEpoch))
	}
	o.timeout = time.Duration(r.Int(1, maxTimeoutMillis)) * time.Millisecond
	o.state = state(r.Byte())
	if o.state >= ongoing {
		r.Fail("unknown state")
	}
	return o
}
